"""Each rule with a directory it finds and one it is content with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.errors import UsageError
from karrots.lint import Finding, fix, lint
from karrots.spec.identity import IDENTITY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY = "clusters/qa"
KNOWN = (*IDENTITY_VARIABLES, "greeting")

IDENTITY = "postBuild: {substituteFrom: [{kind: ConfigMap, name: karrots-identity}]}"


def child(
    name: str = "apps", path: str = "./clusters/qa/flux/apps", more: str = IDENTITY, namespace: str = "flux-system"
) -> str:
    return f"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {name}
  namespace: {namespace}
spec:
  interval: 10m
  path: {path}
  sourceRef:
    kind: GitRepository
    name: flux-system
    namespace: flux-system
  {more}
"""


def config(data: str = "host: shop.${cluster_domain}", more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n{more}data:\n  {data}\n"


def found(files: Mapping[str, str]) -> list[Finding]:
    return lint({path: text.encode() for path, text in files.items()}, DIRECTORY, KNOWN)


def fleet(apps: str = "", **more: str) -> dict[str, str]:
    """A clean directory: the root takes flux/apps.yaml, which builds flux/apps; `more` is by path with `__` for `/`."""
    files = {
        "flux/kustomization.yaml": "resources: [apps.yaml]\n",
        "flux/apps.yaml": child(),
        "flux/apps/settings.yaml": apps or config(),
    }
    return files | {f"flux/{path.replace('__', '/')}.yaml": text for path, text in more.items()}


def brief(findings: list[Finding]) -> list[tuple[str, str, int]]:
    return [(finding.rule, finding.path, finding.line) for finding in findings]


def test_a_clean_directory() -> None:
    assert found(fleet()) == []


# missing-identity


@pytest.mark.parametrize(
    "more",
    [
        "prune: true",
        "postBuild: {substitute: {other: x}}",
        "postBuild: {substituteFrom: [{kind: Secret, name: karrots-identity}]}",
        "postBuild: {substituteFrom: [{kind: ConfigMap, name: other}]}",
    ],
)
def test_a_kustomization_that_lacks_the_identity(more: str) -> None:
    finding = found(fleet() | {"flux/apps.yaml": child(more=more)})[0]
    assert (finding.rule, finding.severity, finding.path) == ("missing-identity", "error", "flux/apps.yaml")
    assert finding.object == "Kustomization/apps"
    assert "${cluster_domain}" in finding.message
    assert finding.fix_hint == "karrots lint --fix"


@pytest.mark.parametrize(
    "more",
    [
        "postBuild: {substitute: {cluster_domain: example.com}}",
        "postBuild: {substituteFrom: [{kind: ConfigMap, name: here}]}",
        "postBuild: {substituteFrom: [{kind: ConfigMap, name: x}, {kind: ConfigMap, name: karrots-identity}]}",
    ],
)
def test_a_kustomization_that_gets_its_values_otherwise(more: str) -> None:
    own = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: here}\ndata: {cluster_domain: example.com}\n"
    files = fleet() | {"flux/apps.yaml": child(more=more), "flux/own.yaml": own}
    files["flux/kustomization.yaml"] = "resources: [apps.yaml, own.yaml]\n"
    assert found(files) == []


def test_a_kustomization_whose_manifests_use_nothing() -> None:
    assert found(fleet(config("plain: text")) | {"flux/apps.yaml": child(more="prune: true")}) == []


def test_a_default_does_not_hide_a_lacking_identity() -> None:
    files = fleet(config("host: ${cluster_domain:-none}")) | {"flux/apps.yaml": child(more="prune: true")}
    assert [finding.rule for finding in found(files)] == ["missing-identity"]


def test_at_any_depth() -> None:
    files = fleet(child("deep", "./clusters/qa/flux/deep")) | {
        "flux/deep/child.yaml": child("deeper", "clusters/qa/flux/deeper", more="prune: true"),
        "flux/deeper/kustomization.yaml": "resources: [base]\n",
        "flux/deeper/base/kustomization.yaml": "resources: [settings.yaml]\n",
        "flux/deeper/base/settings.yaml": config(),
    }
    assert brief(found(files)) == [("missing-identity", "flux/deep/child.yaml", 6)]


