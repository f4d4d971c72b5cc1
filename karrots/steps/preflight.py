"""Everything that can be known before anything is made, looked at together."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters import git_probe, terraform
from karrots.errors import KarrotsError, LoginNeeded, PreflightFailed, UsageError
from karrots.fleet import addresses, git_access
from karrots.pipeline import Done, Needed
from karrots.providers.base import Check
from karrots.report.text import count_text
from karrots.spec.flux_components import FILE, VERSION, read
from karrots.steps import deploy_key, root_check, secrets, state_check
from karrots.steps.certificates import budget
from karrots.steps.content import committed, errors_of, findings, own_committed
from karrots.steps.fencing import Fence
from karrots.steps.syncing import git_of, manifest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.fence import Find
    from karrots.fleet.record import Record
    from karrots.lint.finding import Finding
    from karrots.spec.fleet import DeployKey
    from karrots.steps.context import Context

SPACE_NEEDED = 512 * 2**20
MOST_ROWS = 3


class Preflight:
    name = "preflight"
    title = "preflight"

    def check(self, ctx: Context) -> Done | Needed:
        ctx.checks = checks(ctx)
        bad = [c for c in ctx.checks if not c.ok]
        if bad:
            return Needed(f"{count_text(len(bad), 'problem')}: " + ", ".join(c.what for c in bad))
        return Done(f"{count_text(len(ctx.checks), 'check')} passed")

    def run(self, ctx: Context) -> None:
        """Nothing here can be mended by us."""
        refuse_problems(ctx)


def refuse_problems(ctx: Context) -> None:
    """Raises PreflightFailed that says all of it at once; LoginNeeded where nothing helps but to log in."""
    bad = [c for c in ctx.checks if not c.ok]
    if bad:
        kind = LoginNeeded if any(c.login for c in bad) else PreflightFailed
        raise kind(
            f"'{ctx.record.name}' cannot be brought up yet",
            why="\n".join(f"{c.what}: {c.found}" for c in bad),
            hint="\n".join(dict.fromkeys(c.hint for c in bad if c.hint)),
        )


def checks(ctx: Context) -> list[Check]:
    """What is far away, or takes a program its time, is asked for while what is here is looked at."""
    parent, record = ctx.workspace.parent_of(ctx.record), expected(ctx)
    far: tuple[Callable[[], list[Check]], ...] = (
        lambda: ctx.provider.preflight(ctx.spec, record, ctx.section, parent),
        lambda: state_check.reachable(ctx),
        lambda: flux_git(ctx),
        lambda: root_check.valid(ctx),
    )
    with ThreadPoolExecutor(len(far)) as pool:
        asked = [pool.submit(ask) for ask in far]
        here = [git_identity(ctx.workspace.repo.identity()), terraform_tool(), disk_space()]
        inside = [*flux_components(ctx), *content(ctx), *fence(ctx), *budget(ctx), *secrets.checks(ctx)]
        cloud, state, git, root = (each.result() for each in asked)
        if any(row.login and not row.ok for row in cloud):
            state = []  # what it says to somebody who is not logged in is not about the state
        return [*here, *cloud, *state, *git, *root, *inside]


def expected(ctx: Context) -> Record:
    """The record with the range that it will get if nobody is faster: the real one is leased when it is claimed."""
    if ctx.record.network or ctx.provider.NAME == "local":
        return ctx.record
    pool = ctx.workspace.settings.addresses
    taken = [record.network for record in ctx.workspace.known.records() if record.network]
    return replace(ctx.record, network=addresses.lease(pool.pool, pool.prefix, taken))


def git_identity(found: tuple[str, str] | None) -> Check:
    if found is None:
        hint = "git config --global user.name 'Your Name'\ngit config --global user.email you@example.com"
        return Check("git identity", ok=False, found="not set", hint=hint)
    return Check("git identity", ok=True, found=f"{found[0]} <{found[1]}>")


def terraform_tool() -> Check:
    try:
        tool = terraform.locate()
    except KarrotsError as error:
        return Check("terraform", ok=False, found=error.message, hint=error.hint)
    return Check("terraform", ok=True, found=f"{tool.kind} {tool.version} ({tool.path})")


def disk_space(needed: int = SPACE_NEEDED) -> Check:
    """`needed` in bytes, where karrots keeps states and clusters."""
    free = shutil.disk_usage(places.private_folder(places.state())).free
    hint = "" if free >= needed else f"free {needed / 1e9:.1f} GB, or: karrots engine clean"
    return Check("disk", ok=free >= needed, found=f"{free / 1e9:.1f} GB free", hint=hint)


def content(ctx: Context) -> list[Check]:
    """The lint rules that would stop Flux, on the files of the commit."""
    directory = ctx.record.directory
    spec = ctx.workspace.spec_at(ctx.commit, directory, {})  # as it is committed: --set is one cluster's own
    found = findings(
        committed(ctx.workspace.repo, ctx.commit, directory),
        directory,
        spec,
        ctx.workspace.backend(ctx.spec.provider),
        own_committed(ctx.workspace.repo, ctx.commit, spec),
    )
    errors = errors_of(found)
    if not errors:
        return [Check("content", ok=True, found="lint clean")]
    by_rule: dict[tuple[str, str], list[Finding]] = {}
    for each in errors:
        by_rule.setdefault((each.rule, each.fix_hint), []).append(each)
    return [row for group in by_rule.values() for row in _rows(group)]


def fence(ctx: Context) -> list[Check]:
    """A copy that takes what is its parent's is not begun."""
    if ctx.record.parent is None:
        return []
    standing = Fence.of(ctx)
    loose = standing.unheld()
    if not loose:
        return [Check("fence", ok=True, found=count_text(len(standing.finds), "thing") + " to hold or open")]
    rows = [_loose(ctx, each) for each in loose[:MOST_ROWS]]
    more = len(loose) - MOST_ROWS
    return rows if more <= 0 else [*rows, Check(f"and {more} more", ok=False, found="", hint="karrots lint")]


