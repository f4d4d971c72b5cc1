"""The components of a cluster: which ports each has, and the command line that starts it. Pure.

Flags are the upstream defaults but for what makes a cluster of one computer start fast and stay on loopback.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.adapters import process
from karrots.engine.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.engine.folder import Folder, State

FLUX = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
# In the order of their start: first what everything else needs, then Flux, which has the longest way to go.
BASE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
ALL = (*BASE, "git-server", *FLUX, *CONTROLLERS, "kwok")
# A bare cluster has it besides, and of Flux only what was deployed.
STARTER = "flux-starter"

# The first port of a component is the one that shows that it lives; etcd has sockets instead.
PORTS: Mapping[str, tuple[str, ...]] = {
    "etcd": (),
    "kube-apiserver": ("kube-apiserver",),
    "git-server": ("git-server",),
    "source-controller": ("source-controller", "source-metrics", "source-artifacts"),
    "kustomize-controller": ("kustomize-controller", "kustomize-metrics"),
    "helm-controller": ("helm-controller", "helm-metrics"),
    "notification-controller": (
        "notification-controller", "notification-metrics", "notification-events", "notification-receiver",
    ),
    "kube-controller-manager": ("kube-controller-manager",),
    "kube-scheduler": ("kube-scheduler",),
    "kwok": ("kwok",),
    STARTER: (),
}  # fmt: skip
PORT_NAMES = tuple(name for names in PORTS.values() for name in names)

NAMESPACE = "flux-system"
GIT_SERVER_MODULE = "karrots.engine.gitserver"
STARTER_MODULE = "karrots.engine.starter"
# Programs of our own, which Python runs: their command lines name the cluster's folder.
MODULES = {GIT_SERVER_MODULE: "git-server", STARTER_MODULE: STARTER}
# Files in the folder that every component runs in. A path would have to fit the 104 bytes of a socket's address; etcd
# wants a port in the name.
CLIENTS, PEERS = "unix://etcd.sock:1", "unix://etcd.sock:2"
# Nobody but these paths may be asked without a login.
OPEN_PATHS = "/healthz,/readyz,/livez"


@dataclass(frozen=True)
class Layout:
    """What the command lines of one cluster are made from."""

    folder: Folder
    ports: Mapping[str, int]
    stages: Path
    repository: str
    authenticator: str = ""

    def address(self, port: str) -> str:
        return f"{HOST}:{self.ports[port]}"

    def pki(self, file: str) -> Path:
        return self.folder.pki / file


def wanted(state: State) -> tuple[str, ...]:
    """What is to run in a cluster."""
    if not state.bare:
        return ALL
    return (*(name for name in ALL if name not in FLUX or name in state.deployed), STARTER)


def argv(name: str, layout: Layout) -> tuple[str, ...]:
    if name == "git-server":
        return _git_server(layout)
    if name == STARTER:
        return (sys.executable, "-m", STARTER_MODULE, str(layout.folder.path))
    flags = _flux(name, layout) if name in FLUX else _FLAGS[name](layout)
    return (str(layout.folder.program(name)), *(f"--{flag}={value}" for flag, value in flags.items()))


def environment(name: str, layout: Layout) -> dict[str, str]:
    """A home and a temporary folder of the cluster's own, so that nothing of the user's is read or left behind."""
    own = {"HOME": str(layout.folder.path / "home"), "TMPDIR": str(layout.folder.path / "tmp")}
    if name == STARTER:  # it starts components itself, and must find what we would
        return process.environment(inherit=("PYTHONPATH",))
    if name == "git-server":
        return process.environment(own, inherit=("PYTHONPATH",))
    if name in FLUX:
        own |= {
            "KUBECONFIG": str(layout.folder.kubeconfig),
            "RUNTIME_NAMESPACE": NAMESPACE,
            "GNUPGHOME": own["TMPDIR"],
            "TUF_ROOT": f"{own['TMPDIR']}/.sigstore",
        }
    return process.environment(own)


def owner(command: list[str], home: Path) -> Path | None:
    """The cluster folder below `home` whose component a command line is; None for one that only names such a file."""
    if module(command):
        folder = Path(command[3])
    elif command:
        folder = Path(command[0]).parent.parent
    else:
        return None
    return folder if folder.parent == home else None


def module(command: list[str]) -> str | None:
    """Which program of our own a command line is."""
    return MODULES.get(command[2]) if len(command) > 3 and command[1] == "-m" else None


def _etcd(layout: Layout) -> dict[str, object]:
    """On sockets in the cluster's folder, where the file system says who may connect.

    Nothing is synced to disk: what a power loss takes is made again from git.
    """
    return {
        "name": "karrots",
        "data-dir": layout.folder.etcd,
        "listen-client-urls": CLIENTS,
        "advertise-client-urls": CLIENTS,
        "listen-peer-urls": PEERS,
        "initial-advertise-peer-urls": PEERS,
        "initial-cluster": f"karrots={PEERS}",
        "unsafe-no-fsync": "true",
        "heartbeat-interval": 50,
        "election-timeout": 250,
        "log-level": "warn",
    }


def _apiserver(layout: Layout) -> dict[str, object]:
    return {
        "etcd-servers": CLIENTS,
        "bind-address": HOST,
        "secure-port": layout.ports["kube-apiserver"],
        "advertise-address": HOST,
        # the Service `kubernetes` can have no endpoint on loopback, and nothing could dial it
        "endpoint-reconciler-type": "none",
        "cert-dir": layout.folder.path / "run",
        "tls-cert-file": layout.pki("apiserver.crt"),
        "tls-private-key-file": layout.pki("apiserver.key"),
        "client-ca-file": layout.pki("ca.crt"),
        "authorization-mode": "Node,RBAC",
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": layout.pki("service-accounts.pub"),
        "service-account-signing-key-file": layout.pki("service-accounts.key"),
        # without these, controller-manager and scheduler look for an authority they cannot find, for ever
        "requestheader-client-ca-file": layout.pki("ca.crt"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "service-cluster-ip-range": "10.96.0.0/16",
        "allow-privileged": "true",
        "profiling": "false",
        **({"authentication-token-webhook-config-file": layout.authenticator} if layout.authenticator else {}),
    }


def _controller_manager(layout: Layout) -> dict[str, object]:
    return {
        **_with_kubeconfig(layout, "kube-controller-manager"),
        "authorization-always-allow-paths": OPEN_PATHS,
        "root-ca-file": layout.pki("ca.crt"),
        "service-account-private-key-file": layout.pki("service-accounts.key"),
        "cluster-signing-cert-file": layout.pki("ca.crt"),
        "cluster-signing-key-file": layout.pki("ca.key"),
        "allocate-node-cidrs": "false",
        "use-service-account-credentials": "false",
    }


def _scheduler(layout: Layout) -> dict[str, object]:
    return {**_with_kubeconfig(layout, "kube-scheduler"), "authorization-always-allow-paths": OPEN_PATHS}


def _with_kubeconfig(layout: Layout, port: str) -> dict[str, object]:
    return {
        "kubeconfig": layout.folder.kubeconfig,
        "authentication-kubeconfig": layout.folder.kubeconfig,
        "authorization-kubeconfig": layout.folder.kubeconfig,
        "bind-address": HOST,
        "secure-port": layout.ports[port],
        "leader-elect": "false",
        "profiling": "false",
        # its own would be self-signed RSA, which takes longer to make than the rest of its start
        "tls-cert-file": layout.pki("apiserver.crt"),
        "tls-private-key-file": layout.pki("apiserver.key"),
    }


def _kwok(layout: Layout) -> dict[str, object]:
    return {
        "kubeconfig": layout.folder.kubeconfig,
        "config": layout.stages,
        "manage-all-nodes": "true",
        "cidr": "10.244.0.0/16",
        "node-ip": HOST,
        "node-port": layout.ports["kwok"],
        "server-address": layout.address("kwok"),
        "tls-cert-file": layout.pki("apiserver.crt"),
        "tls-private-key-file": layout.pki("apiserver.key"),
        "node-lease-duration-seconds": 40,
    }


def _flux(name: str, layout: Layout) -> dict[str, object]:
    short = name.removesuffix("-controller")
    events = layout.address("notification-events")
    flags: dict[str, object] = {
        "watch-all-namespaces": "true",
        "enable-leader-election": "false",
        "health-addr": layout.address(name),
        "metrics-addr": layout.address(f"{short}-metrics"),
        "log-level": "info",
        "log-encoding": "json",
        # the default of 750 ms is felt on each first try that comes a moment too early
        "min-retry-delay": "50ms",
    }
    if name == "notification-controller":
        return flags | {"events-addr": events, "receiverAddr": layout.address("notification-receiver")}
    return flags | {
        "events-addr": f"http://{events}/",
        "interval-jitter-percentage": 0,
        "requeue-dependency": "200ms",
        **_flux_own(name, layout),
    }


def _flux_own(name: str, layout: Layout) -> dict[str, object]:
    artifacts = layout.address("source-artifacts")
    if name == "source-controller":
        storage = layout.folder.path / "artifacts"
        return {"storage-path": storage, "storage-addr": artifacts, "storage-adv-addr": artifacts}
    return {"graceful-shutdown-timeout": "5s"} if name == "helm-controller" else {}


def _git_server(layout: Layout) -> tuple[str, ...]:
    return (
        sys.executable, "-m", GIT_SERVER_MODULE, str(layout.folder.path),
        "--port", str(layout.ports["git-server"]), "--repository", layout.repository,
    )  # fmt: skip


_FLAGS: Mapping[str, Callable[[Layout], dict[str, object]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controller_manager,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
}