def test_through_components_of_the_flux_kustomization() -> None:
    files = fleet(config("plain: text")) | {
        "flux/apps.yaml": child(more="components: [../extra]"),
        "flux/extra/kustomization.yaml": "kind: Component\nresources: [settings.yaml]\n",
        "flux/extra/settings.yaml": config(),
    }
    assert [finding.rule for finding in found(files)] == ["missing-identity"]


def test_a_kustomization_that_builds_itself_ends() -> None:
    files = fleet() | {"flux/apps.yaml": child(path="./clusters/qa/flux")}
    assert found(files) == []


def test_the_identity_is_looked_for_beside_the_kustomization() -> None:
    finding = found(fleet() | {"flux/apps.yaml": child(namespace="team")})[0]
    assert (finding.rule, finding.line) == ("identity-namespace", 3)
    files = fleet() | {"flux/apps.yaml": child(namespace="team")}
    files["flux/kustomization.yaml"] = "namespace: flux-system\nresources: [apps.yaml]\n"
    assert found(files) == []


# unknown-variable, bad-substitution


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: ${cluster_nmae}", "nobody defines '${cluster_nmae}', did you mean 'cluster_name'?"),
        ("a: ${cluster_name}-${zzz}", "nobody defines '${zzz}'"),
        ("a: ${zzz^^}", "nobody defines '${zzz}'"),
        ("a: ${zzz:0:3}", "nobody defines '${zzz}'"),
        ("a: ${zzz/x/y}", "nobody defines '${zzz}'"),
        ("a: ${#zzz}", "nobody defines '${zzz}'"),
        ("a: ${cluster_name:-${zzz}}", "nobody defines '${zzz}'"),
        ("${zzz}: a", "nobody defines '${zzz}'"),
        ("a: ${zzz-default}", "'${zzz-default}' is not a variable Flux can read"),
        ("a: ${array[@]}", "'${array[@]}' is not a variable Flux can read"),
        ("a: '${}'", "'${}' is not a variable Flux can read"),
        ("a: '${cluster_name'", "'${cluster_name' is not a variable Flux can read"),
    ],
)
def test_variables_that_flux_would_fail_on(text: str, says: str) -> None:
    finding = found(fleet(config(text)))[0]
    assert finding.severity == "error"
    assert finding.line == 6
    assert finding.message.startswith(says)


@pytest.mark.parametrize(
    "text",
    [
        "a: ${cluster_name}",
        "a: ${greeting}",
        "a: ${cluster_name^^}",
        "a: ${zzz:=x}",
        "a: ${zzz:-x}",
        "a: ${zzz=x}",
        "a: ${zzz:-${cluster_name}}",
        "a: $${zzz}",
        "a: $zzz",
        "a: $(zzz)",
        "a: b # ${zzz}",
    ],
)
def test_variables_that_flux_can_read(text: str) -> None:
    assert found(fleet(config(text))) == []


@pytest.mark.parametrize("where", ["annotations", "labels"])
def test_an_object_that_is_not_substituted(where: str) -> None:
    more = f"  {where}:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n"
    assert found(fleet(config("a: ${zzz} ${x[@]}", more))) == []


def test_scripts_where_nothing_is_substituted() -> None:
    files = fleet(config("a: ${PATH} ${x[@]}")) | {"flux/apps.yaml": child(more="prune: true")}
    assert found(files) == []


def test_a_slip_where_nothing_is_substituted_is_a_warning() -> None:
    files = fleet(config("a: ${cluster_domian}")) | {"flux/apps.yaml": child(more="prune: true")}
    finding = found(files)[0]
    assert (finding.rule, finding.severity) == ("unknown-variable", "warning")
    assert "did you mean 'cluster_domain'?" in finding.message


def test_a_source_only_the_cluster_knows_may_define_anything() -> None:
    more = "postBuild: {substituteFrom: [{kind: Secret, name: s}, {kind: ConfigMap, name: karrots-identity}]}"
    assert found(fleet(config("a: ${zzz}")) | {"flux/apps.yaml": child(more=more)}) == []


def test_the_line_in_a_block_of_text() -> None:
    assert brief(found(fleet(config("a: |\n    one\n    ${zzz}\n")))) == [
        ("unknown-variable", "flux/apps/settings.yaml", 8)
    ]


