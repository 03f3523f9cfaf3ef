#!/usr/bin/env python3
"""Real runs of docker-compose.yml: a first cluster, kills of its containers, a network cut.

Not one of ctest's: scripts/check-compose.sh builds the images and runs it. Wants a Docker
engine, docker-compose and, to kill as a crash does, root on the engine's machine.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

PROJECT = "cadre-check"
# Whatever proxies the environment names: Prometheus is on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PROMETHEUS_PORT = "19090"
FILES = ("docker-compose.yml", "deploy/docker/compose.check.yml")
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
RUN_SERVICES = ("replay", "param", "learner", "actor")
ROLLOUT = 128  # Steps of one, in ppo_cartpole: 4 environments, 32 steps of each.
UPDATE = 2 * ROLLOUT


def docker(*arguments, check=True):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip() if done.returncode == 0 else None


def inspect(container, what):
    return docker("inspect", "--format", "{{" + what + "}}", container)


def wait_until(true, what, seconds):
    """Its first true value."""
    end = time.monotonic() + seconds
    while not (value := true()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.3)
    return value


def proved(text):
    print(f"  proved: {text}", flush=True)


class ComposeTest(unittest.TestCase):

    def begin(self, run, *services, files=(), config="ppo_cartpole", **variables):
        """Starts the services, all if none is given, and returns once they are started."""
        self.run_name = run
        self.files = (*FILES, *files)
        self.environment = {**os.environ, "CADRE_CONFIG": config, "CADRE_RUN": run,
                            "CADRE_PROMETHEUS_PORT": PROMETHEUS_PORT, **variables}
        self.passed = False
        self.addCleanup(self.clean_up)
        self.began = time.monotonic()
        self.compose("up", "--detach", "--no-build", *services)

    def compose(self, *arguments):
        files = [word for name in self.files for word in ("--file", name)]
        command = [*COMPOSE, "--project-name", PROJECT, *files, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def clean_up(self):
        if not self.passed:
            print(self.compose("logs", "--no-color", "--tail", "25"), flush=True)
        self.compose("--profile", "grafana", "--profile", "command", "down", "--volumes",
                     "--timeout", "5", "--remove-orphans")
        label = f"label=com.docker.compose.project={PROJECT}"
        for left in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")):
            self.assertEqual(docker(*left, "--filter", label), "", f"docker {left[0]}: left over")

    def containers(self, service):
        """Their ids, the first that was made first."""
        label = "label=com.docker.compose."
        return docker("ps", "-aq", "--filter", f"{label}project={PROJECT}", "--filter",
                      f"{label}service={service}").split()[::-1]

    def read(self, path):
        """A file of the run's folder; None while the learner's container does not run."""
        learner = self.containers("learner")[0]
        return docker("exec", learner, "cat", f"/runs/{self.run_name}/{path}", check=False)

    def result(self, path):
        """The same once the learner has ended."""
        return self.compose("run", "--rm", "-T", "--no-deps", "--entrypoint", "cat", "cadre",
                            f"/runs/{self.run_name}/{path}")

    def progress_steps(self, text):
        rows = [line.split(",") for line in text.splitlines()]
        column = rows[0].index("env_steps")
        return [int(row[column]) for row in rows[1:] if len(row) == len(rows[0])]

    def steps(self):
        steps = self.progress_steps(self.read("progress.csv") or "env_steps")
        return steps[-1] if steps else 0

    def wait_for_steps(self, steps, seconds=120):
        wait_until(lambda: self.steps() >= steps, f"{steps} steps", seconds)
        return self.steps()

    def wait_for_workers(self, *services, seconds=300):
        """Until all have ended: with status 0."""
        workers = [one for service in services for one in self.containers(service)]
        wait_until(lambda: all(inspect(one, ".State.Status") == "exited" for one in workers),
                   "the workers' end", seconds)
        self.seconds = time.monotonic() - self.began
        codes = [int(inspect(one, ".State.ExitCode")) for one in workers]
        self.assertEqual(codes, [0] * len(workers))
        return len(workers)

    def greedy(self):
        text = self.compose("run", "--rm", "-T", "--no-deps", "cadre", "eval",
                            f"/runs/{self.run_name}")
        return json.loads(text)["mean_return"]

    def status(self):
        return self.compose("run", "--rm", "-T", "cadre", "status", "replay:5000", "param:5001")

    def scraped(self):
        """How many processes of each job Prometheus has reached."""
        query = urllib.parse.quote("sum by (job) (max_over_time(up[10m]))")
        url = f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query?query={query}"
        with OPENER.open(url, timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return {one["metric"].get("job", ""): int(one["value"][1]) for one in result}

    def log(self, container):
        done = subprocess.run(["docker", "logs", container], capture_output=True, text=True)
        return done.stdout + done.stderr

    def account(self, service, what):
        """Ends a replay server; its last account of its queue or table, by field."""
        self.compose("stop", service)
        told = re.findall(rf"the {what} was: (.*)", self.log(self.containers(service)[0]))[-1]
        counts = {name: int(count) for name, count in re.findall(r"(\w+): (\d+)\b", told)}
        return lambda name: counts.get(name, 0)

    def queue(self):
        return self.account("replay", "queue")

    def assert_balanced(self, queue):
        for unit in ("rollouts", "steps"):
            self.assertEqual(
                queue(f"appended_{unit}"),
                queue(f"acknowledged_{unit}") + queue(f"dropped_stale_{unit}") +
                queue(f"leased_{unit}") + queue(f"waiting_{unit}"), unit)

    def at_work(self, service):
        """The first of its containers that runs and does not stand by."""
        def find():
            return next((one for one in self.containers(service)
                         if inspect(one, ".State.Running") == "true" and
                         docker("exec", one, "test", "-e", "/tmp/standby", check=False) is None),
                        None)
        return wait_until(find, f"a {service} at work", 30)

    def crash(self, service):
        """Kills what runs in a container of the service; its restart policy brings it back.

        From outside, as the kernel would: after `docker kill` the engine takes it as ended by
        hand, and does not start it again."""
        container = self.at_work(service)
        restarts = int(inspect(container, ".RestartCount"))
        pid = int(inspect(container, ".State.Pid"))
        self.assertGreater(pid, 0, f"{service} ended by itself")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: int(inspect(container, ".RestartCount")) == restarts + 1,
                   f"the restart of {service}", 30)

    def docker_kill(self, service):
        container = self.at_work(service)
        docker("kill", container)
        self.assertEqual(inspect(container, ".State.ExitCode"), "137")
        docker("start", container)

    def test_1_up_solves_cartpole(self):
        self.begin("first")
        workers = self.wait_for_workers("learner", "actor")
        proved(f"`up` trained ppo_cartpole in {self.seconds:.0f} s from the first container on; "
               f"all {workers} workers ended with status 0")
        greedy = self.greedy()
        self.assertGreaterEqual(greedy, 475)
        proved(f"solved: greedy return {greedy:.1f} over 100 episodes, wanted 475")
        status = self.status()
        self.assertIn("FINISHED", status)
        # A quiet machine solves it before Prometheus has looked at the workers once.
        scraped = self.scraped()
        self.assertGreaterEqual(set(scraped), {"cadre_replay", "cadre_param"})
        proved(f"Prometheus scraped {scraped}")
        queue = self.queue()
        self.assert_balanced(queue)
        self.assertEqual(queue("acknowledged_steps"),
                         json.loads(self.result("summary.json"))["env_steps"])
        proved(f"{queue('appended_rollouts')} rollouts appended = "
               f"{queue('acknowledged_rollouts')} acknowledged + "
               f"{queue('dropped_stale_rollouts')} stale + {queue('waiting_rollouts')} waiting")
        # Whoever says `up` once more has the same run, which is done.
        self.compose("up", "--detach", "--no-build", *RUN_SERVICES)
        self.wait_for_workers("learner", "actor")
        proved("a second `up` has nothing left to do, and ends with status 0 as well")
        self.passed = True

    def test_2_each_container_killed_in_turn(self):
        total = 600_000
        self.begin("kills", *RUN_SERVICES, "prometheus",
                   CADRE_SET=f"stop.env_steps={total} checkpoint.every_env_steps=5000")
        killed = []
        for kill in (self.crash, self.docker_kill):
            for service in ("actor", "param", "learner", "replay"):
                at = self.wait_for_steps((len(killed) + 1) * total // 12)
                kill(service)
                killed.append(f"{service} at {at}")
        self.wait_for_workers("learner", "actor")
        scraped = self.scraped()
        self.assertEqual(set(scraped),
                         {"cadre_replay", "cadre_param", "cadre_learner", "cadre_actor"})
        self.assertGreaterEqual(scraped["cadre_actor"], 2)
        proved(f"Prometheus scraped {scraped}")
        summary = json.loads(self.result("summary.json"))
        updates = -(-total // UPDATE)
        self.assertEqual(summary["env_steps"], updates * UPDATE)
        self.assertEqual(summary["updates"], updates)
        self.assertEqual(summary["max_version_lag"], 0)
        steps = self.progress_steps(self.result("progress.csv"))
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back or repeats")
        proved(f"killed, by SIGKILL and then by `docker kill`, in {self.seconds:.0f} s: "
               f"{', '.join(killed)}; each was back, all workers ended with status 0")
        proved(f"the learner counts {summary['updates']} updates of {UPDATE} steps up to "
               f"{summary['env_steps']}, none of another version: nothing was consumed twice")
        queue = self.queue()
        self.assert_balanced(queue)
        proved(f"since its own last kill the queue has {queue('appended_rollouts')} appended = "
               f"{queue('acknowledged_rollouts')} acknowledged + "
               f"{queue('dropped_stale_rollouts')} stale + {queue('waiting_rollouts')} waiting; "
               f"{queue('duplicate_rollouts')} sent twice and counted once")
        self.compose("start", "replay")
        greedy = self.greedy()
        self.assertGreaterEqual(greedy, 475)
        proved(f"solved: greedy return {greedy:.1f}")
        self.passed = True

    def test_3_stopped_and_started_again(self):
        total = 600_000
        self.begin("stopped", *RUN_SERVICES, CADRE_SET=f"stop.env_steps={total}")
        at = self.wait_for_steps(total // 8)
        self.compose("stop")
        for service in RUN_SERVICES:
            self.assertEqual(inspect(self.containers(service)[0], ".State.ExitCode"), "0", service)
        stopped_at = self.progress_steps(self.result("progress.csv"))[-1]
        self.assertLess(stopped_at, total)
        self.compose("up", "--detach", "--no-build", *RUN_SERVICES)
        self.wait_for_workers("learner", "actor")
        steps = self.progress_steps(self.result("progress.csv"))
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back or repeats")
        self.assertIn(stopped_at, steps)
        self.assertEqual(steps[-1], -(-total // UPDATE) * UPDATE)
        proved(f"stopped at {stopped_at} steps, each container with status 0; `up` went on from "
               f"there to {steps[-1]}")
        self.passed = True

    def test_4_network_cut_for_30_seconds(self):
        # Actors run ahead, several rollouts each in flight: what they send again after the cut
        # is fresh enough to be learned from twice, if anything let it, as no run makes so many
        # versions that one would be too old.
        total = 800_000
        self.begin("cut", *RUN_SERVICES, CADRE_ACTORS="2",
                   CADRE_SET=f"stop.env_steps={total} actors.mode=ASYNCHRONOUS "
                             "queue.max_version_lag=4000")
        self.wait_for_steps(total // 8)
        network = f"{PROJECT}_default"
        actors = self.containers("actor")
        for actor in actors:
            docker("network", "disconnect", network, actor)
        cut = time.monotonic()
        time.sleep(10)
        before = self.steps()
        time.sleep(max(0, cut + 30 - time.monotonic()))
        self.assertEqual(self.steps(), before, "the network is cut, and yet there are steps")
        self.assertLess(before, total * 3 // 4)
        for actor in actors:
            docker("network", "connect", "--alias", "actor", network, actor)
        healed = time.monotonic()
        self.wait_for_steps(before + UPDATE, 60)
        back = time.monotonic() - healed
        self.wait_for_workers("learner", "actor")
        for service in RUN_SERVICES:
            for container in self.containers(service):
                self.assertEqual(inspect(container, ".RestartCount"), "0", service)
        made = 0
        for actor in actors:
            made += int(re.search(r"made (\d+) steps", self.log(actor))[1])
        summary, queue = json.loads(self.result("summary.json")), self.queue()
        self.assert_balanced(queue)
        self.assertEqual(queue("acknowledged_steps"), summary["env_steps"])
        # What they have in flight at the end: a window of four rollouts and the one at hand.
        self.assertLessEqual(queue("appended_steps"), made)
        self.assertGreaterEqual(queue("appended_steps"), made - 2 * 5 * ROLLOUT)
        proved(f"actors cut off at {before} steps for 30 s, in which nothing moved; {back:.0f} s "
               f"after the cut training went on, to {summary['env_steps']} steps; nobody died")
        proved(f"of {made} steps made {queue('appended_steps')} were appended, "
               f"{queue('acknowledged_steps')} learned from, {queue('waiting_steps')} left over; "
               f"{queue('duplicate_rollouts')} rollouts came twice and counted once")
        self.passed = True

    def test_5_a_server_that_moved(self):
        # It comes back under its name, but at another address, as where it is rescheduled.
        total = 300_000
        self.begin("moved", *RUN_SERVICES, CADRE_ACTORS="2", CADRE_SET=f"stop.env_steps={total}")
        network = f"{PROJECT}_default"
        address = f'(index .NetworkSettings.Networks "{network}").IPAddress'
        squatters = []
        for service, at in (("param", total // 4), ("replay", total // 2)):
            self.wait_for_steps(at)
            server = self.containers(service)[0]
            before = inspect(server, address)
            docker("network", "disconnect", network, server)
            squatters.append(docker("run", "--detach", "--rm", "--network", network,
                                    inspect(server, ".Config.Image"), "sleep", "600"))
            self.addCleanup(docker, "rm", "--force", squatters[-1], check=False)
            docker("network", "connect", "--alias", service, network, server)
            moved = time.monotonic()
            steps = self.steps()
            self.wait_for_steps(steps + 10 * UPDATE)
            self.assertNotEqual(inspect(server, address), before)
            proved(f"{service} moved from {before} to {inspect(server, address)}: ten updates "
                   f"later {time.monotonic() - moved:.0f} s had passed")
        self.wait_for_workers("learner", "actor")
        summary = json.loads(self.result("summary.json"))
        self.assertEqual(summary["updates"] * UPDATE, summary["env_steps"])
        self.assertEqual(summary["max_version_lag"], 0)
        docker("rm", "--force", *squatters)
        self.passed = True

    def test_6_one_replay_of_two_servers(self):
        total = 60_000
        self.begin("sharded", *RUN_SERVICES, "replay-1", config="dqn_cartpole",
                   files=["deploy/docker/compose.sharded.yml"],
                   CADRE_SET=f"stop.env_steps={total} replay.warmup_steps=1000 "
                             "evaluation.every_env_steps=0")
        self.wait_for_workers("learner", "actor")
        first, second = self.account("replay", "table"), self.account("replay-1", "table")
        for field in ("inserted_steps", "sampled_items"):
            # A container that is started late has less.
            self.assertGreater(min(first(field), second(field)), 1_000, field)
        steps = json.loads(self.result("summary.json"))["env_steps"]
        self.assertGreaterEqual(steps, total)
        self.assertLessEqual(steps, first("inserted_steps") + second("inserted_steps"))
        proved(f"dqn_cartpole of two replay servers in {self.seconds:.0f} s: "
               f"{first('inserted_steps')} and {second('inserted_steps')} steps inserted, "
               f"{first('sampled_items')} and {second('sampled_items')} items sampled")
        self.passed = True

    def test_7_learners_that_push_gradients(self):
        total = 300_000
        self.begin("pushing", *RUN_SERVICES, "follower", config="a3c_cartpole",
                   files=["deploy/docker/compose.a3c.yml"], CADRE_SET=f"stop.env_steps={total}")
        workers = self.wait_for_workers("learner", "follower", "actor")
        self.assertEqual(workers, 1 + 3 + 4)
        status = self.status().replace(",", "")
        model = re.search(r"'a3c_cartpole': version \d+ \d+ bytes (\d+) steps; gradients: "
                          r"(\d+) applied .*; refused (\d+) too old and 0 broken", status)
        steps, applied, refused = map(int, model.groups())
        learned = [int(count) for count in re.findall(r" = (\d+) acknowledged ", status)]
        self.assertEqual(len(learned), 4)
        self.assertGreater(min(learned), 0)
        # One rollout is one gradient, and its steps count whatever becomes of it; what the end of the run met is not acknowledged.
        self.assertGreaterEqual(steps, total)
        self.assertEqual(steps, (applied + refused) * ROLLOUT)
        self.assertLessEqual(sum(learned), applied + refused)
        self.assertGreaterEqual(sum(learned), applied + refused - len(learned))
        proved(f"four learners pushed {applied} gradients in {self.seconds:.0f} s and {refused} "
               f"that were too old; their rollouts: {', '.join(map(str, learned))}")
        self.passed = True

    def test_8_eight_actors(self):
        self.begin("eight", *RUN_SERVICES, files=["deploy/docker/compose.actors8.yml"])
        self.assertEqual(self.wait_for_workers("learner", "actor"), 1 + 8)
        made = [int(re.search(r"made (\d+) steps", self.log(actor))[1])
                for actor in self.containers("actor")]
        self.assertGreater(min(made), 0)
        greedy = self.greedy()
        self.assertGreaterEqual(greedy, 475)
        proved(f"eight actors made {min(made)} to {max(made)} steps each in {self.seconds:.0f} s; "
               f"greedy return {greedy:.1f}")
        self.passed = True


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
