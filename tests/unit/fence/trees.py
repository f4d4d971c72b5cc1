"""Cluster directories made of one folder of manifests, for the walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.fence import Find, Sought, find
from karrots.lint.tree import Tree
from karrots.lint.walk import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY = "clusters/qa"
APPS = f"""apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: apps, namespace: flux-system}}
spec:
  path: ./{DIRECTORY}/flux/apps
  targetNamespace: shop
  sourceRef: {{kind: GitRepository, name: flux-system}}
"""
RUN = "spec: {template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: IMAGE, args: ARGS}]}}}"


def manifest(kind: str, version: str, spec: str = "spec: {}", name: str = "a", metadata: str = "") -> str:
    return f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}{metadata}}}\n{spec}\n"


def running(image: str, args: str = "[]", kind: str = "Deployment", metadata: str = "") -> str:
    spec = RUN.replace("IMAGE", image).replace("ARGS", args)
    return manifest(kind, "batch/v1" if kind == "Job" else "apps/v1", spec, metadata=metadata)


def files(*manifests: str, **more: str) -> dict[str, bytes]:
    """One Kustomization below the root, which builds a folder of these; `more` replaces files, `__` is `/`."""
    made = {
        "flux/kustomization.yaml": "resources: [apps.yaml]\n",
        "flux/apps.yaml": APPS,
        "flux/apps/all.yaml": "---\n".join(manifests),
    }
    made |= {f"flux/{path.replace('__', '/')}.yaml": text for path, text in more.items()}
    return {path: text.encode() for path, text in made.items()}


def found(given: Mapping[str, bytes], sought: Sought | None = None) -> list[Find]:
    return find(walk(Tree(given, DIRECTORY)), sought or Sought())
