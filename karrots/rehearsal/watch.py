"""Whether Flux has said its word about everything, and it is going to stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karrots.adapters.flux import FluxObject

# As long as nothing moves after a failure, before it counts.
QUIET_SECONDS = 1.5
# As long as nothing moves after somebody was asked again and has not heard it.
STUCK_SECONDS = 20.0
# Said of a commit before it is noted as tried.
NO_PATH = "path not found"
MAKERS = ("Kustomization", "HelmRelease")
WAITS_FOR_OTHERS = "DependencyNotReady"
WAITS_FOR_SOURCE = ("ArtifactNotReady", "SourceNotReady")
WAITING = (WAITS_FOR_OTHERS, *WAITS_FOR_SOURCE)


@dataclass
class Watch:
    """What was said at one commit, kept while an object is only tried again. Times are of the monotonic clock.

    `late` are those that became Ready when they were asked again, with what they had said before.
    """

    commit: str
    words: dict[str, FluxObject] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)
    _picture: object = None
    _since: float = 0.0

    def settled(self, objects: Sequence[FluxObject], now: float) -> bool:
        there = {each.label: each for each in objects}
        self.words = {label: word for label, word in self.words.items() if label in there}
        self._listen(there)
        picture = {label: (word.ready, word.reason, word.message) for label, word in self.words.items()}
        if picture != self._picture:
            self._picture, self._since = picture, now
        if not self._has_root():
            return False
        silent = [label for label in there if label not in self.words and not self._has_no_source()]
        if silent or self._at_work(there):
            return False
        late = self._due(there)
        if not late and not self.failing():
            return True
        return now - self._since > (STUCK_SECONDS if late else QUIET_SECONDS)

    def again(self, token: str, now: float) -> None:
        """All that is not Ready was asked to try once more, by that word."""
        self._asked = {word.label: token for word in self.failing() if word.kind in MAKERS}
        self._since = now

    def failing(self) -> list[FluxObject]:
        return [word for word in self.words.values() if not word.suspended and word.ready is not True]

    def _has_root(self) -> bool:
        """Flux's own source comes first; before the root has said a word, nothing else is there to be seen."""
        return any(word.kind == "Kustomization" for word in self.words.values()) or any(
            word.kind == "GitRepository" and word.ready is False for word in self.words.values()
        )

    def _listen(self, there: dict[str, FluxObject]) -> None:
        for label, each in there.items():
            before = self.words.get(label)
            if self._says(each, there):
                if each.ready and before is not None and _has_failed(before) and label in self._asked:
                    self.late[label] = f"{before.reason}: {before.message}"
                self.words[label] = each
            elif before is not None and before.reason in WAITING:
                del self.words[label]  # what it waited for has come

    def _says(self, each: FluxObject, there: dict[str, FluxObject]) -> bool:
        if each.suspended:
            return True
        if each.leaving or each.ready is None:
            return False
        if each.ready:
            return not self._follows(each) or each.revision.endswith(f":{self.commit}")
        if each.reason == WAITS_FOR_OTHERS:
            return any(self._is_held_up(there, f"{each.kind}/{name}") for name in each.depends)
        if each.reason in WAITS_FOR_SOURCE:
            source = there.get(each.source)
            return source is None or source.ready is False
        # what was said before it had seen the commit is about another one, or about a source that had just come
        seen = each.attempted.endswith(f":{self.commit}") or NO_PATH in each.message
        return each.kind != "Kustomization" or not each.follows_fleet or seen

    def _follows(self, each: FluxObject) -> bool:
        return each.follows_fleet or (each.kind, each.namespace, each.name) == (
            "GitRepository", "flux-system", "flux-system",
        )  # fmt: skip

    def _is_held_up(self, there: dict[str, FluxObject], label: str) -> bool:
        """It is not there, has failed, or waits itself: at the end of such a row is one that has failed or works."""
        found, word = there.get(label), self.words.get(label)
        return found is None or found.reason == WAITS_FOR_OTHERS or (word is not None and word.ready is False)

    def _has_no_source(self) -> bool:
        """Flux cannot read the commit at all, and so has nothing more to say."""
        return any(
            word.kind == "GitRepository" and _is_own(word) and word.ready is False for word in self.words.values()
        )

    def _at_work(self, there: dict[str, FluxObject]) -> bool:
        return any(label in there and there[label].ready is None for label in self._asked)

    def _due(self, there: dict[str, FluxObject]) -> list[str]:
        """Those that were asked again and have not heard it."""
        return [label for label, token in self._asked.items() if label in there and there[label].handled != token]


def _is_own(each: FluxObject) -> bool:
    return (each.namespace, each.name) == ("flux-system", "flux-system")


def _has_failed(word: FluxObject) -> bool:
    return word.ready is False and word.reason not in WAITING
