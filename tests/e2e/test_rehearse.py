"""`karrots rehearse` on real clusters: the shop as it is, a dozen faults at once, and that nothing of it is left."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from karrots.engine import cluster, ports
from karrots.fleet import rehearsals
from tests.support.command_line import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: flux-system
spec:
  interval: 10m
  path: ./clusters/qa/flux/{path}
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: default\n"
WIDGETS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: one\n  namespace: default\n"
OLD_INGRESS = """\
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata:
  name: old
  namespace: default
spec:
  backend: {serviceName: front, servicePort: 80}
"""
POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: owners
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  matchConditions:
    - {name: ours, expression: object.metadata.name == 'nobodys'}
  validations:
    - {expression: has(object.metadata.labels) && 'owner' in object.metadata.labels, message: an owner is needed}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: owners
spec:
  policyName: owners
  validationActions: [Deny]
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: default
spec:
  selector: {{matchLabels: {{app: {selector}}}}}
  template:
    metadata: {{labels: {{app: {selector}}}}}
    spec:
      containers:
        - name: main
          image: {image}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {name}
  namespace: default
spec:
  interval: 10m
  chart:
    spec:
      chart: {chart}
      sourceRef: {{kind: {source}, name: {repository}, namespace: flux-system}}
  values:
    replicas: {replicas}
"""
CHART = {
    "charts/strict/Chart.yaml": "apiVersion: v2\nname: strict\nversion: 0.1.0\n",
    "charts/strict/values.schema.json": '{"properties": {"replicas": {"type": "integer"}}}\n',
    "charts/strict/templates/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: strict\n",
}
FAR_AWAY = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata:
  name: far-away
  namespace: flux-system
spec:
  interval: 10m
  timeout: 5s
  url: http://127.0.0.1:9/charts
"""
DEPENDS = "  dependsOn:\n    - name: {}\n"


@dataclass(frozen=True)
class Fault:
    """`files` by their path below the directory; `label` is of what fails, `why` a part of its first cause."""

    name: str
    files: dict[str, str]
    label: str
    why: str
    where: str


def of(name: str, files: dict[str, str], why: str, where: str, *, spec: str = "", label: str = "") -> Fault:
    """A Kustomization of that name with these files below it."""
    folder = {f"flux/{name}/{path}": text for path, text in files.items()}
    own = {f"flux/{name}.yaml": KUSTOMIZATION.format(name=name, path=name) + spec}
    return Fault(name, {**own, **folder}, label or f"Kustomization/flux-system/{name}", why, where)


FAULTS = (
    of(
        "variable", {"one.yaml": CONFIG_MAP.format(name="variable") + 'data: {level: "${nobody}"}\n'},
        "nobody", "flux/variable/one.yaml:6",
        spec="  postBuild:\n    substituteFrom:\n      - {kind: ConfigMap, name: karrots-identity}\n",
    ),
    of("removed", {"one.yaml": OLD_INGRESS}, "networking.k8s.io/v1beta1", "flux/removed/one.yaml:1"),
    of("broken", {"one.yaml": "apiVersion: v1\nkind: [\n"}, "yaml", "flux/broken/one.yaml:3"),
    of(
        "image", {"one.yaml": DEPLOYMENT.format(name="image", selector="image", image="5")},
        "image", "flux/image/one.yaml:1",
    ),
    of("immutable", {"one.yaml": DEPLOYMENT.format(name="steady", selector="after", image="a:1")},
       "immutable", "flux/immutable/one.yaml:1"),
    of("nomap", {"one.yaml": CONFIG_MAP.format(name="nomap")}, "settings-of-nobody", "flux/nomap.yaml:13",
       spec="  postBuild:\n    substituteFrom:\n      - {kind: ConfigMap, name: settings-of-nobody}\n"),
    of("values", {"one.yaml": RELEASE.format(name="strict", chart="./clusters/qa/charts/strict",
                                             source="GitRepository", repository="flux-system", replicas="many")},
       "replicas", "flux/values/one.yaml:12", label="HelmRelease/default/strict"),
    of("denied", {"one.yaml": CONFIG_MAP.format(name="nobodys")}, "an owner is needed", "flux/denied/one.yaml:1",
       spec=DEPENDS.format("policy")),
    of("custom", {"one.yaml": WIDGET}, "Widget", "flux/custom/one.yaml:1"),
    of("loop-a", {"one.yaml": CONFIG_MAP.format(name="loop-a")}, "waits for itself", "flux/loop-a.yaml:13",
       spec=DEPENDS.format("loop-b")),
)  # fmt: skip
# Not wrong by themselves, but needed by one that is.
HELPERS = (
    of("policy", {"one.yaml": POLICY}, "", ""),
    of("kinds", {"one.yaml": WIDGETS}, "", "", spec=DEPENDS.format("custom")),
    of("loop-b", {"one.yaml": CONFIG_MAP.format(name="loop-b")}, "", "", spec=DEPENDS.format("loop-a")),
)
NO_PATH = {"flux/nowhere.yaml": KUSTOMIZATION.format(name="nowhere", path="not-there")}
BEFORE = (
    of("immutable", {"one.yaml": DEPLOYMENT.format(name="steady", selector="before", image="a:1")}, "", ""),
    of("going", {"one.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: going\n"}, "", ""),
)


def laid_out(world: World, faults: tuple[Fault, ...], more: dict[str, str], message: str) -> str:
    """Their files are all there is below flux/, beside the shop."""
    files = {path: text for fault in faults for path, text in fault.files.items()} | more
    for path, text in files.items():
        file = world.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    top = [path.removeprefix("flux/") for path in files if path.startswith("flux/") and path.count("/") == 1]
    listed = "".join(f"  - {name}\n" for name in ("services.yaml", "apps.yaml", *sorted(top)))
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    (world.directory / "flux/kustomization.yaml").write_text(head + listed)
    world.git("add", "-A", ".")
    world.git("commit", "-qm", message)
    return world.git("rev-parse", "HEAD")


@contextmanager
def at_home(world: World) -> Iterator[None]:
    """What karrots keeps in that world, seen from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KARROTS_HOME", world.env["KARROTS_HOME"])
        yield


