#!/usr/bin/env python3
"""`cadre status` asks the servers of a run that is going on."""

import signal

import cadre_run


class StatusTest(cadre_run.CadreTest):

    def address_of(self, server):
        arguments = cadre_run.arguments_of(server)
        return arguments[arguments.index("--address") + 1]

    def test_a_run(self):
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", cadre_run.CARTPOLE, "--mode", "processes",
                             "--out", run, "--set", "stop.env_steps=10000000")
        cadre_run.wait_until(lambda: run.steps() > 1000, "its first updates", process)
        replay = self.address_of(process.child("cadre_replay_server"))
        parameters = self.address_of(process.child("cadre_param_server"))

        status = self.finish("cadre", "status", parameters, replay)
        self.assertEqual(status.code, 0, status)
        self.assertEqual(status.stderr, "")
        first, second = status.stdout.split(f"{replay}: ")
        self.assertIn(f"{parameters}: parameter server, run 'ppo_cartpole-", first)
        self.assertIn("RUNNING\n  model 'ppo_cartpole': version ", first)
        self.assertIn("waits for ", first)
        self.assertIn("replay server, queue 'on_policy', run 'ppo_cartpole-", second)
        self.assertIn(" of 1,024 steps wait in ", second)
        self.assertIn("waits for ", second)

        process.send(signal.SIGTERM)
        process.wait()
        self.assertEqual(process.code, 0, process)
        status = self.finish("cadre", "status", replay, parameters)
        self.assertEqual(status.code, cadre_run.UNREACHABLE, status)
        self.assertEqual(status.stdout, "")
        lines = status.stderr.splitlines()
        self.assertEqual(len(lines), 2, status)
        for line, address in zip(lines, (replay, parameters)):
            self.assertTrue(line.startswith(f"cadre: error: server at {address}: "), line)
            self.assertIn("Connection refused", line)

    def test_what_is_no_address(self):
        status = self.finish("cadre", "status", "here")
        self.assert_error(status, cadre_run.USAGE, "'here'", "host:port")


if __name__ == "__main__":
    cadre_run.main()
