"""What else published Go modules hold: charts and definitions of kinds, read where Go keeps the module."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from karrots.adapters import process
from karrots.engine.assets import without_prose
from tests.services.programs import CONTROLLERS
from tests.support import environment, golang

DOWNLOAD_SECONDS = 600.0
CRD = "CustomResourceDefinition"


# Module, version ('' for the one that the controllers are built from), and where in it definitions of kinds are.
DEFINITIONS = {
    # Of an older version than the chart that is pinned, which is in no module.
    "emissary-ingress": (
        "github.com/emissary-ingress/emissary/v3",
        "v3.10.0",
        "manifests/emissary/emissary-crds.yaml.in",
    ),
    "cert-manager": ("github.com/cert-manager/cert-manager", "", "deploy/crds"),
    "gateway-api": ("sigs.k8s.io/gateway-api", "v1.6.1", "config/crd/standard"),
    "envoy-gateway": ("github.com/envoyproxy/gateway", "v1.9.0", "charts/gateway-helm/charts/crds/crds/generated"),
    "karpenter": ("github.com/aws/karpenter-provider-aws", "v1.14.1", "pkg/apis/crds"),
    "external-dns": ("sigs.k8s.io/external-dns", "", "config/crd/standard"),
    "image-automation-controller": ("github.com/fluxcd/image-automation-controller", "", "config/crd/bases"),
    "image-reflector-controller": ("github.com/fluxcd/image-reflector-controller", "", "config/crd/bases"),
}


def kinds(name: str) -> list[dict[str, Any]]:
    module, at, place = DEFINITIONS[name]
    return definitions(folder(module, at) / place)


def version(module: str, modules: Path = CONTROLLERS) -> str:
    """As the go.mod in `modules` has it."""
    found = re.search(rf"^\t{re.escape(module)} (v\S+)", (modules / "go.mod").read_text("utf-8"), re.MULTILINE)
    assert found, f"{module} is not in the go.mod of {modules.name}"
    return found[1]


def folder(module: str, at: str = "") -> Path:
    """Fetched when it is not there."""
    go = golang.of_this_computer()
    with environment.real():
        told = process.run(
            [go.program, "mod", "download", "-json", f"{module}@{at or version(module)}"],
            cwd=CONTROLLERS,
            env=go.environment(()),
            timeout=DOWNLOAD_SECONDS,
        )
    return Path(json.loads(told.text)["Dir"])


def definitions(place: Path) -> list[dict[str, Any]]:
    """Those in a file, or in the files of a folder, without their prose."""
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    found = (each for file in files for each in yaml.load_all(file.read_text("utf-8"), yaml.CSafeLoader))
    return [shortened(each) for each in found if each and each.get("kind") == CRD]


def shortened(definition: dict[str, Any]) -> dict[str, Any]:
    for version in definition["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"] = without_prose(version["schema"]["openAPIV3Schema"])
    return definition
