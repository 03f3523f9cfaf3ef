#!/usr/bin/env python3
"""What is wrong ends with one line that says which, got and wanted, and an exit code
that says what kind (common/process/exit_code.h); nothing that was saved before is lost."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess

import cadre_run
from cadre_run import CARTPOLE, DAMAGED, IO, MISMATCH, UNREACHABLE, USAGE

SHORT = ("--set", "stop.env_steps=10000")  # Ends at 10,240.
NOBODY = 65534


@contextlib.contextmanager
def taken_port():
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def contents(folder):
    """Every file below it."""
    return {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class ConfigTest(cadre_run.CadreTest):

    def refused(self, *arguments, lines=1):
        """The lines that it ends with; there is no run folder afterwards."""
        out = self.folder / "run"
        process = self.finish("cadre", "train", *arguments, "--out", out)
        self.assertEqual(process.code, USAGE, process)
        self.assertEqual(process.stdout, "")
        errors = process.stderr.splitlines()
        self.assertEqual(len(errors), lines, process)
        for line in errors:
            self.assertTrue(line.startswith("cadre: error: "), line)
        self.assertFalse(out.exists())
        return process.stderr

    def edited(self, old, new):
        text = CARTPOLE.read_text()
        self.assertIn(old, text)
        path = self.folder / "edited.textproto"
        path.write_text(text.replace(old, new))
        return path

    def test_unknown_environment(self):
        error = self.refused(CARTPOLE, "--set", "environment.id=Chess")
        self.assertIn("environment.id: got 'Chess'; wanted one that `cadre envs` lists", error)

    def test_unknown_algorithm(self):
        path = self.edited("ppo {", "alphazero {")
        error = self.refused(path)
        self.assertIn(f"{path}:", error)
        self.assertIn("unknown field 'alphazero'", error)
        self.assertIn("ppo", error)

    def test_unknown_field(self):
        error = self.refused(self.edited("gamma:", "gama:"))
        self.assertIn("unknown field 'ppo.gama'", error)
        self.assertIn("gamma, gae_lambda", error)

    def test_override_of_an_unknown_field(self):
        error = self.refused(CARTPOLE, "--set", "ppo.rewrad=1")
        self.assertIn("--set ppo.rewrad=1: unknown field 'ppo.rewrad'", error)

    def test_out_of_range(self):
        error = self.refused(CARTPOLE, "--set", "ppo.gamma=1.5")
        self.assertIn("ppo.gamma: got 1.5; wanted a number from 0 to 1", error)

    def test_a_minibatch_that_does_not_divide(self):
        error = self.refused(CARTPOLE, "--set", "ppo.minibatch_size=100")
        self.assertIn("ppo.minibatch_size: got 100; wanted a divisor of the 256 steps", error)

    def test_several_at_once(self):
        error = self.refused(CARTPOLE, "--set", "ppo.gamma=2", "--set", "ppo.epochs=0",
                             "--set", "environment.id=Chess", lines=3)
        for part in ("ppo.gamma: got 2", "ppo.epochs: got 0", "got 'Chess'"):
            self.assertIn(part, error)

    def test_no_file(self):
        error = self.refused(self.folder / "nothing.textproto")
        self.assertIn("nothing.textproto': No such file or directory", error)

    def test_no_config_at_all(self):
        self.assertIn("train needs a CONFIG", self.refused())

    def test_the_command_line(self):
        for arguments, part in ((("play chess",), "subcommand"), (("train", "--bogus"), "--bogus"),
                                (("train", CARTPOLE, "--mode", "cluster"), "cluster"),
                                (("train", CARTPOLE, "--seed", "one"), "one")):
            with self.subTest(arguments=arguments):
                process = self.finish("cadre", *arguments)
                self.assert_error(process, USAGE, part)


class PeerTest(cadre_run.CadreTest):
    """Servers and workers that do not find each other, or should not have."""

    def serve(self, program, *arguments):
        """Starts a server on a free port: its address."""
        port_file = self.folder / f"{program}.port"
        process = self.start(program, "--address", "127.0.0.1:0", "--port_file", port_file,
                             *arguments)
        cadre_run.wait_until(lambda: port_file.exists() and port_file.read_text().strip(),
                             "its port", process)
        return f"127.0.0.1:{port_file.read_text().strip()}"

    def worker(self, program, replay, parameters, *more, run_id="run-1", config=CARTPOLE):
        return self.start(program, "--config", config, "--run_id", run_id, "--replay", replay,
                          "--parameters", parameters,
                          *(("--out", self.folder / "run") if program == "cadre_learner" else ()),
                          *more)

    def test_unreachable(self):
        nobody = "127.0.0.1:1"
        # Where somebody answers, a busy machine may need longer.
        briefly = ("--connect_timeout", 1)
        replay = self.serve("cadre_replay_server")
        parameters = self.serve("cadre_param_server", "--run_id", "run-1")
        for program in ("cadre_actor", "cadre_learner"):
            with self.subTest(program=program):
                process = self.worker(program, replay, nobody, *briefly)
                process.wait()
                self.assert_error(process, UNREACHABLE, f"parameter server at {nobody}",
                                  "Connection refused", "gave up after 1s")
        process = self.worker("cadre_actor", nobody, parameters, "--connect_timeout", 5)
        process.wait()
        self.assert_error(process, UNREACHABLE, f"replay server at {nobody}",
                          "Connection refused", "gave up after 5s")

    def test_port_in_use(self):
        with taken_port() as port:
            address = f"127.0.0.1:{port}"
            for program in ("cadre_replay_server", "cadre_param_server"):
                with self.subTest(program=program):
                    process = self.finish(program, "--run_id", "r", "--address", address)
                    self.assert_error(process, UNREACHABLE, address, "Address already in use")

    def test_metrics_port_in_use(self):
        replay = self.serve("cadre_replay_server")
        parameters = self.serve("cadre_param_server", "--run_id", "run-1")
        with taken_port() as port:
            taken = ("--metrics_port", f"127.0.0.1:{port}")
            free = ("--run_id", "r", "--address", "127.0.0.1:0")
            for process in (self.start("cadre_replay_server", *free, *taken),
                            self.start("cadre_param_server", *free, *taken),
                            self.worker("cadre_actor", replay, parameters, *taken),
                            self.worker("cadre_learner", replay, parameters, *taken)):
                with self.subTest(command=process.command):
                    process.wait()
                    self.assert_error(process, UNREACHABLE, f"127.0.0.1:{port}")

    def test_another_run(self):
        replay = self.serve("cadre_replay_server", "--run_id", "run-1")
        parameters = self.serve("cadre_param_server", "--run_id", "run-1")
        for program in ("cadre_actor", "cadre_learner"):
            with self.subTest(program=program):
                process = self.worker(program, replay, parameters, run_id="run-2")
                process.wait()
                self.assert_error(process, MISMATCH, "run-1", "run-2")
        # It can be resumed once the address is right: only the first checkpoint is there.
        self.assertEqual(os.listdir(self.folder / "run" / "checkpoints"), ["0"])

    def test_another_spec(self):
        replay = self.serve("cadre_replay_server", "--run_id", "run-1")
        parameters = self.serve("cadre_param_server", "--run_id", "run-1")
        first = self.worker("cadre_actor", replay, parameters)
        cadre_run.wait_until(lambda: "acts for run" in first.stderr, "its stream", first)
        second = self.worker("cadre_actor", replay, parameters,
                             config=cadre_run.CONFIGS / "ppo_pendulum.textproto")
        second.wait()
        # Both specs: observations of 4 numbers, and of 3.
        self.assert_error(second, MISMATCH, "on_policy", "float32[4]", "float32[3]")
        self.assertIsNone(first.code, "the other actor goes on")


class SavedTest(cadre_run.CadreTest):
    """Run folders and checkpoints."""

    def unprivileged(self):
        """A prefix for commands that may not write everywhere."""
        self.folder.chmod(0o755)
        if os.geteuid() != 0:
            return ()
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
        program = cadre_run.BINARIES / "cadre"
        if not shutil.which("setpriv") or subprocess.run(
                [*prefix, "test", "-x", program], check=False).returncode != 0:
            self.skipTest(f"setpriv cannot run {program} as another user")
        return prefix

    def give_away(self, path):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)

    def assert_nothing_changed(self, before, run):
        # Events are opened on the way; nothing that was there is different.
        after = contents(run.path)
        for path, data in before.items():
            self.assertEqual(after.get(path), data, f"{path} has changed")

    def test_a_folder_that_holds_a_run(self):
        run = self.train(CARTPOLE, *SHORT)
        before = contents(run.path)
        process = self.finish("cadre", "train", CARTPOLE, "--out", run)
        self.assert_error(process, USAGE, run, "already holds a run", "--resume")
        self.assertEqual(contents(run.path), before)

    def test_a_folder_that_holds_none(self):
        for command in (("eval", self.folder), ("train", "--resume", self.folder),
                        ("eval", self.folder / "nothing")):
            with self.subTest(command=command):
                self.assert_error(self.finish("cadre", *command), USAGE, command[-1],
                                  "No such file or directory")

    def test_a_checkpoint_that_is_not_there(self):
        run = self.train(CARTPOLE, *SHORT)
        for which in ("77", "best", "newest"):
            with self.subTest(which=which):
                process = self.finish("cadre", "eval", run, "--checkpoint", which)
                self.assert_error(process, USAGE, f"'{which}'", "wanted last, or one of 0, 10240")

    def test_a_damaged_checkpoint(self):
        run = self.train(CARTPOLE, *SHORT, "--set", "checkpoint.every_env_steps=5000")
        _, first, last = run.checkpoints()
        folder = run.path / "checkpoints" / str(last)
        flip_a_byte(folder / "parameters.safetensors")
        process = self.finish("cadre", "eval", run)
        self.assert_error(process, DAMAGED, folder, "parameters.safetensors", "CRC-32C")
        self.assertEqual(self.evaluate(run, "--checkpoint", first)["episodes"], 100)

        # To go on, the one before it will do.
        process = self.finish("cadre", "train", "--resume", run)
        self.assertEqual(process.code, 0, process)
        self.assertIn(f"checkpoint '{folder}' is damaged", process.stderr)
        self.assertIn(f"resuming from {run}/checkpoints/{first}", process.stderr)
        self.assertEqual(run.summary()["env_steps"], 10_240)
        self.assertEqual(self.evaluate(run)["checkpoint"], str(folder))

    def test_no_intact_checkpoint(self):
        run = self.train(CARTPOLE, *SHORT, "--set", "checkpoint.keep=1")
        flip_a_byte(run.path / "checkpoints" / "10240" / "state.safetensors")
        before = contents(run.path)
        process = self.finish("cadre", "train", "--resume", run)
        self.assert_error(process, DAMAGED, run, "state.safetensors")
        self.assertEqual(contents(run.path), before)

    def test_below_a_file(self):
        (self.folder / "file").write_text("mine")
        process = self.finish("cadre", "train", CARTPOLE, "--out", self.folder / "file" / "run")
        self.assert_error(process, IO, self.folder / "file" / "run", "Not a directory")
        self.assertEqual((self.folder / "file").read_text(), "mine")

    def test_no_permission(self):
        prefix = self.unprivileged()
        locked = self.folder / "locked"
        locked.mkdir(mode=0o555)
        process = self.finish("cadre", "train", CARTPOLE, "--out", locked / "run", prefix=prefix)
        self.assert_error(process, IO, locked / "run", "Permission denied")

    def test_permission_lost_in_the_middle(self):
        prefix = self.unprivileged()
        self.give_away(self.folder)
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", CARTPOLE, "--out", run, "--set",
                             "checkpoint.every_env_steps=5000", prefix=prefix)
        cadre_run.wait_until(lambda: len(run.checkpoints()) >= 3, "three checkpoints", process)
        (run.path / "checkpoints").chmod(0o555)
        process.wait()
        self.assert_error(process, IO, run.path / "checkpoints", "Permission denied")
        for steps in run.checkpoints():
            self.assertEqual(self.evaluate(run, "--checkpoint", steps)["episodes"], 100)

    def disk_full(self, run, make_full, make_room, **options):
        """A run that cannot save because the disk is full, and can later."""
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                before = contents(run.path / "checkpoints")
                steps = run.checkpoints()[-1]
                more = ("--mode", mode, "--set", f"stop.env_steps={steps + 5000}")
                make_full()
                process = self.finish("cadre", "train", "--resume", run, *more, **options)
                self.assert_error(process, IO, f"cannot write '{run}/")
                after = contents(run.path / "checkpoints")
                for path, data in before.items():
                    self.assertEqual(after.get(path), data, f"{path} has changed")
                self.assertEqual(self.evaluate(run)["episodes"], 100)
                make_room()
                process = self.finish("cadre", "train", "--resume", run, *more)
                self.assertEqual(process.code, 0, process)
                self.assertGreaterEqual(run.summary()["env_steps"], steps + 5000)

    def test_files_that_may_not_grow(self):
        run = self.train(CARTPOLE, *SHORT)

        def limit():  # Smaller than a checkpoint's files.
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))

        self.disk_full(run, lambda: None, lambda: None, preexec_fn=limit)

    def test_a_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True,
                                               check=False).returncode != 0:
            self.skipTest("cannot mount a small disk")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        run = self.train(CARTPOLE, *SHORT, out="disk/run")
        ballast = disk / "ballast"

        def fill():
            free = os.statvfs(disk)
            ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - 40_000))

        self.disk_full(run, fill, ballast.unlink)


if __name__ == "__main__":
    cadre_run.main()
