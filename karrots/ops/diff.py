"""`karrots diff A B …`: what differs between clusters, directories, commits or git refs, level by level."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from karrots.adapters.git import LARGEST_EXPORT
from karrots.diff import compare as compared
from karrots.diff import content, model, overridden, terraform
from karrots.diff.around import Around
from karrots.diff.covered import covered
from karrots.diff.document import Difference, Differences, Side, Trouble, ordered, score_of, troubles_of
from karrots.diff.model import LEVELS, LevelResult, Problem, Score
from karrots.diff.sides import File, compare
from karrots.errors import KarrotsError
from karrots.fleet.workspace import Workspace
from karrots.ops.diff_sides import fork, specification, subject
from karrots.steps.content import REGULAR_MODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from karrots.diff.model import Level
    from karrots.ops.diff_sides import Subject
    from karrots.ops.settings import Settings

__all__ = ["Difference", "Differences", "Options", "Side", "diff"]

FORK_POINT = "the fork point"
USUAL: tuple[Level, ...] = ("content", "rendered")


@dataclass(frozen=True)
class Options:
    """`stat` leaves the text of files away."""

    levels: tuple[Level, ...] = USUAL
    stat: bool = False
    around: Around = field(default_factory=Around)


def diff(settings: Settings, a: str, others: Sequence[str], options: Options) -> Difference | Differences:
    """One parent, and what is compared with it. Raises NotFound for a word that names nothing."""
    if len(others) == 1:
        return of_two(settings, a, others[0], options)
    workspace = Workspace.open(settings.start, settings.warn)
    parent = subject(workspace, a)
    sides = [subject(workspace, word) for word in others]
    each = (Pair(workspace, parent, side, replace(options, around=Around())).compared() for side in sides)
    return Differences(parent.label, tuple(each))


def of_two(settings: Settings, a: str, b: str, options: Options) -> Difference:
    workspace = Workspace.open(settings.start, settings.warn)
    return Pair(workspace, subject(workspace, a), subject(workspace, b), options).compared()


@dataclass(frozen=True)
class Pair:
    """Two sides, and what several levels need of them."""

    workspace: Workspace
    a: Subject
    b: Subject
    options: Options

    def compared(self) -> Difference:
        results = [self._explained(self._level(level)) for level in LEVELS if level in self.options.levels]
        departures = tuple(ordered(departure for each in results for departure in each.departures))
        self.options.around.find(departures)
        a, b, _repo = self.a.side, self.b.side, self.workspace.repo
        return Difference(
            a=a,
            b=b,
            files=tuple(File(status, path) for status, path in self._changed),
            patch=self._patch(),
            identity=compare(a.identity, b.identity) if a.cluster and b.cluster else (),
            overrides=compare(a.overrides, b.overrides),
            percent=min((each.score.percent for each in results if each.compared), default=100.0),
            scores=tuple(score_of(each) for each in results),
            departures=departures,
            troubles=(*self._unrelated(), *(trouble for each in results for trouble in troubles_of(each))),
            fork=self.fork,
        )

    @cached_property
    def _changed(self) -> list[tuple[str, str]]:
        return self.workspace.repo.changed_paths(self.a.side.tree, self.b.side.tree)

    @cached_property
    def files(self) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        return self._files(self.a.side.tree), self._files(self.b.side.tree)

    def _files(self, tree: str) -> Mapping[str, bytes]:
        found = self.workspace.repo.files(tree, largest=LARGEST_EXPORT)
        return {path: file.data for path, file in found.items() if file.mode in REGULAR_MODES}

    @cached_property
    def fork(self) -> str:
        return fork(self.workspace, self.a, self.b)

    @cached_property
    def base(self) -> Mapping[str, bytes] | None:
        """The content at the fork point; None where nobody could have left it, or it is another directory's."""
        directory = self.a.side.directory
        if not self.fork or self.a.commit == self.b.commit or directory != self.b.side.directory:
            return None
        tree = self.workspace.repo.tree_id(self.fork, directory)
        return self._files(tree) if tree else None

    def _patch(self) -> str:
        a, b, repo = self.a.side, self.b.side, self.workspace.repo
        text = repo.diff(a.tree, b.tree, stat=self.options.stat)
        return text if self.options.stat or not text else covered(text, *self.files)

    def _unrelated(self) -> tuple[Trouble, ...]:
        if self.fork or not (self.a.commit and self.b.commit):
            return ()
        message = "the two have no commit in common, so nothing tells who changed what"
        return (Trouble("content", "", message),)

    def _level(self, level: Level) -> LevelResult:
        """What cannot be looked at at one level leaves the others as they are."""
        looks = {"content": self._content, "rendered": self._rendered, "terraform": self._terraform, "live": self._live}
        try:
            return looks[level]()
        except KarrotsError as error:
            why = f"{error.message}: {error.why}" if error.why else error.message
            return LevelResult(level, (), Score(0, 0), (Problem("", why, hint=error.hint),), compared=False)

    def _content(self) -> LevelResult:
        return content.content(*self.files, self.base)

    def _explained(self, result: LevelResult) -> LevelResult:
        """What an override of a variable brought about is expected, wherever it shows."""
        if result.level not in {"rendered", "live"} or not result.departures or not any(self._overridden):
            return result
        return overridden.explained(result, self._by_overrides, self._overridden)

    @cached_property
    def _overridden(self) -> tuple[list[str], list[str]]:
        """Variables that one side overrides, and the other does not, or otherwise."""
        a, b = self.a.side.overrides, self.b.side.overrides
        keys = [key for key in sorted({*a, *b}) if key.startswith("variables.") and a.get(key) != b.get(key)]
        return [key for key in keys if key in a], [key for key in keys if key in b]

    @cached_property
    def _by_overrides(self) -> overridden.Settings:
        """The settings that would be equal, or others, without them."""
        seal = self.options.around.seal
        plain = [replace(each, side=replace(each.side, overrides={})) for each in (self.a, self.b)]
        try:
            with_them, without = (
                compared.compare("rendered", *map(_directory, sides, self.files), seal=seal)
                for sides in ((self.a, self.b), plain)
            )
        except KarrotsError:
            return {}
        return overridden.settings(with_them, without)

    def _rendered(self) -> LevelResult:
        around = self.options.around
        a, b = map(_directory, (self.a, self.b), self.files)
        found = compared.compare(
            "rendered", around.noting("rendered", a, "a"), around.noting("rendered", b, "b"), seal=around.seal
        )
        return self._three_ways(found, a, b) if found.departures and self.base else found

    def _three_ways(self, found: LevelResult, a: model.Side, b: model.Side) -> LevelResult:
        from karrots.diff.threeway import against

        seal = self.options.around.seal
        side = replace(self.a, side=Side(FORK_POINT, self.fork, self.a.side.directory, ""), record=None)
        base = _directory(side, self.base or {})
        mine, theirs = (compared.compare("rendered", base, each, seal=seal) for each in (a, b))
        return replace(against(found, mine, theirs), problems=found.problems)

    def _terraform(self) -> LevelResult:
        from karrots.ops.diff_terraform import root

        a, b = (root(self.workspace, each, files) for each, files in zip((self.a, self.b), self.files, strict=True))
        return terraform.compare(a, b, secrets.token_bytes(32))

    def _live(self) -> LevelResult:
        from karrots.ops import diff_live

        return diff_live.compared(self.workspace, self.a, self.b, self.options.around)


def _directory(found: Subject, files: Mapping[str, bytes]) -> model.Side:
    """What Flux builds of one side's files."""
    from karrots.diff.rendered import Directory

    side, record = found.side, found.record
    built = Directory(
        files, record.directory if record else side.directory, side.identity, specification(found, files).variables
    )
    return model.Side(side.label, built.items, side.identity, side.overrides, dict(record.fence) if record else {})
