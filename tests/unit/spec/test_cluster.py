from __future__ import annotations

import pytest

from karrots.errors import UsageError
from karrots.spec.cluster import load_cluster
from karrots.spec.identity import IDENTITY_VARIABLES
from karrots.spec.loading import MOST_PROBLEMS, InvalidSpec

CONTENT = """
apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: 1.30
nodes:
  default: {count: 2}
  batch:
    min: 1
    max: 3
flux:
  version: 2.9
""".lstrip()


def test_loads_by_schema_not_by_look() -> None:
    spec = load_cluster(CONTENT, "cluster.yaml")
    assert spec.kubernetes == "1.30"
    assert spec.flux.version == "2.9"
    assert spec.flux.interval == "1m"
    assert spec.node_count == 3
    assert spec.terraform == "rendered"
    assert spec.variables == {}


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("kind: Cluster", "kind: Cluster\nnodez: 1"), 3, "unknown key 'nodez', did you mean 'nodes'?"),
        (("count: 2", "cont: 2"), 6, "unknown key 'cont' in 'nodes.default', did you mean 'count'?"),
        (("flux:", "cluster_name: qa\nflux:"), 10, "unknown key 'cluster_name'; known are apiVersion, kind"),
        (("count: 2", "count: two"), 6, "'nodes.default.count' must be a whole number, not 'two'"),
        (("count: 2", "count: 1.5"), 6, "'nodes.default.count' must be a whole number, not '1.5'"),
        (("count: 2", "count: -1"), 6, "'nodes.default.count' must be 0 or more, not '-1'"),
        (("count: 2", "count: 1, min: 1, max: 1"), 6, "'nodes.default' needs either 'count', or 'min' and 'max'"),
        (("    max: 3\n", ""), 7, "'nodes.batch' needs both 'min' and 'max'"),
        (("count: 2", ""), 6, "'nodes.default' needs either"),
        (("default:", "Default:"), 6, "must be lower-case letters"),
        (("provider: local", "provider: lokal"), 3, "'provider' must be 'local', 'eks', 'gke' or 'aks', not 'lokal'"),
        (("provider: local", "provider:"), 3, "'provider' must be 'local', 'eks', 'gke' or 'aks', not empty"),
        (("kubernetes: 1.30", "kubernetes: [1, 30]"), 4, "'kubernetes' must be text, not a list"),
        (("kubernetes: 1.30", "kubernetes: v1.30"), 4, "'kubernetes' must be a minor version in quotes"),
        (("kubernetes: 1.30\n", ""), 1, "'kubernetes' is missing"),
        (("karrots.dev/v1", "karrots.dev/v2"), 1, "'apiVersion' must be 'karrots.dev/v1', not 'karrots.dev/v2'"),
        (("flux:\n  version: 2.9", "flux: 2.9"), 10, "'flux' must be a group of keys, not '2.9'"),
    ],
)
def test_mistakes_name_place_and_way_out(change: tuple[str, str], line: int, says: str) -> None:
    assert change[0] in CONTENT
    with pytest.raises(InvalidSpec) as caught:
        load_cluster(CONTENT.replace(*change), "clusters/qa/cluster.yaml")
    assert says in caught.value.message
    assert caught.value.message.startswith(f"clusters/qa/cluster.yaml:{line}:")


def test_all_mistakes_are_told_in_order() -> None:
    broken = CONTENT.replace("count: 2", "count: x").replace("version: 2.9", "versoin: 2.9")
    with pytest.raises(InvalidSpec) as caught:
        load_cluster(broken, "cluster.yaml")
    assert [problem.path for problem in caught.value.problems] == ["nodes.default.count", "flux.versoin"]
    assert caught.value.why.startswith("cluster.yaml:11:3: ")


@pytest.mark.parametrize("text", ["- a\n", "a", "[]", "42"])
def test_a_file_without_keys(text: str) -> None:
    with pytest.raises(InvalidSpec, match="must hold keys and values"):
        load_cluster(text, "cluster.yaml")


@pytest.mark.parametrize("name", IDENTITY_VARIABLES)
def test_content_does_not_set_identity(name: str) -> None:
    with pytest.raises(InvalidSpec, match="is set by karrots for each cluster"):
        load_cluster(f"{CONTENT}variables:\n  {name}: x\n", "cluster.yaml")


