from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from karrots.engine.locks import held
from karrots.errors import Locked

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from pathlib import Path
from karrots.engine.locks import held
with held(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_leaves_no_file(tmp_path: Path) -> None:
    with held(tmp_path / "locks" / "a", "it"):
        assert (tmp_path / "locks" / "a").exists()
    assert list((tmp_path / "locks").iterdir()) == []


def test_who_waits_too_long_is_told_who_holds_it(tmp_path: Path) -> None:
    with held(tmp_path / "a", "cluster 'qa'"), pytest.raises(Locked) as refusal, held(tmp_path / "a", "it", wait=0.05):
        pass
    assert f"process {os.getpid()} " in refusal.value.why


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "a")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked), held(tmp_path / "a", "it", wait=0.05):
            pass
        holder.kill()
        holder.wait()
        with held(tmp_path / "a", "it", wait=5):
            pass


def test_only_one_at_a_time_though_the_file_comes_and_goes(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            with held(tmp_path / "a", "it"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(most) == 40
    assert max(most) == 1
