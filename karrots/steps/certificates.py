"""Let's Encrypt counts certificates by week: what this cluster would ask for, beside what the ledger knows of others.

https://letsencrypt.org/docs/rate-limits/
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.lint.certificates import counted
from karrots.providers.base import Check
from karrots.report.text import count_text
from karrots.steps.content import committed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.fleet.record import Record
    from karrots.steps.context import Context

WEEK = timedelta(days=7)
MOST_OF_A_DOMAIN = 50
MOST_OF_THE_SAME = 5
STAGING = "karrots services enable cert-manager --option issuer=staging"

Names = tuple[str, ...]


def asked_by(ctx: Context, record: Record, rev: str, directory: str) -> list[Names]:
    """What the content at `rev` asks for. On this computer nobody answers a challenge, so nobody is asked."""
    if record.provider == "local":
        return []
    return counted(committed(ctx.workspace.repo, rev, directory), record.directory, record.domain)


def budget(ctx: Context) -> list[Check]:
    """None where nothing is asked for, or the cluster has it already."""
    wanted = asked_by(ctx, ctx.record, ctx.commit, ctx.record.directory)
    there = ctx.workspace.known.find(ctx.record.name)
    had = _applied(ctx, ctx.record) if there is not None and there.id == ctx.record.id else []
    new = [names for names in wanted if names not in had]
    return [_row(new, _of_this_week(ctx))] if new else []


def _of_this_week(ctx: Context) -> list[Names]:
    """By clusters of this fleet: those that live, and those that were destroyed."""
    ledger = ctx.workspace.known
    others = [each for each in ledger.records() if each.id != ctx.record.id and _is_recent(each.created)]
    alive = [names for each in others for names in _applied(ctx, each)]
    return [*alive, *(names for each in ledger.receipts() for names in _receipted(each))]


def _applied(ctx: Context, record: Record) -> list[Names]:
    tree = ctx.workspace.known.applied(record.name)
    return asked_by(ctx, record, tree, "") if tree else []


def _receipted(receipt: Mapping[str, Any]) -> list[Names]:
    listed = receipt.get("certificates")
    if not isinstance(listed, list) or not _is_recent(str(receipt.get("created"))):
        return []
    return [tuple(map(str, names)) for names in listed if isinstance(names, list)]


def _is_recent(created: str) -> bool:
    try:
        return clock.now() - clock.moment(created) < WEEK
    except ValueError:
        return False


def _row(new: list[Names], before: list[Names]) -> Check:
    what = "Let's Encrypt"
    total, same = Counter(map(_registered, before)), Counter(before)
    more = Counter(map(_registered, new))
    for names in new:
        if same[names] >= MOST_OF_THE_SAME:
            found = f"{names[0]} was asked for {same[names]} times in 7 days, and {MOST_OF_THE_SAME} are signed"
            hint = f"choose another name for the cluster, wait some days, or: {STAGING}"
            return Check(what, ok=False, found=found, hint=hint)
    for domain, count in more.items():
        if total[domain] + count > MOST_OF_A_DOMAIN:
            found = (
                f"{total[domain]} certificates below {domain} in 7 days by this fleet, {MOST_OF_A_DOMAIN} are signed"
            )
            return Check(what, ok=False, found=found, hint=f"wait some days, or: {STAGING}")
    domain = next(iter(more))
    used = f"{total[domain]} of {MOST_OF_A_DOMAIN} below {domain} in 7 days by this fleet"
    return Check(what, ok=True, found=f"{count_text(len(new), 'certificate')} more; {used}")


def _registered(names: Names) -> str:
    """Of the first name, the last two parts: what is registered below a suffix of two parts is counted apart there."""
    return ".".join(names[0].split(".")[-2:]) if names else ""
