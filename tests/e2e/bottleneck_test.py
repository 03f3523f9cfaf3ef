#!/usr/bin/env python3
"""The verdict of `cadre status` in staged situations: real processes, each slow in one
place, and what is said to hold the run back."""

import re
import time

import cadre_run
import throttled_link

RUN = ("--run_id", "staged")
IMPALA = cadre_run.CONFIGS / "impala_cartpole.textproto"
# A verdict is of the last ten seconds; the rest is for a busy machine.
PATIENCE = 90.0
# So many times in a row, a second apart.
STEADY = 4


class BottleneckTest(cadre_run.CadreTest):

    def begin(self, config, *settings, actors, step_seconds=lambda index: 0,
              actor_link=None, learner_link=None):
        """Starts all processes of a run that does not end by itself."""
        settings += ("stop.env_steps=1000000000",)
        resolved = self.finish("cadre", "config", "check", config,
                               *(part for setting in settings for part in ("--set", setting)))
        self.assertEqual(resolved.code, 0, resolved)
        path = self.folder / "config.textproto"
        path.write_text(resolved.stdout)
        self.metrics = cadre_run.free_port()
        self.parameters = self.serve("cadre_param_server", "--metrics_port",
                                     f"127.0.0.1:{self.metrics}")
        replay = self.serve("cadre_replay_server", "--config", path)
        worker = (*RUN, "--config", path, "--parameters", self.parameters)
        self.workers = [self.start("cadre_learner", *worker, "--out", self.folder / "run",
                                   "--replay", self.through(learner_link, replay))]
        self.workers += [
            self.start("cadre_actor", *worker, "--index", index, "--step_seconds",
                       step_seconds(index), "--replay", self.through(actor_link, replay))
            for index in range(actors)]

    def serve(self, program, *arguments):
        """Starts a server, and its address."""
        file = self.folder / f"{program}.port"
        server = self.start(program, *RUN, *arguments, "--address", "127.0.0.1:0",
                            "--port_file", file)
        cadre_run.wait_until(file.exists, "its port", server)
        return f"127.0.0.1:{file.read_text().strip()}"

    def through(self, rates, address):
        if rates is None:
            return address
        link = throttled_link.ThrottledLink(address, **rates)
        self.addCleanup(link.close)
        return link.address

    def status(self):
        status = self.finish("cadre", "status", self.parameters)
        self.assertEqual(status.code, 0, status)
        return status.stdout

    def assert_verdict(self, wanted):
        """Within its time, and then steadily. The whole text."""
        seen, in_a_row = [], 0
        deadline = time.monotonic() + PATIENCE
        while in_a_row < STEADY:
            text = self.status()
            for worker in self.workers:
                self.assertIsNone(worker.code, worker)
            verdict = re.search(r"^  verdict: (.*)$", text, re.M)
            seen.append(verdict[1] if verdict else text)
            in_a_row = in_a_row + 1 if seen[-1].startswith(f"{wanted}-bound") else 0
            if time.monotonic() > deadline:
                self.fail(f"wanted {wanted}-bound; got\n" + "\n".join(seen) + "\n" + text)
            time.sleep(1)
        expected = {verdict: str(int(verdict == wanted)) for verdict in (
            "none", "actor", "replay", "network", "learner")}
        cadre_run.wait_until(
            lambda: self.metrics_now() == (expected, wanted == "actor"), f"metrics: {expected}")
        return text

    def metrics_now(self):
        """The verdicts as Prometheus sees them, and whether actors are to be added."""
        text = cadre_run.read_url(f"http://127.0.0.1:{self.metrics}/metrics")
        verdicts = dict(re.findall(r'^cadre_param_bottleneck\{verdict="(\w+)"\} (\d)', text, re.M))
        to_add, = re.findall(r"^cadre_param_actors_to_add (\d+)", text, re.M)
        return verdicts, int(to_add) > 0

    def test_a_slow_environment(self):
        self.begin(IMPALA, actors=4, step_seconds=lambda index: 0.02)
        text = self.assert_verdict("actor")
        self.assertRegex(text, r"verdict: actor-bound: add about \d+ actors")
        self.assertRegex(text, r"\n  actor-3 \(.+\): environment \d+ %.*; [\d,]+ steps/s\n")
        self.assertRegex(text, r"\n  learner-0 \(.+\): wait for experience \d+ %")

    def test_a_slow_environment_of_a_replay_table(self):
        self.begin(cadre_run.CONFIGS / "dqn_cartpole.textproto", "actors.mode=ASYNCHRONOUS",
                   "actors.count=2", "replay.warmup_steps=200", "evaluation.every_env_steps=0",
                   actors=2, step_seconds=lambda index: 0.02)
        self.assert_verdict("actor")

    def test_a_slow_learner(self):
        self.begin(cadre_run.CARTPOLE, "actors.mode=ASYNCHRONOUS", "ppo.epochs=400", actors=2)
        self.assert_verdict("learner")

    def test_a_slow_learner_in_lockstep(self):
        self.begin(cadre_run.CARTPOLE, "ppo.epochs=400", actors=2)
        self.assert_verdict("learner")

    def test_a_slow_environment_in_lockstep(self):
        self.begin(cadre_run.CARTPOLE, actors=2, step_seconds=lambda index: 0.01)
        self.assert_verdict("actor")

    def test_a_throttled_network_of_the_actors(self):
        self.begin(IMPALA, actors=4, actor_link={"to_target": 40_000})
        self.assert_verdict("network")

    def test_a_throttled_network_of_the_learner(self):
        self.begin(IMPALA, actors=4, learner_link={"from_target": 40_000})
        self.assert_verdict("network")

    # An update's worth of steps may wait: then each needs a rollout of the slow actor, for
    # which the others are held back.
    def one_slow_actor(self, index):
        return 0.015 if index == 0 else 0.005

    def test_a_small_replay_budget(self):
        self.begin(IMPALA, "queue.capacity_steps=512", actors=4, step_seconds=self.one_slow_actor)
        self.assert_verdict("replay")

    def test_the_same_with_a_larger_one(self):
        self.begin(IMPALA, actors=4, step_seconds=self.one_slow_actor)
        self.assert_verdict("actor")


if __name__ == "__main__":
    cadre_run.main()
