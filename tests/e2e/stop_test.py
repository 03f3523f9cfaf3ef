#!/usr/bin/env python3
"""A stop ends every wait: of commands that save nothing, and of runs whose parts hang. Any of
the signals that ask for one saves."""

import os
import signal
import socket

import cadre_run

# Where parts of a run hang, a stop ends each wait for one after WAIT seconds, one after the other;
# what the processes do themselves takes a few tenths. BUSY is what a machine may add on which many
# other tests run: with all of its processors taken several times over, these runs took up to four
# seconds longer. The waits that a stop did not end would take 15 or 20 seconds each.
WAIT, BUSY = 2.0, 6.0


class StopTest(cadre_run.CadreTest):

    def begin(self, mode, *more, **options):
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", cadre_run.CARTPOLE, "--mode", mode, "--out", run,
                             *more, **options)
        cadre_run.wait_until(lambda: run.steps() >= 5_000, "5,000 steps", process)
        return run, process

    def assert_stopped(self, process, run, timeout=cadre_run.TIMEOUT):
        process.wait(timeout)
        self.assertEqual(process.code, 0, process)
        self.assert_ended(process)
        self.assertGreaterEqual(run.checkpoints()[-1], 5_000)
        self.assertEqual(run.checkpoints()[-1], run.summary()["env_steps"])

    def test_an_evaluation(self):
        run = self.train(cadre_run.CARTPOLE, "--set", "stop.env_steps=256")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.start("cadre", "eval", run, "--episodes", 100_000)
            # It has read the checkpoint, and plays.
            cadre_run.wait_until(lambda: cpu_seconds(process.pid) > 0.3, "its work", process)
            process.send(number)
            process.wait()
            self.assertEqual(process.code, -number, process)
            self.assertEqual(process.stdout, "")

    def test_a_question_to_a_server_that_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            address = f"127.0.0.1:{mute.getsockname()[1]}"
            process = self.start("cadre", "status", address)
            connection, _ = mute.accept()
            with connection:
                process.send(signal.SIGTERM)
                process.wait()
            self.assertEqual(process.code, -signal.SIGTERM, process)

    def test_a_terminal_that_is_closed(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run, process = self.begin(
                    mode, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
                process.send(signal.SIGHUP)
                self.assert_stopped(process, run)
                os.rename(run.path, self.folder / mode)

    def test_two_signals_at_once(self):
        # As `timeout -s INT` sends them: to the process, and to its group.
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run, process = self.begin(mode)
                process.send(signal.SIGINT)
                process.send(signal.SIGINT)
                self.assert_stopped(process, run)
                os.rename(run.path, self.folder / mode)

    def test_a_run_whose_parts_hang(self):
        run, process = self.begin("processes")
        for name, pid in process.children().items():
            if name != "cadre_learner":
                os.kill(pid, signal.SIGSTOP)
        process.send(signal.SIGTERM)
        # For the servers, as the learner saves; for actors; for an account; for the servers' end.
        self.assert_stopped(process, run, 4 * WAIT + BUSY)

    def test_a_learner_that_hangs(self):
        run, process = self.begin("processes", "--set", "checkpoint.every_env_steps=2000")
        os.kill(process.child("cadre_learner"), signal.SIGSTOP)
        process.send(signal.SIGTERM)
        # For the learner, and then for nobody: but all that is left may take its time.
        process.wait(2 * WAIT + BUSY)
        self.assert_ended(process)
        self.assert_error(process, cadre_run.UNREACHABLE,
                          "learner did not answer a stop within 2s and was killed")
        self.assertTrue(run.checkpoints())

    def test_a_replay_server_that_hangs_with_a_table_to_save(self):
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", cadre_run.CONFIGS / "dqn_cartpole.textproto",
                             "--mode", "processes", "--out", run,
                             "--set", "evaluation.every_env_steps=0")
        cadre_run.wait_until(lambda: run.steps() >= 5_000, "5,000 steps", process)
        os.kill(process.child("cadre_replay_server"), signal.SIGSTOP)
        process.send(signal.SIGTERM)
        # For actors, an account, and its end.
        self.assert_stopped(process, run, 3 * WAIT + BUSY)
        self.assertIn("replay server did not answer a stop within 2s; killing it", process.stderr)
        self.assertIn("the replay server saved no last table", process.stderr)

    def test_a_parameter_server_that_hangs_when_the_time_is_over(self):
        run, process = self.begin("processes", "--set", "stop.wall_seconds=20",
                                  "--set", "stop.env_steps=100000000")
        os.kill(process.child("cadre_param_server"), signal.SIGSTOP)
        cadre_run.wait_until((run.path / "summary.json").exists, "the learner's end", process)
        # The learner has waited for it for a second and a half, and not for a minute.
        self.assertLess(run.summary()["wall_seconds"], 20 + WAIT + BUSY)
        process.send(signal.SIGTERM)
        self.assert_stopped(process, run, 2 * WAIT + BUSY)

    def begin_whose_actor_hangs(self):
        """A run whose learner is done, and which waits for an actor that does not end."""
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", cadre_run.CONFIGS / "impala_cartpole.textproto",
                             "--mode", "processes", "--out", run,
                             "--set", "stop.env_steps=20000")
        cadre_run.wait_until(lambda: run.steps() > 0, "its first steps", process)
        os.kill(process.child("cadre_actor 0"), signal.SIGSTOP)
        cadre_run.wait_until(
            lambda: set(process.children()) ==
            {"cadre_replay_server", "cadre_param_server", "cadre_actor 0"},
            "the end of the others", process)
        return run, process

    def test_a_run_that_waits_for_its_actors(self):
        run, process = self.begin_whose_actor_hangs()
        cadre_run.wait_until(lambda: "waiting for the other processes" in process.stderr,
                             "its wait", process)
        process.send(signal.SIGTERM)
        # For the actor, and for its end. Less than what is left of the time that actors have where
        # nobody asks for a stop.
        self.assert_stopped(process, run, 2 * WAIT + BUSY)
        self.assertIn("an actor did not end by itself within 2s", process.stderr)

    def test_a_run_that_waits_for_its_account(self):
        run, process = self.begin_whose_actor_hangs()
        children = process.children()
        os.kill(children["cadre_replay_server"], signal.SIGSTOP)
        # That one ends, so that the replay server is asked.
        os.kill(children["cadre_actor 0"], signal.SIGTERM)
        os.kill(children["cadre_actor 0"], signal.SIGCONT)
        cadre_run.wait_until(lambda: "cadre_actor 0" not in process.children(),
                             "the actor's end", process)
        replay = cadre_run.arguments_of(children["cadre_replay_server"])
        port = replay[replay.index("--address") + 1].rpartition(":")[2]
        cadre_run.wait_until(lambda: connected(int(port)), "its question", process)
        process.send(signal.SIGTERM)
        # For the account, and for the server's end.
        self.assert_stopped(process, run, 2 * WAIT + BUSY)
        self.assertNotIn("an actor did not end", process.stderr)
        self.assertIn("gave up after 2s", process.stderr)


def connected(port):
    """Whether anybody on this machine has a connection to that port."""
    lines = []
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(name, encoding="ascii") as connections:
            lines += [line.split() for line in connections.readlines()[1:]]
    return any(int(line[2].rpartition(":")[2], 16) == port and line[3] == "01" for line in lines)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    cadre_run.main()
