"""When Flux has said its word, and what counts as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from karrots.adapters.flux import FluxObject
from karrots.rehearsal.watch import QUIET_SECONDS, STUCK_SECONDS, Watch

COMMIT, OLD = "c" * 40, "0" * 40
REVISION, OLD_REVISION = f"x@sha1:{COMMIT}", f"x@sha1:{OLD}"


def flux(
    name: str, ready: bool | None = True, reason: str = "", *, revision: str = REVISION, attempted: str = REVISION,
    depends: tuple[str, ...] = (), kind: str = "Kustomization", message: str = "", **more: object,
) -> FluxObject:  # fmt: skip
    return FluxObject(
        kind, "flux-system", name, ready, reason, message, revision, suspended=bool(more.pop("suspended", False)),
        follows_fleet=kind == "Kustomization", depends=tuple(f"flux-system/{each}" for each in depends),
        attempted=attempted, **more,  # type: ignore[arg-type]
    )  # fmt: skip


SOURCE = flux("flux-system", kind="GitRepository")
ROOT = flux("flux-system")


def settled(*looks: tuple[float, list[FluxObject]]) -> tuple[Watch, list[bool]]:
    watch = Watch(COMMIT)
    return watch, [watch.settled(objects, now) for now, objects in looks]


def test_all_ready_at_the_commit_is_settled_at_once() -> None:
    assert settled((0.0, [SOURCE, ROOT, flux("apps")]))[1] == [True]


def test_nothing_there_yet_is_not_settled() -> None:
    assert settled((0.0, []), (100.0, [SOURCE]))[1] == [False, False]


@pytest.mark.parametrize(
    "early",
    [
        flux("apps", None, "Progressing"),
        flux("apps", revision=OLD_REVISION),
        flux("apps", False, "BuildFailed", attempted=OLD_REVISION),
        flux("apps", False, "ArtifactFailed", attempted=""),
        flux("apps", leaving=True),
    ],
    ids=["progressing", "ready at another commit", "failed at another commit", "before its source", "leaving"],
)
def test_what_is_no_word_about_this_commit(early: FluxObject) -> None:
    watch, told = settled((0.0, [SOURCE, ROOT, early]), (QUIET_SECONDS * 2, [SOURCE, ROOT, early]))
    assert told == [False, False]
    assert early.label not in watch.words


def test_a_failure_counts_when_nothing_moves_any_more() -> None:
    objects = [SOURCE, ROOT, flux("apps", False, "BuildFailed")]
    looks = [(at, objects) for at in (0.0, QUIET_SECONDS / 2, QUIET_SECONDS + 0.1)]
    assert settled(*looks)[1] == [False, False, True]


def test_a_failure_that_is_tried_again_stays_said() -> None:
    failed, trying = flux("apps", False, "BuildFailed"), flux("apps", None, "Progressing")
    watch, told = settled((0.0, [SOURCE, ROOT, failed]), (QUIET_SECONDS + 0.1, [SOURCE, ROOT, trying]))
    assert told == [False, True]
    assert [word.name for word in watch.failing()] == ["apps"]


def test_a_path_that_is_not_there_is_said_before_the_commit_is_noted() -> None:
    said = flux("apps", False, "ArtifactFailed", attempted="", message="kustomization path not found: stat /x")
    assert settled((0.0, [SOURCE, ROOT, said]), (2.0, [SOURCE, ROOT, said]))[1] == [False, True]


def test_somebody_silent_is_waited_for() -> None:
    """A thousand objects take their time, and nothing is said meanwhile; the time limit is somebody else's."""
    objects = [SOURCE, ROOT, flux("apps", None)]
    assert settled((0.0, objects), (STUCK_SECONDS * 10, objects))[1] == [False, False]


def test_who_does_not_hear_that_he_is_asked_is_not_waited_for_without_end() -> None:
    failed = flux("apps", False, "BuildFailed")
    watch, _ = settled((0.0, [SOURCE, ROOT, failed]), (2.0, [SOURCE, ROOT, failed]))
    watch.again("now", 2.0)
    assert watch.settled([SOURCE, ROOT, failed], 2.0 + STUCK_SECONDS + 1)


def test_a_source_is_not_asked_again() -> None:
    far = flux("far", False, "Failed", kind="HelmRepository")
    watch, _ = settled((0.0, [SOURCE, ROOT, far]), (2.0, [SOURCE, ROOT, far]))
    watch.again("now", 2.0)
    assert watch.settled([SOURCE, ROOT, far], 2.0 + QUIET_SECONDS + 0.1)


def test_who_waits_for_somebody_at_work_has_said_nothing() -> None:
    """However slow the computer is: his failure would be an echo of nothing."""
    working, waits = flux("services", None), flux("apps", False, "DependencyNotReady", depends=("services",))
    watch, told = settled((0.0, [SOURCE, ROOT, working, waits]), (5.0, [SOURCE, ROOT, working, waits]))
    assert told == [False, False]
    assert waits.label not in watch.words


def test_who_waited_is_heard_again_when_it_has_come() -> None:
    failed, waits = (
        flux("services", False, "BuildFailed"),
        flux("apps", False, "DependencyNotReady", depends=("services",)),
    )
    watch = Watch(COMMIT)
    watch.settled([SOURCE, ROOT, failed, waits], 0.0)
    assert waits.label in watch.words
    assert not watch.settled([SOURCE, ROOT, flux("services"), waits], 5.0)
    assert waits.label not in watch.words


def test_a_loop_settles() -> None:
    loop = [flux(a, False, "DependencyNotReady", depends=(b,)) for a, b in ("ab", "ba")]
    assert settled((0.0, [SOURCE, ROOT, *loop]), (2.0, [SOURCE, ROOT, *loop]))[1] == [False, True]


def test_a_dependency_that_nobody_makes_settles() -> None:
    waits = flux("apps", False, "DependencyNotReady", depends=("nobody",))
    assert settled((0.0, [SOURCE, ROOT, waits]), (2.0, [SOURCE, ROOT, waits]))[1] == [False, True]


def test_suspended_is_a_word() -> None:
    assert settled((0.0, [SOURCE, ROOT, flux("apps", None, suspended=True)]))[1] == [True]


def test_asked_again_it_has_to_answer() -> None:
    failed = flux("apps", False, "ReconciliationFailed", message="no matches")
    watch, _ = settled((0.0, [SOURCE, ROOT, failed]), (2.0, [SOURCE, ROOT, failed]))
    watch.again("now", 2.0)
    assert not watch.settled([SOURCE, ROOT, failed], 5.0), "it has not been tried again yet"
    assert not watch.settled([SOURCE, ROOT, replace(failed, ready=None, handled="now")], 6.0)
    assert watch.settled([SOURCE, ROOT, flux("apps", handled="now")], 7.0)
    assert watch.late == {failed.label: "ReconciliationFailed: no matches"}


def test_asked_again_it_fails_for_good() -> None:
    failed = flux("apps", False, "BuildFailed")
    watch, _ = settled((0.0, [SOURCE, ROOT, failed]), (2.0, [SOURCE, ROOT, failed]))
    watch.again("now", 2.0)
    again = replace(failed, handled="now")
    assert watch.settled([SOURCE, ROOT, again], 2.0 + QUIET_SECONDS + 0.1)
    assert watch.late == {}


def test_a_repository_that_cannot_be_fetched_settles() -> None:
    source = flux("flux-system", False, "GitOperationFailed", kind="GitRepository")
    assert settled((0.0, [source]), (2.0, [source]))[1] == [False, True]
