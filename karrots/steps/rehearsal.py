"""Terraform from init to destroy against played providers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.errors import Diagnostic, ToolFailed
from karrots.pipeline import Done, Needed
from karrots.replay import mirror, program
from karrots.report.text import count_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from karrots.adapters.terraform import Plan, Root
    from karrots.pipeline import Run, Step
    from karrots.replay.schemas import Recorded


@dataclass(frozen=True)
class Stage:
    """`outcome` is ok, failed, or left out."""

    name: str
    outcome: str
    found: str
    seconds: float


@dataclass
class Stand:
    """What the stages of one rehearsal know; `open_root` makes the door to Terraform from its environment."""

    run: Run
    folder: Path
    recorded: Sequence[Recorded]
    asked: Sequence[str]
    open_root: Callable[[dict[str, str]], Root]
    root: Root | None = None
    plan: Plan | None = None
    commands: tuple[str, ...] = ()
    stages: list[Stage] = field(default_factory=list)

    @property
    def terraform(self) -> Root:
        assert self.root is not None, "LayOut comes first"  # noqa: S101
        return self.root

    @property
    def planned(self) -> Plan:
        assert self.plan is not None, "plan comes first"  # noqa: S101
        return self.plan


class BuildProvider:
    name = "replay-provider"
    title = "build the replay provider"

    def check(self, ctx: Stand) -> Done | Needed:
        return Done("it is built") if program.is_built() else Needed("once on this computer")

    def run(self, ctx: Stand) -> str:
        program.ensure(lambda done, total, what, _: ctx.run.progress(f"{done}/{total} {what}" if total else what))
        return ""


class LayOut:
    """Settings for this run alone: providers come from its own folder, and nothing from a network."""

    name = "mirror"
    title = "lay out the recorded providers"

    def check(self, ctx: Stand) -> Done | Needed:
        return Needed("none yet") if ctx.root is None else Done(count_text(len(ctx.recorded), "schema"))

    def run(self, ctx: Stand) -> str:
        ctx.root = ctx.open_root(mirror.lay_out(ctx.folder, program.ensure(), ctx.recorded, ctx.asked))
        return ", ".join(each.label for each in ctx.recorded)


@dataclass
class Act:
    """One call of Terraform. With `makes`, it is left out where commands of the user's would run."""

    name: str
    title: str
    act: Callable[[Stand], str]
    makes: bool = False
    done: str | None = None

    def check(self, ctx: Stand) -> Done | Needed:
        if self.done is not None:
            return Done(self.done)
        if not self.makes or not ctx.commands:
            return Needed(self.title)
        self.done = f"left out: {', '.join(ctx.commands)} would run commands on this computer"
        ctx.stages.append(Stage(self.name, "left out", self.done.removeprefix("left out: "), 0.0))
        return Done(self.done)

    def run(self, ctx: Stand) -> str:
        began = time.monotonic()
        try:
            self.done = self.act(ctx)
        except ToolFailed as error:
            told = count_text(len(error.diagnostics), "error")
            ctx.stages.append(Stage(self.name, "failed", told, round(time.monotonic() - began, 3)))
            raise
        ctx.stages.append(Stage(self.name, "ok", self.done, round(time.monotonic() - began, 3)))
        return self.done


def init(ctx: Stand) -> str:
    ctx.terraform.init()
    chosen = sorted(ctx.terraform.folder.glob(".terraform/providers/*/*/*/*/"))
    return ", ".join(f"{folder.parent.name} {folder.name}" for folder in chosen) or "no provider to install"


def validate(ctx: Stand) -> str:
    ctx.terraform.validate()
    return "valid"


def plan(ctx: Stand) -> str:
    ctx.plan = ctx.terraform.plan()
    ctx.commands = ctx.terraform.provisioners(ctx.plan)
    counts = ctx.plan.counts
    return f"+{counts.add} ~{counts.change} -{counts.remove}"


def apply(ctx: Stand) -> str:
    return f"{ctx.terraform.apply(ctx.planned).add} made"


def plan_again(ctx: Stand) -> str:
    """Raises ToolFailed when something would change: it would at every run, for ever."""
    again = ctx.terraform.plan()
    restless = [
        Diagnostic("Not settled", f"a second plan would {change.action} it again", change.address)
        for change in again.changes
        if change.action != "read"
    ]
    if restless:
        raise ToolFailed("a second plan changes something", argv=(), status=2, diagnostics=restless)
    return "nothing to change"


def destroy(ctx: Stand) -> str:
    return f"{ctx.terraform.apply(ctx.terraform.plan(destroy=True)).remove} removed"


def stages() -> list[Step[Stand]]:
    return [
        BuildProvider(),
        LayOut(),
        Act("init", "terraform init", init),
        Act("validate", "terraform validate", validate),
        Act("plan", "terraform plan", plan),
        Act("apply", "terraform apply", apply, makes=True),
        Act("second plan", "plan again", plan_again, makes=True),
        Act("destroy", "terraform destroy", destroy, makes=True),
    ]
