from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from karrots import files
from karrots.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole_and_private(durable: bool, tmp_path: Path) -> None:
    target = tmp_path / "x"
    for text in ("one", "two"):
        files.write(target, text, durable=durable)
        assert target.read_text() == text
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "kept").write_text("")
    with pytest.raises(OSError, match="x"):
        files.write(tmp_path / "x", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x" / "kept").exists()


def test_a_log_grows(tmp_path: Path) -> None:
    files.append(tmp_path / "log", "a\n")
    files.append(tmp_path / "log", "b\n")
    assert (tmp_path / "log").read_text() == "a\nb\n"
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_new_file_is_not_written_over_another_or_through_a_link(tmp_path: Path) -> None:
    files.create(tmp_path / "x", b"1", mode=0o644)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("x", "link"):
        with pytest.raises(FileExistsError):
            files.create(tmp_path / name, b"2")
    assert (tmp_path / "x").read_bytes() == b"1"
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_gone_can_be_removed_again(tmp_path: Path) -> None:
    files.write(tmp_path / "x", "")
    files.remove(tmp_path / "x")
    files.remove(tmp_path / "x")
    files.make_folder(tmp_path / "folder")
    files.make_folder(tmp_path / "folder")
    files.remove_tree(tmp_path / "folder")
    files.remove_tree(tmp_path / "folder", whatever=True)
    assert list(tmp_path.iterdir()) == []


def test_content_is_never_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(UsageError) as caught:
        files.content(tmp_path / "link")
    assert "symbolic link" in caught.value.why
    assert files.content(tmp_path / "secret") == b"hush"


def test_content_is_a_regular_file_of_a_bounded_size(tmp_path: Path) -> None:
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 10 << 30)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, why in (("huge", "larger than 1 MiB"), ("pipe", "not a regular file"), ("folder", "not a regular file")):
        with pytest.raises(UsageError) as caught:
            files.content(tmp_path / name)
        assert why in caught.value.why
    with pytest.raises(FileNotFoundError):
        files.content(tmp_path / "none")
