"""Whether the places in clouds that keep Terraform states are fit for it: for preflight, doctor and its repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters import terraform
from karrots.errors import KarrotsError
from karrots.fleet import backends
from karrots.providers.base import Check
from karrots.steps import state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.adapters.state_bucket import StateBucket
    from karrots.fleet.workspace import Workspace
    from karrots.spec.fleet import Cloud
    from karrots.steps.context import Context

LOCKS_IN_S3 = (1, 10, 0)  # of terraform, and of tofu
CLOUDS = ("eks", "gke", "aks")


def buckets(workspace: Workspace) -> Iterator[tuple[str, StateBucket]]:
    """By provider, where karrots.yaml names one."""
    for name in CLOUDS:
        section = workspace.settings.providers.cloud(name)
        if section is not None and not backends.is_own(backends.chosen(section, name)):
            yield name, bucket_of_section(section, name)


def bucket_of_section(section: Cloud, name: str) -> StateBucket:
    profile = getattr(section, "profile", None) or ""
    return state.bucket(backends.chosen(section, name), section.account_id, section.region, profile)


def checks(workspace: Workspace) -> list[Check]:
    """All of it, for `doctor`; locks are tried with an object that is made and deleted again."""
    return [check for name, bucket in buckets(workspace) for check in _looked_at(name, bucket)]


def _looked_at(name: str, bucket: StateBucket) -> list[Check]:
    try:
        facts = bucket.facts(thorough=True)
    except KarrotsError as error:
        found = f"{bucket.place}: {error.message}: {error.why}"
        return [Check(f"state of {name}", ok=False, found=found, hint=error.hint)]
    return [Check(f"state of {name}: {fact.what}", fact.ok, fact.found, fact.command) for fact in facts]


def reachable(ctx: Context) -> list[Check]:
    """Before a cluster is made: the place is there, and ours. What else it lacks is named and holds nobody up."""
    if backends.is_own(backends.of(ctx.record)):
        return []
    bucket = state.bucket_of(ctx.record, ctx.workspace)
    try:
        tool = terraform.locate()
        if backends.of(ctx.record).backend == "s3" and tool.release < LOCKS_IN_S3:
            found = f"{tool.kind} {tool.version} cannot lock a state in S3"
            return [Check("state", ok=False, found=found, hint=f"install {tool.kind} 1.10 or later")]
        there, *others = bucket.facts(thorough=False)
    except KarrotsError as error:
        return [Check("state", ok=False, found=f"{bucket.place}: {error.message}", hint=error.hint)]
    lacks = [f"{fact.what}: {fact.found}" for fact in others if not fact.ok]
    found = "; ".join([there.found, *lacks, *(["karrots doctor says more"] if lacks else [])])
    mend = "karrots doctor --repair   (it is made after a yes)" if there.mending else there.command
    return [Check("state", there.ok, found, mend)]
