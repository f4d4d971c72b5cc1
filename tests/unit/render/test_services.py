"""What the services render to, held against the table of charts, the clouds' Terraform, lint and itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from karrots import places
from karrots.lint import lint
from karrots.render import fleet, services, terraform
from karrots.render.services import charts, is_rendered, pinned
from karrots.spec.cluster import load_cluster
from karrots.spec.identity import IDENTITY_VARIABLES
from karrots.spec.services import CATALOGUE, MADE_BY_AUTO_MODE, SETS
from tests.support.services import (
    DIRECTORY,
    PROVIDERS,
    SECOND,
    bare_cluster,
    cluster,
    objects,
    of_set,
    offered,
    rendered,
)
from tests.support.services import text as cluster_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EMISSARY = ("emissary-ingress", "cert-manager", "aws-load-balancer-controller")
VERSION = re.compile(r"v?\d+\.\d+\.\d+")
COMMIT = re.compile(r"[0-9a-f]{40}")


def everything() -> Iterator[tuple[str, dict[str, str]]]:
    """Each provider with all it can have, with the other way in, and with Auto Mode where there is that."""
    for provider in PROVIDERS:
        yield provider, rendered(cluster(provider, offered(provider)))
        yield provider, rendered(cluster(provider, [name for name in EMISSARY if name in _offered(provider)]))
    auto = [name for name in offered("eks") if name not in MADE_BY_AUTO_MODE]
    yield "eks", rendered(cluster("eks", auto, "eks: {auto_mode: true}\n"))
    yield "eks", rendered(cluster("eks", ["karpenter"]))
    yield (
        "eks",
        rendered(load_cluster(cluster_yaml("eks", ()) + "  velero: {bucket: b-1, secret: keys}\n", "cluster.yaml")),
    )


def _offered(provider: str) -> set[str]:
    return {*offered(provider), "emissary-ingress"}


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _paths(part, f"{path}.{key}" if path else str(key))
    else:
        yield path


def _unknown(values: Mapping[str, Any], known: set[str]) -> list[str]:
    """Values that neither are in the table nor stand below one that is."""
    return [path for path in _paths(values) if not any(path == one or path.startswith(f"{one}.") for one in known)]


def _known(chart: services.Chart) -> set[str]:
    return {value for place in chart.places for value in place.values}


def test_no_value_is_outside_of_the_table_and_none_in_it_is_unused() -> None:
    table = {chart.name: chart for chart in charts(places.templates())}
    used: dict[str, set[str]] = {name: set() for name in table}
    for _, files in everything():
        for release in objects(files, "HelmRelease"):
            name, values = release["metadata"]["name"], release["spec"].get("values", {})
            known = _known(table[name])
            assert _unknown(values, known) == [], name
            used[name] |= {one for one in known for path in _paths(values) if path == one or path.startswith(f"{one}.")}
    assert used == {name: _known(chart) for name, chart in table.items()}


def test_the_table_would_be_missed() -> None:
    assert _unknown({"a": {"b": 1, "c": {"d": 2}}, "ab": 3}, {"a.b", "a.c"}) == ["ab"]
    assert _unknown({"a": {"b": 1}}, set()) == ["a.b"]


@pytest.mark.parametrize("chart", charts(places.templates()), ids=lambda chart: chart.name)
def test_each_chart_is_pinned_and_was_looked_up(chart: services.Chart) -> None:
    assert VERSION.fullmatch(chart.version)
    assert chart.address.startswith(("oci://", "https://"))
    assert chart.service in CATALOGUE
    assert chart.places
    assert all(COMMIT.fullmatch(place.commit) and place.file and place.values for place in chart.places)


def test_no_template_is_without_its_chart_or_service() -> None:
    folder = places.templates() / services.TEMPLATES
    values = {file.name.split(".values.yaml")[0]: file.parent.name for file in folder.glob("*/*.values.yaml*")}
    assert values == {chart.name: chart.service for chart in charts(places.templates())}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {*CATALOGUE, "form"}


def test_no_image_is_bitnamis() -> None:
    """Sealed Secrets is had from GitHub's registry, and Velero's job that would pull kubectl is off."""
    for _, files in everything():
        for path, text in files.items():
            content = "".join(line for line in text.splitlines(keepends=True) if not line.strip().startswith("#"))
            assert "docker.io/bitnami" not in content, path
            assert "bitnamilegacy" not in content, path
    assert any("upgradeCRDs: false" in text for text in rendered(cluster("eks", ["velero"])).values())


def _names(found: Iterator[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in found}


def _asserted(files: dict[str, str]) -> None:
    """Sources, dependencies and namespaces that are named are there."""
    namespaces = {name for _, name in _names(objects(files, "Namespace"))} | {"kube-system", "flux-system"}
    synced = _names(objects(files, "Kustomization"))
    sources = {kind: _names(objects(files, kind)) for kind in ("HelmRepository", "OCIRepository")}
    releases = _names(objects(files, "HelmRelease"))
    for release in objects(files, "HelmRelease"):
        here, spec = release["metadata"]["namespace"], release["spec"]
        reference = spec.get("chartRef") or spec["chart"]["spec"]["sourceRef"]
        assert (here, reference["name"]) in sources[reference["kind"]]
        assert all((each.get("namespace", here), each["name"]) in releases for each in spec.get("dependsOn", ()))
        assert ("chartRef" in spec) != bool(
            VERSION.fullmatch(str(spec.get("chart", {}).get("spec", {}).get("version")))
        )
    for sync in objects(files, "Kustomization"):
        assert all(("flux-system", each["name"]) in synced for each in sync["spec"].get("dependsOn", ()))
        folder = sync["spec"]["path"].removeprefix(f"./{DIRECTORY}/")
        assert f"{folder}/kustomization.yaml" in files
    for each in objects(files):
        assert each.get("metadata", {}).get("namespace", "kube-system") in namespaces, each


def test_what_is_named_is_there() -> None:
    for _, files in everything():
        _asserted(files)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "cert-manager/install/cert-manager.yaml",
            "kind: OCIRepository\n    name: cert",
            "kind: OCIRepository\n    name: x",
        ),
        ("cert-manager/install/cert-manager.yaml", "- name: envoy-gateway", "- name: none"),
        ("cert-manager/sync.yaml", "- name: service-cert-manager", "- name: service-none"),
        ("cert-manager/install/namespace.yaml", "name: cert-manager", "name: elsewhere"),
        ("cert-manager/sync.yaml", "cert-manager/config", "cert-manager/configs"),
    ],
)
def test_what_is_not_there_would_be_missed(path: str, before: str, after: str) -> None:
    files = rendered(cluster("local", ["envoy-gateway", "cert-manager"]))
    path = f"flux/services/{path}"
    assert before in files[path]
    with pytest.raises(AssertionError):
        _asserted({**files, path: files[path].replace(before, after)})


def test_services_come_after_those_they_lean_on() -> None:
    files = rendered(cluster("eks", offered("eks")))
    after = {
        release["metadata"]["name"]: [
            (each.get("namespace", ""), each["name"]) for each in release["spec"]["dependsOn"]
        ]
        for release in objects(files, "HelmRelease")
        if "dependsOn" in release["spec"]
    }
    assert after == {
        "envoy-gateway": [("kube-system", "aws-load-balancer-controller")],
        "external-dns": [("envoy-gateway-system", "envoy-gateway")],
        "cert-manager": [("envoy-gateway-system", "envoy-gateway")],
        "opentelemetry-collector": [("loki", "loki")],
    }


def test_few_wait_each_for_itself() -> None:
    """A Kustomization that waits takes one of four workers; one that holds them all waits for the rest."""
    files = rendered(cluster("eks", offered("eks")))
    synced = {each["metadata"]["name"]: each["spec"] for each in objects(files, "Kustomization")}
    assert {
        name: (spec.get("wait", False), [each["name"] for each in spec.get("dependsOn", ())])
        for name, spec in synced.items()
    } == {
        "service-cert-manager": (True, []),
        "service-cert-manager-config": (False, ["service-cert-manager"]),
        "service-envoy-gateway": (True, []),
        "service-envoy-gateway-config": (False, ["service-envoy-gateway"]),
    }


def test_nobody_waits_in_a_circle() -> None:
    for name in CATALOGUE:
        seen, pending = set(), [name]
        while pending:
            for other in (*CATALOGUE[pending[-1]].needs, *CATALOGUE[pending.pop()].after):
                assert other != name
                if other not in seen:
                    seen.add(other)
                    pending.append(other)


IDENTITY = {
    "eks": {
        "external-dns": {"cluster_id", "cluster_domain"},
        "cert-manager": {"cluster_domain", "cluster_region"},
        "envoy-gateway": {"cluster_domain"},
        "aws-load-balancer-controller": {"cluster_name", "cluster_region", "cluster_vpc"},
        "kube-prometheus-stack": {"cluster_name", "cluster_id"},
        "opentelemetry-collector": {"cluster_name", "cluster_id"},
        "velero": {"cluster_name", "cluster_id", "cluster_region"},
        "cluster-autoscaler": {"cluster_name", "cluster_region"},
        "karpenter": {"cluster_name", "cluster_id", "cluster_node_role", "cluster_node_subnets"},
        "sumologic": {"cluster_name"},
    },
    "gke": {
        "external-dns": {"cluster_id", "cluster_domain", "cluster_dns_identity"},
        "cert-manager": {"cluster_domain", "cluster_account", "cluster_dns_identity"},
    },
    "aks": {
        "external-dns": {"cluster_id", "cluster_domain", "cluster_dns_identity", "cluster_account"},
        "cert-manager": {"cluster_domain", "cluster_account", "cluster_dns_identity"},
    },
}


@pytest.mark.parametrize("provider", IDENTITY)
def test_identity_comes_by_substitution_and_nowhere_else(provider: str) -> None:
    second = [name for name in SECOND if name in IDENTITY[provider]]
    files = {**rendered(cluster(provider, offered(provider))), **rendered(cluster(provider, second))}
    for name in (*offered(provider), *second):
        told = "".join(
            line
            for path, content in files.items()
            if path.startswith(f"flux/services/{name}/")
            for line in content.splitlines(keepends=True)
            if not line.strip().startswith("#")
        )
        found = set(re.findall(r"\$\{(\w+)\}", told))
        assert found <= set(IDENTITY_VARIABLES)
        if name in IDENTITY[provider]:
            assert found == IDENTITY[provider][name], name


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("chosen", SETS)
def test_lint_finds_nothing(provider: str, chosen: str) -> None:
    names = (
        of_set(provider, chosen).services.on if provider != "aks" else ["envoy-gateway", "external-dns", "cert-manager"]
    )
    files = {path: text.encode() for path, text in rendered(cluster(provider, names)).items()}
    base = fleet.render(fleet.FleetOptions(), places.templates())
    own = {
        path.removeprefix("clusters/qa/"): text for path, text in base.items() if path.startswith("clusters/qa/flux/")
    }
    listed = own["flux/services/kustomization.yaml"] + "".join(f"  - {name}\n" for name in names)
    content = {**{path: text.encode() for path, text in own.items()}, **files}
    content["flux/services/kustomization.yaml"] = listed.encode()
    assert lint(content, DIRECTORY, IDENTITY_VARIABLES) == []


def _service_accounts(provider: str) -> dict[str, tuple[str, str]]:
    """Service account -> namespace and name, by what the releases are told."""
    files = rendered(cluster(provider, offered(provider)))
    files |= rendered(cluster(provider, ["karpenter"])) if provider == "eks" else {}
    found = {}
    for release in objects(files, "HelmRelease"):
        values = release["spec"].get("values", {})
        own = values.get("rbac", {}).get("serviceAccount") or values.get("serviceAccount", {})
        account = own.get("server", own).get("name")
        if account:
            found[release["metadata"]["name"]] = (release["metadata"]["namespace"], account)
    return found


def _root(provider: str) -> str:
    spec = bare_cluster(provider)
    return "\n".join(terraform.render(spec, places.templates() / provider).values())


ALWAYS = {"external-dns", "cert-manager", "aws-load-balancer-controller"}


@pytest.mark.parametrize(
    "asking", [(), ("external-secrets", "velero", "cluster-autoscaler"), ("external-secrets", "karpenter"), ("velero",)]
)
def test_eks_gives_rights_to_the_names_that_are_installed(asking: tuple[str, ...]) -> None:
    root = "\n".join(terraform.render(cluster("eks", asking), places.templates() / "eks").values())
    block = root[root.index("namespaces = {") :]
    given = dict(re.findall(r"^ +([a-z-]+) += \"([a-z-]+)\"$", block[: block.index("}")], re.MULTILINE))
    accounts = _service_accounts("eks")
    controllers = {*ALWAYS, *asking}
    assert {name: accounts[name] for name in controllers} == {name: (given[name], name) for name in controllers}
    assert set(given) == {*controllers, "aws-node", "ebs-csi-controller-sa"}
    for name in asking:
        assert f'data "aws_iam_policy_document" "{name.replace("-", "_")}"' in root


def test_a_secret_of_ones_own_takes_the_place_of_rights() -> None:
    spec = load_cluster(cluster_yaml("eks", ()) + "  velero: {bucket: b-1, secret: keys}\n", "cluster.yaml")
    root = terraform.render(spec, places.templates() / "eks")
    assert "velero" not in "".join(root.values())
    values = next(objects(rendered(spec), "HelmRelease"))["spec"]["values"]
    assert values["credentials"] == {"existingSecret": "keys"}


def test_what_a_root_must_know_of_services_travels_as_data() -> None:
    files = terraform.render(cluster("eks", ["velero", "external-secrets"]), places.templates() / "eks")
    told = json.loads(files[terraform.VARIABLES_FILE])["services"]
    assert told == {"velero": {"bucket": "example-backups"}, "external-secrets": {"reads": None}}
    assert "example-backups" not in "".join(text for path, text in files.items() if path.endswith(".tf"))
    assert "services" not in terraform.render(bare_cluster("eks"), places.templates() / "eks")[terraform.VARIABLES_FILE]


def test_the_downscaler_lets_core_services_run() -> None:
    files = rendered(cluster("local", ["kyverno", "loki", "kube-downscaler"]))
    release = next(it for it in objects(files, "HelmRelease") if it["metadata"]["name"] == "kube-downscaler")
    excluded = release["spec"]["values"]["excludedNamespaces"]
    assert excluded == ["flux-system", "kube-downscaler", "kube-system", "kyverno", "loki"]


def test_the_autoscaler_is_of_the_clusters_minor() -> None:
    release = next(objects(rendered(cluster("eks", ["cluster-autoscaler"])), "HelmRelease"))
    assert release["spec"]["values"]["image"] == {"tag": "v1.36.0"}


def test_gke_gives_rights_to_the_names_that_are_installed() -> None:
    line = next(line for line in _root("gke").splitlines() if "toset([" in line and "external-dns" in line)
    given = {tuple(pair.split("/")) for pair in re.findall(r'"([a-z-]+/[a-z-]+)"', line)}
    accounts = _service_accounts("gke")
    assert given == {accounts["external-dns"], accounts["cert-manager"]}


def test_aks_gives_rights_to_the_names_that_are_installed() -> None:
    root = _root("aks")
    block = root[root.index('"azurerm_federated_identity_credential" "dns"') :]
    given = set(re.findall(r"^ +([a-z-]+) = \"([a-z-]+)\"$", block[: block.index("}")], re.MULTILINE))
    accounts = _service_accounts("aks")
    assert given == {accounts["external-dns"], accounts["cert-manager"]}


def test_gke_keeps_its_own_gateway_api() -> None:
    files = rendered(cluster("gke", ["envoy-gateway"]))
    found = {each["metadata"]["name"]: each["spec"] for each in objects(files, "HelmRelease")}
    assert found["envoy-gateway"]["install"]["crds"] == found["envoy-gateway"]["upgrade"]["crds"] == "Skip"
    assert found["envoy-gateway"]["dependsOn"] == [{"name": "envoy-gateway-crds"}]
    assert found["envoy-gateway-crds"]["values"]["crds"]["gatewayAPI"] == {"enabled": False}
    assert "envoy-gateway-crds" not in {
        e["metadata"]["name"] for e in objects(rendered(cluster("eks", ["envoy-gateway"])))
    }


def test_a_change_by_hand_is_seen() -> None:
    text = rendered(cluster("local", ["kyverno"]))["flux/services/kyverno/install/kyverno.yaml"]
    assert is_rendered(text.encode())
    for changed in (text + "# mine\n", text.replace("3.9.1", "3.9.0"), text.partition("\n")[2], "", "# Rendered by\n"):
        assert not is_rendered(changed.encode())
    assert pinned(text) == "3.9.1"


@pytest.mark.parametrize(("renewal", "said"), [("0", '"0"'), ("720h", "${cluster_key_renewal:=720h}")])
def test_sealing_keys_are_not_renewed_in_a_copy(renewal: str, said: str) -> None:
    said_nothing = cluster_yaml("local", ["sealed-secrets"])
    told = said_nothing.replace("sealed-secrets: {}", f"sealed-secrets: {{renewal: '{renewal}'}}")
    (release,) = objects(rendered(load_cluster(told, "cluster.yaml")), "HelmRelease")
    assert str(release["spec"]["values"]["keyrenewperiod"]) == said.strip('"')
