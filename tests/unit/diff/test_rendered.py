"""The rendered level: what Flux would build of a cluster directory, and where each setting is from."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots.diff import heads
from karrots.diff.compare import compare
from karrots.diff.model import Departure, LevelResult, Side
from karrots.diff.rendered import Directory
from karrots.errors import Failed
from karrots.lint import build
from tests.unit.lint.test_rules import child, config, fleet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.spec.yaml_file import Document

ROOT = Path(__file__).parents[3]
NAME = "clusters/qa"
QA = {"cluster_name": "qa", "cluster_domain": "qa.example.com", "cluster_id": "01first", "cluster_parent": ""}
STORY = {
    "cluster_name": "qa-story",
    "cluster_domain": "story.example.com",
    "cluster_id": "01second",
    "cluster_parent": "qa",
}


def compared(a: Mapping[str, str | bytes], b: Mapping[str, str | bytes], **more: Any) -> LevelResult:
    return compare("rendered", of("qa", a, QA, **more), of("qa-story", b, STORY, **more))


def of(label: str, files: Mapping[str, str | bytes], identity: Mapping[str, str], **more: Any) -> Side:
    data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return Side(label, Directory(data, NAME, identity, {"greeting": "hello"}, **more).items, identity)


def only(result: LevelResult) -> Departure:
    assert [str(each.key) + each.path for each in result.departures] == [
        str(result.departures[0].key) + result.departures[0].path
    ]
    return result.departures[0]


def test_a_fresh_branch_is_the_same_in_everything() -> None:
    result = compared(fleet(), fleet())
    assert (result.departures, result.problems, result.score.percent) == ((), (), 100)
    assert result.score.total == 2


def test_the_same_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = heads.parsed

    def parsed(text: str, path: str) -> list[Document]:
        read.append(path)
        return real(text, path)

    monkeypatch.setattr(heads, "parsed", parsed)
    assert compared(fleet(), fleet()).score.percent == 100
    assert "flux/apps/settings.yaml" not in read


def test_a_setting_has_its_file_its_line_and_its_kustomization() -> None:
    found = only(compared(fleet(), fleet(config("host: other.${cluster_domain}"))))
    assert (found.path, found.change, found.a, found.b) == (
        "data.host", "changed", "shop.qa.example.com", "other.story.example.com",
    )  # fmt: skip
    origin = found.origin_b
    assert (origin.path, origin.line, origin.kustomization) == ("flux/apps/settings.yaml", 6, "flux-system/apps")


def test_identity_by_variable_and_by_hand_is_the_same() -> None:
    result = compared(fleet(config("host: shop.qa.example.com")), fleet(config("host: shop.${cluster_domain}")))
    assert result.departures == ()


def test_identity_within_a_word() -> None:
    by_variable = config("host: x${cluster_name}y")
    assert compared(fleet(by_variable), fleet(by_variable + "# read anew\n")).departures == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("${cluster_name^^}", "QA"), ("${cluster_name:0:1}", "q"), ("${cluster_name%a}", "q"),
        ("${#cluster_name}", "2"),
        ("${cluster_name/q/p}", "pa"), ("${unknown:-${cluster_name}}", "qa"), ("${unknown:=x}", "x"),
        ("$${a}", "${a}"),
        ("${greeting} you", "hello you"), ("${nobody}", "${nobody}"), ("${cluster_name//a/b}", "qb"),
        ("${cluster_name#q}", "a"), ("${cluster_name,,}", "qa"), ("${cluster_parent:-none}", "none"),
    ],
)  # fmt: skip
def test_substitution(text: str, shown: str) -> None:
    found = only(compared(fleet(config(f"host: '{text}'")), fleet(config("host: '-'"))))
    assert found.a == shown


def test_a_number_by_a_variable_is_a_number() -> None:
    scaled = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: one\nspec:\n  size: {}\n"
    more = "postBuild: {substitute: {size: '3'}}"
    a = fleet(scaled.format("${size}")) | {"flux/apps.yaml": child(more=more)}
    b = fleet(scaled.format("3")) | {"flux/apps.yaml": child(more=more)}
    assert compared(a, b).departures == ()


def test_variables_of_a_config_map_in_content() -> None:
    more = "postBuild: {substituteFrom: [{kind: ConfigMap, name: vars}]}"
    files = fleet(config("host: ${word}")) | {
        "flux/kustomization.yaml": "resources: [apps.yaml, vars.yaml]\n",
        "flux/apps.yaml": child(more=more),
    }
    with_word = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: vars, namespace: flux-system}}\ndata: {{word: {}}}\n"
    )
    a, b = (files | {"flux/vars.yaml": with_word.format(word)} for word in ("one", "two"))
    assert {(each.key.name, each.path, each.b) for each in compared(a, b).departures} == {
        ("settings", "data.host", "two"),
        ("vars", "data.word", "two"),
    }


def test_a_patch_of_the_kustomization_file_is_where_it_is_from() -> None:
    patched = {
        "flux/apps/kustomization.yaml": "resources: [settings.yaml]\npatches:\n  - path: patch.yaml\n",
        "flux/apps/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {host: patched}\n",
    }
    found = only(compared(fleet(), fleet() | patched))
    assert (found.b, found.origin_b.path) == ("patched", "flux/apps/patch.yaml")


def test_what_a_flux_kustomization_adds() -> None:
    more = """targetNamespace: shop
  commonMetadata: {labels: {team: shop}}
  patches:
    - patch: |
        - {op: replace, path: /data/host, value: patched}
      target: {kind: ConfigMap}
