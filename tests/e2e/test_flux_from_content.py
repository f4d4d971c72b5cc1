"""A cluster without Flux, as a cloud gives it: its components come from the content, the branch over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import flux, flux_install
from karrots.adapters.kube import Kube
from karrots.engine import cluster, components
from karrots.engine.folder import Request
from karrots.fleet.git_access import public_key
from karrots.fleet.workspace import Workspace
from karrots.pipeline import Done, Pipeline, Run, Step
from karrots.report.events import Event, StepProgress
from karrots.report.reporters import RecordingReporter
from karrots.spec import flux_components
from karrots.steps.context import Context
from karrots.steps.preflight import Preflight
from karrots.steps.syncing import Connect, InstallFlux, SyncFromBranch, WaitReady
from tests.support import engine, flux_manifest, golang, repositories, ssh_host
from tests.support.engine import pids
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from karrots.adapters.flux import GitAccess
    from karrots.adapters.kube import Access
    from karrots.fleet.record import Record
    from karrots.providers.base import Check
    from karrots.spec import fleet
    from karrots.spec.cluster import ClusterSpec
    from tests.support.ssh_host import SshHost

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

ID = "01cloud"
SETTINGS = """\
apiVersion: karrots.dev/v1
kind: Fleet
domain: example.com
git:
  access:
    url: {url}
    ssh: {{env: FLEET_KEY, known_hosts: "{known_hosts}"}}
"""
CLUSTER = """\
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes: {default: {count: 1}}
flux: {version: 2.9.5}
"""
MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-git, namespace: default}\ndata: {who: '${cluster_name}'}\n"
)
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [map.yaml]\n"


class Cloud:
    """A provider that gives a control plane and, some time later, a node; everything else is as in any cloud."""

    NAME = "cloud"
    CLUSTER_RESOURCES = ("terraform_data.cluster",)

    def preflight(
        self, spec: ClusterSpec, record: Record, settings: fleet.Cloud | None, parent: Record | None
    ) -> list[Check]:
        return []

    def access(self, record: Record, outputs: Mapping[str, Any], settings: fleet.Cloud | None) -> Access:
        return cluster.access(ID)

    def git_access(self, record: Record, remote_url: str | None) -> GitAccess | None:
        return None

    def tend(self, record: Record) -> list[str]:
        return []


class NodeComesLate(RecordingReporter):
    """The first node is there once somebody waits for it."""

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, StepProgress) and "waiting for nodes" in event.detail and not self.asked:
            self.asked = event.detail
            cluster.nodes(ID, 1)

    asked = ""


@pytest.fixture(scope="module")
def manifest(engine_bin: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return flux_manifest.build(golang.of_this_computer(), engine_bin, tmp_path_factory.mktemp("flux"))


@pytest.fixture
def host(manifest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    """The fleet in tmp_path/fleet, and its remote behind SSH with a key that may read."""
    fleet = repositories.repository(tmp_path / "fleet", {
        "clusters/qa/cluster.yaml": CLUSTER,
        f"clusters/qa/{flux_components.FILE}": manifest,
        "clusters/qa/flux/kustomization.yaml": KUSTOMIZATION,
        "clusters/qa/flux/map.yaml": MAP,
    })  # fmt: skip
    (tmp_path / "hosted").mkdir()
    key = ssh_host.private_key()
    monkeypatch.setenv("FLEET_KEY", key)
    with ssh_host.ssh_host(tmp_path / "hosted", key) as served:
        settings = SETTINGS.format(url=served.url, known_hosts=served.known_hosts.strip())
        repositories.commit(fleet.root, {"karrots.yaml": settings})
        repositories.bare_remote(tmp_path / "hosted/shared.git", fleet.root)
        yield served
    engine.remove_all()


def context(root: Path, reporter: RecordingReporter) -> Context:
    workspace = Workspace.open(root / "clusters/qa")
    commit = workspace.repo.head().commit
    assert commit is not None
    provider: Any = Cloud()
    run = Run.begin("01run", "create", "qa", reporter, resume="karrots create")
    found = record("qa", branch="main", provider="cloud")
    spec = workspace.spec_at(commit, "clusters/qa", {})
    return Context(workspace, run, found, provider, spec, commit, commit, lambda _: False, timeout=180.0)


def test_the_whole_way(host: SshHost, tmp_path: Path) -> None:
    root = tmp_path / "fleet"
    status = cluster.up(Request(ID, "qa", root / ".git", 0, bare=True), lambda _: None)
    assert not {*components.FLUX} & {c.name for c in status.components}
    reporter = NodeComesLate()
    ctx = context(root, reporter)
    steps: list[Step[Context]] = [Preflight(), Connect(), InstallFlux(), SyncFromBranch(), WaitReady()]
    with ctx:
        Pipeline(steps, ctx.run).execute(ctx)
        rows = {check.what: check.found for check in ctx.checks}
        assert rows["Flux"] == "2.9.5, 4 controllers"
        assert rows["git for Flux"] == f"{host.url}, main at {ctx.commit[:10]}"
        assert reporter.asked.endswith(f"waiting for nodes to run {', '.join(sorted(components.FLUX))}")
        assert ctx.flux is not None
        assert ctx.flux.at(ctx.commit)
        kube = Kube(cluster.access(ID))
        assert (kube.get("/api/v1/namespaces/default/configmaps/from-git") or {})["data"] == {"who": "qa"}
        assert {*components.FLUX} <= {*pids(ID)}
        assert len(host.asked) > 1, "preflight and source-controller"
        assert {each.split(" ")[0] for each in host.asked} == {"git"}
        assert all(isinstance(step.check(ctx), Done) for step in steps)
        pinned_anew(ctx, root)
        renewed_key(ctx)


def pinned_anew(ctx: Context, root: Path) -> None:
    """Another manifest in the content is applied by the next operation, though Flux's kinds are served."""
    path = f"clusters/qa/{flux_components.FILE}"
    manifest = (root / path).read_text().replace("memory: 1Gi", "memory: 2Gi")
    ctx.commit = ctx.content = repositories.commit(root, {path: manifest})
    step = InstallFlux()
    assert not isinstance(step.check(ctx), Done)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)
    for found in ctx.api().list(flux_install.DEPLOYMENTS):
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == "2Gi"


def renewed_key(ctx: Context) -> None:
    """A secret that has changed where karrots.yaml says it is reaches the cluster."""
    assert ctx.git is not None
    key = ssh_host.private_key()
    ctx.git = flux.GitAccess(ctx.git.url, {**ctx.git.secret, "identity": key, "identity.pub": public_key(key)})
    step = SyncFromBranch()
    assert not isinstance(step.check(ctx), Done)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)
