from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots.adapters import terraform_events as events
from karrots.errors import Diagnostic, PreflightFailed

RESOURCE = {"addr": "terraform_data.a", "resource_key": None}


def line(kind: str, **fields: Any) -> str:
    return json.dumps({"@level": "info", "@message": "shown", "type": kind, **fields}) + "\n"


def hook(**fields: Any) -> dict[str, Any]:
    return {"resource": RESOURCE, "action": "create", **fields}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (line("version", terraform="1.11.4", ui="1.2"), events.Started("terraform", "1.11.4")),
        (line("version", tofu="1.12.0", ui="1.9"), events.Started("tofu", "1.12.0")),
        (
            line("planned_change", change={"resource": RESOURCE, "action": "replace", "reason": "tainted"}),
            events.Planned("terraform_data.a", "replace", "tainted"),
        ),
        (
            line("resource_drift", change={"resource": RESOURCE, "action": "delete"}),
            events.Drifted("terraform_data.a", "delete"),
        ),
        (
            line("change_summary", changes={"add": 1, "change": 2, "import": 4, "remove": 3, "operation": "apply"}),
            events.Summary("apply", 1, 2, 3, 4),
        ),
        (
            line("change_summary", changes={"add": 1, "change": 2, "remove": 3, "operation": "plan", "new": 9}),
            events.Summary("plan", 1, 2, 3),
        ),
        (line("apply_start", hook=hook()), events.ResourceStarted("terraform_data.a", "create")),
        (
            line("apply_progress", hook=hook(elapsed_seconds=10)),
            events.ResourceProgress("terraform_data.a", "create", 10.0),
        ),
        (
            line("apply_complete", hook=hook(id_key="id", id_value="x", elapsed_seconds=12)),
            events.ResourceDone("terraform_data.a", "create", 12.0),
        ),
        (line("apply_errored", hook=hook()), events.ResourceFailed("terraform_data.a", "create", 0.0)),
        (
            line("provision_progress", hook=hook(provisioner="local-exec", output="hello\n")),
            events.ProvisionerSaid("terraform_data.a", "local-exec", "hello"),
        ),
        (
            line("diagnostic", diagnostic={"severity": "warning", "summary": "old", "detail": ""}),
            events.DiagnosticSeen("warning", Diagnostic("old")),
        ),
    ],
)
def test_a_line_becomes_an_event(text: str, expected: events.Event) -> None:
    assert events.decode(text) == expected


def test_a_message_without_a_type_is_text() -> None:
    text = '{"@level":"info","@message":"Initializing the backend...","@module":"tofu.ui"}'
    assert events.decode(text) == events.Said("Initializing the backend...")


def test_a_diagnostic_keeps_address_file_and_line() -> None:
    found = {
        "summary": "broken", "detail": " at length \n", "address": "a.b",
        "range": {"filename": "main.tf", "start": {"line": 14, "column": 2}},
    }  # fmt: skip
    assert events.diagnostic(found) == Diagnostic("broken", "at length", "a.b", "main.tf", 14)


@pytest.mark.parametrize("text", ["", "\n", line("log"), line("policy_result", whatever=1), line("outputs")])
def test_lines_of_no_use_are_left_out(text: str) -> None:
    assert events.decode(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Warning: a file is missing",
        "[1]",
        "null",
        "{}",
        '{"type": "apply_start"}',
        '{"type": ["version"]}',
        line("planned_change", change=None),
        line("planned_change", change={"resource": {"addr": 7}, "action": "create"}),
        line("apply_progress", hook=hook(elapsed_seconds=float("inf"))),
        line("apply_progress", hook=hook(elapsed_seconds=10**400)),
        line("apply_progress", hook=hook(elapsed_seconds="10")),
        line("change_summary", changes={"add": "1", "change": 0, "remove": 0, "operation": "plan"}),
        line("diagnostic", diagnostic={"severity": "error", "summary": ["a"]}),
        line("diagnostic", diagnostic={"severity": "error", "summary": "a", "range": {"start": {"line": "1"}}}),
        '{"@message": {"a": 1}}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_kept_as_text(text: str) -> None:
    assert events.decode(text) == events.Said(text.rstrip("\n"))


@given(st.text())
def test_no_line_breaks_the_reader(text: str) -> None:
    assert isinstance(events.decode(text), events.Said | None)


def test_another_major_version_of_the_format_is_refused() -> None:
    with pytest.raises(PreflightFailed, match="cannot be used") as caught:
        events.decode(line("version", terraform="2.0.0", ui="2.0"))
    assert "2.0" in caught.value.why
