"""From an API server to a cluster that follows its branch."""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from karrots import clock
from karrots.adapters import flux, flux_install
from karrots.adapters.kube import ApiRefused, ApiUnreachable, Kube
from karrots.errors import Failed, KarrotsError, TimedOut
from karrots.fleet import git_access, identity
from karrots.pipeline import Done, Needed
from karrots.report.text import count_text, seconds_text
from karrots.spec import flux_components
from karrots.steps import deploy_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from karrots.steps.context import Context

POLL_SECONDS = 0.05
TEND_SECONDS = 2.0
# One answer is not waited for longer: an API server whose etcd has died is silent for a minute.
API_SECONDS = 5.0
PASSING = (429, 500, 503, 504)
NO_RIGHTS = (401, 403)
# What a fence switches is refused for some seconds when its kind is new; Flux alone would try again after minutes.
NEW_KIND = "There can be a delay between when CustomResourceDefinitions are created"
# A failure that stays the same this long while nothing else moves is not going to heal by itself.
SETTLED_SECONDS = 20.0


class Connect:
    name = "connect"
    title = "connect"

    def check(self, ctx: Context) -> Done | Needed:
        if ctx.kube is None:
            return Needed("the API server")
        return Done(ctx.kube.access.server) if answers(ctx.kube) else Needed(f"{ctx.kube.access.server} to answer")

    def run(self, ctx: Context) -> str:
        mended = ctx.provider.tend(ctx.record)
        access = ctx.provider.access(ctx.record, ctx.outputs, ctx.section)
        if access is None:
            raise Failed(f"cluster '{ctx.record.name}' has no API server", hint=f"karrots apply {ctx.record.name}")
        ctx.kube = Kube(access)
        ctx.resources.callback(ctx.kube.close)
        until(lambda: lets_in(ctx.api()), ctx, f"the API server of '{ctx.record.name}' answers")
        return access.server + (f", restarted {', '.join(mended)}" if mended else "")


def answers(kube: Kube) -> bool:
    try:
        return kube.request("GET", "/api/v1/namespaces?limit=1")[0] == 200
    except ApiUnreachable:
        return False


def lets_in(kube: Kube) -> bool:
    """A cloud gives the maker of a cluster rights in it, and takes minutes to tell that everywhere.

    Raises ApiUnreachable where it does not let us in, so that this is said in the end.
    """
    try:
        status, said = kube.request("GET", "/api/v1/namespaces?limit=1")
    except ApiUnreachable:
        return False
    if status in NO_RIGHTS:
        why = said.get("message", "") if isinstance(said, dict) else str(said)
        raise ApiUnreachable("it answers, and does not let us in", why=f"{status} {why}"[:400])
    return status == 200


def until(true: Callable[[], bool], ctx: Context, what: str, tend: Callable[[], object] | None = None) -> None:
    """Poll until it holds; meanwhile the provider mends what died, and `tend` what else may go astray.

    An API server that is away for the moment is mended at once. Raises TimedOut.
    """
    end = time.monotonic() + ctx.timeout
    tended = time.monotonic()
    with ctx.kube.within(API_SECONDS) if ctx.kube else nullcontext():
        while True:
            done, away = _now(true)
            if done:
                return
            if time.monotonic() > end:
                raise TimedOut(f"not yet so after {seconds_text(ctx.timeout)}: {what}", why=away, hint=ctx.run.resume)
            if away or time.monotonic() - tended > TEND_SECONDS:
                ctx.provider.tend(ctx.record)
                if tend is not None:
                    _now(tend)
                tended = time.monotonic()
            time.sleep(POLL_SECONDS)


def _now(ask: Callable[[], object]) -> tuple[bool, str]:
    """Whether it holds; when the API server cannot tell at the moment, the reason why."""
    try:
        return bool(ask()), ""
    except ApiUnreachable as error:
        return False, f"{error.message}: {error.why}"
    except ApiRefused as error:
        if error.status not in PASSING:
            raise
        return False, f"{error.message}: {error.why}"


