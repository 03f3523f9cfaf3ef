#!/usr/bin/env python3
"""The Kubernetes manifests hang together: selectors, ports, addresses, references, network
policies, numbers of actors and learners; and the real binaries know each flag in them."""

import functools
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import k8s

BINARIES = pathlib.Path(os.environ.get("CADRE_BIN", k8s.ROOT / "build" / "bin")).resolve()
UNKNOWN = "--flag-that-no-binary-has"


def selects(selector, labels):
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or []:
        assert term["operator"] == "In", term
        if labels.get(term["key"]) not in term["values"]:
            return False
    return True


def check(binary, *arguments, environment=None):
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(environment or {}), "PATH": path})


def of_each_overlay(test):
    """Runs test(self, manifests) for each, and goes on where one fails."""

    @functools.wraps(test)
    def run(self):
        for manifests in self.all:
            with self.subTest(overlay=manifests.name):
                test(self, manifests)

    return run


class K8sManifestsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.all = [k8s.Manifests(name) for name in k8s.ALL]

    # --- Names that refer to others ---

    @of_each_overlay
    def test_selectors_match_pods(self, m):
        for d in m.of("Deployment", "StatefulSet"):
            others = [w for w in m.workloads if w is not d]
            labels = d["spec"]["template"]["metadata"]["labels"]
            name = d["metadata"]["name"]
            self.assertTrue(selects(d["spec"]["selector"], labels), name)
            for other in others:
                labels = other["spec"]["template"]["metadata"]["labels"]
                self.assertFalse(selects(d["spec"]["selector"], labels),
                                 f"{name} also selects {other['metadata']['name']}")
        for d in m.of("Service"):
            self.assertTrue(self.chosen(m, {"matchLabels": d["spec"]["selector"]}), d)
        for d in m.of("PodDisruptionBudget"):
            self.assertTrue(self.chosen(m, d["spec"]["selector"]), d)
        for d in m.of("PodMonitor"):
            self.assertEqual(self.chosen(m, d["spec"]["selector"]),
                             {w["metadata"]["name"] for w in m.workloads})
        for w in m.workloads:
            for spread in w["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
                self.assertIn(w["metadata"]["name"], self.chosen(m, spread["labelSelector"]))

    def chosen(self, m, selector):
        """Names of the workloads whose pods it selects."""
        return {w["metadata"]["name"] for w in m.workloads
                if selects(selector, w["spec"]["template"]["metadata"]["labels"])}

    @of_each_overlay
    def test_each_server_and_actor_has_one_disruption_budget(self, m):
        for w in m.of("Deployment", "StatefulSet"):
            labels = w["spec"]["template"]["metadata"]["labels"]
            budgets = [d for d in m.of("PodDisruptionBudget")
                       if selects(d["spec"]["selector"], labels)]
            self.assertEqual(len(budgets), 1, w["metadata"]["name"])

    @of_each_overlay
    def test_everything_in_one_namespace(self, m):
        namespace, = m.of("Namespace")
        for d in m.documents:
            if d is not namespace:
                self.assertEqual(d["metadata"].get("namespace"), namespace["metadata"]["name"])

    @of_each_overlay
    def test_what_is_referred_to_is_there(self, m):
        for w in m.workloads:
            spec = w["spec"]["template"]["spec"]
            container, = spec["containers"]
            self.assertIsNotNone(m.get("ServiceAccount", spec["serviceAccountName"]))
            volumes = {c["metadata"]["name"] for c in w["spec"].get("volumeClaimTemplates", [])}
            for volume in spec.get("volumes", []):
                volumes.add(volume["name"])
                if "configMap" in volume:
                    self.assertIsNotNone(m.get("ConfigMap", volume["configMap"]["name"]))
                elif "persistentVolumeClaim" in volume:
                    claim = volume["persistentVolumeClaim"]["claimName"]
                    self.assertIsNotNone(m.get("PersistentVolumeClaim", claim), claim)
                elif "secret" in volume:
                    # Somebody makes it; whoever has it is told where it is.
                    self.assertEqual(volume["secret"]["secretName"], "cadre-tls")
                    folder = m.get("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]
                                   )["data"]["CADRE_TLS_FOLDER"]
                    self.assertIn({"name": volume["name"], "mountPath": folder, "readOnly": True},
                                  container["volumeMounts"])
                else:
                    self.assertIn("emptyDir", volume)
            mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
            self.assertEqual(mounts, volumes, w["metadata"]["name"])
            for source in container["envFrom"]:
                self.assertIsNotNone(m.get("ConfigMap", source["configMapRef"]["name"]))
            if w["kind"] == "StatefulSet":
                service = m.get("Service", w["spec"]["serviceName"])
                self.assertEqual(service["spec"]["clusterIP"], "None")
                self.assertEqual(self.chosen(m, {"matchLabels": service["spec"]["selector"]}),
                                 {w["metadata"]["name"]})

    @of_each_overlay
    def test_all_speak_tls_or_none_does(self, m):
        pods = [w for w in m.workloads
                if any("secret" in v for v in w["spec"]["template"]["spec"].get("volumes", []))]
        self.assertIn(len(pods), (0, len(m.workloads)))
        for pod in m.pods() if pods else ():
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                self.assertNotIn("grpc", pod.container[probe], "the kubelet knows no TLS")

    @of_each_overlay
    def test_images_have_tags(self, m):
        for pod in m.pods():
            self.assertRegex(pod.container["image"],
                             r"^cadre-(servers|worker|learner-gpu):[0-9]", pod)

    # --- Ports and addresses ---

    @of_each_overlay
    def test_ports_are_those_that_are_listened_on(self, m):
        for pod in m.pods():
            ports, flags = pod.ports(), pod.flags()
            self.assertEqual(str(ports["metrics"]), flags["metrics_port"], pod)
            if "address" in flags:
                self.assertEqual(f"0.0.0.0:{ports['grpc']}", flags["address"], pod)
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                probe = pod.container[kind]
                # A server that has no room for more connections is not to be started again.
                alive = "address" in flags and kind == "livenessProbe"
                if "grpc" in probe:
                    self.assertEqual(probe["grpc"], {"port": ports["grpc"]} |
                                     ({"service": "liveness"} if alive else {}))
                else:
                    self.assertEqual(probe["httpGet"],
                                     {"path": "/livez" if alive else "/healthz", "port": "metrics"})
        for d in m.of("Service"):
            for workload in self.chosen(m, {"matchLabels": d["spec"]["selector"]}):
                pod = next(p for p in m.pods() if p.workload["metadata"]["name"] == workload)
                for port in d["spec"]["ports"]:
                    self.assertEqual(pod.ports()[port["targetPort"]], port["port"], d)

    def target(self, m, host, port):
        """The workload that an address leads to."""
        name, _, service_name = host.rpartition(".")
        service = m.get("Service", service_name)
        self.assertIsNotNone(service, f"{host}: no such Service")
        self.assertIn(int(port), [p["port"] for p in service["spec"]["ports"]], host)
        workload, = self.chosen(m, {"matchLabels": service["spec"]["selector"]})
        if name:
            pods = [pod.name for pod in m.pods() if pod.workload["metadata"]["name"] == workload]
            self.assertIn(name, pods, f"{host}: no such pod")
        return workload

    @of_each_overlay
    def test_addresses_lead_to_all_of_a_server_and_to_nothing_else(self, m):
        wanted = {"replay": {"replay-server"}, "parameters": {"param-server", "param-replica"},
                  "follow": {"param-server"}, "rendezvous": {"learner"}}
        for pod in m.pods():
            for flag in {flag for flag, _, _ in pod.addresses()}:
                to = [(host, self.target(m, host, port))
                      for f, host, port in pod.addresses() if f == flag]
                workload, = {w for _, w in to}
                self.assertIn(workload, wanted[flag])
                if workload == "learner":
                    continue
                pods = [p for p in m.pods() if p.workload["metadata"]["name"] == workload]
                self.assertEqual(sorted(host.split(".")[0] for host, _ in to),
                                 sorted(p.name for p in pods), f"{pod} --{flag}")
        servers = m.get("StatefulSet", "replay-server")
        for pod in m.pods_of(servers):
            self.assertEqual(pod.flags()["shards"], str(servers["spec"]["replicas"]))

    # --- Network policies ---

    def allowed(self, m, direction, peer_key):
        """(policy's pods, peer's pods, port or None for all) of all rules between our pods."""
        flows = set()
        for policy in m.of("NetworkPolicy"):
            own = self.chosen(m, policy["spec"]["podSelector"])
            self.assertTrue(own, policy["metadata"]["name"])
            for rule in policy["spec"].get(direction, []):
                ports = [p["port"] for p in rule.get("ports", [])] or [None]
                for peer in rule[peer_key]:
                    if "namespaceSelector" in peer:
                        continue
                    others = self.chosen(m, peer["podSelector"])
                    self.assertTrue(others, f"{policy['metadata']['name']}: {peer}")
                    flows |= {(a, b, port) for a in own for b in others for port in ports}
        return flows

    @of_each_overlay
    def test_policies_allow_what_is_called_and_nothing_else(self, m):
        needed = {(pod.workload["metadata"]["name"], self.target(m, host, port), int(port))
                  for pod in m.pods() for _, host, port in pod.addresses()}
        out = self.allowed(m, "egress", "to")
        into = {(b, a, port) for a, b, port in self.allowed(m, "ingress", "from")}
        learners = {w["metadata"]["name"] for w in m.of("Job")}
        for flows in (out, into):
            # Learners of one model: whom gloo calls, and on which port, nobody says.
            together = {flow for flow in flows if flow[2] is None}
            self.assertTrue(all({a, b} <= learners for a, b, _ in together), together)
            rest = {f for f in needed if (f[0], f[1], None) not in together}
            self.assertEqual(flows - together, rest)

    @of_each_overlay
    def test_all_is_denied_but_names_and_metrics(self, m):
        all_pods = {w["metadata"]["name"] for w in m.workloads}
        deny = m.get("NetworkPolicy", "cadre-default-deny")["spec"]
        self.assertEqual(self.chosen(m, deny["podSelector"]), all_pods)
        self.assertEqual(deny["policyTypes"], ["Ingress", "Egress"])
        self.assertFalse({"ingress", "egress"} & deny.keys())
        others = m.get("NetworkPolicy", "cadre-names-and-metrics")["spec"]
        self.assertEqual(self.chosen(m, others["podSelector"]), all_pods)
        # These are other people's pods, by the labels that they have.
        self.assertEqual([rule["to"] for rule in others["egress"]], [[{
            "namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]])
        self.assertEqual([rule["from"] for rule in others["ingress"]], [[{
            "namespaceSelector": {"matchLabels": {
                "kubernetes.io/metadata.name": "monitoring"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]])
        for rule in others["ingress"]:
            for port in rule["ports"]:
                for pod in m.pods():
                    self.assertEqual(pod.ports()["metrics"], port["port"])

    # --- Security ---

    @of_each_overlay
    def test_pods_are_restricted(self, m):
        namespace, = m.of("Namespace")
        self.assertEqual(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
                         "restricted")
        for pod in m.pods():
            spec, container = pod.template["spec"], pod.container["securityContext"]
            self.assertFalse(spec["automountServiceAccountToken"])
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"],
                             {"type": "RuntimeDefault"})
            self.assertEqual(container, {"allowPrivilegeEscalation": False,
                                         "readOnlyRootFilesystem": True,
                                         "capabilities": {"drop": ["ALL"]}})
            for kind in ("requests", "limits"):
                for what in ("cpu", "memory", "ephemeral-storage"):
                    self.assertIn(what, pod.container["resources"][kind], pod)

    # --- Autoscaling ---

    def test_autoscalers_have_a_target_that_leaves_the_number_to_them(self):
        found = 0
        for m in self.all:
            for d in m.of("HorizontalPodAutoscaler", "ScaledObject"):
                found += 1
                to = d["spec"]["scaleTargetRef"]
                target = m.get(to["kind"], to["name"])
                self.assertIsNotNone(target, to)
                self.assertNotIn("replicas", target["spec"])
        self.assertEqual(found, 2, "KEDA's and prometheus-adapter's")

    def test_autoscalers_ask_for_what_is_recorded_of_their_run(self):
        recorded = set()
        for rules in (k8s.ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"):
            for group in k8s.yaml.safe_load(rules.read_text())["groups"]:
                recorded |= {r["record"] for r in group["rules"] if "record" in r}
        self.assertTrue(recorded, "no recording rules in deploy/prometheus/rules")
        adapter = k8s.yaml.safe_load(
            (k8s.K8S / "components/autoscaling-prometheus-adapter/prometheus-adapter-rules.yaml")
            .read_text())["rules"]["external"]
        served = {rule["name"]["as"]: rule["metricsQuery"] for rule in adapter}
        queries = [*served.values(), *(rule["seriesQuery"] for rule in adapter)]
        for m in self.all:
            for d in m.of("ScaledObject"):
                for trigger in d["spec"]["triggers"]:
                    query = trigger["metadata"]["query"]
                    self.assertEqual(re.findall(r'\brun="([^"]*)"', query),
                                     [d["metadata"]["namespace"]], query)
                    queries.append(query)
            for d in m.of("HorizontalPodAutoscaler"):
                for metric in d["spec"]["metrics"]:
                    self.assertIn(metric["external"]["metric"]["name"], served)
        for query in queries:
            for name in re.findall(r"cadre:[a-z_:]+", query):
                self.assertIn(name, recorded, query)

    # --- Experiments ---

    def test_every_experiment_is_in_the_config_map(self):
        names = {path.name for path in (k8s.ROOT / "configs").glob("*.textproto")}
        listed = k8s.yaml.safe_load((k8s.ROOT / "configs/kustomization.yaml").read_text())
        self.assertEqual(set(listed["configMapGenerator"][0]["files"]), names)

    def resolved(self, m):
        """The overlay's experiment with all defaults, as `cadre config check` prints it."""
        name = m.run()["EXPERIMENT"] + ".textproto"
        self.assertIn(name, m.experiments())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.write_text(m.experiments()[name])
            result = check("cadre", "config", "check", path)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    @of_each_overlay
    def test_as_many_actors_and_learners_as_the_experiment_wants(self, m):
        config = self.resolved(m)
        actors = re.search(r"^actors \{(.*?)^\}", config, re.M | re.S)[1]
        count = int(re.search(r"count: (\d+)", actors)[1])
        section = re.search(r"^learners \{(.*?)^\}", config, re.M | re.S)
        learners = re.search(r"count: (\d+)", section[1]) if section else None
        learners = max(1, int(learners[1])) if learners else 1
        self.assertEqual(sum(k8s.pod_count(d) for d in m.of("Job")), learners)
        deployments = m.of("Deployment")
        scaled = m.of("HorizontalPodAutoscaler", "ScaledObject")
        if "mode: LOCKSTEP" in actors:
            self.assertFalse(scaled, "in lockstep the number of actors is fixed")
        if not scaled:
            self.assertEqual(sum(k8s.pod_count(d) for d in deployments), count)
        written = m.experiments()[m.run()["EXPERIMENT"] + ".textproto"]
        if learners > 1 and not re.search(r"^replay \{", written, re.M):  # Which all share.
            of = sorted(p.flags()["learner"] for d in deployments for p in m.pods_of(d))
            self.assertEqual(of, sorted(str(i % learners) for i in range(count)))

    # --- Command lines ---

    @of_each_overlay
    def test_the_binaries_know_every_flag(self, m):
        for workload in m.workloads:
            pod = m.pods_of(workload)[0]
            command = pod.command()
            self.assertNotRegex(" ".join(command), r"\$\([A-Z]", "a variable that is not set")
            # The parser stops at what it does not know, before anything happens: that is
            # to be this one flag, and nothing else to be wrong.
            result = check(*command, UNKNOWN, environment=pod.environment())
            self.assertEqual(result.returncode, 2, f"{command}: {result.stderr}")
            self.assertRegex(result.stderr,
                             rf"error: The following argument was not expected: {UNKNOWN}\s*$",
                             f"{pod}: {command}")


if __name__ == "__main__":
    k8s.skip_unless_possible()
    unittest.main(verbosity=2)
