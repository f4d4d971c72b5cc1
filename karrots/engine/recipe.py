"""What the engine is made of: which programs, from which Go modules, with which flags.

The versions stand in modules/go.mod and nowhere else.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    # done, total, what is being worked on, expected seconds left (None: unknown). A total of 0: there is no count yet.
    Say = Callable[[int, int, str, float | None], None]

BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")

# Raised when what is stored beside the programs (engine/assets.py) changes its form.
FORMAT = 1


@dataclass(frozen=True)
class Program:
    """One binary; `probe` are arguments at which a working one prints something and exits with 0."""

    name: str
    package: str
    probe: tuple[str, ...] = ("--version",)


@dataclass(frozen=True)
class Recipe:
    """`stamps` are the linker's `-X` settings: variable -> value. `title` is what people call all of it.

    A `small` one has nothing beside its programs, and is built in seconds and a few megabytes.
    """

    modules: Path
    programs: tuple[Program, ...]
    stamps: tuple[tuple[str, str], ...] = ()
    title: str = "the engine"
    small: bool = False

    @property
    def ldflags(self) -> str:
        return " ".join(("-s", "-w", *(f"-X {name}={value}" for name, value in self.stamps)))


# etcd and the API server first: Go works roughly in this order, and most other programs share packages with them.
PROGRAMS = (
    Program("etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Program("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    Program("source-controller", "github.com/fluxcd/source-controller", ("--help",)),
    Program("kustomize-controller", "github.com/fluxcd/kustomize-controller", ("--help",)),
    Program("helm-controller", "github.com/fluxcd/helm-controller", ("--help",)),
    Program("notification-controller", "github.com/fluxcd/notification-controller", ("--help",)),
    Program("kubectl", "k8s.io/kubernetes/cmd/kubectl", ("version", "--client")),
)

# The names versions go by -> the modules they are the versions of.
MODULES = {
    "kubernetes": "k8s.io/kubernetes",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kwok": "sigs.k8s.io/kwok",
    "source-controller": "github.com/fluxcd/source-controller",
    "kustomize-controller": "github.com/fluxcd/kustomize-controller",
    "helm-controller": "github.com/fluxcd/helm-controller",
    "notification-controller": "github.com/fluxcd/notification-controller",
    "helm": "helm.sh/helm/v4",
}


@cache
def engine() -> Recipe:
    modules = Path(__file__).parent / "modules"
    return Recipe(modules, PROGRAMS, _stamps(versions(modules)))


def _stamps(known: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Without them `/version` of the API server is nonsense, and Flux and Helm refuse it."""
    major, minor, _ = known["kubernetes"].split(".")
    build = {
        "gitVersion": f"v{known['kubernetes']}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    kubernetes = [(f"{package}.{name}", value) for package in packages for name, value in build.items()]
    return (*kubernetes, ("sigs.k8s.io/kwok/pkg/consts.Version", f"v{known['kwok']}"))


def versions(modules: Path) -> dict[str, str]:
    """The versions that go.mod requires, without their `v`."""
    required = dict(re.findall(r"^\s+(\S+) v(\S+)$", (modules / "go.mod").read_text("utf-8"), re.MULTILINE))
    return {name: required[module] for name, module in MODULES.items() if module in required}


def go_floor(modules: Path) -> tuple[int, int]:
    """The oldest Go that go.mod allows."""
    found = re.search(r"^go (\d+)\.(\d+)", (modules / "go.mod").read_text("utf-8"), re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (1, 0)


def digest(recipe: Recipe) -> str:
    """The name of what this recipe builds on this kind of computer.

    The version of Go is not in it: a security release of Go would otherwise take a running computer's engine away for
    the minutes a build takes, and finding the engine would have to start Go each time. What was used is written down.
    """
    state = hashlib.sha256(f"{FORMAT} {sys.platform} {platform.machine()}".encode())
    state.update("\0".join((*BUILD_FLAGS, recipe.ldflags)).encode())
    for program in recipe.programs:
        state.update(f"\0{program.name}={program.package}".encode())
    for path in _sources(recipe.modules):
        data = path.read_bytes()
        state.update(f"\0{path.relative_to(recipe.modules).as_posix()} {len(data)}\0".encode() + data)
    return state.hexdigest()[:24]


def _sources(modules: Path) -> Iterator[Path]:
    for path in sorted(modules.rglob("*")):
        built = path.name in {"go.mod", "go.sum"} or path.suffix == ".go"
        if built and not path.name.endswith("_test.go"):
            yield path
