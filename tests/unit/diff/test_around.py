"""Equal settings beside those that differ, and never one of a Secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.diff.around import MOST_SETTINGS, Around
from karrots.diff.compare import compare
from karrots.diff.model import ObjectKey, Origin, Problem, Side

if TYPE_CHECKING:
    from collections.abc import Mapping

FRONT = ObjectKey("apps", "Deployment", "shop", "front")
LOGIN = ObjectKey("", "Secret", "shop", "login")


@dataclass(frozen=True)
class Thing:
    key: ObjectKey
    held: Mapping[str, Any]

    @property
    def digests(self) -> tuple[bytes, ...]:
        return (repr(self.held).encode(),)

    def value(self) -> Mapping[str, Any]:
        return self.held

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        return Origin()


def around(*pairs: tuple[ObjectKey, Mapping[str, Any], Mapping[str, Any]]) -> Around:
    made = Around()

    def side(label: str, at: int) -> Side:
        def items(problems: list[Problem]) -> list[Thing]:
            return [Thing(pair[0], (pair[1], pair[2])[at]) for pair in pairs]

        return made.noting("rendered", Side(label, items), label)

    made.find(compare("rendered", side("a", 0), side("b", 1), seal=made.seal).departures)
    return made


def front(image: str) -> dict[str, Any]:
    container = {"name": "web", "image": image, "args": ["-v"]}
    labels = {f"l{number}": "x" for number in range(30)}
    return {
        "kind": "Deployment",
        "metadata": {"name": "front", "namespace": "shop", "labels": labels},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
    }


def test_the_nearest_settings_are_told() -> None:
    found = around((FRONT, front("a:1"), front("a:2"))).settings["rendered", FRONT]
    assert len(found) == MOST_SETTINGS
    assert ("spec.template.spec.containers[name=web].args[0]", "-v") in found
    assert ("spec.replicas", "2") in found
    assert not [path for path, _ in found if path.endswith("image")]


def test_a_secret_has_nothing_around_it_and_its_value_is_hidden_elsewhere() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "login"}, "stringData": {"pin": "hunter2-Zorro"}, "type": "Opaque"}
    other = {**secret, "type": "other"}
    front_a, front_b = front("a:1"), front("a:2")
    for each in (front_a, front_b):
        each["spec"]["template"]["spec"]["containers"][0]["args"] = ["--pin=hunter2-Zorro"]
    found = around((LOGIN, secret, other), (FRONT, front_a, front_b))
    assert ("rendered", LOGIN) not in found.settings
    assert "hunter2-Zorro" not in repr(found.settings)


def test_nothing_is_kept_of_what_is_the_same() -> None:
    assert around((FRONT, front("a:1"), front("a:1"))).kept == {}
