"""The computer and the versions a run was made with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from karrots import __version__
from karrots.adapters import git, terraform
from karrots.engine import binaries

if TYPE_CHECKING:
    from collections.abc import Mapping


def facts() -> dict[str, str]:
    """By name, in the order they are shown."""
    tool = terraform.locate()
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "computer": f"{os.cpu_count()} cores{_model()}, {psutil.virtual_memory().total / 2**30:.1f} GiB, {_system()}",
        "load before": f"{os.getloadavg()[0]:.2f}",
        "versions": ", ".join(f"{name} {version}" for name, version in _versions(f"{tool.kind}").items()),
    }


def _versions(terraform_kind: str) -> Mapping[str, str]:
    engine = binaries.ensure().versions
    return {
        "karrots": __version__,
        "Python": platform.python_version(),
        "git": ".".join(map(str, git.installed_version())),
        terraform_kind: terraform.locate().version,
        "Kubernetes": engine["kubernetes"],
        "etcd": engine["etcd"],
        "kwok": engine["kwok"],
        "source-controller": engine["source-controller"],
        "kustomize-controller": engine["kustomize-controller"],
    }


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"


def _model() -> str:
    """' of AMD EPYC', where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as source:  # noqa: PTH123
            found = next((line.partition(":")[2].strip() for line in source if line.startswith("model name")), "")
    except OSError:
        return ""
    return f" ({found})" if found else ""
