"""Names of clusters: checked, and made from a directory and a branch."""

from __future__ import annotations

import re

from karrots.adapters.git_names import quoted
from karrots.errors import UsageError

LENGTH = 28  # what is named after a cluster has as little as 32 (AWS load balancers), suffix included
HASH_LENGTH = 6

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,26}[a-z0-9])?")

# Kustomize drops the quotes around "${cluster_name}", and Flux substitutes text, so such a name would turn into a
# boolean or nothing at all in somebody's manifest.
YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in YAML_WORDS


def check_name(name: str) -> str:
    """The name itself; UsageError says what is wrong with it and suggests a good one."""
    if is_name(name):
        return name
    suggestion = _fitted(_slug(name), name)
    raise UsageError(
        f"{quoted(name)} cannot be the name of a cluster",
        why=_problem(name),
        hint=f"use '{suggestion}'" if _slug(name) else "use a name such as 'qa-feature-1234'",
    )


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > LENGTH:
        return f"it has {len(name)} characters, {LENGTH} are allowed"
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return "only small letters, digits and '-' are allowed"
    if not name[0].isalpha():
        return "it must start with a letter"
    if name in YAML_WORDS:
        return "YAML reads it as something else than text, and manifests carry cluster names"
    return "it must not end in '-'"


def derived_name(directory: str, branch: str) -> str:
    """The name a cluster gets when none is given: the same one for the same directory and branch.

    `clusters/qa` and `feature/JIRA-1234` give `qa-feature-jira-1234`. What is too long is cut and gets a short hash
    of both, so that two long branches do not meet in one name.
    """
    base = directory.rstrip("/").rpartition("/")[2]
    return _fitted(_slug(f"{base}-{branch}"), f"{directory}\0{branch}")


def _slug(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return plain if not plain or plain[0].isalpha() else f"c-{plain}"


def _fitted(slug: str, whole: str) -> str:
    if slug and len(slug) <= LENGTH and slug not in YAML_WORDS:
        return slug
    import hashlib

    digest = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:HASH_LENGTH]
    kept = slug[: LENGTH - HASH_LENGTH - 1].rstrip("-") or "c"
    return f"{kept}-{digest}"
