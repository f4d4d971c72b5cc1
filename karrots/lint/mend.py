"""What lint can mend by itself: Kustomizations that lack the identity's ConfigMap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.lint.rules import gaps
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.spec.edit import edit
from karrots.spec.identity import CONFIG_MAP, IDENTITY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.lint.substitution import Path


def fix(files: Mapping[str, bytes], directory: str, variables: Iterable[str] | None = None) -> dict[str, bytes]:
    """The changed files. Without `variables`: those of the identity and of the directory's own cluster.yaml."""
    known = frozenset(variables) if variables is not None else _known(files)
    changed: dict[str, str] = {}
    for gap in gaps(walk(Tree(files, directory)), known):
        path = gap.owner.path
        text = changed.get(path) or files[path].decode("utf-8-sig")
        changed[path] = edit(text, gap.owner.document.index, partial(_name_identity, gap.owner.at))
    return {path: text.encode() for path, text in changed.items()}


def _known(files: Mapping[str, bytes]) -> frozenset[str]:
    from karrots.spec.cluster import load_cluster

    try:
        content = load_cluster(files.get("cluster.yaml", b""), "cluster.yaml").variables
    except UsageError:
        content = {}
    return frozenset({*IDENTITY_VARIABLES, *content})


def _name_identity(at: Path, root: Any) -> None:
    value = root
    for step in at:
        value = value[step]
    post_build = _group(value["spec"], "postBuild", {})
    sources = _group(post_build, "substituteFrom", [])
    if not isinstance(sources, list):
        raise _not_mendable("substituteFrom")
    entry = {"kind": "ConfigMap", "name": CONFIG_MAP}
    if entry not in sources:
        # First, because later ones win: what the Kustomization names itself keeps its say.
        sources.insert(0, entry)


def _not_mendable(key: str) -> UsageError:
    return UsageError(f"'{key}' of a Kustomization cannot be mended", why="what it stands in is no group or list")


def _group(parent: Any, key: str, empty: Any) -> Any:
    """The value at `key`; a missing or empty one becomes `empty`."""
    if not isinstance(parent, dict):
        raise _not_mendable(key)
    if not parent.get(key):
        parent[key] = empty
    return parent[key]
