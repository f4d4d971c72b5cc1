"""Names of clusters: checked, and made from a directory and a branch."""

from __future__ import annotations

import re

from karrots.adapters.git_names import check_branch_name, quoted
from karrots.errors import UsageError

LENGTH = 28  # what is named after a cluster has as little as 32 (AWS load balancers), suffix included
HASH_LENGTH = 6

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,26}[a-z0-9])?")

# Kustomize drops the quotes around "${cluster_name}", and Flux substitutes text, so such a name would turn into a
# boolean or nothing at all in somebody's manifest.
YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


# Numbers of YAML 1.1 and 1.2, as far as a branch may be named so: 123, 1_000, 0x1f, 0o17, 0b1, 1.5, 1., 1e3.
_SCALAR = re.compile(
    r"0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*\.?[0-9_]*(?:e-?[0-9_]+)?|\.(?:inf|nan)", re.IGNORECASE
)


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


def check_branch(name: str) -> str:
    """The name of a branch that a cluster is to follow; UsageError when git or YAML would take it for something else.

    Manifests may hold `${cluster_branch}` alone, and `123`, `on` or `1e3` would become a number or a truth value there.
    """
    check_branch_name(name)
    if _SCALAR.fullmatch(name) or name.lower() in YAML_WORDS:
        raise UsageError(
            f"{quoted(name)} cannot be the branch of a cluster",
            why="YAML reads it as a number or a truth value, and manifests carry branch names",
            hint=f"karrots branch feature/{name}",
        )
    return name


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
