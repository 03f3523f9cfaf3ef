#!/usr/bin/env python3
"""One replay of two servers, every process started by hand as on several machines; and a
table in a file. kill -9 of a server and its return: the learner goes on."""

import re
import signal

import cadre_run

RUN = ("--run_id", "shards")


class ReplayShardsTest(cadre_run.CadreTest):

    def begin(self, servers, steps, *more):
        """Starts `servers` replay servers and all the rest: two actors, asynchronous."""
        text = (cadre_run.CONFIGS / "dqn_cartpole.textproto").read_text()
        for old, new in (("warmup_steps: 10000", "warmup_steps: 1000"), ("count: 1", "count: 2"),
                         ("LOCKSTEP", "ASYNCHRONOUS"), ("500000", str(steps)),
                         ("evaluation { every_env_steps: 10000 episodes: 20 }", "")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.config = self.folder / "config.textproto"
        self.config.write_text(text)
        self.more = more
        self.addresses = [f"127.0.0.1:{cadre_run.free_port()}" for _ in range(servers)]
        self.servers = [self.serve(i) for i in range(servers)]
        parameters = f"127.0.0.1:{cadre_run.free_port()}"
        self.start("cadre_param_server", *RUN, "--address", parameters)
        self.trained = cadre_run.Run(self.folder / "run")
        worker = (*RUN, "--config", self.config, "--replay", ",".join(self.addresses),
                  "--parameters", parameters)
        # Both are there before there is anything to act with: none gets a long lead.
        self.actors = [self.start("cadre_actor", *worker, "--index", i) for i in range(2)]
        for actor in self.actors:
            cadre_run.wait_until(lambda: "acts for run" in actor.stderr, "its servers", actor)
        self.learner = self.start("cadre_learner", *worker, "--out", self.trained)

    def serve(self, index):
        return self.start(
            "cadre_replay_server", *RUN, "--address", self.addresses[index], "--config",
            self.config, "--shards", len(self.addresses), "--checkpoint_folder",
            self.folder / f"replay-{index}", "--checkpoint_seconds", 0.5, *self.more)

    def kill(self, index):
        self.servers[index].send(signal.SIGKILL)
        self.servers[index].wait()

    def wait_for_steps(self, steps):
        cadre_run.wait_until(lambda: self.trained.steps() >= steps, f"{steps} steps", self.learner)

    def end(self):
        """All end well. What each server's table was, by field."""
        self.learner.wait()
        self.assertEqual(self.learner.code, 0, self.learner)
        for actor in self.actors:
            actor.wait()
            self.assertEqual(actor.code, 0, actor)
        tables = []
        for server in self.servers:
            server.send(signal.SIGTERM)
            server.wait()
            self.assertEqual(server.code, 0, server)
            told = re.search(r"the table was: (.*)", server.stderr)[1]
            tables.append({k: float(v) for k, v in re.findall(r"(\w+): ([0-9.e+]+)", told)})
        return tables

    def test_two_servers_are_one_replay(self):
        self.begin(2, 100_000)
        first, second = self.end()
        self.assertGreater(self.trained.progress()[-1]["mean_return"], 60, "it does not learn")
        # Each actor has a server of its own, and each item the same chance.
        for field in ("inserted_steps", "sampled_items"):
            self.assertGreater(first[field], 10_000)
            self.assertLess(max(first[field], second[field]), 5 * min(first[field], second[field]))
        total = first["inserted_steps"] + second["inserted_steps"]
        self.assertGreaterEqual(total, 100_000)
        self.assertLessEqual(self.trained.summary()["env_steps"], total)

    def test_a_server_that_dies_is_left_out_and_taken_back(self):
        self.begin(2, 150_000)
        self.wait_for_steps(10_000)
        self.kill(1)
        at = self.trained.steps()
        self.wait_for_steps(at + 5_000)
        self.servers[1] = self.serve(1)
        first, second = self.end()
        self.assertGreater(first["inserted_steps"], 15_000)
        # Restored, and more since then: nothing of it twice.
        restored = re.search(r"table 'replay' has (\d+) items", self.servers[1].stderr)
        self.assertGreater(second["inserted_steps"], int(restored[1]) + 1_000)
        self.assertNotIn("refused_rollouts", second)
        self.assertGreater(second["sampled_items"], 0)
        steps = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(steps, sorted(steps), "progress.csv goes back")

    def test_a_server_that_loses_its_only_actor(self):
        # Its rate limiter lets nothing more be sampled; the learner takes what the other one
        # has, and the actor that lives on feeds both in turn.
        self.begin(2, 60_000)
        self.wait_for_steps(10_000)
        killed = self.actors.pop()
        killed.send(signal.SIGKILL)
        killed.wait()
        first, second = self.end()
        self.assertGreater(first["inserted_steps"], 20_000)
        self.assertGreaterEqual(first["inserted_steps"] + second["inserted_steps"], 60_000)
        self.assertNotIn("refused_rollouts", second)

    def test_a_table_in_a_file(self):
        folder = self.folder / "rows"
        self.begin(1, 30_000, "--storage_folder", folder)
        self.wait_for_steps(10_000)
        files = list(folder.iterdir())
        self.assertEqual([path.name for path in files], ["replay.rows"])
        blocks = files[0].stat().st_blocks * 512
        self.assertGreaterEqual(blocks, files[0].stat().st_size, "all its room is taken at once")
        maps = cadre_run.pathlib.Path(f"/proc/{self.servers[0].pid}/maps").read_text()
        self.assertIn(str(files[0]), maps)
        self.kill(0)
        self.assertTrue(files[0].exists(), "what a crash left")
        self.servers[0] = self.serve(0)
        table, = self.end()
        self.assertGreater(table["inserted_steps"], 20_000)
        self.assertFalse(files[0].exists(), "it goes with its table")


if __name__ == "__main__":
    cadre_run.main()