def test_variables_are_text_whatever_they_look_like() -> None:
    spec = load_cluster(f"{CONTENT}variables:\n  a: 010\n  b: yes\n  c: 1.10\n", "cluster.yaml")
    assert spec.variables == {"a": "010", "b": "yes", "c": "1.10"}


def test_overrides_are_typed_by_the_schema() -> None:
    settings = {"nodes.default.count": "5", "nodes.gpu.count": "1", "network.zones": "3", "variables.greeting": "007"}
    spec = load_cluster(CONTENT, "cluster.yaml", settings)
    assert spec.nodes["default"].count == 5
    assert spec.node_count == 7
    assert spec.network.zones == 3
    assert spec.variables == {"greeting": "007"}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("nodez.default.count", "2", "the file has no key 'nodez', did you mean 'nodes'?"),
        ("nodes.default.cuont", "2", "'nodes.default' has no key 'cuont', did you mean 'count'?"),
        ("nodes.default.count.x", "2", "'nodes.default.count' is a single value"),
        ("nodes", "2", "it is a group of keys"),
        ("nodes.default", "2", "it is a group of keys"),
        ("nodes..count", "2", "'nodes' has no key ''"),
        ("", "2", "the file has no key ''"),
        ("nodes.default.count", "two", "must be a whole number, not 'two'"),
        ("nodes.default.max", "2", "needs either 'count', or 'min' and 'max'"),
        ("provider", "azure", "must be 'local', 'eks', 'gke' or 'aks'"),
        ("variables.cluster_name", "x", "is set by karrots"),
    ],
)
def test_overrides_that_cannot_be(path: str, value: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_cluster(CONTENT, "cluster.yaml", {path: value})
    assert says in caught.value.why
    assert f"cannot set '{path}" in caught.value.message


def test_a_file_full_of_mistakes_names_some_of_them_and_at_once() -> None:
    """Looking each of 40,000 up took minutes."""
    data = b"nodes:\n" + b"".join(b"  n%d: {counts: 1}\n" % number for number in range(40_000))
    with pytest.raises(InvalidSpec) as caught:
        load_cluster(data, "cluster.yaml")
    assert len(caught.value.problems) == MOST_PROBLEMS


def test_a_key_as_long_as_the_file_is_not_repeated() -> None:
    key = b"k" * 1000
    for data in (key + b": 1\n", (key + b": 1\n") * 2, b"nodes: {" + key + b": {}}\n", b"a: !" + key + b" 1\n"):
        with pytest.raises(UsageError) as caught:
            load_cluster(data, "cluster.yaml")
        assert len(caught.value.message) < 500


CLOUD = """
apiVersion: karrots.dev/v1
kind: Cluster
provider: eks
kubernetes: "1.35"
nodes:
  batch:
    size: m7i.large
    min: 0
    max: 8
    spot: true
    disk: 100
    labels: {example.com/tier: batch}
    taints: [{key: batch, value: "yes"}]
network: {mode: shared, api: private}
eks: {auto_mode: false}
"""


def test_what_only_clouds_have() -> None:
    spec = load_cluster(CLOUD, "cluster.yaml")
    pool = spec.nodes["batch"]
    assert (pool.spot, pool.disk, pool.labels) == (True, 100, {"example.com/tier": "batch"})
    assert pool.taints[0].effect == "NoSchedule"
    assert (spec.network.mode, spec.network.api, spec.eks.auto_mode) == ("shared", "private", False)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("    spot: yes", "must be true or false"),
        ("    disk: 5", "20"),
        ("    labels: {'a b': c}", "a Kubernetes label"),
        ("    taints: [{key: a, effect: Never}]", "NoSchedule"),
    ],
)
def test_what_clouds_would_refuse(line: str, complaint: str) -> None:
    text = CLOUD.split("    spot:", maxsplit=1)[0] + line + "\n"
    with pytest.raises(UsageError) as caught:
        load_cluster(text, "cluster.yaml")
    assert complaint in f"{caught.value.message} {caught.value.why}"
