"""The controller of Sealed Secrets and kubeseal, built from their published module, and the controller at work.

It is made to run in a pod: it finds its API server by the files of its service account. Where these are is a constant
of client-go; it is built with a folder of ours in that constant's place, and is otherwise as it was published.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from karrots import places
from karrots.adapters import process
from karrots.engine import recipe, toolchain
from karrots.engine.locks import held
from karrots.engine.recipe import Program, Recipe
from tests.support.engine import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import World

MODULE = "github.com/bitnami/sealed-secrets"
WHAT = Recipe(
    Path(__file__).parent / "modules" / "sealed-secrets",
    (
        Program("sealed-secrets-controller", f"{MODULE}/cmd/controller"),
        Program("kubeseal", f"{MODULE}/cmd/kubeseal"),
    ),
    title="the controller of Sealed Secrets",
    small=True,
)
BUILD_SECONDS = 3600.0
CLIENT = "k8s.io/client-go"
IN_CLUSTER = "rest/config.go"
CONSTANTS = (
    "\tconst (\n"
    '\t\ttokenFile  = "/var/run/secrets/kubernetes.io/serviceaccount/token"\n'
    '\t\trootCAFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"\n'
    "\t)\n"
)
FOLDER = "SERVICE_ACCOUNT_FOLDER"
OURS = f'\ttokenFile := os.Getenv("{FOLDER}") + "/token"\n\trootCAFile := os.Getenv("{FOLDER}") + "/ca.crt"\n'
ENVIRONMENT = dict(os.environ)

NAMESPACE = "kube-system"
ACCOUNT = "sealed-secrets-controller"
KEYS = "sealedsecrets.bitnami.com/sealed-secrets-key=active"
RIGHTS = f"""apiVersion: v1
kind: ServiceAccount
metadata: {{name: {ACCOUNT}, namespace: {NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {ACCOUNT}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}}
subjects: [{{kind: ServiceAccount, name: {ACCOUNT}, namespace: {NAMESPACE}}}]
"""


@dataclass(frozen=True)
class Programs:
    folder: Path
    module: Path

    def crd(self) -> str:
        return (self.module / "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml").read_text("utf-8")

    def seal(self, world: World, certificate: str, secret: dict[str, Any], scope: str = "strict") -> str:
        """By kubeseal, as a manifest."""
        file = world.root / "certificate.pem"
        file.write_text(certificate)
        argv = [str(self.folder / "kubeseal"), "--cert", str(file), "--format", "yaml", "--scope", scope]
        done = subprocess.run(
            argv, input=json.dumps(secret), env=world.env, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def built() -> Programs:
    """From the user's own cache, whatever a test set in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name not in ENVIRONMENT]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        folder = places.cache() / "services" / recipe.digest(WHAT)
        go = toolchain.ensure(recipe.go_floor(WHAT.modules))
        with held(folder.parent / "sealed-secrets.lock", f"the build of {WHAT.title}", wait=BUILD_SECONDS):
            if not all((folder / program.name).is_file() for program in WHAT.programs):
                _build(go, folder)
        return Programs(folder, _module(go, MODULE))


def _module(go: toolchain.Go, name: str) -> Path:
    listed = process.run(
        [go.program, "list", "-m", "-f", "{{.Dir}}", name], cwd=WHAT.modules, env=go.environment(recipe.BUILD_FLAGS)
    )
    return Path(listed.text.strip())


def _build(go: toolchain.Go, folder: Path) -> None:
    env = go.environment(recipe.BUILD_FLAGS)
    process.run([go.program, "mod", "download"], cwd=WHAT.modules, env=env, timeout=BUILD_SECONDS)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
        made, modules = Path(scratch) / "programs", _patched(go, Path(scratch))
        made.mkdir()
        for program in WHAT.programs:
            words = [f"-modfile={modules}", "-ldflags", WHAT.ldflags, "-o", str(made / program.name)]
            argv = [go.program, "build", *words, program.package]
            process.run(argv, cwd=WHAT.modules, env=env, timeout=BUILD_SECONDS)
            process.run([str(made / program.name), *program.probe])
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _patched(go: toolchain.Go, scratch: Path) -> Path:
    """A go.mod that takes client-go from a copy, in which our text stands in place of the constants."""
    copy = scratch / "client-go"
    shutil.copytree(_module(go, CLIENT), copy, copy_function=shutil.copyfile)
    copy.chmod(0o755)
    for folder in (path for path in copy.rglob("*") if path.is_dir()):
        folder.chmod(0o755)
    text = (copy / IN_CLUSTER).read_text("utf-8")
    assert text.count(CONSTANTS) == 1, "client-go finds its API server in another way"
    (copy / IN_CLUSTER).write_text(text.replace(CONSTANTS, OURS))
    shutil.copyfile(WHAT.modules / "go.sum", scratch / "go.sum")
    own = (WHAT.modules / "go.mod").read_text("utf-8")
    (scratch / "go.mod").write_text(f"{own}\nreplace {CLIENT} => {copy}\n")
    return scratch / "go.mod"


@dataclass
class Controllers:
    """One for each cluster, beside it: the engine's pods are simulated."""

    world: World
    programs: Programs
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, cluster: str, *arguments: str) -> None:
        """As the chart starts it: keys are not renewed."""
        folder = self.world.root / f"account-{cluster}"
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(self.world.kubectl(cluster, "-n", NAMESPACE, "create", "token", ACCOUNT))
        host, port = self._reach(cluster, folder)
        told = {FOLDER: str(folder), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        named = {"POD_NAMESPACE": NAMESPACE}
        loopback = ["--listen-addr=127.0.0.1:0", "--listen-metrics-addr=127.0.0.1:0"]
        argv = [str(self.programs.folder / WHAT.programs[0].name), "--key-renew-period=0", *loopback, *arguments]
        with (folder / "log").open("ab") as log:
            self.running[cluster] = subprocess.Popen(argv, env=self.world.env | told | named, stdout=log, stderr=log)

    def _reach(self, cluster: str, folder: Path) -> tuple[str, str]:
        told = yaml.safe_load(self.world.karrots("kubeconfig", cluster).out)["clusters"][0]["cluster"]
        (folder / "ca.crt").write_bytes(base64.b64decode(told["certificate-authority-data"]))
        host, _, port = told["server"].removeprefix("https://").rpartition(":")
        return host, port

    def stop(self, cluster: str) -> None:
        found = self.running.pop(cluster)
        found.terminate()
        found.wait(20)

    def log(self, cluster: str) -> str:
        return (self.world.root / f"account-{cluster}" / "log").read_text("utf-8", "replace")

    def certificate(self, cluster: str) -> str:
        """Of the newest key, once there is one."""
        found = eventually(lambda: self.keys(cluster))
        return base64.b64decode(found[-1]["data"]["tls.crt"]).decode()

    def keys(self, cluster: str) -> list[dict[str, Any]]:
        words = ("-n", NAMESPACE, "get", "secrets", "-l", KEYS, "--sort-by=.metadata.creationTimestamp", "-o", "json")
        found: list[dict[str, Any]] = json.loads(self.world.kubectl(cluster, *words))["items"]
        return found

    def synced(self, cluster: str, name: str) -> str:
        """What the controller says of a SealedSecret in the shop: True, False, or '' before it said anything."""
        path = "jsonpath={.status.conditions[?(@.type=='Synced')].status}"
        return self.world.kubectl(cluster, "-n", "shop", "get", "sealedsecret", name, "-o", path)

    def wait(self, cluster: str, name: str, said: str) -> None:
        eventually(lambda: self.synced(cluster, name) == said)

    def opened(self, cluster: str, name: str) -> dict[str, str]:
        """The values of the Secret that the controller made, '' for none."""
        words = ("-n", "shop", "get", "secret", name, "--ignore-not-found", "-o", "json")
        found = self.world.kubectl(cluster, *words)
        data: dict[str, str] = json.loads(found)["data"] if found else {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


@contextmanager
def at_work(world: World) -> Iterator[Controllers]:
    made = Controllers(world, built())
    try:
        yield made
    finally:
        for cluster in list(made.running):
            made.stop(cluster)
