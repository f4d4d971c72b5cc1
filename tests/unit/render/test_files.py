from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.errors import Refused
from karrots.render.files import Written, compare, write

if TYPE_CHECKING:
    from pathlib import Path


def test_writes_only_what_differs(tmp_path: Path) -> None:
    (tmp_path / "same").write_text("x")
    (tmp_path / "old").write_text("x")
    (tmp_path / "old").chmod(0o640)
    before = (tmp_path / "same").stat()
    files = {"same": "x", "old": "y", "a/b/new": "é\r\n"}
    expected = [Written("a/b/new", "created"), Written("old", "changed"), Written("same", "same")]
    assert compare(files, tmp_path) == expected
    assert write(files, tmp_path) == expected
    assert (tmp_path / "a/b/new").read_bytes() == "é\r\n".encode()
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "same").stat().st_mtime_ns == before.st_mtime_ns
    assert {written.outcome for written in write(files, tmp_path)} == {"same"}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "new", "old", "same"]


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "."])
def test_stays_inside(path: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        write({path: "x"}, tmp_path / "root")


def test_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "out")
    with pytest.raises(Refused, match="is not written"):
        write({"link/x": "x"}, tmp_path / "root")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("taken", ["a", "a/b.txt"])
def test_what_stands_in_the_way_is_named(taken: str, tmp_path: Path) -> None:
    way = tmp_path / taken
    way.parent.mkdir(exist_ok=True)
    way.mkdir() if taken.endswith(".txt") else way.write_text("")
    with pytest.raises(Refused) as caught:
        write({"a/b.txt": "text"}, tmp_path)
    assert str(way) in caught.value.why
