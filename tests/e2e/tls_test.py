#!/usr/bin/env python3
"""A run whose processes speak mutual TLS, and who may look at it."""

import os
import pathlib
import signal
import subprocess

import cadre_run

MAKE_CERTIFICATES = pathlib.Path(__file__).parents[1] / "rpc" / "make_certificates.sh"


class TlsTest(cadre_run.CadreTest):

    def certificates(self, name):
        folder = self.folder / name
        subprocess.run([MAKE_CERTIFICATES, folder], check=True)
        return folder

    def environment(self, folder):
        """Of this process and those that it starts."""
        if folder is None:
            os.environ.pop("CADRE_TLS_FOLDER", None)
        else:
            os.environ["CADRE_TLS_FOLDER"] = str(folder)
        self.addCleanup(os.environ.pop, "CADRE_TLS_FOLDER", None)

    def test_a_run_trains_and_only_those_with_a_certificate_may_look(self):
        self.environment(self.certificates("ours"))
        run = cadre_run.Run(self.folder / "run")
        process = self.start("cadre", "train", cadre_run.CARTPOLE, "--mode", "processes",
                             "--out", run, "--set", "stop.env_steps=10000000")
        cadre_run.wait_until(lambda: run.steps() > 1000, "its first updates", process)
        arguments = cadre_run.arguments_of(process.child("cadre_param_server"))
        address = arguments[arguments.index("--address") + 1]
        status = self.finish("cadre", "status", address)
        self.assertEqual(status.code, 0, status)
        self.assertIn("RUNNING", status.stdout)
        for stranger in (None, self.certificates("theirs")):
            self.environment(stranger)
            status = self.finish("cadre", "status", address)
            self.assertEqual(status.code, cadre_run.UNREACHABLE, status)
            self.assertEqual(status.stdout, "")
        process.send(signal.SIGTERM)
        process.wait()
        self.assertEqual(process.code, 0, process)

    def test_a_missing_file_is_named(self):
        folder = self.certificates("ours")
        (folder / "tls.key").unlink()
        self.environment(folder)
        status = self.finish("cadre", "status", "127.0.0.1:1")
        self.assert_error(status, status.code, "CADRE_TLS_FOLDER", str(folder / "tls.key"))
        self.assertNotEqual(status.code, 0)


if __name__ == "__main__":
    cadre_run.main()
