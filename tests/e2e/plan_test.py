#!/usr/bin/env python3
"""`cadre plan` plans every config that there is, in each mode, and says why it cannot."""

import json
import re

import cadre_run


class PlanTest(cadre_run.CadreTest):

    def plan(self, config, *arguments):
        process = self.finish("cadre", "plan", cadre_run.CONFIGS / f"{config}.textproto", "--json",
                              *arguments)
        self.assertEqual(process.code, 0, process)
        return json.loads(process.stdout)

    def check(self, plan):
        self.assertGreater(plan["steps_per_second"], 0)
        for resource in plan["resources"]:
            self.assertLessEqual(resource["use"], 1.0001, plan)
        self.assertIn(plan["first"], [resource["name"] for resource in plan["resources"]])
        for cost in ("acting", "learning"):
            self.assertGreater(plan["seconds_per_step"][cost], 0, plan)

    def test_every_config(self):
        # Those in Python need an interpreter with their packages: python_environments_test.
        configs = sorted(path.stem for path in cadre_run.CONFIGS.glob("*.textproto")
                         if not re.search(r"(gymnasium|atari) \{", path.read_text()))
        self.assertGreater(len(configs), 10)
        for config in configs:
            with self.subTest(config):
                check = self.finish("cadre", "config", "check",
                                    cadre_run.CONFIGS / f"{config}.textproto")
                if "which this build does not have" in check.stderr:
                    self.skipTest(check.stderr)
                self.check(self.plan(config))

    def test_through_servers(self):
        for config in ("ppo_cartpole", "impala_cartpole", "sac_pendulum", "a3c_cartpole"):
            with self.subTest(config):
                plan = self.plan(config, "--mode", "processes")
                self.check(plan)
                self.assertGreater(plan["seconds_per_step"]["replay_server"], 0, plan)
                self.assertGreater(plan["seconds_per_step"]["parameter_server"], 0, plan)

    def test_a_cluster_of_a_slow_environment(self):
        plan = self.plan("impala_cartpole", "--cluster", "--actors", "8", "--env_seconds", "0.001")
        self.check(plan)
        self.assertEqual(plan["first"], "actors")
        self.assertLess(plan["steps_per_second"], 8000)  # 8 actors, 1 ms a step at least.
        self.assertGreater(plan["for_a_busy_learner"]["actors"], 8)
        self.assertIn("actor-bound", plan["verdict"])

    def test_what_cannot_be_planned(self):
        config = cadre_run.CARTPOLE
        for expected, arguments in (
                (["actors.count", "got 0"], ["--actors", "0"]),
                (["minibatch_size", "divisor"], ["--actors", "3"]),
                (["--cores", "got 0.5"], ["--cores", "0.5"]),
                (["--update_seconds", "got -1"], ["--update_seconds", "-1"]),
                (["--network_gbps", "--cluster"], ["--network_gbps", "10"])):
            with self.subTest(arguments):
                process = self.finish("cadre", "plan", config, *arguments)
                self.assert_error(process, cadre_run.USAGE, *expected)
                self.assertEqual(process.stdout, "")


if __name__ == "__main__":
    cadre_run.main()
