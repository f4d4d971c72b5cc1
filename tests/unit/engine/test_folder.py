from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.engine import folder, runtime
from karrots.engine.components import PORT_NAMES
from karrots.engine.folder import State
from karrots.engine.processes import Known
from karrots.errors import Failed, UsageError

if TYPE_CHECKING:
    from pathlib import Path

STATE = State(
    id="01a",
    name="qa",
    repository="/fleet/.git",
    nodes=2,
    ports={name: 15000 + at for at, name in enumerate(PORT_NAMES)},
    created="2026-11-21T00:00:00Z",
    processes={"etcd": Known(7, "boot/1/25", ("etcd", "--x"))},
)


@pytest.mark.parametrize("hostile", ["", "../x", "a/b", "A", ".", "-a", "a-", "a" * 64, "x\n", "$(id)"])
def test_an_id_cannot_lead_out_of_the_engines_folder(hostile: str) -> None:
    with pytest.raises(UsageError, match="is not the id of a cluster"):
        folder.of(hostile)


def test_what_is_saved_is_loaded() -> None:
    place = folder.of("01a")
    assert place.load() is None
    place.prepare()
    place.save(STATE)
    assert place.load() == STATE
    assert folder.every() == [place]


def test_folders_and_files_are_for_the_owner_only() -> None:
    place = folder.of("01a")
    place.prepare()
    place.save(STATE)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.path.iterdir()}
    assert modes.pop("state.json") == 0o600
    assert modes.pop("git-token") == 0o600
    assert set(modes.values()) == {0o700}
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o700


def test_the_token_is_kept_and_differs_between_clusters() -> None:
    one, other = folder.of("01a"), folder.of("01b")
    one.prepare()
    other.prepare()
    token = one.token.read_text()
    one.prepare()
    assert one.token.read_text() == token
    assert other.token.read_text() != token
    assert len(token) > 40


def test_a_newer_state_with_more_fields_is_read() -> None:
    place = folder.of("01a")
    place.prepare()
    place.save(STATE)
    place.state.write_text(json.dumps(json.loads(place.state.read_text()) | {"later": 1}))
    assert place.load() == STATE


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"processes": 1}', '{"processes": {"etcd": {}}}', "\ud800"])
def test_a_broken_state_names_the_file_and_the_way_out(text: str) -> None:
    place = folder.of("01a")
    place.prepare()
    place.state.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(Failed) as failure:
        place.load()
    assert str(place.state) in failure.value.why
    assert failure.value.hint == "karrots engine clean"


def test_a_file_is_whole_or_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    folder.write_private(file, "old")
    folder.write_private(file, "new")
    assert file.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_locks_are_not_among_the_clusters() -> None:
    assert folder.lock("01a").parent != places.engine_clusters()


@pytest.mark.parametrize(
    "field",
    [
        {"name": 7}, {"nodes": "1"}, {"ports": {}}, {"ports": None}, {"versions": {"kubernetes": None}},
        {"versions": []},
        {"ports": {**STATE.ports, "kwok": 1 << 20}}, {"ports": {**STATE.ports, "kwok": 1e400}}, {"created": None},
        {"processes": {"etcd": {"pid": -1, "born": "boot/1/25", "argv": []}}}, {"processes": {"etcd": {"pid": 7}}},
        {"deep": json.loads("[" * 200 + "]" * 200)},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_of_another_form_cannot_be_read(field: dict[str, object]) -> None:
    place = folder.of("01a")
    place.prepare()
    place.save(STATE)
    place.state.write_text(json.dumps(json.loads(place.state.read_text()) | field))
    with pytest.raises(Failed, match="cannot be read"):
        place.load()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"server": 7}', '{"server": "x", "ca": "x"}', "\x00", "[" * 9999])
def test_an_access_file_of_another_form_cannot_be_read(text: str) -> None:
    place = folder.of("01a")
    place.prepare()
    place.access.write_text(text)
    with pytest.raises(Failed, match=r"access\.json cannot be read"):
        runtime.access(place)