def _loose(ctx: Context, each: Find) -> Check:
    directory = ctx.record.directory
    hint = (
        f"write it with ${{cluster_domain}} or ${{cluster_name}} in {directory}/{each.path}\n"
        f"or, when a copy may share it, say so in {directory}/cluster.yaml: fence: {{open: [{each.label}]}}"
    )
    return Check(f"{each.path}:{each.line}", ok=False, found=f"{each.label} {each.reason}", hint=hint)


def _rows(found: list[Finding]) -> list[Check]:
    """One for each place; many of one kind are one row, or they would hide the others."""
    if len(found) <= MOST_ROWS:
        return [Check(f"{f.path}:{f.line}", ok=False, found=f.message, hint=f.fix_hint) for f in found]
    first = found[0]
    what = f"{first.path}:{first.line} and {len(found) - 1} more"
    return [Check(what, ok=False, found=first.message, hint=first.fix_hint or "karrots lint")]


def flux_components(ctx: Context) -> list[Check]:
    """A cluster in a cloud has no Flux unless the content brings it; the engine brings its own."""
    manifest = manifest_of(ctx)
    if manifest is None:
        return [] if ctx.provider.NAME == "local" else [_no_components(ctx)]
    try:
        found = read(manifest, f"{ctx.content_directory}/{FILE}")
    except UsageError as error:
        return [Check("Flux", ok=False, found=": ".join(filter(None, (error.message, error.why))), hint=error.hint)]
    return [Check("Flux", ok=True, found=f"{found.version}, {count_text(len(found.controllers), 'controller')}")]


def _no_components(ctx: Context) -> Check:
    asked = ctx.spec.flux.version
    version = asked if VERSION.fullmatch(asked) else f"{asked}.N"
    found = f"'{ctx.content_directory}/{FILE}' is not in the commit, and a new cluster of {ctx.provider.NAME} has none"
    directory = ctx.content_directory
    hint = f"karrots flux pin {version} {directory} && git add {directory} && git commit -m 'Pin Flux {version}'"
    return Check("Flux", ok=False, found=found, hint=hint)


def flux_git(ctx: Context) -> list[Check]:
    """Whether Flux will find its branch, asked with the very log-in it is going to get."""
    if ctx.provider.NAME == "local":
        return []
    try:
        spec = deploy_key.asked_for(ctx)
        if spec is not None:
            return [_deploy_key(ctx, spec)]
        access = git_of(ctx)
        seen = git_probe.look(access, ctx.record.branch, places.private_folder(ctx.run.folder))
    except git_probe.OtherHostKey as error:
        return [_no_git(error, f"compare it with what the host publishes; {git_access.KEYS}: ssh.known_hosts")]
    except KarrotsError as error:
        return [_no_git(error, error.hint or f"{git_access.KEYS}: does this log-in read the repository?")]
    return [_branch(ctx, access.url, seen.commit)]


def _deploy_key(ctx: Context, spec: DeployKey) -> Check:
    keys = deploy_key.keys_of(ctx, spec)
    there = "is there" if keys.titled(deploy_key.title(ctx)) else "is going to be made"
    return Check("git for Flux", ok=True, found=f"{keys.kind}, {keys.repository}: its deploy key {there}")


def _no_git(error: KarrotsError, hint: str) -> Check:
    return Check("git for Flux", ok=False, found=": ".join(filter(None, (error.message, error.why))), hint=hint)


def _branch(ctx: Context, url: str, commit: str | None) -> Check:
    """`branch` pushes what it makes; everything else waits for what is there already."""
    branch, remote = ctx.record.branch, ctx.workspace.remote
    if commit == ctx.commit:
        return Check("git for Flux", ok=True, found=f"{url}, {branch} at {commit[:10]}")
    if ctx.run.verb == "branch" and remote is not None:
        return Check("git for Flux", ok=True, found=f"{url}, {branch} is going to be pushed")
    there = f"is at {commit[:10]} there, and not at {ctx.commit[:10]}" if commit else "is not there"
    hint = f"git push {remote or 'origin'} {branch}" + ("   (or first: git pull)" if commit else "")
    return Check("git for Flux", ok=False, found=f"{url} can be read, but {branch} {there}", hint=hint)