def test_texts_that_kustomize_puts_into_objects() -> None:
    files = fleet() | {
        "flux/apps/kustomization.yaml": """resources: [settings.yaml]
patches:
  - path: patch.yaml
  - patch: |-
      - op: add
        path: /data/b
        value: ${inline}
    target: {kind: ConfigMap}
configMapGenerator:
  - name: generated
    files: [script.sh]
    literals: ["c=${literal}"]
  - name: untouched
    options: {annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}
    literals: ["d=${free}"]
secretGenerator:
  - name: encoded
    literals: ["e=${encoded}"]
""",
        "flux/apps/patch.yaml": config("a: ${patched}"),
        "flux/apps/script.sh": "#!/bin/sh\necho ${scripted}\n",
    }
    names = {finding.message.split("'")[1] for finding in found(files)}
    assert names == {"${inline}", "${patched}", "${literal}", "${scripted}"}


# sync-object


def test_committed_sync_objects_are_a_warning() -> None:
    sync = """apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, ref: {branch: main}, url: https://example.com/fleet}
---
"""
    files = fleet(flux_system__gotk_sync=sync + child("flux-system", "./clusters/prod"))
    files["flux/kustomization.yaml"] = "resources: [apps.yaml, flux_system/gotk_sync.yaml]\n"
    findings = found(files)
    assert brief(findings) == [
        ("sync-object", "flux/flux_system/gotk_sync.yaml", 1),
        ("sync-object", "flux/flux_system/gotk_sync.yaml", 6),
    ]
    assert {finding.severity for finding in findings} == {"warning"}


def test_other_sources_are_not_sync_objects() -> None:
    kind = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n"
    source = f"{kind}metadata: {{name: other, namespace: flux-system}}\n"
    assert found(fleet(source)) == []


# missing-path, missing-resource, outside-path, broken-yaml, not-an-object


def test_paths_that_are_not_there() -> None:
    assert brief(found(fleet() | {"flux/apps.yaml": child(path="./clusters/qa/flux/nope")})) == [
        ("missing-path", "flux/apps.yaml", 8)
    ]
    assert brief(found({"cluster.yaml": ""})) == [("missing-path", "flux", 1)]


def test_a_chart_that_is_not_there() -> None:
    release = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: orders, namespace: flux-system}
spec:
  chart:
    spec:
      chart: ./clusters/qa/charts/orders
      sourceRef: {kind: GitRepository, name: flux-system}
