"""The documents behind `-o json` and `-o yaml`: their fields are a promise."""

from __future__ import annotations

import dataclasses
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from karrots.report.document import Format, document, dump, plain

# Fields may be added here, never taken away or renamed: scripts of others read them.
PROMISED = {
    "karrots.ops.bringup.Cluster": "name id directory branch parent provider phase commit domain network server "
    "expires flux_ready flux_objects seconds",
    "karrots.ops.bringup.Planned": "name branch commit steps",
    "karrots.ops.apply.Synced": "name branch commit flux_ready flux_objects seconds",
    "karrots.ops.content.Rendered": "directory files",
    "karrots.ops.content.Linted": "directory findings fixed",
    "karrots.ops.content.Identity": "cluster path variables",
    "karrots.lint.finding.Finding": "path line rule severity object message fix_hint",
    "karrots.ops.destroy.Receipt": "cluster id destroyed looked_for left resources flux_objects_removed seconds place",
    "karrots.ops.diff.Difference": "a b files patch identity overrides percent scores departures troubles fork",
    "karrots.ops.diff.Differences": "parent compared",
    "karrots.ops.diff.Side": "label rev directory tree cluster identity overrides",
    "karrots.diff.document.LevelScore": "level compared percent equal total objects unexpected expected runtime",
    "karrots.diff.document.Trouble": "level side message path line hint",
    "karrots.diff.model.Departure": "level key path change a b classed reason origin_a origin_b risk risk_reason whose",
    "karrots.diff.model.ObjectKey": "group kind namespace name",
    "karrots.diff.model.Origin": "path line kustomization helm_release override manager",
    "karrots.diff.sides.File": "status path",
    "karrots.diff.sides.Setting": "key a b",
    "karrots.ops.doctor.Diagnosis": "checks",
    "karrots.ops.repair.Repairs": "found mended left",
    "karrots.ops.leftovers.Finding": "kind what why mending command subject",
    "karrots.providers.base.Check": "what ok found hint",
    "karrots.ops.fence.Fence": "cluster parent items asked opened closed",
    "karrots.ops.fence.Item": "kind namespace name state hold reason path line",
    "karrots.ops.init.Initialised": "root directory files commit",
    "karrots.ops.listing.Fleet": "clusters",
    "karrots.ops.listing.Row": "name directory branch parent provider phase applied head created "
    "expires owner host operation flux",
    "karrots.ops.listing.FluxCount": "reachable ready failed total at trouble",
    "karrots.ops.listing.ClusterDetail": "record row parts flux commits_ahead server",
    "karrots.ops.listing.Lineage": "roots",
    "karrots.ops.listing.LineageNode": "name branch phase gone_parent children",
    "karrots.providers.base.Part": "name state real detail",
    "karrots.ops.reach.Way": "cluster server kubeconfig context",
    "karrots.ops.runs.PastRuns": "runs",
    "karrots.ops.runs.PastRun": "id verb cluster outcome began seconds folder",
    "karrots.ops.runs.RunLog": "run journal files",
    "karrots.ops.engine.Built": "folder versions seconds",
    "karrots.ops.engine.EngineClusters": "clusters",
    "karrots.ops.engine.EngineCluster": "id name server nodes repository running processes simulated rss_bytes problem",
    "karrots.ops.engine.Process": "name pid running port rss_bytes",
    "karrots.ops.engine.LogLines": "cluster files lines",
    "karrots.ops.engine.Freed": "processes clusters builds",
    "karrots.ops.demo.Story": "chapters receipt left folder kept",
    "karrots.ops.demo.Chapter": "title seconds",
    "karrots.cli.help.Explained": "topic entries",
}


@pytest.mark.parametrize("kind", PROMISED)
def test_promised_fields_are_kept(kind: str) -> None:
    module, _, name = kind.rpartition(".")
    found = {field.name for field in dataclasses.fields(getattr(import_module(module), name))}
    assert found >= set(PROMISED[kind].split())


@dataclasses.dataclass(frozen=True)
class Inner:
    where: Path
    parts: tuple[str, ...] = ("a", "b")


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner
    by_name: dict[str, Any]
    nothing: None = None


def test_a_document_names_its_kind_and_is_plain_all_the_way_down() -> None:
    found = document(Outer(Inner(Path("/x")), {"one": Inner(Path("y")), "two": [1, 2.5, True, None]}))
    assert found == {
        "apiVersion": "karrots.dev/v1",
        "kind": "Outer",
        "inner": {"where": "/x", "parts": ["a", "b"]},
        "by_name": {"one": {"where": "y", "parts": ["a", "b"]}, "two": [1, 2.5, True, None]},
        "nothing": None,
    }


@pytest.mark.parametrize("text", ["grüße", "\x1b[2J", "\u202e", os.fsdecode(b"\xff"), "line\nbreak", "\U0001f955"])
def test_whatever_a_text_holds_comes_back_and_steers_nothing(text: str) -> None:
    written = dump({"text": text}, Format.json)
    assert written.isascii()
    assert json.loads(written) == {"text": text}
    written = dump({"text": text}, Format.yaml)
    assert written.isascii()
    assert "\x1b" not in written
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert yaml.safe_load(written) == {"text": text}


def test_the_order_of_fields_is_kept() -> None:
    assert list(yaml.safe_load(dump({"b": 1, "a": 2}, Format.yaml))) == ["b", "a"]
    assert plain({1: 2}) == {"1": 2}
