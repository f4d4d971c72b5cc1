"""Each service on each provider in each set, and in what no set has; of a service one tree, with one file for each text
that it renders to. A file's first lines say where it does.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import pytest

from karrots.ops.services import members
from karrots.render import services
from karrots.spec.services import CATALOGUE, SETS, WAY_IN, why_not
from tests.support.services import PROVIDERS, bare_cluster, cluster, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.spec.cluster import ClusterSpec
    from tests.golden.conftest import Golden

HEAD = "#### "


def _together(spec: ClusterSpec) -> dict[str, str]:
    """By service; each of its files under its path."""
    found: dict[str, str] = {}
    for path, text in rendered(spec).items():
        name, _, below = path.removeprefix(f"{services.FOLDER}/").partition("/")
        found[name] = found.get(name, "") + f"{HEAD}{below}\n{text}"
    return found


def _directories() -> Iterator[tuple[str, ClusterSpec]]:
    for provider in PROVIDERS:
        bare = bare_cluster(provider)
        for chosen in SETS:
            yield f"{provider} {chosen}", cluster(provider, members(chosen, bare))
        rest = [entry.name for entry in CATALOGUE.values() if not entry.sets and not why_not(entry, bare)]
        yield f"{provider} the rest", cluster(provider, rest)
        other = "emissary-ingress", "cert-manager", "external-dns"
        yield f"{provider} other {WAY_IN}", cluster(provider, other)
    yield "eks auto mode", cluster("eks", ["envoy-gateway", "storage-class"], "eks: {auto_mode: true}\n")


@cache
def _trees() -> dict[str, dict[str, str]]:
    """By service and file."""
    where: dict[tuple[str, str], list[str]] = {}
    for label, spec in _directories():
        for name, text in _together(spec).items():
            where.setdefault((name, text), []).append(label)
    trees: dict[str, dict[str, str]] = {}
    for (name, text), labels in where.items():
        file = f"{labels[0].replace(' ', '-')}.yaml"
        trees.setdefault(name, {})[file] = "".join(f"{HEAD}on {label}\n" for label in labels) + text
    return trees


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_service(name: str, golden: Golden) -> None:
    golden(f"services/{name}", _trees()[name])


def test_no_text_is_kept_twice() -> None:
    bodies = [
        hashlib.sha256(
            "".join(line for line in text.splitlines(keepends=True) if not line.startswith(HEAD)).encode()
        ).hexdigest()
        for tree in _trees().values()
        for text in tree.values()
    ]
    assert len(set(bodies)) == len(bodies)