"""
    a, b = fleet(), fleet() | {"flux/apps.yaml": child(more=more)}
    names = {(str(each.key), each.change) for each in compared(a, b).departures if each.key.kind == "ConfigMap"}
    assert names == {("ConfigMap/settings", "removed"), ("ConfigMap/shop/settings", "added")}
    items = list(of("x", b, QA).items([]))
    made = next(each.value() for each in items if each.key.kind == "ConfigMap")
    assert (made["data"]["host"], made["metadata"]["labels"]) == ("patched", {"team": "shop"})


def test_a_release_and_what_its_chart_renders_to() -> None:
    release = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: orders, namespace: shop}
spec:
  chart:
    spec:
      chart: ./clusters/qa/charts/orders
      sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}
  values: {size: SIZE}
"""

    def template(value: Mapping[str, Any], chart: str) -> Iterable[Mapping[str, Any]]:
        data = {"size": str(value["spec"]["values"]["size"]), "chart": chart}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}, "data": data}

    a, b = (fleet(release.replace("SIZE", size)) | {"charts/orders/Chart.yaml": "name: orders\n"} for size in "12")
    found = {(str(each.key), each.path): each for each in compared(a, b, template=template).departures}
    assert set(found) == {
        ("HelmRelease.helm.toolkit.fluxcd.io/shop/orders", "spec.values.size"), ("ConfigMap/shop/made", "data.size"),
    }  # fmt: skip
    assert found["ConfigMap/shop/made", "data.size"].origin_b.helm_release.endswith("/shop/orders")

    def broken(value: Mapping[str, Any], chart: str) -> Iterable[Mapping[str, Any]]:
        raise Failed(f"the chart '{chart}' cannot be fetched")

    assert [problem.path for problem in compared(a, b, template=broken).problems] == ["flux/apps/settings.yaml"] * 2


def test_a_secret_is_never_shown() -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {{name: door}}\nstringData: {{password: {}}}\n"
    uses = config("host: uses {}")
    a, b = (fleet(secret.format(word) + "---\n" + uses.format(word)) for word in ("hunter22!", "swordfish"))
    text = json.dumps(dataclasses.asdict(compared(a, b)), default=str)
    for word in ("hunter22!", "swordfish"):
        assert word not in text
        assert base64.b64encode(word.encode()).decode() not in text
    assert "data.password" in text
    assert "uses (secret)" in text


def test_generated_objects_are_compared_by_their_plain_names() -> None:
    files = {"flux/apps/kustomization.yaml": "configMapGenerator:\n  - {name: made, literals: [a=1]}\n"}
    other = {"flux/apps/kustomization.yaml": "configMapGenerator:\n  - {name: made, literals: [a=2]}\n"}
    found = only(compared(fleet() | files, fleet() | other))
    assert (str(found.key), found.path, found.origin_b.path, found.origin_b.line) == (
        "ConfigMap/made", "data.a", "flux/apps/kustomization.yaml", 2,
    )  # fmt: skip


def test_objects_that_a_patch_takes_away_are_not_there() -> None:
    patch = (
        "patches:\n  - patch: |-\n      apiVersion: v1\n      kind: ConfigMap\n"
        "      metadata: {name: settings}\n      $patch: delete\n"
    )
    gone = {"flux/apps/kustomization.yaml": "resources: [settings.yaml]\n" + patch}
    found = only(compared(fleet(), fleet() | gone))
    assert (found.change, found.path, found.risk) == ("removed", "", "deletes")