@dataclass(frozen=True)
class Left:
    """What a rehearsal could leave."""

    processes: list[str]
    clusters: list[str]
    refs: str
    marks: list[str]
    tree: str

    @classmethod
    def of(cls, world: World) -> Left:
        home = Path(world.env["KARROTS_HOME"]) / "state"
        kept = sorted(str(path.relative_to(home)) for path in home.rglob("*") if "runs" not in path.parts)
        with at_home(world):
            clusters = [status.id for status in cluster.clusters()]
        return cls(
            world.processes(),
            clusters,
            world.git("for-each-ref"),
            [path for path in kept if not path.startswith(("host", "engine/locks")) and path not in FOLDERS],
            world.git("status", "--porcelain"),
        )


FOLDERS = ("engine", "engine/clusters", "rehearsals")


@pytest.fixture(scope="module")
def before(world: World) -> Left:
    return Left.of(world)


def test_the_shop_passes_and_nothing_is_left(world: World, before: Left, tmp_path: Path) -> None:
    report, page = tmp_path / "report.xml", tmp_path / "page.md"
    words = ("rehearse", "-o", "json", "--junit", str(report), "--markdown", str(page))
    told = world.karrots(*words).document
    assert told["kind"] == "Rehearsal"
    assert told["passed"], told["verdict"]
    assert told["verdict"] == "passes: 3 of 3 Ready", json.dumps(told)
    assert told["noticed"] == []
    assert {item["outcome"] for item in told["items"]} == {"ready"}
    assert told["applied"] == 18
    assert [image["name"] for image in told["images"]] == ["shop/catalogue:2.1.0", "shop/front:1.5.0"]
    assert told["against"]["name"] == ""
    suite = ET.parse(report).getroot()  # noqa: S314  (our own)
    assert suite.get("failures") == "0"
    assert "passes" in page.read_text()
    assert Left.of(world) == before


@pytest.fixture(scope="module")
def faulty(world: World, before: Left) -> dict[str, Any]:
    """All faults in one rehearsal, on top of what was there before them; the shop itself stays well."""
    world.git("switch", "-qc", "faults")
    laid_out(world, BEFORE, {}, "What is there")
    base = world.git("rev-parse", "HEAD")
    for fault in BEFORE:
        world.git("rm", "-rq", *fault.files)
    laid_out(world, (*FAULTS, *HELPERS), {**NO_PATH, **CHART}, "Everything wrong")
    outcome = world.karrots("rehearse", "--against", base, "-o", "json", expect=1)
    world.git("switch", "-q", "main")
    world.git("branch", "-qD", "faults")
    assert Left.of(world) == before
    return outcome.document


def item(told: dict[str, Any], label: str) -> dict[str, Any]:
    kind, namespace, name = label.split("/")
    found: list[dict[str, Any]] = [
        each for each in told["items"] if (each["kind"], each["namespace"], each["name"]) == (kind, namespace, name)
    ]
    assert len(found) == 1, f"{label} among {[i['name'] for i in told['items']]}"
    return found[0]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_is_found_with_its_first_cause_and_place(faulty: dict[str, Any], fault: Fault) -> None:
    found = item(faulty, fault.label)
    if fault.name == "denied" and found["outcome"] == "ready":  # the policy was in force a moment after the object
        found = next(each for each in faulty["noticed"] if each["object"] == "ConfigMap/default/nobodys")
        assert found["severity"] == "error"
        found = {**found, "outcome": "failed", "why": found["message"]}
    assert found["outcome"] == "failed", found
    assert fault.why in found["why"], found
    assert f"{found['path']}:{found['line']}" == fault.where, found


