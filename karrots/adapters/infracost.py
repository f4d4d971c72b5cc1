"""The one door to Infracost: a plan goes in, prices come out. It asks a price list of its own; nothing here does.

The form of its answer is that of 0.10.41, whose `version` is 0.2:
https://github.com/infracost/infracost/blob/v0.10.41/internal/output/output.go
"""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots import files
from karrots.adapters import process
from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "Infracost"
PROGRAM = "infracost"
PREFIX = "INFRACOST_"  # of all its settings
KEY = "INFRACOST_API_KEY"
LOGGED_IN = ".config/infracost/credentials.yml"
SECONDS = 20.0
FILE = "infracost-plan.json"
TOLD = 300  # characters of what it says when it fails


class NoPrice(Failed):
    """Infracost was asked and cannot say."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{NAME} gave no price", why=why, hint=f"{PROGRAM} breakdown --path PLAN.json")


@dataclass(frozen=True)
class Priced:
    """`hourly` by kind of resource; `by_use` are kinds whose price depends on use, `unknown` those it cannot price."""

    hourly: Mapping[str, float]
    currency: str
    by_use: tuple[str, ...]
    unknown: tuple[str, ...]


def ready() -> bool:
    """It is on PATH, and somebody is logged in to it."""
    known = bool(os.environ.get(KEY)) or (Path.home() / LOGGED_IN).is_file()
    return known and process.find(PROGRAM) is not None


def price(plan: Mapping[str, Any], folder: Path) -> Priced:
    """Of all that is there after a plan, as `terraform show -json` has it. Raises NoPrice, TimedOut and ToolFailed.

    The file that it reads is in `folder`, for its owner alone, and only for so long.
    """
    file = folder / FILE
    files.write(file, json.dumps(plan), durable=False)
    settings = [name for name in os.environ if name.startswith(PREFIX)]
    try:
        done = process.run(
            [PROGRAM, "breakdown", "--path", str(file), "--format", "json"],
            cwd=folder,
            env=process.environment({"INFRACOST_SKIP_UPDATE_CHECK": "true"}, settings),
            timeout=SECONDS,
            check=False,
        )
    finally:
        files.remove(file)
    if done.status != 0:
        raise NoPrice(" ".join(done.stderr.decode("utf-8", "replace").split())[-TOLD:])
    return read(done.stdout)


def read(answer: bytes) -> Priced:
    """Raises NoPrice for what has another form, for a project it could not read, and where nothing has a price."""
    try:
        return _read(json.loads(answer))
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise NoPrice(f"its answer has another form: {type(error).__name__}: {error}") from error


def _read(answer: Any) -> Priced:
    hourly: dict[str, float] = defaultdict(float)
    by_use: set[str] = set()
    for resource in _resources(answer):
        cost = resource["hourlyCost"]
        if cost is None:
            by_use.add(_kind(resource))
        else:
            hourly[_kind(resource)] += _amount(cost)
    if not hourly:
        raise NoPrice("it has none for anything in the plan")
    unknown = (answer.get("summary") or {}).get("unsupportedResourceCounts") or {}
    return Priced(dict(sorted(hourly.items())), str(answer["currency"]), tuple(sorted(by_use)), tuple(sorted(unknown)))


def _resources(answer: Any) -> Iterator[Mapping[str, Any]]:
    for project in answer["projects"]:
        wrong = (project.get("metadata") or {}).get("errors")
        if wrong:
            raise NoPrice(str(wrong[0].get("message") or wrong[0])[:TOLD])
        yield from project["breakdown"]["resources"]


def _kind(resource: Mapping[str, Any]) -> str:
    """Its type, which older ones only have in the address."""
    named: str = resource.get("resourceType") or resource["name"].rpartition("[")[0] or resource["name"]
    return named.split(".")[-2] if "." in named else named


def _amount(cost: Any) -> float:
    """They are texts, so that no digit is lost."""
    amount = float(cost)
    if not math.isfinite(amount):
        raise ValueError(f"{cost!r} is no amount")
    return amount
