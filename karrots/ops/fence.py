"""`karrots fence`: what a copy is kept from doing, and what somebody let it do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.git_names import quoted
from karrots.errors import KarrotsError, NotFound, Refused, UsageError
from karrots.fence import canonical
from karrots.fence.kinds import KINDS
from karrots.fence.selection import words_for
from karrots.ops.apply import context_for, named
from karrots.ops.bringup import execute, refuse_leaving
from karrots.providers import provider
from karrots.report.events import OperationFinished, OperationStarted
from karrots.spec.fence_words import CLOSED, MOST, OPEN, SAYS, is_word
from karrots.spec.suggest import suggestion
from karrots.steps import fencing
from karrots.steps.claim import TakeCluster
from karrots.steps.fencing import KeepFence, LetGo, RaiseFence
from karrots.steps.syncing import API_SECONDS, Connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from karrots.fence import Find
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.ops.settings import Settings
    from karrots.spec.cluster import ClusterSpec

ACTS, HELD, LOOSE = "acts", "held", "not held"


@dataclass(frozen=True)
class Item:
    """`state` is held, open or not held; in a cluster that is no copy everything acts.

    `path` is below the cluster directory, '' for what stands in the cluster alone.
    """

    kind: str
    namespace: str
    name: str
    state: str
    hold: str
    reason: str
    path: str
    line: int

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True)
class Fence:
    """`asked`: the cluster itself was asked too, so what charts made is on the list."""

    cluster: str
    parent: str | None
    items: tuple[Item, ...]
    asked: bool
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def fence(settings: Settings, name: str | None, *, opened: Sequence[str] = (), closed: Sequence[str] = ()) -> Fence:
    workspace, record = named(settings, name, fresh=bool(opened or closed))
    if opened or closed:
        record = change(settings, workspace, record, opened, closed)
    return shown(workspace, record)


def shown(workspace: Workspace, record: Record) -> Fence:
    commit, directory = content_of(workspace, record)
    spec = workspace.spec_at(commit, directory, record.overrides)
    standing = fencing.fence_of(workspace, spec, record, commit, directory)
    living = asked(workspace, record, standing)
    items = tuple(_item(each, record, standing) for each in sorted([*standing.finds, *(living or ())]))
    said = record.fence.items()
    return Fence(
        record.name,
        record.parent.name if record.parent else None,
        items,
        living is not None,
        tuple(sorted(word for word, state in said if state == OPEN)),
        tuple(sorted(word for word, state in said if state == CLOSED)),
    )


def content_of(workspace: Workspace, record: Record) -> tuple[str, str]:
    """The head of its branch; the applied tree where the branch is gone."""
    head = workspace.repo.branch_commit(record.branch)
    if head is not None:
        return head, record.directory
    from karrots.ops.destroy import applied_content

    return applied_content(workspace.repo, record)


def asked(workspace: Workspace, record: Record, standing: fencing.Fence) -> list[Find] | None:
    """None when the cluster does not answer: what content says is shown all the same."""
    from karrots.adapters.kube import Kube

    try:
        access = provider(record.provider).access(record, {}, workspace.section(record.provider))
        if access is None:
            return None
        kube = Kube(access, timeout=API_SECONDS)
        try:
            return standing.living(kube)
        finally:
            kube.close()
    except KarrotsError:
        return None


def _item(each: Find, record: Record, standing: fencing.Fence) -> Item:
    is_open = not standing.terms.decisions.held(each.kind, each.namespace, each.name)
    state = OPEN if is_open else LOOSE if each.hold == "nothing" else HELD
    state = state if record.parent else ACTS
    return Item(each.kind, each.namespace, each.name, state, each.hold, each.reason, each.path, each.line)


def change(
    settings: Settings, workspace: Workspace, record: Record, opened: Sequence[str], closed: Sequence[str]
) -> Record:
    """First the ledger, then the cluster: where that is away, the next `apply` brings it."""
    refuse_leaving(record)
    said = checked(record, opened, closed)
    ctx = context_for(settings, workspace, record, "fence", None)
    refuse_always_closed(ctx.spec, record, opened)
    refuse_unknown(shown(workspace, record), said)
    run = ctx.run
    settings.reporter.emit(
        OperationStarted("fence", record.name, ", ".join(f"{w} {s}" for w, s in said.items()), run.id)
    )
    execute([TakeCluster(), KeepFence(said), Connect(), RaiseFence(), LetGo()], ctx)
    summary = f"{record.name}: " + ", ".join(f"{word} is {state}" for word, state in said.items())
    settings.reporter.emit(OperationFinished("fence", record.name, run.seconds, run.expected, summary))
    return ctx.record


def checked(record: Record, opened: Sequence[str], closed: Sequence[str]) -> dict[str, str]:
    """Raises Refused for a cluster without a fence, UsageError for what is no word, or opened and closed at once."""
    if record.parent is None:
        raise Refused(
            f"cluster '{record.name}' has no fence",
            why="it is not a copy, so it acts as its content says",
            hint=f"karrots fence {record.name}   (what would be held in a copy of it)",
        )
    for word in (*opened, *closed):
        if not is_word(word):
            raise UsageError(
                f"{quoted(word)} cannot be opened or closed", why=f"it is {SAYS}", hint=f"karrots fence {record.name}"
            )
    said = {canonical(word): OPEN for word in opened}
    both = sorted(set(said) & {canonical(word) for word in closed})
    if both:
        raise UsageError(f"'{both[0]}' is to be opened and closed at once", hint="say one of the two")
    said |= {canonical(word): CLOSED for word in closed}
    if len({**record.fence, **said}) > MOST:
        raise UsageError(
            f"more than {MOST} things are opened and closed in '{record.name}'",
            why="its API server evaluates each of them whenever something is made",
            hint=f"name a kind: karrots fence {record.name} --open CronJob",
        )
    return said


def refuse_always_closed(spec: ClusterSpec, record: Record, opened: Iterable[str]) -> None:
    """Raises Refused for what cluster.yaml keeps closed in every copy."""
    kept = {canonical(word) for word in spec.fence.closed}
    for word in map(canonical, opened):
        kind, _, rest = word.partition("/")
        namespace, _, name = rest.rpartition("/")
        hit = kept.intersection({word, *(words_for(kind, namespace, name) if rest else ())})
        if hit:
            raise Refused(
                f"'{word}' stays closed in '{record.name}'",
                why=f"{record.directory}/cluster.yaml names '{min(hit)}' below fence.closed, for every copy",
                hint=f"take it out of {record.directory}/cluster.yaml on {record.branch}, and commit",
            )


def refuse_unknown(listed: Fence, said: Mapping[str, str]) -> None:
    """Raises NotFound for a name that nothing on the list has; any workload may be closed, and any kind named."""
    known = {word for item in listed.items for word in words_for(item.kind, item.namespace, item.name)}
    for word, state in said.items():
        if (
            word not in known
            and word not in KINDS
            and word not in {*listed.opened, *listed.closed}
            and (state == OPEN or "/" not in word)
        ):
            raise NotFound(
                f"nothing that acts outside is called '{word}' in '{listed.cluster}'{suggestion(word, known)}",
                hint=f"karrots fence {listed.cluster}",
            )
