from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karrots import clock
from karrots.errors import Failed, UsageError
from karrots.fleet.record import (
    SCHEMA,
    Applied,
    Operation,
    Parent,
    State,
    from_json,
    new_id,
    to_json,
)
from tests.support.records import record

FULL = record(
    "qa-feature-1234",
    region="eu-central-1",
    account="example",
    network="10.64.0.0/20",
    host="laptop",
    phase="ready",
    protected=True,
    expires="2026-11-28T07:00:00Z",
    parent=Parent(name="qa", id=new_id(), commit="a" * 40),
    applied=Applied(commit="b" * 40, tool="terraform", tool_version="1.14.0", when="2026-11-21T07:00:00Z"),
    state=State(backend="http", key="qa-feature-1234"),
    operation=Operation(
        id=new_id(), verb="branch", holder="ada", host="laptop", pid=42, started="2026-11-21T07:00:00Z"
    ),
    overrides={"nodes.default.count": "2"},
    fence={"CronJob/shop/report": "open"},
)


OPERATION = json.loads(to_json(FULL))["operation"]


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(to_json(FULL)), **fields})


def test_a_record_comes_back_as_it_was() -> None:
    assert from_json(to_json(FULL), "x") == FULL


def test_the_text_is_sorted_indented_and_ends_in_a_line_break() -> None:
    text = to_json(FULL)
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert json.loads(text)["schema"] == SCHEMA


def test_fields_of_a_later_version_are_kept_at_every_level() -> None:
    data = json.loads(to_json(FULL))
    data["colour"] = {"of": ["the", "fleet"]}
    data["extra"] = 1
    data["parent"]["colour"] = "orange"
    data["operation"]["extra"] = None
    again = json.loads(to_json(from_json(json.dumps(data), "x")))
    assert again == data


def test_fields_an_earlier_version_did_not_write_get_their_defaults() -> None:
    needed = ("id", "name", "directory", "branch", "provider", "created")
    data = {key: value for key, value in json.loads(to_json(FULL)).items() if key in needed}
    read = from_json(json.dumps(data), "x")
    assert (read.phase, read.protected, read.parent, read.overrides) == ("claimed", False, None, {})
    assert read.fence == {}, "a record of before there were fences"


def test_a_newer_schema_asks_for_an_upgrade() -> None:
    with pytest.raises(UsageError) as caught:
        from_json(changed(schema=SCHEMA + 1), "clusters/qa/record.json")
    assert "written by a newer karrots" in caught.value.message
    assert caught.value.hint == "pip install --upgrade karrots"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[]", "it is not a JSON object"),
        ("{" * 100_000, "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ('{"deep": ' + "[" * 900 + "]" * 900 + "}", "nested deeper"),
        (changed(owner="\ud800"), "surrogates"),
        (changed(branch="a\0b"), "branch holds a zero byte"),
        (changed(directory="../../etc"), "directory is not a path inside"),
        (changed(directory="/etc"), "directory is not a path inside"),
        (changed(directory=".git/hooks"), "directory is not a path inside"),
        (changed(operation={**OPERATION, "pid": 10**30}), "operation.pid is not the number"),
        (changed(operation={**OPERATION, "started": "yesterday"}), "operation.started is not a time"),
        (b"\xff\xfe{", "decode"),
        ("{}", "id is missing"),
        (changed(name=7), "name has the wrong type"),
        (changed(overrides=[]), "overrides has the wrong type"),
        (changed(overrides={"nodes": 2}), "overrides holds something else than text"),
        (changed(fence=["CronJob"]), "fence has the wrong type"),
        (changed(fence={"CronJob": "ajar"}), "fence holds something else than names that are open or closed"),
        (changed(fence={"CronJob": 1}), "fence holds something else"),
        (changed(fence={"x'] || true": "open"}), "fence holds something else"),
        (changed(parent="qa"), "parent is not a JSON object"),
        (changed(parent={"name": "qa"}), "parent.id is missing"),
        (changed(operation={"pid": "1"}), "operation.pid has the wrong type"),
        (changed(phase="wobbly"), "phase is 'wobbly'"),
        (changed(id="../../etc"), "id has another form"),
    ],
)
def test_a_broken_record_is_named(text: str | bytes, why: str) -> None:
    with pytest.raises(Failed) as caught:
        from_json(text, "clusters/qa/record.json")
    assert caught.value.message == "the record 'clusters/qa/record.json' cannot be read"
    assert why in caught.value.why
    assert caught.value.hint == "git show karrots/fleet:clusters/qa/record.json"


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_any_text_survives(overrides: dict[str, str], owner: str) -> None:
    odd = record("qa", overrides=overrides, owner=owner)
    assert from_json(to_json(odd), "x") == odd


def test_the_document_is_what_is_written() -> None:
    assert FULL.document() == json.loads(to_json(FULL))


def test_ids_are_unique_small_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(len(each) == 26 and each == each.lower() for each in ids)


def test_times_are_utc_with_seconds() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=timezone(timedelta(hours=5)))
    assert clock.stamp(noon) == "2026-11-21T07:00:00Z"
    assert clock.moment("2026-11-21T07:00:00Z") == noon
    assert clock.moment(clock.stamp()).tzinfo is UTC
