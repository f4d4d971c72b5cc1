"""Every shape of cluster.yaml in which the clouds' templates are tried, by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

LISTS = ("tests.support.variants", "tests.support.variants_gke_aks")


class Shape(Protocol):
    @property
    def provider(self) -> str: ...

    def write(self, folder: Path, /) -> Path:
        """The whole root, with both files of variables."""


def shapes() -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name in LISTS:
        if find_spec(name) is not None:
            listed = import_module(name).VARIANTS
            found |= dict(listed) if isinstance(listed, Mapping) else {str(each): each for each in listed}
    return found
