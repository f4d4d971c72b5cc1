from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters.terraform import Root, locate
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_store import StateStore
from tests.support.s3 import BUCKET, S3, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from karrots.adapters.terraform_events import Event

KEY = "karrots/01m7.tfstate"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    with served() as running:
        yield running


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """With one bucket, and the environment in which it is found."""
    s3_server.reset()
    s3_server.make_bucket()
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def keep(tmp_path: Path, s3: S3, said: list[str]) -> Callable[..., CloudState]:
    """The keeper of one operation; its notes are in one folder for all of them."""

    def build(holder: str = "operation 1", take_over: str = "", bucket: str = BUCKET) -> CloudState:
        return CloudState(
            backend="s3",
            settings=s3.settings(KEY, bucket),
            place=f"s3://{bucket}/{KEY}",
            notes=StateStore(tmp_path / "notes", holder),
            command="karrots apply qa",
            unlocking=f"aws s3 rm s3://{bucket}/{KEY}.tflock",
            take_over=take_over,
            say=said.append,
        )

    return build


@pytest.fixture
def make(tmp_path: Path, s3: S3, keep: Callable[..., CloudState], heard: list[Event]) -> Callable[..., Root]:
    """A root in a folder of its own, as each run has."""

    def build(text: str, folder: str = "run", state: CloudState | None = None) -> Root:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "main.tf").write_text('terraform {\n  backend "s3" {}\n}\n' + text)
        made = Root(place, locate(), s3.environment, heard.append, state=state or keep())
        made.init()
        return made

    return build
