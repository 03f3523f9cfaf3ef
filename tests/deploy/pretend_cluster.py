"""Runs the pods of rendered manifests as processes of this machine, as a kubelet would: the
real binaries with the containers' own command lines, volumes as folders, probes as they
stand there. A pod's address is one of 127.0.0.0/8. There is no scheduler, no image, no
isolation and no network policy here: what is shown is that the processes find each other,
answer their probes, end well and start again."""

import ctypes
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

import k8s

BINARIES = pathlib.Path(os.environ.get("CADRE_BIN", k8s.ROOT / "build" / "bin")).resolve()

# Whatever proxies the environment names: pods are on this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def end_with_parent():
    """In a child: SIGKILL when the test goes, however it goes (prctl's PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def grpc_health(host, port, timeout, service=""):
    """What a kubelet's gRPC probe does: Check(service) of grpc.health.v1; true: SERVING. HTTP/2
    by hand, as Python has none."""
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def header(name, value):  # HPACK: literal, never indexed, no Huffman code.
        return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value

    headers = b"".join(header(n, v) for n, v in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/grpc.health.v1.Health/Check"),
        (b":authority", host.encode()), (b"content-type", b"application/grpc"), (b"te", b"trailers")))
    request = bytes([10, len(service)]) + service.encode() if service else b""
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") +
                               frame(1, 4, 1, headers) +
                               frame(0, 1, 1, struct.pack(">BI", 0, len(request)) + request))
            reader = connection.makefile("rb")
            while len(head := reader.read(9)) == 9:
                length = int.from_bytes(head[:3], "big")
                kind, flags = head[3], head[4]
                payload = reader.read(length)
                if kind == 4 and not flags & 1:
                    connection.sendall(frame(4, 1, 0, b""))
                elif kind == 0 and payload:
                    return payload[5:] == b"\x08\x01"  # status: SERVING
                elif kind in (3, 7) or (kind == 1 and flags & 1):  # Reset, go away, an error.
                    return False
    except OSError:
        pass
    return False


def http_ok(host, port, path, timeout):
    try:
        with OPENER.open(f"http://{host}:{port}{path}", timeout=timeout) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class RunningPod:
    """The container of a pod, running."""

    def __init__(self, cluster, pod, address):
        self.pod, self.address = pod, address
        self.log = cluster.folder / f"{pod.name}.{len(list(cluster.folder.glob('*.log')))}.log"
        path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **pod.environment(), "PATH": path}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                cluster.command(pod, address), env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=end_with_parent)

    def probe(self, kind):
        probe = self.pod.container[kind]
        timeout = probe.get("timeoutSeconds", 1)
        if "grpc" in probe:
            return grpc_health(self.address, probe["grpc"]["port"], timeout,
                               probe["grpc"].get("service", ""))
        port = self.pod.ports()[probe["httpGet"]["port"]]
        return http_ok(self.address, port, probe["httpGet"]["path"], timeout)

    def wait_for(self, kind):
        """Until that probe succeeds; fails where a kubelet would have had enough."""
        probe = self.pod.container[kind]
        deadline = time.monotonic() + (probe.get("periodSeconds", 10) *
                                       probe.get("failureThreshold", 3))
        while not self.probe(kind):
            assert self.process.poll() is None, f"{self.pod} ended: {self.text()}"
            assert time.monotonic() < deadline, f"{self.pod}: {kind} fails: {self.text()}"
            time.sleep(0.1)

    def terminate(self):
        """SIGTERM; the exit status and the seconds it took. Fails after the grace period."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait(self.pod.template["spec"]["terminationGracePeriodSeconds"]), \
            time.monotonic() - began

    def wait(self, timeout):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.pod} not ended in {timeout} s: {self.text()}") from None

    def metric(self, name):
        """The sum of its series."""
        with OPENER.open(f"http://{self.address}:9100/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(line.rsplit(" ", 1)[1]) for line in lines
                  if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(values)

    def text(self):
        return self.log.read_text(errors="replace")[-3000:]


class PretendCluster:

    clusters = 0  # Of this process.

    def __init__(self, manifests, folder):
        self.manifests, self.folder = manifests, pathlib.Path(folder)
        PretendCluster.clusters += 1
        # Its pods' addresses, apart from those of other tests that run now.
        self.network = f"127.{2 + os.getpid() % 250}.{PretendCluster.clusters}"
        self.addresses = {}  # Of pods, by name. A pod that comes back keeps its own.
        self.running = []
        for pod in manifests.pods():
            self.address_of(pod.name)

    def address_of(self, name):
        return self.addresses.setdefault(name, f"{self.network}.{len(self.addresses) + 1}")

    def resolve(self, host):
        """As the cluster's DNS does with the headless services here."""
        name, _, service = host.rpartition(".")
        selector = self.manifests.get("Service", service)["spec"]["selector"]
        pods = [pod.name for pod in self.manifests.pods()
                if selector.items() <= pod.labels.items() and name in ("", pod.name)]
        return self.address_of(pods[0])

    def folder_of(self, pod, volume):
        claims = {c["metadata"]["name"] for c in
                  pod.workload["spec"].get("volumeClaimTemplates", [])}
        if volume in claims:
            path = self.folder / f"{volume}-{pod.name}"
        else:
            source = next(v for v in pod.template["spec"]["volumes"] if v["name"] == volume)
            if "configMap" in source:
                path = self.folder / source["configMap"]["name"]
                if not path.exists():  # Else somebody may be reading it.
                    path.mkdir()
                    data = self.manifests.get("ConfigMap", source["configMap"]["name"])["data"]
                    for name, text in data.items():
                        (path / name).write_text(text)
            elif "persistentVolumeClaim" in source:
                path = self.folder / source["persistentVolumeClaim"]["claimName"]
            else:
                path = self.folder / f"{volume}-{pod.name}"
        path.mkdir(exist_ok=True)
        return path

    def command(self, pod, address):
        """The container's, with its paths and addresses as they are on this machine."""
        mounts = {m["mountPath"]: str(self.folder_of(pod, m["name"]))
                  for m in pod.container.get("volumeMounts", [])}
        command = []
        for part in pod.command():
            flag, equals, value = part.partition("=")
            if flag in ("--replay", "--parameters", "--follow", "--rendezvous"):
                pairs = (each.rsplit(":", 1) for each in value.split(","))
                value = ",".join(f"{self.resolve(host)}:{port}" for host, port in pairs)
            elif flag == "--address":
                value = value.replace("0.0.0.0", address)
            elif flag == "--metrics_port":
                value = f"{address}:{value}"
            for path, folder in mounts.items():
                if value == path or value.startswith(path + "/"):
                    value = folder + value[len(path):]
                    break
            command.append(flag + equals + value)
        return command

    def start(self, pod):
        running = RunningPod(self, pod, self.address_of(pod.name))
        self.running.append(running)
        return running

    def end(self):
        for each in self.running:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()
