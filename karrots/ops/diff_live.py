"""The objects of two running clusters, streamed kind by kind and page by page."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.adapters import flux
from karrots.adapters import kube as door
from karrots.adapters.kube import ApiRefused, ApiUnreachable, Kube
from karrots.adapters.kube_kinds import Kind, kinds
from karrots.diff import compare, left_out, live
from karrots.diff.model import LevelResult, Problem, Score, Side
from karrots.diff.tokens import Tokens
from karrots.errors import NotFound, UsageError
from karrots.providers import provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.diff.around import Around
    from karrots.fleet.workspace import Workspace
    from karrots.ops.diff_sides import Subject

SECONDS = 30.0
FLUX_SOURCE = f"/apis/source.toolkit.fluxcd.io/v1/namespaces/{flux.NAMESPACE}/gitrepositories/{flux.ROOT}"
FORBIDDEN = 403


@dataclass(frozen=True)
class Standing:
    """One running cluster and the kinds it has, by group and plural."""

    subject: Subject
    kube: Kube
    kinds: Mapping[tuple[str, str], Kind]
    silent: tuple[str, ...]
    identity: Mapping[str, str]
    refused: set[tuple[str, str]] = field(default_factory=set)

    @property
    def label(self) -> str:
        return self.subject.label


def compared(workspace: Workspace, a: Subject, b: Subject, around: Around) -> LevelResult:
    """Raises KarrotsError, which names the side, where one cannot be asked."""
    door.warm()
    with ExitStack() as stack:
        left, right = (stack.enter_context(_standing(workspace, each)) for each in (a, b))
        problems = [*_silent(left), *_silent(right), *_missing(left, right), *_missing(right, left)]
        sides = around.noting("live", _side(left, right), "a"), around.noting("live", _side(right, left), "b")
        result = compare.compare("live", *sides, seal=around.seal)
        read = without(result, left.refused | right.refused)
        return replace(read, problems=(*problems, *result.problems))


def without(result: LevelResult, kinds: set[tuple[str, str]]) -> LevelResult:
    """Of a kind that one side did not let us read, the other's objects are no departures."""
    kept = tuple(each for each in result.departures if (each.key.group, each.key.kind) not in kinds)
    alone = sum(not each.path for each in result.departures) - sum(not each.path for each in kept)
    return replace(result, departures=kept, score=Score(result.score.equal, result.score.total - alone))


@contextmanager
def _standing(workspace: Workspace, found: Subject) -> Iterator[Standing]:
    if found.record is None or not found.runs:
        raise UsageError(
            f"'{found.label}' is content, of which nothing runs",
            why="live compares clusters",
            hint="karrots ls   (the clusters there are)",
        )
    access = provider(found.record.provider).access(found.record, {}, workspace.section(found.record.provider))
    if access is None:
        raise NotFound(f"cluster '{found.label}' is not running", hint=f"karrots apply {found.label}")
    kube = Kube(access, timeout=SECONDS)
    try:
        yield _asked(found, kube)
    finally:
        kube.close()


def _asked(found: Subject, kube: Kube) -> Standing:
    try:
        listed, quiet = kinds(kube)
        address = _git_address(kube)
    except ApiUnreachable as error:
        raise silent(found, error) from error
    by_name = {(each.group, each.plural): each for each in listed if left_out.reason(each.group, each.plural) is None}
    return Standing(found, kube, by_name, tuple(quiet), {**found.side.identity, **address})


def _git_address(kube: Kube) -> dict[str, str]:
    """On the engine each cluster reads git at an address of its own."""
    source = door.group(kube.get(FLUX_SOURCE) or {}, "spec")
    return {"git_address": door.text(source.get("url"))} if source.get("url") else {}


def silent(found: Subject, error: ApiUnreachable) -> NotFound:
    return NotFound(f"'{found.label}' does not answer", why=error.why or error.message, hint="karrots status")


def _silent(standing: Standing) -> list[Problem]:
    """Groups that another server answers for, which does not."""
    return [Problem(standing.label, f"what serves {each} does not answer") for each in standing.silent]


def _missing(here: Standing, there: Standing) -> list[Problem]:
    """A kind that one side alone knows: its objects are all on the other."""
    names = sorted(f"{each.name}.{each.group}" for name, each in here.kinds.items() if name not in there.kinds)
    return [Problem(there.label, f"it has no kind {name}, which '{here.label}' has") for name in names]


def _side(own: Standing, other: Standing) -> Side:
    record, side = own.subject.record, own.subject.side
    tokens = Tokens(own.identity, other.identity)
    return Side(
        side.label, lambda problems: live.items(objects(own, other, problems), tokens), own.identity,
        side.overrides, dict(record.fence) if record else {},
    )  # fmt: skip


def objects(own: Standing, other: Standing, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    """Each kind in a version that both serve, where there is one; what may not be read is told."""
    for name, kind in own.kinds.items():
        there = other.kinds.get(name)
        shared = [version for version in kind.versions if there is None or version in there.versions]
        yield from _listed(own, kind, (shared or kind.versions)[0], problems)


def _listed(standing: Standing, kind: Kind, version: str, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    """Built-in kinds come without their name in a list."""
    named = {"apiVersion": f"{kind.group}/{version}" if kind.group else version, "kind": kind.name}
    try:
        for found in standing.kube.list(kind.path(version)):
            metadata = found["metadata"]
            if not left_out.is_left_out(kind.group, kind.plural, metadata.get("namespace", ""), metadata["name"]):
                yield {**found, **named, "metadata": _written(metadata)}
    except ApiRefused as error:
        standing.refused.add((kind.group, kind.name))
        problems.append(_refused(standing, kind, error))
    except ApiUnreachable as error:
        raise silent(standing.subject, error) from error


def _written(metadata: dict[str, Any]) -> dict[str, Any]:
    """Without who wrote the status: a controller, whoever made the object."""
    managed = metadata.get("managedFields")
    if not isinstance(managed, list):
        return metadata
    kept = [each for each in managed if not (isinstance(each, dict) and each.get("subresource") == "status")]
    return {**metadata, "managedFields": kept}


def _refused(standing: Standing, kind: Kind, error: ApiRefused) -> Problem:
    what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    if error.status == FORBIDDEN:
        return Problem(
            standing.label, f"no right to list {what}", hint=f"kubectl auth can-i list {what} --all-namespaces"
        )
    return Problem(standing.label, f"{what} cannot be listed: {error.why or error.message}")
