"""`karrots services …` on a small fleet: what it writes, what it leaves alone, what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
from karrots.spec.services import CATALOGUE

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Fleet

SERVICES = "clusters/qa/flux/services"


def _enabled(fleet: Fleet, karrots: CommandLine, *names: str) -> dict[str, str]:
    files: dict[str, str] = karrots("services", "enable", *names, "-o", "json", cwd=fleet.qa).document["files"]
    return files


def test_a_service_is_switched_on_rendered_and_not_committed(fleet: Fleet, karrots: CommandLine) -> None:
    head, before = fleet.git("rev-parse", "HEAD"), (fleet.qa / "cluster.yaml").read_text()
    told = karrots("services", "enable", "kyverno", cwd=fleet.qa)
    assert f"created  {SERVICES}/kyverno/install/kyverno.yaml\n" in told.out
    assert "next: git add clusters/qa && git commit" in told.out
    assert (fleet.qa / "cluster.yaml").read_text() == before.replace("services: {}\n", "services:\n  kyverno: {}\n")
    assert "  - namespace.yaml\n  - kyverno\n" in (fleet.qa / "flux/services/kustomization.yaml").read_text()
    assert (fleet.qa / "flux/services.yaml").read_text().endswith("  wait: true\n")
    assert fleet.git("rev-parse", "HEAD") == head
    assert karrots("lint", cwd=fleet.qa).out.endswith("clean\n")
    karrots("render", "--check", cwd=fleet.qa)


def test_the_second_time_nothing_changes(fleet: Fleet, karrots: CommandLine) -> None:
    karrots("services", "enable", "--set", "full", cwd=fleet.qa)
    fleet.git("add", "--all")
    fleet.git("commit", "--quiet", "--message", "All of it")
    before = fleet.picture()
    told = karrots("services", "enable", "--set", "full", "kyverno", cwd=fleet.qa)
    assert told.out == "nothing to change\n"
    assert fleet.picture() == before
    assert karrots("lint", cwd=fleet.qa).out.endswith("clean\n")


def test_what_was_switched_on_is_switched_off_without_a_trace(fleet: Fleet, karrots: CommandLine) -> None:
    karrots("services", "enable", "kyverno", cwd=fleet.qa)
    fleet.git("add", "--all")
    fleet.git("commit", "--quiet", "--message", "Kyverno")
    karrots("services", "enable", "rbac-manager", "cert-manager", cwd=fleet.qa)
    karrots("services", "disable", "cert-manager", "rbac-manager", cwd=fleet.qa)
    assert fleet.git("status", "--porcelain") == ""
    assert karrots("services", "disable", "rbac-manager", cwd=fleet.qa).out == "nothing to change\n"


def test_comments_stay_where_they_stand(fleet: Fleet, karrots: CommandLine) -> None:
    file = fleet.qa / "cluster.yaml"
    text = file.read_text().replace(
        "services: {}\n", "services:\n  # For audits.\n  kyverno: {}  # asked for by ada\n\n# What follows.\n"
    )
    file.write_text(text)
    karrots("services", "enable", "rbac-manager", cwd=fleet.qa)
    added = file.read_text()
    assert added == text.replace("by ada\n", "by ada\n  rbac-manager: {}\n")
    karrots("services", "disable", "rbac-manager", cwd=fleet.qa)
    assert file.read_text() == text


def test_options(fleet: Fleet, karrots: CommandLine) -> None:
    karrots("services", "enable", "cert-manager", "--option", "issuer=production", cwd=fleet.qa)
    assert "  cert-manager:\n    issuer: production\n" in (fleet.qa / "cluster.yaml").read_text()
    karrots("services", "enable", "cert-manager", "--option", "issuer=staging", cwd=fleet.qa)
    karrots("services", "enable", "cert-manager", "--option", "email=ops@example.com", cwd=fleet.qa)
    text = '  cert-manager:\n    issuer: staging\n    email: "ops@example.com"\n'
    assert text in (fleet.qa / "cluster.yaml").read_text()
    shown = karrots("services", "show", "cert-manager", "-o", "json", cwd=fleet.qa).document
    assert shown["on"] is True
    assert shown["options"]["email"] == "ops@example.com"


def test_a_change_by_hand_is_kept_and_told(fleet: Fleet, karrots: CommandLine) -> None:
    _enabled(fleet, karrots, "kyverno", "rbac-manager")
    release = fleet.qa / "flux/services/kyverno/install/kyverno.yaml"
    mine = release.read_text() + "  # Not on Fridays.\n"
    release.write_text(mine)
    path = "flux/services/kyverno/install/kyverno.yaml"
    assert _enabled(fleet, karrots, "kyverno", "sealed-secrets")[path] == "kept"
    assert f"{path}:1: warning: was changed by hand" in karrots("lint", cwd=fleet.qa).out
    assert path not in karrots("render", "-o", "json", cwd=fleet.qa).document["files"]
    told = karrots("services", "disable", "kyverno", cwd=fleet.qa)
    assert f"kept     clusters/qa/{path}\n" in told.out
    assert release.read_text() == mine
    assert not (fleet.qa / "flux/services/kyverno/kustomization.yaml").exists()


def test_a_stale_rendering_is_found_and_mended(fleet: Fleet, karrots: CommandLine) -> None:
    _enabled(fleet, karrots, "envoy-gateway")
    file = fleet.qa / "cluster.yaml"
    file.write_text(file.read_text().replace("envoy-gateway: {}", "envoy-gateway: {replicas: 3}"))
    (fleet.qa / "flux/services/envoy-gateway/sync.yaml").unlink()
    told = karrots("lint", cwd=fleet.qa, expect=ExitCode.DIFFERENCES).out
    assert "envoy-gateway/install/envoy-gateway.yaml:1: error: is not what cluster.yaml renders to" in told
    assert "envoy-gateway/sync.yaml:1: error: is missing [stale-service]" in told
    karrots("render", "--check", cwd=fleet.qa, expect=ExitCode.DIFFERENCES)
    karrots("render", cwd=fleet.qa)
    assert karrots("lint", cwd=fleet.qa).out.endswith("clean\n")
    file.write_text(file.read_text().replace("services:\n  envoy-gateway: {replicas: 3}\n", "services: {}\n"))
    told = karrots("lint", cwd=fleet.qa, expect=ExitCode.DIFFERENCES).out
    assert "cluster.yaml does not switch 'envoy-gateway' on" in told
    karrots("services", "disable", "envoy-gateway", cwd=fleet.qa)
    assert karrots("lint", cwd=fleet.qa).out.endswith("clean\n")


def test_a_chart_of_another_version_is_told(fleet: Fleet, karrots: CommandLine) -> None:
    _enabled(fleet, karrots, "kyverno", "cert-manager")
    assert "every chart is of the version" in karrots("services", "outdated", cwd=fleet.qa).out
    release = fleet.qa / "flux/services/kyverno/install/kyverno.yaml"
    release.write_text(release.read_text().replace('"3.9.1"', '"3.8.0"'))
    told = karrots("services", "outdated", "-o", "json", cwd=fleet.qa, expect=ExitCode.DIFFERENCES).document
    assert told["charts"] == [{"service": "kyverno", "chart": "kyverno", "rendered": "3.8.0", "known": "3.9.1"}]


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (("enable", "kyvern"), "there is no service 'kyvern', did you mean 'kyverno'?", "karrots services ls"),
        (("disable", "x y"), "there is no service 'x y'", "karrots services ls"),
        (("show", "lokki"), "there is no service 'lokki', did you mean 'loki'?", "karrots services ls"),
        (("enable",), "no service is named", "karrots services ls"),
        (("enable", "--set", "all"), "Invalid value for '--set'", "karrots services enable --help"),
        (
            ("enable", "kyverno", "loki", "--option", "replicas=3"),
            "an option needs one service to belong to",
            "karrots services enable external-dns",
        ),
        (
            ("enable", "kyverno", "--option", "replica=3"),
            "'kyverno' has no option 'replica', did you mean 'replicas'?",
            "karrots services show kyverno",
        ),
        (("enable", "kyverno", "--option", "replicas"), "'replicas' is not KEY=VALUE", "--option policy=sync"),
        (("enable", "kyverno", "--option", "replicas=many"), "must be a whole number, not 'many'", "karrots schema"),
        (
            ("enable", "envoy-gateway", "emissary-ingress"),
            "'envoy-gateway' and 'emissary-ingress' are both on, and a cluster has one way in",
            "karrots services disable envoy-gateway   (or emissary-ingress)",
        ),
        (
            ("enable", "opentelemetry-collector"),
            "'opentelemetry-collector' needs 'loki', which is off",
            "karrots services enable loki opentelemetry-collector",
        ),
        (
            ("enable", "aws-load-balancer-controller"),
            "'aws-load-balancer-controller' cannot be on: it is not for local: it knows AWS alone",
            "karrots services disable aws-load-balancer-controller",
        ),
        (
            ("enable", "velero"),
            "'velero' must be told its bucket",
            "karrots services enable velero --option bucket=…",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    words: tuple[str, ...], says: str, hint: str, fleet: Fleet, karrots: CommandLine
) -> None:
    before = fleet.picture()
    told = karrots("services", *words, "-o", "json", cwd=fleet.qa, expect=ExitCode.USAGE).document
    assert says in told["message"]
    assert hint in told["hint"]
    assert fleet.picture() == before


def test_what_another_needs_is_not_switched_off(fleet: Fleet, karrots: CommandLine) -> None:
    _enabled(fleet, karrots, "loki", "opentelemetry-collector")
    told = karrots("services", "disable", "loki", cwd=fleet.qa, expect=ExitCode.USAGE)
    assert "'opentelemetry-collector' needs 'loki', which is off" in told.err
    karrots("services", "disable", "loki", "opentelemetry-collector", cwd=fleet.qa)


def test_a_clash_that_is_there_can_be_mended(fleet: Fleet, karrots: CommandLine) -> None:
    file = fleet.qa / "cluster.yaml"
    file.write_text(file.read_text().replace("services: {}", "services:\n  envoy-gateway: {}\n  emissary-ingress: {}"))
    told = karrots("render", cwd=fleet.qa, expect=ExitCode.USAGE)
    assert "are both on" in told.err
    assert "karrots services disable envoy-gateway" in told.err
    karrots("services", "disable", "envoy-gateway", cwd=fleet.qa)
    karrots("render", "--check", cwd=fleet.qa)


def test_without_a_list_of_their_own_services_are_not_written(fleet: Fleet, karrots: CommandLine) -> None:
    (fleet.qa / "flux/services/kustomization.yaml").unlink()
    before = fleet.picture()
    told = karrots("services", "enable", "kyverno", cwd=fleet.qa, expect=ExitCode.REFUSED)
    assert "there is no 'clusters/qa/flux/services/kustomization.yaml'" in told.err
    assert fleet.picture() == before


def test_a_kustomization_that_says_how_it_waits_is_let_be(fleet: Fleet, karrots: CommandLine) -> None:
    file = fleet.qa / "flux/services.yaml"
    text = file.read_text().replace("  prune: true\n", "  prune: true\n  wait: false\n")
    file.write_text(text)
    _enabled(fleet, karrots, "kyverno")
    assert file.read_text() == text


def test_the_list_says_what_is_on_and_what_is_not_for_here(fleet: Fleet, karrots: CommandLine) -> None:
    _enabled(fleet, karrots, "kyverno")
    told = karrots("services", "ls", "-o", "json", cwd=fleet.qa).document
    rows = {row["name"]: row for row in told["services"]}
    assert list(rows) == list(CATALOGUE)
    assert [name for name, row in rows.items() if row["on"]] == ["kyverno"]
    assert rows["velero"]["why_not"].startswith("it is not for local")
    assert rows["kyverno"]["version"] == "3.9.1"
    lines = karrots("services", "ls", cwd=fleet.qa).out.splitlines()
    assert next(line for line in lines if line.startswith("velero")).split()[1] == "n/a"


def test_each_value_is_shown_with_its_place(fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("services", "show", "external-dns", cwd=fleet.qa).out
    assert "external-dns 1.21.1 from https://kubernetes-sigs.github.io/external-dns/" in told
    row = next(line for line in told.splitlines() if line.startswith("txtOwnerId"))
    assert row.split()[1:] == ["kubernetes-sigs/external-dns", "charts/external-dns/README.md", "@", "00095c2296"]


@pytest.fixture
def on_eks(fleet: Fleet, karrots: CommandLine) -> Fleet:
    fleet.edit("clusters/qa/cluster.yaml", "provider: local", "provider: eks")
    karrots("render", cwd=fleet.qa)
    return fleet


def test_rights_that_a_service_asks_for_are_rendered_with_it(on_eks: Fleet, karrots: CommandLine) -> None:
    roles = on_eks.qa / "terraform/roles.tf"
    before = roles.read_text()
    files = _enabled(on_eks, karrots, "cluster-autoscaler")
    assert files["terraform/roles.tf"] == "changed"
    assert [path for path in files if path.startswith("terraform/")] == ["terraform/roles.tf"]
    assert "autoscaling:SetDesiredCapacity" in roles.read_text()
    assert karrots("lint", cwd=on_eks.qa).out.endswith("clean\n")
    karrots("services", "disable", "cluster-autoscaler", cwd=on_eks.qa)
    assert roles.read_text() == before


def test_a_root_kept_by_hand_is_left_alone(on_eks: Fleet, karrots: CommandLine) -> None:
    karrots("eject", cwd=on_eks.qa)
    assert not [path for path in _enabled(on_eks, karrots, "karpenter") if path.startswith("terraform/")]


def test_what_a_service_costs_is_shown(fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("services", "show", "envoy-gateway", cwd=fleet.qa).out
    assert "makes            one load balancer\n" in told
    assert "its pods ask for 100m and 256Mi for each pod" in told


OWN = {
    "services/houselog/service.yaml": (
        "what: logs to a house outside\nnamespace: houselog\nafter: [cert-manager, none]\ncharts:\n"
        "  agent-crds: {chart: oci://charts.example.com/agent-crds, version: 1.2.3}\n"
        "  agent: {chart: https://charts.example.com, version: v2.0.0}\n"
    ),
    "services/houselog/agent.values.yaml": "# Ours.\ncluster: ${cluster_name}\n",
    "services/houselog/install/rights.yaml": (
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: agent, namespace: houselog}\n"
    ),
    "services/houselog/config/sink.yaml": "apiVersion: example.com/v1\nkind: Sink\nmetadata: {name: all}\n",
    "services/README.md": "What is ours.\n",
}


@pytest.fixture
def with_own(fleet: Fleet) -> Fleet:
    fleet.commit(OWN)
    return fleet


def test_a_service_of_ones_own_has_the_same_form(with_own: Fleet, karrots: CommandLine) -> None:
    fleet = with_own
    files = _enabled(fleet, karrots, "houselog", "cert-manager")
    below = {path.removeprefix("flux/services/houselog/") for path in files if "/houselog/" in path}
    assert below == {
        "kustomization.yaml",
        "sync.yaml",
        "install/kustomization.yaml",
        "install/namespace.yaml",
        "install/agent-crds.yaml",
        "install/agent.yaml",
        "install/rights.yaml",
        "config/kustomization.yaml",
        "config/sink.yaml",
    }
    agent = (fleet.qa / "flux/services/houselog/install/agent.yaml").read_text()
    assert '      version: "v2.0.0"\n' in agent
    assert "  dependsOn:\n    - name: agent-crds\n" in agent
    assert "  values:\n    # Ours.\n    cluster: ${cluster_name}\n" in agent
    crds = (fleet.qa / "flux/services/houselog/install/agent-crds.yaml").read_text()
    assert "  dependsOn:\n    - name: cert-manager\n      namespace: cert-manager\n  interval" in crds
    assert "services:\n  custom:\n    houselog: {}\n  cert-manager: {}\n" in (fleet.qa / "cluster.yaml").read_text()
    fleet.git("add", "--all")
    fleet.git("commit", "--quiet", "--message", "Ours")
    assert karrots("services", "enable", "houselog", cwd=fleet.qa).out == "nothing to change\n"
    for words in ((), ("--ref", "HEAD")):
        assert karrots("lint", *words, cwd=fleet.qa).out.endswith("clean\n")
    karrots("render", "--check", cwd=fleet.qa)


def test_a_service_of_ones_own_is_listed_told_and_switched_off(with_own: Fleet, karrots: CommandLine) -> None:
    fleet = with_own
    _enabled(fleet, karrots, "houselog")
    row = karrots("services", "ls", "-o", "json", cwd=fleet.qa).document["services"][-1]
    assert (row["name"], row["on"], row["version"]) == ("houselog", True, "v2.0.0")
    shown = karrots("services", "show", "houselog", "-o", "json", cwd=fleet.qa).document
    assert [chart["name"] for chart in shown["charts"]] == ["agent-crds", "agent"]
    fleet.commit({"services/houselog/agent.values.yaml": "cluster: other\n"})
    assert "is not what cluster.yaml renders to" in karrots("lint", cwd=fleet.qa, expect=ExitCode.DIFFERENCES).out
    karrots("render", cwd=fleet.qa)
    karrots("services", "disable", "houselog", cwd=fleet.qa)
    assert not list((fleet.qa / "flux/services/houselog").rglob("*.yaml"))
    assert karrots("lint", cwd=fleet.qa).out.endswith("clean\n")


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("service.yaml", "namespace: x\nchart: y\n", "services/houselog/service.yaml:2:1: unknown key 'chart'"),
        ("service.yaml", "what: x\n", "'namespace' is missing"),
        (
            "service.yaml",
            "namespace: x\ncharts: {a: {chart: 'https://x.example.com', version: '1'}}\n",
            "'charts.a.version' must be a whole version such as 1.2.3, not '1'",
        ),
        ("agent.values.yaml", "a: [\n", "services/houselog/agent.values.yaml:2:1"),
        ("install/rights.yaml", "a: 1\na: 2\n", "services/houselog/install/rights.yaml:2:1: the key 'a' stands twice"),
    ],
)
def test_a_service_of_ones_own_that_is_wrong(
    path: str, text: str, says: str, with_own: Fleet, karrots: CommandLine
) -> None:
    with_own.commit({f"services/houselog/{path}": text})
    before = with_own.picture()
    told = karrots("services", "enable", "houselog", "-o", "json", cwd=with_own.qa, expect=ExitCode.USAGE).document
    assert says in told["message"]
    assert with_own.picture() == before


def test_a_service_of_ones_own_that_is_gone(with_own: Fleet, karrots: CommandLine) -> None:
    _enabled(with_own, karrots, "houselog")
    with_own.git("rm", "--quiet", "-r", "services/houselog")
    told = karrots("render", cwd=with_own.qa, expect=ExitCode.USAGE)
    assert "there is no 'services/houselog/service.yaml'" in told.err
    assert "karrots services disable houselog" in told.err
    karrots("services", "disable", "houselog", cwd=with_own.qa)
    assert karrots("lint", cwd=with_own.qa).out.endswith("clean\n")
