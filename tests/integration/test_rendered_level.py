"""What the rendered level makes of kustomizations is what the real kustomize makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import process
from karrots.diff.rendered import Directory
from karrots.spec.yaml_file import documents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.diff.model import Problem

# ruff: noqa: E501  (texts of files)
pytestmark = pytest.mark.engine

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: first, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:1.0", env: [{name: A, value: "1"}, {name: B, value: "2"}], args: [x, y]}
        - {name: side, image: "side:1.0"}
      volumes: [{name: data, emptyDir: {}}]
---
# A service
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
    - port: 80
"""
RIGHTS = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: default, namespace: elsewhere}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: lister}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: one}
spec: {words: [a, b], deep: {on: true, off: false}}
"""
CASES: dict[str, dict[str, str]] = {
    "plain": {"kustomization.yaml": "resources: [web.yaml, rights.yaml]\n"},
    "a namespace": {"kustomization.yaml": "namespace: shop\nresources: [web.yaml, rights.yaml]\n"},
    "an outer namespace": {
        "kustomization.yaml": "namespace: outer\nresources: [base]\n",
        "base/kustomization.yaml": "namespace: inner\nresources: [web.yaml]\n",
        "base/web.yaml": WEB,
    },
    "images and replicas": {
        "kustomization.yaml": "resources: [web.yaml]\nreplicas: [{name: web, count: 4}]\nimages:\n"
        "  - {name: registry.example.com/web, newTag: '2.0'}\n  - {name: side, newName: other/side, digest: sha256:aa}\n",
    },
    "labels": {
        "kustomization.yaml": "resources: [web.yaml, rights.yaml]\ncommonAnnotations: {note: x}\nlabels:\n"
        "  - {pairs: {team: shop}}\n  - {pairs: {tier: a}, includeSelectors: true}\n"
        "  - {pairs: {kept: b}, includeTemplates: true}\n",
    },
    "common labels": {"kustomization.yaml": "resources: [web.yaml]\ncommonLabels: {team: shop}\n"},
    "patches": {
        "kustomization.yaml": "resources: [web.yaml, rights.yaml]\npatches:\n  - path: patch.yaml\n"
        "  - target: {kind: Service}\n    patch: |-\n      - {op: replace, path: /spec/ports/0/port, value: 81}\n"
        "      - {op: add, path: /spec/type, value: NodePort}\n"
        "  - target: {kind: Widget, name: o.*}\n    patch: |-\n      apiVersion: example.com/v1\n      kind: Widget\n"
        "      metadata: {name: any}\n      spec: {words: [c], deep: {on: null}}\n"
        "  - target: {labelSelector: app=web}\n    patch: |-\n      - {op: add, path: /metadata/annotations, value: {l: s}}\n",
        "patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: first}\nspec:\n  template:\n    spec:\n"
        "      containers:\n        - {name: web, env: [{name: B, value: '3'}, {name: C, value: '4'}], args: [z]}\n"
        "        - {name: side, $patch: delete}\n      volumes: [{name: more, emptyDir: {}}]\n",
    },
    "an object taken away": {
        "kustomization.yaml": "resources: [web.yaml]\npatches:\n  - patch: |-\n      apiVersion: v1\n      kind: Service\n"
        "      metadata: {name: web}\n      $patch: delete\n",
    },
    "a component": {
        "kustomization.yaml": "resources: [web.yaml]\ncomponents: [more]\n",
        "more/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "resources: [extra.yaml]\npatches:\n  - target: {kind: Deployment}\n"
        "    patch: |-\n      - {op: replace, path: /spec/replicas, value: 7}\n",
        "more/extra.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n",
    },
    "two ways to one base": {
        "kustomization.yaml": "resources: [one, two]\n",
        "one/kustomization.yaml": "namePrefix: one-\nresources: [../base]\n",
        "two/kustomization.yaml": "namePrefix: two-\nnameSuffix: -x\nresources: [../base]\n",
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": WEB,
    },
    "generators": {
        "kustomization.yaml": "generatorOptions: {disableNameSuffixHash: true, labels: {made: 'yes'}}\nnamespace: shop\n"
        "configMapGenerator:\n  - {name: settings, literals: [A=1, 'B=two words'], files: [file.conf, other=file.conf]}\n"
        "  - {name: envs, envs: [some.env]}\nsecretGenerator:\n  - {name: door, literals: [password=hunter22]}\n",
        "file.conf": "one\ntwo\n",
        "some.env": "# note\nX=1\nY=a=b\n",
    },
    "a generator that adds": {
        "kustomization.yaml": "resources: [base]\ngeneratorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator:\n"
        "  - {name: settings, behavior: merge, literals: [B=3]}\n",
        "base/kustomization.yaml": "generatorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator:\n"
        "  - {name: settings, literals: [A=1, B=2]}\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_as_kustomize_builds_it(case: str, with_engine: Path, tmp_path: Path) -> None:
    files = {"web.yaml": WEB, "rights.yaml": RIGHTS, **CASES[case]}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    built = process.run([str(with_engine / "kubectl"), "kustomize", str(tmp_path)], env=process.environment())
    expected = {_name(each.value): _bare(each.value) for each in documents(built.stdout, "built")}
    problems: list[Problem] = []
    directory = Directory({f"flux/{path}": text.encode() for path, text in files.items()}, "clusters/qa", {})
    items = list(directory.items(problems))
    assert {_name(each.value()): _bare(each.value()) for each in items if each.value()} == expected
    assert problems == []


def _name(value: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = value["metadata"]
    return value["kind"], metadata.get("namespace", ""), metadata["name"]


def _bare(value: Any) -> Any:
    """Without empty maps, and with lists that have names in the names' order."""
    if isinstance(value, dict):
        return {key: _bare(part) for key, part in value.items() if part not in ({}, None)}
    if isinstance(value, list):
        return sorted((_bare(part) for part in value), key=_key) if all(map(_named, value)) else list(map(_bare, value))
    return value


def _named(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value


def _key(value: Any) -> str:
    return str(value["name"])
