#!/usr/bin/env python3
"""Usage: tests/deploy/k8s.py FOLDER
Renders every overlay of deploy/k8s to FOLDER/<overlay>.yaml, with kubectl's default
restrictions. What the tests beside it know of the result: pods and their command lines."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
KUBECTL = 27  # Older ones have a kustomize without what the manifests use.
SKIPPED = 77  # ctest's SKIP_RETURN_CODE for these tests.

# What no overlay has, so that all of deploy/k8s is checked.
VARIANTS = {"variant-prometheus-adapter": """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: cadre-variant
resources: [{k8s}/base]
components: [{k8s}/components/pod-monitors, {k8s}/components/autoscaling-prometheus-adapter]
configMapGenerator:
- {{name: cadre-run, behavior: merge, literals: [EXPERIMENT=impala_cartpole]}}
""", "variant-tls": """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: cadre-tls
resources: [{k8s}/base]
components: [{k8s}/components/parameter-replicas, {k8s}/components/tls]
configMapGenerator:
- name: cadre-run
  behavior: merge
  literals: ["ACTOR_PARAMETERS=param-replica-0.param-replica:5001,param-replica-1.param-replica:5001"]
"""}

try:
    import yaml
except ImportError:
    yaml = None


def why_impossible():
    if yaml is None:
        return "PyYAML is not installed"
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    version = subprocess.run(["kubectl", "version", "--client", "--output=json"],
                             capture_output=True, text=True, check=True).stdout
    minor = int(re.match(r"\d+", json.loads(version)["clientVersion"]["minor"])[0])
    return f"kubectl is 1.{minor}; wanted 1.{KUBECTL} or later" if minor < KUBECTL else ""


def skip_unless_possible():
    if why := why_impossible():
        print(f"skipped: {why}")
        sys.exit(SKIPPED)


def kustomize(folder):
    result = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"kubectl kustomize {folder}: {result.stderr.strip()}")
    return result.stdout


def render(name):
    """The text of an overlay or of a variant."""
    if name not in VARIANTS:
        return kustomize(K8S / "overlays" / name)
    with tempfile.TemporaryDirectory() as folder:
        real = os.path.realpath(folder)
        text = VARIANTS[name].format(k8s=os.path.relpath(K8S, real))
        (pathlib.Path(folder) / "kustomization.yaml").write_text(text)
        return kustomize(real)


ALL = [*OVERLAYS, *VARIANTS]


class Manifests:
    """All that an overlay makes."""

    def __init__(self, name):
        self.name = name
        self.text = render(name)
        self.documents = [d for d in yaml.safe_load_all(self.text) if d is not None]

    def of(self, *kinds):
        return [d for d in self.documents if d["kind"] in kinds]

    def get(self, kind, name):
        return next((d for d in self.of(kind) if d["metadata"]["name"] == name), None)

    @property
    def workloads(self):
        return self.of("StatefulSet", "Deployment", "Job")

    def run(self):
        """The settings of the run, by name: the ConfigMap cadre-run."""
        maps = [d for d in self.of("ConfigMap") if d["metadata"]["name"].startswith("cadre-run")]
        assert len(maps) == 1, maps
        return maps[0]["data"]

    def experiments(self):
        maps = [d for d in self.of("ConfigMap")
                if d["metadata"]["name"].startswith("cadre-experiments")]
        assert len(maps) == 1, maps
        return maps[0]["data"]

    def pods(self):
        return [pod for workload in self.workloads for pod in self.pods_of(workload)]

    def pods_of(self, workload):
        return [Pod(self, workload, i) for i in range(pod_count(workload))]


def pod_count(workload):
    spec = workload["spec"]
    if workload["kind"] == "Job":
        return spec["completions"]
    return spec.get("replicas", 1)  # An autoscaler's: as many as it likes.


class Pod:
    """One pod of a workload, as the kubelet sees it."""

    def __init__(self, manifests, workload, ordinal):
        self.manifests, self.workload, self.ordinal = manifests, workload, ordinal
        self.template = workload["spec"]["template"]
        self.labels = self.template["metadata"]["labels"]
        self.name = f"{workload['metadata']['name']}-{ordinal}"
        self.container, = self.template["spec"]["containers"]

    def environment(self):
        values = {}
        for source in self.container.get("envFrom", []):
            values.update(self.manifests.get("ConfigMap", source["configMapRef"]["name"])["data"])
        for variable in self.container.get("env", []):
            if "value" in variable:
                values[variable["name"]] = variable["value"]
            else:
                field = variable["valueFrom"]["fieldRef"]["fieldPath"]
                values[variable["name"]] = {"metadata.name": self.name}[field]
        if self.workload["spec"].get("completionMode") == "Indexed":
            values["JOB_COMPLETION_INDEX"] = str(self.ordinal)
        return values

    def command(self):
        """With $(NAME) replaced as the kubelet does, and $$ by $; unknown names stay."""
        values = self.environment()

        def expand(text):
            return re.sub(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_]*)\))",
                          lambda m: "$" if m[1] == "$" else values.get(m[2], m[0]), text)

        return [expand(part) for part in [*self.container["command"], *self.container["args"]]]

    def flags(self):
        """By name; of a repeated one the last."""
        pairs = (part[2:].partition("=") for part in self.command() if part.startswith("--"))
        return {name: value for name, _, value in pairs}

    def addresses(self):
        """Whom it calls: (flag, host, port) of each."""
        return [(flag, *address.rsplit(":", 1)) for flag, value in self.flags().items()
                if flag in ("replay", "parameters", "follow", "rendezvous")
                for address in value.split(",")]

    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def __str__(self):
        return self.name


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    skip_unless_possible()
    for each in ALL:
        (pathlib.Path(sys.argv[1]) / f"{each}.yaml").write_text(render(each))
    print(f"k8s: rendered {', '.join(ALL)}")
