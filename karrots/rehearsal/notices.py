"""What is noticed beside the words of Flux's objects, and the verdict over all of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from karrots.lint.order import LOOP
from karrots.rehearsal.causes import NO_KIND, kind_hint
from karrots.rehearsal.model import Noticed
from karrots.report.text import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from karrots.lint.build import Object
    from karrots.lint.walk import Scope
    from karrots.rehearsal.causes import Served
    from karrots.rehearsal.model import Changed, Item, Outcome, Severity
    from karrots.rehearsal.objects import Key, Trial
    from karrots.rehearsal.places import Places

NO_NAMESPACE = re.compile(r'namespaces "[^"]+" not found')
FAILED: tuple[Outcome, ...] = ("failed", "no word")


def of(places: Places, items: Sequence[Item], trials: Iterable[Trial], served: Served) -> list[Noticed]:
    """Each once; what an item says already is not said again."""
    told = {(item.path, item.line) for item in items if item.outcome in FAILED}
    found = [*_by_lint(places, items), *_by_server(places, items, trials, served)]
    return sorted({each for each in found if (each.path, each.line) not in told or each.severity == "warning"})


def _by_lint(places: Places, items: Sequence[Item]) -> Iterator[Noticed]:
    """Flux is the judge: where all of it is Ready, what lint calls an error is something to look at."""
    failed = any(item.outcome in FAILED for item in items)
    for each in places.findings:
        wrong = each.severity == "error" and failed and each.rule != LOOP
        severity: Severity = "error" if wrong else "warning"
        yield Noticed(severity, each.rule, each.path, each.line, each.object, each.message, each.fix_hint)


def _by_server(places: Places, items: Sequence[Item], trials: Iterable[Trial], served: Served) -> Iterator[Noticed]:
    doubtful = any(item.outcome == "not rehearsed" for item in items)
    for trial in trials:
        path, line = places.place(trial.key.kind, trial.key.namespace, trial.key.name)
        label = "/".join(filter(None, (trial.key.kind, trial.key.namespace, trial.key.name)))
        for warning in trial.warnings:
            yield Noticed("warning", "api-warning", path, line, label, warning)
        if trial.refusal and not NO_NAMESPACE.search(trial.refusal):
            hint, is_late = _of_kind(trial, places, served)
            severity: Severity = "warning" if (is_late and doubtful) else "error"
            yield Noticed(severity, "refused", path, line, label, trial.refusal, hint)


def _of_kind(trial: Trial, places: Places, served: Served) -> tuple[str, bool]:
    """What to type about a kind that is not served, and whether a chart that was not fetched may bring it."""
    match = NO_KIND.search(trial.refusal)
    if match is None:
        return "", False
    group, kind = match["group"] or "", match["kind"]
    unknown = not any(known == kind for _, known in served.versions) and (group, kind) not in places.kinds()
    return kind_hint(group, kind, match["version"], places, served), unknown


def doubtful_scopes(places: Places, items: Iterable[Item]) -> list[Scope]:
    """Those whose Kustomization is not Ready: what it would build has not been seen by the API server."""
    ready = {(item.namespace, item.name) for item in items if item.kind == "Kustomization" and item.outcome == "ready"}
    found = []
    for scope in places.walked.scopes:
        owner = (scope.owner.namespace, scope.owner.name) if scope.owner else ("flux-system", "flux-system")
        if owner not in ready:
            found.append(scope)
    return found


def users(
    built: Mapping[Key, Mapping[str, Any]], places: Places, items: Sequence[Item]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All that would make pods: what was built, and what stands in files that were not."""
    for key, obj in built.items():
        yield "/".join(filter(None, (key.kind, key.namespace, key.name))), obj
    for scope in doubtful_scopes(places, items):
        for each in scope.build.objects:
            yield _label(each, scope), each.value


def _label(each: Object, scope: Scope) -> str:
    return "/".join(filter(None, (each.kind, scope.namespace_of(each), each.name)))


def versions(wanted: str, had: str, directory: str) -> Iterator[Noticed]:
    """The engine has one version of Kubernetes."""
    if had and not (had == wanted or had.startswith(f"{wanted}.")):
        message = f"this was Kubernetes {had}, and cluster.yaml says {wanted}: what {wanted} refuses may have passed"
        yield Noticed("warning", "kubernetes", "cluster.yaml", 1, directory, message)


def verdict(items: Sequence[Item], noticed: Sequence[Noticed], changes: Sequence[Changed]) -> tuple[bool, str]:
    """Whether it passed, and one line about all of it."""
    own = (item for item in items if item.kind in ("Kustomization", "HelmRelease") or item.outcome in FAILED)
    outcomes = Counter(item.outcome for item in own)
    errors = sum(1 for each in noticed if each.severity == "error")
    warnings = len(noticed) - errors + sum(1 for item in items if item.late)
    passed = not (errors or any(outcomes[each] for each in FAILED))
    parts = [f"{outcomes['ready']} of {sum(outcomes.values())} Ready"]
    parts += [f"{outcomes[each]} {word}" for each, word in _WORDS if outcomes[each]]
    parts += [count_text(number, what) for number, what in ((errors, "error"), (warnings, "warning")) if number]
    pruned = sum(1 for each in changes if each.effect == "vanishes")
    parts += [f"{count_text(pruned, 'object')} pruned"] if pruned else []
    return passed, f"{'passes' if passed else 'fails'}: {', '.join(parts)}"


_WORDS: tuple[tuple[Outcome, str], ...] = (
    ("failed", "failed"),
    ("no word", "without a word"),
    ("not rehearsed", "could not be rehearsed"),
    ("waits", "waiting for these"),
    ("suspended", "suspended"),
)