"""
    assert brief(found(fleet(release))) == [("missing-path", "flux/apps/settings.yaml", 7)]
    assert found(fleet(release) | {"charts/orders/Chart.yaml": "name: orders\n"}) == []


@pytest.mark.parametrize("path", ["./clusters/prod/flux/apps", "./infrastructure", "./", "../x"])
def test_paths_that_lead_elsewhere_are_a_warning(path: str) -> None:
    finding = found(fleet() | {"flux/apps.yaml": child(path=path)})[0]
    assert (finding.rule, finding.severity) == ("outside-path", "warning")


def test_sources_of_others_are_not_looked_for_here() -> None:
    files = fleet() | {
        "flux/apps.yaml": child(path="./nope").replace("name: flux-system\n    namespace", "name: other\n    namespace")
    }
    assert found(files) == []


def test_resources_that_are_not_there() -> None:
    files = fleet() | {"flux/kustomization.yaml": "resources:\n  - apps.yaml\n  - nope.yaml\n  - ../../base\n"}
    assert brief(found(files)) == [
        ("missing-resource", "flux/kustomization.yaml", 3),
        ("outside-path", "flux/kustomization.yaml", 4),
    ]


def test_resources_of_others_are_not_looked_for_here() -> None:
    remote = "resources: [apps.yaml, 'https://example.com/x?ref=v1', 'git@example.com:x/y']\n"
    assert found(fleet() | {"flux/kustomization.yaml": remote}) == []


def test_broken_yaml_where_flux_reads() -> None:
    assert brief(found(fleet("a: [1\nb: 2\n"))) == [("broken-yaml", "flux/apps/settings.yaml", 2)]
    assert brief(found(fleet("[" * 100_000))) == [("broken-yaml", "flux/apps/settings.yaml", 1)]
    assert found(fleet() | {"charts/x/templates/deployment.yaml": "{{ if .Values.x }}\na: [\n"}) == []


def test_trees_deeper_than_any_file_system() -> None:
    """Each of their files was climbed from anew, which took minutes."""
    deep = {f"flux/{'d/' * depth}kustomization.yaml": "resources: [d]\n" for depth in range(3000)}
    told = found(fleet() | deep)
    assert {finding.rule for finding in told} == {"long-path", "too-deep"}
    assert all(len(finding.path) < 3000 for finding in told)


@pytest.mark.parametrize("text", ["a: 1\n", "- a\n", "apiVersion: v1\nkind: ConfigMap\n", "just text\n"])
def test_documents_that_are_no_objects(text: str) -> None:
    assert brief(found(fleet(text))) == [("not-an-object", "flux/apps/settings.yaml", 1)]


def test_the_items_of_a_list_are_objects() -> None:
    item = "  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    data: {a: '${zzz}'}\n"
    text = f"apiVersion: v1\nkind: List\nitems:\n{item}"
    assert brief(found(fleet(text))) == [("unknown-variable", "flux/apps/settings.yaml", 7)]


def test_a_folder_without_a_kustomization_file_is_taken_whole() -> None:
    files = fleet() | {
        "flux/apps/more/settings.yml": config("a: ${one}"),
        "flux/apps/own/kustomization.yaml": "resources: [used.yaml]\n",
        "flux/apps/own/used.yaml": config("a: ${two}"),
        "flux/apps/own/unused.yaml": config("a: ${three}"),
        "flux/apps/README.md": "${four}",
    }
    assert {finding.message.split("'")[1] for finding in found(files)} == {"${one}", "${two}"}


# fix


def test_fix_adds_the_identity_and_nothing_else() -> None:
    text = "# the apps\n" + child(more="prune: true  # yes") + "---\n" + child("b", more="wait: true")
    files = {path: data.encode() for path, data in (fleet() | {"flux/apps.yaml": text}).items()}
    fixed = fix(files, DIRECTORY)
    added = "  postBuild:\n    substituteFrom:\n      - kind: ConfigMap\n        name: karrots-identity\n"
    expected = text.replace("  prune: true  # yes\n", f"  prune: true  # yes\n{added}").replace(
        "  wait: true\n", f"  wait: true\n{added}"
    )
    assert fixed == {"flux/apps.yaml": expected.encode()}
    assert lint(files | fixed, DIRECTORY, KNOWN) == []
    assert fix(files | fixed, DIRECTORY) == {}


def test_fix_keeps_sources_that_are_named_already() -> None:
    own = "postBuild:\n    substituteFrom:\n      - kind: Secret\n        name: own\n"
    files = {path: data.encode() for path, data in (fleet() | {"flux/apps.yaml": child(more=own)}).items()}
    text = fix(files, DIRECTORY)["flux/apps.yaml"].decode()
    names = "      - kind: ConfigMap\n        name: karrots-identity\n      - kind: Secret\n        name: own\n"
    assert text.rstrip("\n") + "\n" == child(more=own).partition("      - kind")[0] + names


def test_fix_knows_the_variables_of_the_content() -> None:
    head = "apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: local\nkubernetes: 1.36\n"
    content = f"{head}nodes: {{a: {{count: 1}}}}\nvariables: {{tone: loud}}\n"
    texts = fleet(config("a: ${tone}")) | {"flux/apps.yaml": child(more="prune: true"), "cluster.yaml": content}
    files = {path: data.encode() for path, data in texts.items()}
    assert list(fix(files, DIRECTORY)) == ["flux/apps.yaml"]
    assert fix(files | {"cluster.yaml": b"["}, DIRECTORY) == {}


@pytest.mark.parametrize(
    "more", ["postBuild: text", "postBuild: [a]", "postBuild: {substituteFrom: text}", "postBuild: 7"]
)
def test_fix_refuses_what_it_cannot_mend(more: str) -> None:
    files = fleet() | {"flux/apps.yaml": child(more=more)}
    with pytest.raises(UsageError, match="cannot be mended"):
        fix({path: text.encode() for path, text in files.items()}, DIRECTORY, KNOWN)


def test_a_chain_that_never_ends_is_a_finding() -> None:
    names = [f"flux/c{number}/kustomization.yaml" for number in range(2000)]
    chain = {name: f"resources: [../c{number + 1}]\n" for number, name in enumerate(names)}
    files = fleet() | chain | {"flux/kustomization.yaml": "resources: [c0]\n"}
    assert brief(found(files)) == [("too-deep", "flux/c63/kustomization.yaml", 1)]