class InstallFlux:
    """Where Flux runs already it is left alone, unless karrots brought it and the content now has another manifest."""

    name = "flux"
    title = "install Flux"

    def check(self, ctx: Context) -> Done | Needed:
        version = ctx.spec.flux.version
        if not served(ctx):
            return Needed(f"Flux {version}")
        if outdated(ctx):
            return Needed(f"Flux {version}, applied from another manifest")
        return Done("runs there")

    def run(self, ctx: Context) -> str:
        ctx.provider.tend(ctx.record)
        count = 0 if served(ctx) and not outdated(ctx) else self._apply(ctx)
        until(lambda: serves(ctx.api()), ctx, "Flux's kinds are served")
        return f"{count} objects, its kinds are served" if count else "its kinds are served"

    def _apply(self, ctx: Context) -> int:
        """All of it again when the API server goes away meanwhile: what is applied already does not change."""
        manifest = manifest_of(ctx)
        if manifest is None:
            return 0
        components = flux_components.read(manifest, flux_components.FILE)
        apply = partial(flux_install.install, ctx.api().access, components, ctx.run.progress)
        until(lambda: apply() > 0, ctx, "Flux's components are applied")
        return len(components.objects)


def served(ctx: Context) -> bool:
    """An API server that has only begun refuses for a moment (503) what it does not know yet."""
    return _now(lambda: serves(ctx.api()))[0]


def serves(kube: Kube) -> bool:
    return all(kube.get(f"{path}?limit=1") for path in (flux.GIT_REPOSITORIES, flux.KUSTOMIZATIONS))


def outdated(ctx: Context) -> bool:
    """Only of what karrots applied itself: the engine brings its own Flux, and so may others."""
    there, manifest = flux_install.installed(ctx.api()), manifest_of(ctx)
    return there is not None and manifest is not None and there != flux_components.digest_of(manifest)


def manifest_of(ctx: Context) -> bytes | None:
    """Flux's components in the content of this operation."""
    return ctx.workspace.repo.read(ctx.content, f"{ctx.content_directory}/{flux_components.FILE}")


def git_of(ctx: Context) -> flux.GitAccess:
    """The provider's own, or what karrots.yaml says; that is read once, as a program may have to print the secret."""
    workspace = ctx.workspace
    url = workspace.repo.remote(workspace.remote) if workspace.remote else None
    own = ctx.provider.git_access(ctx.record, url)
    if own is not None:
        return own
    if ctx.git is None:
        wanted = git_access.Wanted(workspace.settings.git.access, url, workspace.repo.root)
        ctx.git = deploy_key.own_access(ctx) or git_access.access(wanted)
    return ctx.git


def sync_of(ctx: Context) -> flux.Sync:
    return flux.Sync(
        access=git_of(ctx),
        branch=ctx.record.branch,
        path=f"{ctx.record.directory}/flux",
        interval=ctx.spec.flux.interval,
    )


class SyncFromBranch:
    name = "sync"
    title = "sync from the branch"

    def check(self, ctx: Context) -> Done | Needed:
        if flux.synced_as(ctx.api(), sync_of(ctx), identity_of(ctx)):
            return Done(f"follows {ctx.record.branch}")
        return Needed(ctx.record.branch)

    def run(self, ctx: Context) -> str:
        flux.install_sync(ctx.api(), sync_of(ctx), identity_of(ctx))
        return f"{ctx.record.branch}, {ctx.record.directory}/flux"


def identity_of(ctx: Context, kube: Kube | None = None) -> dict[str, str]:
    """Where Terraform said nothing yet, what only the cloud knows stays as the cluster was told before."""
    wanted = identity.variables(ctx.record, ctx.spec.variables, ctx.outputs)
    if ctx.outputs:
        return wanted
    told = flux.live_identity(kube or ctx.api()) or {}
    return {**wanted, **{name: told.get(name, "") for name in identity.OF_THE_CLOUD}}


def keep_synced(ctx: Context) -> None:
    """A reconcile that was under way when the root was mended may still put a committed sync object in its place."""
    if not flux.synced_as(ctx.api(), sync_of(ctx), identity_of(ctx)):
        flux.install_sync(ctx.api(), sync_of(ctx), identity_of(ctx))


class AskFlux:
    """A commit is looked for at once instead of at the next interval."""

    name = "ask"
    title = "ask Flux to look"

    def __init__(self) -> None:
        self._asked = False

    def check(self, ctx: Context) -> Done | Needed:
        if flux.state(ctx.api()).at(ctx.commit):
            return Done(f"at {ctx.commit[:10]} already")
        return Done("asked") if self._asked else Needed(f"for {ctx.commit[:10]}")

    def run(self, ctx: Context) -> str:
        if not flux.state(ctx.api()).objects:
            raise Failed(
                f"Flux in '{ctx.record.name}' follows no branch yet",
                why="the operation that makes the cluster did not come so far",
                hint=f"karrots apply {ctx.record.name}",
            )
        flux.ask_to_look(ctx.api(), clock.now())
        flux.ask_all(ctx.api(), clock.now())
        self._asked = True
        return ctx.commit[:10]


