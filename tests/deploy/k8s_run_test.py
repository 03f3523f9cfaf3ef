#!/usr/bin/env python3
"""What the Kubernetes manifests say is run, as processes of this machine (pretend_cluster.py):
the processes find each other whatever starts first, answer their probes, end within their grace
period on SIGTERM with the status that the Job's policy knows, and go on when started again."""

import json
import signal
import sys
import tempfile
import time
import unittest

import k8s
from pretend_cluster import PretendCluster

TIMEOUT = 240.0
STOPPED = 7  # common/process/exit_code.h


class K8sRunTest(unittest.TestCase):

    def begin(self, overlay, change=lambda manifests: None):
        self.manifests = k8s.Manifests(overlay)
        change(self.manifests)
        folder = tempfile.TemporaryDirectory(prefix="cadre-k8s-")
        self.addCleanup(folder.cleanup)
        self.cluster = PretendCluster(self.manifests, folder.name)
        self.addCleanup(self.show)
        self.addCleanup(self.cluster.end)
        # Workers first: nothing orders them in a cluster.
        pods = sorted(self.manifests.pods(), key=lambda pod: "server" in pod.name)
        self.pods = {pod.name: self.cluster.start(pod) for pod in pods}
        for pod in self.pods.values():
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                pod.wait_for(probe)

    def show(self):
        if not self._outcome.success:
            for pod in self.cluster.running:
                sys.stderr.write(f"--- {pod.pod} -> {pod.process.poll()}\n{pod.text()}\n")

    def steps(self):
        """Learned from, as the run's folder has it."""
        path = self.cluster.folder / "learner-run" / "run" / "progress.csv"
        try:
            rows = path.read_text().split("\n")[1:-1]
        except FileNotFoundError:
            return 0
        return int(rows[-1].split(",")[0]) if rows else 0

    def wait_for(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited for {what}")
            time.sleep(0.02)

    def evict(self, name, status):
        """SIGTERM, and the pod anew, as after a node was drained."""
        code, seconds = self.pods[name].terminate()
        self.assertEqual(code, status, self.pods[name].text())
        grace = self.pods[name].pod.template["spec"]["terminationGracePeriodSeconds"]
        print(f"\n  {name}: ended with {code} {seconds:.1f} s after SIGTERM, of {grace} s",
              end="", flush=True)
        self.pods[name] = self.cluster.start(self.pods[name].pod)

    def complete(self):
        """The Jobs complete, actors stay, and all end well when the run is deleted."""
        for name, pod in self.pods.items():
            if pod.pod.workload["kind"] == "Job":
                self.assertEqual(pod.wait(TIMEOUT), 0, f"{name}: {pod.text()}")
        for pod in self.pods.values():
            if pod.pod.workload["kind"] == "Deployment":
                self.wait_for(lambda: "waiting to be stopped" in pod.text(), "an actor's end")
        for name, pod in self.pods.items():
            if pod.pod.workload["kind"] != "Job":
                self.assertTrue(pod.probe("livenessProbe"), name)
                self.assertEqual(pod.terminate()[0], 0, f"{name}: {pod.text()}")
        folder = self.cluster.folder / "learner-run" / "run"
        return json.loads((folder / "summary.json").read_text())

    def rules(self, name):
        """What the Job's policy does with an exit status."""
        policy = self.manifests.get("Job", name)["spec"]["podFailurePolicy"]["rules"]
        return {value: rule["action"] for rule in policy
                for value in rule.get("onExitCodes", {}).get("values", [])}

    def test_local_whatever_is_evicted(self):
        self.begin("local")
        self.assertEqual(self.rules("learner")[STOPPED], "Ignore")
        for at, name, status in ((10_000, "learner-0", STOPPED), (25_000, "param-server-0", 0),
                                 (40_000, "actors-0", 0), (55_000, "replay-server-0", 0),
                                 (70_000, "learner-0", STOPPED)):
            self.wait_for(lambda: self.steps() >= at, f"{at} steps")
            self.evict(name, status)
        summary = self.complete()
        self.assertEqual(summary["env_steps"], 100_096)
        self.assertGreater(summary["mean_return"], 195)

    def test_learners_end_and_start_together(self):
        self.begin("learners")
        self.wait_for(lambda: self.steps() >= 10_000, "10,000 steps")
        # One that is told to stop stops all, saved.
        self.evict("learner-peers-0", STOPPED)
        self.assertEqual(self.pods["learner-0"].wait(30), STOPPED)
        self.pods["learner-0"] = self.cluster.start(self.pods["learner-0"].pod)
        at = self.steps()
        self.wait_for(lambda: self.steps() >= at + 10_000, "10,000 more")
        # One that is killed takes the other along, which says so.
        self.pods["learner-peers-0"].process.send_signal(signal.SIGKILL)
        self.assertEqual(self.pods["learner-0"].wait(30), 3)
        self.assertNotIn(3, self.rules("learner"), "counts as a failure, and is tried again")
        for name in ("learner-0", "learner-peers-0"):
            self.pods[name] = self.cluster.start(self.pods[name].pod)
        self.assertEqual(self.complete()["env_steps"], 100_096)

    def test_large_with_fewer_actors(self):
        def fewer(manifests):
            manifests.get("Deployment", "actors")["spec"]["replicas"] = 6
        self.begin("large", fewer)
        learner = self.pods["learner-0"]
        self.wait_for(lambda: learner.metric("cadre_learner_updates_total") >= 20, "updates")
        shards = [pod for name, pod in self.pods.items() if name.startswith("replay-server")]
        self.assertEqual(len(shards), 4)
        used = [pod for pod in shards
                if pod.metric("cadre_replay_table_inserted_steps_total") > 0]
        self.assertGreater(len(used), 1, "actors spread over the shards")
        for pod in used:
            self.assertGreater(pod.metric("cadre_replay_table_sampled_items_total"), 0, pod.pod)
        replicas = [pod for name, pod in self.pods.items() if name.startswith("param-replica")]
        watched = sum(pod.metric("cadre_param_watchers") for pod in replicas)
        # Each actor follows a replica, twice: the model, and whether the run is over.
        self.assertGreaterEqual(watched, 6)
        for name in ("replay-server-0", "param-replica-0", "param-server-0"):
            self.evict(name, 0)
            self.pods[name].wait_for("startupProbe")
        updates = learner.metric("cadre_learner_updates_total")
        self.wait_for(lambda: learner.metric("cadre_learner_updates_total") >= updates + 20,
                      "more updates")
        for name in ("learner-0", "actors-0"):
            code, seconds = self.pods[name].terminate()
            self.assertEqual(code, STOPPED if "learner" in name else 0, self.pods[name].text())


if __name__ == "__main__":
    k8s.skip_unless_possible()
    unittest.main(verbosity=2)
