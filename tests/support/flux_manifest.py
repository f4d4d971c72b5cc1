"""Flux's manifest for tests, from the config/ folders of the controllers that the engine is built from.

Laid out as `flux install --export` does it: one namespace, the labels of Flux, one file.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from karrots.adapters import process
from karrots.engine import assets, recipe
from karrots.spec.flux_components import LABELS, NAMESPACE, VERSION_LABEL

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.engine.toolchain import Go

# Only a label here: which releases of the controllers make up a release of Flux is not known from their modules.
VERSION = "2.9.5"
PARTS = ("crd", "rbac", "manager")
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
HEAD = "---\n# Flux Version: v{version}\n# Components: {components}\n"


def build(go: Go, engine: Path, folder: Path, version: str = VERSION) -> str:
    """Built below `folder` by the engine's kubectl; `go` knows where the modules are."""
    modules = assets.module_folders(go, recipe.engine().modules)
    for name in assets.CONTROLLERS:
        _controller(modules[name] / "config", folder / name, name)
    _write(folder / "namespace.yaml", f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n")
    _write(folder / "kustomization.yaml", _top(version))
    built = process.run([str(engine / "kubectl"), "kustomize", str(folder)], env=process.environment())
    return HEAD.format(version=version, components=",".join(assets.CONTROLLERS)) + built.text


def _controller(config: Path, folder: Path, name: str) -> None:
    for part in PARTS:
        shutil.copytree(config / part, folder / part)
        (folder / part).chmod(0o755)
    short = name.removesuffix("-controller")
    _write(folder / "roles" / "kustomization.yaml", f"{KUSTOMIZATION}namePrefix: {short}-\nresources: [../rbac]\n")
    label = f"labels:\n  - pairs: {{app.kubernetes.io/component: {name}}}\n"
    _write(folder / "kustomization.yaml", f"{KUSTOMIZATION}{label}resources: [crd, roles, manager]\n")


def _top(version: str) -> str:
    labels = "".join(f"      {key}: {value}\n" for key, value in {**LABELS, VERSION_LABEL: f"v{version}"}.items())
    resources = ", ".join(("namespace.yaml", *assets.CONTROLLERS))
    return f"{KUSTOMIZATION}namespace: {NAMESPACE}\nlabels:\n  - pairs:\n{labels}resources: [{resources}]\n"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def small(version: str = VERSION, *, labelled: bool = True, more: str = "") -> str:
    """The least that is taken for Flux's components; no cluster could do anything with it."""
    labels = {**LABELS, VERSION_LABEL: f"v{version}"} if labelled else dict(LABELS)
    objects = [_object("v1", "Namespace", NAMESPACE, labels, namespaced=False)]
    for name in ("gitrepositories.source.toolkit.fluxcd.io", "kustomizations.kustomize.toolkit.fluxcd.io"):
        kind = "CustomResourceDefinition"
        objects.append(_object("apiextensions.k8s.io/v1", kind, name, labels, namespaced=False))
    for name in ("source-controller", "kustomize-controller"):
        image = f"ghcr.io/fluxcd/{name}:v1.9.4"
        spec = f"spec: {{template: {{spec: {{containers: [{{name: manager, image: '{image}'}}]}}}}}}\n"
        objects.append(_object("apps/v1", "Deployment", name, labels) + spec)
    return "".join(f"---\n{each}" for each in objects) + more


def _object(version: str, kind: str, name: str, labels: dict[str, str], *, namespaced: bool = True) -> str:
    place = f"  namespace: {NAMESPACE}\n" if namespaced else ""
    listed = "".join(f"    {key}: {value}\n" for key, value in labels.items())
    return f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{place}  labels:\n{listed}"