class WaitReady:
    """Ready once at a commit is enough: Flux says Unknown for a moment of what it looks at again, and looks often."""

    name = "ready"
    title = "Flux Ready"

    def __init__(self) -> None:
        self._seen = ""

    def check(self, ctx: Context) -> Done | Needed:
        if ctx.flux is None or self._seen != ctx.commit:
            ctx.flux = flux.state(ctx.api())
        if ctx.flux.at(ctx.commit):
            return Done(count_text(ctx.flux.ready, "Flux object") + f" Ready at {ctx.commit[:10]}")
        return Needed(f"{ctx.flux.ready} of {len(ctx.flux.objects)} Ready")

    def run(self, ctx: Context) -> str:
        watch = _Watch(ctx)
        try:
            until(watch.step, ctx, f"Flux is Ready at {ctx.commit[:10]}", watch.tend)
        except TimedOut as error:
            raise with_cause(error, ctx, watch.held) from error
        self._seen = ctx.commit
        return count_text(ctx.flux.ready if ctx.flux else 0, "object") + " Ready"


class _Watch:
    """Looks until everything is Ready at the commit, or a failure has settled."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.held = ""
        self._picture: object = None
        self._since = time.monotonic()

    def step(self) -> bool:
        ctx = self._ctx
        ctx.flux = flux.state(ctx.api())
        self.held = held_up(ctx)
        self._follow(ctx.flux)
        if ctx.flux.failed and time.monotonic() - self._since > SETTLED_SECONDS:
            raise with_cause(Failed(f"Flux cannot bring '{ctx.record.name}' to {ctx.commit[:10]}"), ctx)
        return ctx.flux.at(ctx.commit)

    def tend(self) -> None:
        keep_synced(self._ctx)
        follow_branch(self._ctx)
        if self._ctx.flux is not None and any(NEW_KIND in found.message for found in self._ctx.flux.failed):
            flux.ask_all(self._ctx.api(), clock.now())

    def _follow(self, state: flux.FluxState) -> None:
        picture = (self.held, tuple((o.label, o.ready, o.reason, o.message) for o in state.objects))
        if picture != self._picture:
            self._picture, self._since = picture, time.monotonic()
            waiting = self.held or ", ".join(o.name for o in (*state.failed, *state.pending))
            self._ctx.run.progress(f"{state.ready} of {len(state.objects)} Ready · {waiting}")


def held_up(ctx: Context) -> str:
    """Why nobody has said a word yet: Flux's pods do not run, perhaps for want of a node. '' when they do."""
    if ctx.flux is None or any(o.ready is not None for o in ctx.flux.objects):
        return ""
    missing = flux_install.not_running(ctx.api())
    if not missing:
        return ""
    names = ", ".join(missing)
    return f"waiting for pods: {names}" if flux_install.ready_nodes(ctx.api()) else f"waiting for nodes to run {names}"


def follow_branch(ctx: Context) -> None:
    """Flux runs the branch's newest commit, so that is what there is to wait for when somebody commits meanwhile."""
    head = ctx.workspace.repo.branch_commit(ctx.record.branch)
    if head is not None and head != ctx.commit:
        ctx.run.warn(f"{ctx.record.branch} has moved on to {head[:10]}")
        ctx.commit = head


def with_cause(error: KarrotsError, ctx: Context, held: str = "") -> KarrotsError:
    """Name the first failure, not its echoes; `held` says why there is no word at all."""
    cause = flux.first_cause(ctx.flux.failed) if ctx.flux else None
    if cause is not None:
        error.why = f"{cause.label}: {cause.reason}: {cause.message.strip()}"
        error.hint = error.hint or _mend(cause, ctx)
    elif ctx.flux:
        error.why = held or "; ".join(f"{o.label}: {o.reason or 'no word yet'}" for o in ctx.flux.pending) or error.why
    return error


def _mend(cause: flux.FluxObject, ctx: Context) -> str:
    again = f"karrots sync {ctx.record.name}"
    if cause.kind in flux.CHART_SOURCES:
        mend = f"if that is not the address, mend it on {ctx.record.branch}"
        return f"can the cluster reach {cause.address}? {mend}; then: {again}"
    return f"mend it on {ctx.record.branch}, commit, then: {again}"