def test_a_path_that_is_not_there(faulty: dict[str, Any]) -> None:
    found = item(faulty, "Kustomization/flux-system/nowhere")
    assert found["outcome"] == "failed"
    assert "not-there" in found["why"]
    assert f"{found['path']}:{found['line']}" == "flux/nowhere.yaml:8"


def test_a_namespace_that_is_pruned(faulty: dict[str, Any]) -> None:
    gone = [each for each in faulty["changes"] if each["effect"] == "vanishes"]
    namespace = next(each for each in gone if each["kind"] == "Namespace")
    assert namespace["name"] == "going"
    assert namespace["risk"] == "everything in it goes too"


def test_echoes_are_told_apart_from_causes(faulty: dict[str, Any]) -> None:
    """What waits for a failure is no failure of its own; who is well stays well."""
    echo = item(faulty, "Kustomization/flux-system/kinds")
    assert (echo["outcome"], echo["why"]) == ("waits", "waits for Kustomization/flux-system/custom")
    assert item(faulty, "Kustomization/flux-system/loop-b")["outcome"] == "waits"
    for name in ("services", "apps", "values", "flux-system"):
        assert item(faulty, f"Kustomization/flux-system/{name}")["outcome"] == "ready"
    failed = {each["name"] for each in faulty["items"] if each["outcome"] == "failed"}
    assert failed <= {"nowhere", "strict", *(fault.name for fault in FAULTS)}


def started(world: World) -> subprocess.Popen[str]:
    """A rehearsal whose cluster runs by now."""
    argv = [*PROGRAM, "rehearse", "-o", "json"]
    child = subprocess.Popen(
        argv, cwd=world.directory, env=world.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    for line in child.stderr or ():
        event = json.loads(line)
        if (event["event"], event.get("step")) == ("StepFinished", "engine"):
            return child
    raise AssertionError(f"it ended with {child.wait()} before its cluster ran")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_an_interrupt_leaves_nothing(world: World, before: Left, number: int) -> None:
    child = started(world)
    child.send_signal(number)
    child.communicate()
    assert child.returncode == 130
    assert Left.of(world) == before


def test_a_kill_leaves_what_doctor_finds_and_ends(world: World, before: Left) -> None:
    """While it runs, nobody takes its cluster for a leftover."""
    child = started(world)
    child.send_signal(signal.SIGSTOP)  # it lives, and does not end meanwhile
    with at_home(world):
        (mark,) = rehearsals.every()
        taken = cluster.ports_of(mark.id)
    running = world.karrots("doctor", "--repair", "-o", "json", expect=None).document
    assert mark.id not in json.dumps(running)
    assert world.karrots("engine", "clean", "--yes", "-o", "json").document["clusters"] == []
    child.kill()
    child.communicate()
    assert Left.of(world) != before
    mended = world.karrots("doctor", "--repair", "--yes", "-o", "json").document
    assert ("rehearsal", mark.id) in [(each["kind"], each["subject"]) for each in mended["mended"]]
    assert mended["left"] == []
    assert Left.of(world) == before
    assert all(ports.is_free(port, reuse=True) for port in taken)


def test_a_merge_is_rehearsed_against_the_cluster_that_gets_it(world: World, before: Left) -> None:
    """Charts that cannot be fetched are told apart from what fails."""
    world.git("switch", "-qc", "story")
    far = RELEASE.format(name="far", chart="far", source="HelmRepository", repository="far-away", replicas=1)
    laid_out(world, (of("far", {"one.yaml": FAR_AWAY, "two.yaml": far}, "", ""),), {}, "From far away")
    world.git("switch", "-q", "main")
    head = world.git("rev-parse", "HEAD")
    told = world.karrots("rehearse", "--merge", "story", "--against", "main", "-o", "json").document
    assert (told["what"], told["against"]["commit"]) == ("story", head)
    assert item(told, "HelmRelease/default/far")["outcome"] == "not rehearsed"
    assert item(told, "HelmRepository/flux-system/far-away")["outcome"] == "not rehearsed"
    new = {each["name"] for each in told["changes"] if each["effect"] == "appears"}
    assert new == {"far", "far-away"}
    assert world.git("rev-parse", "HEAD") == head
    world.git("branch", "-qD", "story")
    assert Left.of(world) == before
