"""What became of each of Flux's objects: first causes told apart from their echoes, and where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.lint.order import LOOP
from karrots.rehearsal.model import Item
from karrots.rehearsal.watch import WAITS_FOR_OTHERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from karrots.adapters.flux import FluxObject
    from karrots.lint import Finding
    from karrots.rehearsal.places import Places

MAKERS = ("Kustomization", "HelmRelease")
LONGEST_CAUSE = 600
# What a name, a connection or a server says that is not reached. A log-in that is refused is not ours to have either.
NOT_REACHED = re.compile(
    r"dial tcp|no such host|connection refused|connection reset|i/o timeout|deadline exceeded|network is unreachable"
    r"|TLS handshake|proxyconnect|server misbehaving|Temporary failure|no route to host|Client\.Timeout"
    r"|authentication required|unauthorized|denied|\b(?:401|403|407|429|5\d\d)\b",
    re.IGNORECASE,
)
# As Flux names an object that the API server refuses: Kind/namespace/name, or Kind/name.
REFUSED = re.compile(
    r"\b(?P<kind>[A-Z]\w+)/(?:(?P<namespace>[\w.-]+)/)?(?P<name>[\w.:-]+?) (?:dry-run failed|namespace not)"
)
NO_KIND = re.compile(r'no matches for kind "(?P<kind>\w+)" in version "(?:(?P<group>[^"/]+)/)?(?P<version>[^"/]+)"')
CLUSTER_ELSEWHERE = "it applies to another cluster (spec.kubeConfig), which a rehearsal does not touch"
# Which part of a Kustomization a reason is about.
PARTS = (
    ("kustomization path not found", ("spec", "path")),
    ("substitute from", ("spec", "postBuild")),
    ("post build failed", ("spec", "postBuild")),
    ("decryption", ("spec", "decryption")),
    ("Source", ("spec", "sourceRef")),
)


@dataclass(frozen=True)
class Served:
    """Groups and kinds that the API server has, with their versions."""

    versions: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """Everything that is known at the end. `said` are the last words, `unsaid` those that never had one."""

    said: Mapping[str, FluxObject]
    unsaid: Sequence[FluxObject]
    late: Mapping[str, str]
    places: Places
    served: Served
    elsewhere: frozenset[str] = frozenset()


def items(picture: Picture) -> list[Item]:
    """Of each Kustomization and HelmRelease, and of sources that failed: failures first, then by name."""
    return sorted(
        _Judge(picture).items(), key=lambda item: (_ORDER[item.outcome], item.kind, item.namespace, item.name)
    )


_ORDER = {"failed": 0, "no word": 1, "not rehearsed": 2, "waits": 3, "suspended": 4, "ready": 5}


class _Judge:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.places = picture.places
        self.not_ready = {
            label: each for label, each in picture.said.items() if each.ready is not True and not each.suspended
        }
        self.loops = {(f.path, f.object): f for f in picture.places.findings if f.rule == LOOP}
        self.not_reached = {
            label
            for label, each in self.not_ready.items()
            if each.kind not in MAKERS and _is_own_source(each) is False and NOT_REACHED.search(each.message)
        }

    def items(self) -> Iterable[Item]:
        for each in (*self.picture.said.values(), *self.picture.unsaid):
            if each.kind in MAKERS or (each.label in self.not_ready and not self._echo_of(each)):
                yield self._item(each)

    def _item(self, each: FluxObject) -> Item:
        if each.suspended:
            return self._suspended(each)
        if each.label not in self.picture.said:
            why = each.message or "Flux has not said a word about it in the time given"
            return self._made(each, "no word", why, next_="give it longer: --timeout SECONDS")
        if each.ready:
            return self._ready(each)
        if each.label in self.not_reached:
            return self._made(each, "not rehearsed", f"it could not be fetched from here: {_short(each.message)}")
        return self._not_ready(each)

    def _ready(self, each: FluxObject) -> Item:
        late = each.label in self.picture.late
        first = _short(self.picture.late.get(each.label, ""))
        why = f"what it needs came later: it was Ready when Flux was asked again, and had said {first}" if late else ""
        place = self.places.place(each.kind, each.namespace, each.name)
        next_ = "name what it needs in dependsOn" if late else ""
        return Item(each.kind, each.namespace, each.name, "ready", each.reason, why, *place, next_, late)

    def _suspended(self, each: FluxObject) -> Item:
        if each.label in self.picture.elsewhere:
            return self._made(each, "not rehearsed", CLUSTER_ELSEWHERE)
        return self._made(each, "suspended", "content says so: spec.suspend")

    def _not_ready(self, each: FluxObject) -> Item:
        loop = self._loop(each)
        if loop is not None:
            return Item(
                each.kind, each.namespace, each.name, "failed", "DependencyLoop", loop.message, loop.path, loop.line,
                loop.fix_hint,
            )  # fmt: skip
        first = self._first_of(each)
        if first is None:
            return self._failed(each)
        if first.label in self.not_reached:
            why = f"{first.label} could not be fetched from here"
            return self._made(each, "not rehearsed", why)
        return self._made(each, "waits", f"waits for {first.label}")

    def _loop(self, each: FluxObject) -> Finding | None:
        """A loop counts once, with the first of its names; the others wait for that."""
        found = self.places.find(each.kind, each.namespace, each.name)
        return self.loops.get((found.path, found.label)) if found else None

    def _first_of(self, each: FluxObject) -> FluxObject | None:
        """The failure at the end of what it waits for; None for one that failed by itself."""
        seen = {each.label}
        at = each
        while True:
            following = next((x for x in self._echo_of(at) if x.label not in seen), None)
            if following is None:
                return None if at is each else at
            seen.add(following.label)
            at = following

    def _echo_of(self, each: FluxObject) -> list[FluxObject]:
        """Those not Ready themselves that it says, or shows, to wait for."""
        if each.reason == WAITS_FOR_OTHERS:
            return [o for name in each.depends if (o := self._other(f"{each.kind}/{name}"))]
        named = [o for label, o in self.not_ready.items() if label != each.label and _names(each.message, o)]
        source = self._other(each.source)
        return [source, *named] if source is not None else named

    def _other(self, label: str) -> FluxObject | None:
        unsaid = next((each for each in self.picture.unsaid if each.label == label), None)
        return self.not_ready.get(label) or unsaid

    def _failed(self, each: FluxObject) -> Item:
        if each.reason == WAITS_FOR_OTHERS:
            return self._made(
                each, "failed", f"waits for what is not there: {_short(each.message)}", ("spec", "dependsOn")
            )
        found = self._refused(each) or self._by_lint(each)
        if found is not None:
            return found
        at = next((path for text, path in PARTS if text in each.message or text in each.reason), ())
        if each.kind == "HelmRelease" and "values" in each.message.lower():
            at = ("spec", "values")
        return self._made(each, "failed", _short(each.message), at)

    def _refused(self, each: FluxObject) -> Item | None:
        """The object that the API server refused, where it stands."""
        match = REFUSED.search(each.message)
        if match is None:
            return None
        kind, namespace, name = match["kind"], match["namespace"] or "", match["name"]
        path, line = self.places.place(kind, namespace, name)
        next_ = self._without_kind(each.message)
        return Item(
            each.kind, each.namespace, each.name, "failed", each.reason, _short(each.message), path, line,
            next_ or _edit(path, line),
        )  # fmt: skip

    def _without_kind(self, message: str) -> str:
        """What to do about a kind that is not served, or not in that version."""
        match = NO_KIND.search(message)
        if match is None:
            return ""
        group, kind = match["group"] or "", match["kind"]
        return kind_hint(group, kind, match["version"], self.places, self.picture.served)

    def _by_lint(self, each: FluxObject) -> Item | None:
        found = self.places.errors_of(each.namespace, each.name) if each.kind == "Kustomization" else []
        found = [f for f in found if f.rule != LOOP]
        if not found:
            return None
        first = found[0]
        more = f" ({len(found) - 1} more: karrots lint)" if len(found) > 1 else ""
        why = f"{first.object or first.path}: {first.message}{more}"
        return Item(
            each.kind, each.namespace, each.name, "failed", each.reason, why, first.path, first.line,
            first.fix_hint or _edit(first.path, first.line),
        )  # fmt: skip

    def _made(self, each: FluxObject, outcome: str, why: str, at: tuple[str, ...] = (), next_: str = "") -> Item:
        found = self.places.find(each.kind, each.namespace, each.name)
        scope = self.places.scope(each.namespace, each.name) if each.kind == "Kustomization" else None
        path, line = (found.path, found.line(*at)) if found else self.places.owner_place(scope) if scope else ("", 0)
        hint = next_ or (_edit(path, line) if outcome == "failed" and path else "")
        return Item(each.kind, each.namespace, each.name, outcome, each.reason, why, path, line, hint)  # type: ignore[arg-type]


def kind_hint(group: str, kind: str, version: str, places: Places, served: Served) -> str:
    versions = served.versions.get((group, kind), ())
    if version in versions:
        return f"{kind} is served now: name what brings it in dependsOn"
    if versions:
        offered = " or ".join(f"{group}/{each}" if group else each for each in versions)
        return f"this API server has {kind} in {offered}"
    brought = places.kinds().get((group, kind))
    if brought is not None:
        definition, scope = brought
        place = f"{definition.path}:{definition.line()}"
        owner = scope.owner.name if scope.owner else "the root"
        return f"its kind is defined at {place}, in '{owner}': name that in dependsOn"
    elsewhere = [g for g, k in served.versions if k == kind]
    if elsewhere:
        return f"this API server has {kind} in the group {', '.join(sorted(elsewhere))}"
    return f"nothing in {places.directory} brings the kind {kind} of {group}"


def _names(message: str, other: FluxObject) -> bool:
    return other.label in message or f"{other.kind} '{other.namespace}/{other.name}'" in message


def _is_own_source(each: FluxObject) -> bool:
    return (each.kind, each.namespace, each.name) == ("GitRepository", "flux-system", "flux-system")


def _short(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= LONGEST_CAUSE else text[: LONGEST_CAUSE - 1] + "…"


def _edit(path: str, line: int) -> str:
    return f"edit {path}:{line}, commit, and rehearse again" if path else ""