@pytest.mark.parametrize("other", ["qa", "prod"])
def test_the_fleet_that_ships(other: str) -> None:
    def side(name: str) -> Side:
        folder = ROOT / "clusters" / name
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        identity = {"cluster_name": name, "cluster_domain": f"{name}.example.com"}
        return Side(name, Directory(files, f"clusters/{name}", identity).items, identity)

    result = compare("rendered", side("qa"), side(other))
    assert result.problems == ()
    assert result.score.total > 10
    assert (result.score.percent == 100) is (other == "qa")
    assert all(each.origin_b.path or each.origin_a.path for each in result.departures)


# Bad input


def problem(files: Mapping[str, str | bytes], other: Mapping[str, str | bytes] | None = None) -> tuple[str, int, str]:
    found = [each for each in compared(other or fleet(), files).problems if each.side == "qa-story"]
    return found[0].path, found[0].line, found[0].message


def test_text_that_is_not_utf_8() -> None:
    path, line, message = problem(fleet() | {"flux/apps/settings.yaml": b"apiVersion: v1\nkind: \xff\n"})
    assert (path, line) == ("flux/apps/settings.yaml", 2)
    assert "UTF-8" in message


def test_a_binary_file() -> None:
    assert problem(fleet() | {"flux/apps/logo.yaml": bytes(range(256))})[0] == "flux/apps/logo.yaml"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: [1\n", 7),
        (config() + "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\ndata: {a: 1\n", 13),
        ("apiVersion: v1\n  kind: [\n", 2),
    ],
)
def test_yaml_that_does_not_parse(text: str, line: int) -> None:
    path, at, _ = problem(fleet(text))
    assert path == "flux/apps/settings.yaml"
    assert abs(at - line) <= 1


def test_what_does_not_parse_is_not_called_equal() -> None:
    assert (
        compared(
            fleet(), fleet("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: [1\n")
        ).score.percent
        < 100
    )


def test_a_kustomization_that_is_built_of_itself() -> None:
    loop = {
        "flux/apps/kustomization.yaml": "resources: [more]\n",
        "flux/apps/more/kustomization.yaml": "resources: [../]\n",
    }
    path, _, message = problem(fleet() | loop)
    assert path == "flux/apps/kustomization.yaml"
    assert "itself" in message


def test_kustomizations_that_name_each_other() -> None:
    inner = child("apps", "./clusters/qa/flux/apps")
    assert compared(fleet(), fleet() | {"flux/apps/again.yaml": inner}).score.total >= 2


def test_bases_that_double_at_each_step_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_LAYERS", 100)
    files: dict[str, str] = {"flux/apps/kustomization.yaml": "resources: [s0/a, s0/b]\n"}
    for step in range(20):
        deeper = f"../../s{step + 1}"
        for side in "ab":
            files[f"flux/apps/s{step}/{side}/kustomization.yaml"] = f"resources: [{deeper}/a, {deeper}/b]\n"
    for side in "ab":
        files[f"flux/apps/s20/{side}/one.yaml"] = config()
    assert any("more than" in each.message for each in compared(fleet() | files, fleet() | files).problems)


def test_the_same_object_twice() -> None:
    path, line, message = problem(fleet(config() + "---\n" + config("host: other")))
    assert (path, line) == ("flux/apps/settings.yaml", 8)
    assert "stands twice" in message


def test_a_definition_on_one_side() -> None:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\n"
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: 1}\n"
    found = only(compared(fleet(crd + "---\n" + widget), fleet(widget)))
    assert (found.key.kind, found.change, found.risk) == ("CustomResourceDefinition", "removed", "deletes")


def test_objects_of_a_mebibyte() -> None:
    text = "x" * (1 << 20)
    a, b = config(f"big: {text}"), config(f"big: {text}y")
    found = only(compared(fleet(a), fleet(b)))
    assert found.path == "data.big"
    assert len(found.a) + len(found.b) < 1000


def test_what_is_not_followed_is_said() -> None:
    files = fleet() | {"flux/apps/kustomization.yaml": "resources: [settings.yaml]\nreplacements: [{path: x.yaml}]\n"}
    files["flux/apps/x.yaml"] = "source: {kind: ConfigMap}\n"
    path, line, message = problem(files)
    assert (path, line) == ("flux/apps/kustomization.yaml", 2)
    assert "replacements" in message
