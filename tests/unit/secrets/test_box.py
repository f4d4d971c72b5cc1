"""Sealed values; that kubeseal's are read, and the controller reads ours, is shown in tests/services."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from karrots.errors import Failed
from karrots.secrets import Sealed, box

if TYPE_CHECKING:
    from karrots.secrets.find import Reach

BITS = 2048


def secret(data: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "key", "namespace": "kube-system"}, "data": data}


@pytest.fixture(scope="module")
def keys() -> list[box.Key]:
    return [box.read(secret(box.make(BITS))) for _ in range(2)]


@pytest.mark.parametrize("text", [b"", b"x", b"$HOME '\"\n\0\xff", b"long" * 5000])
def test_what_is_closed_is_opened_by_its_key_alone(keys: list[box.Key], text: bytes) -> None:
    value = box.closed(text, b"shop/a", keys[0].private.public_key())
    assert box.opened(value, b"shop/a", keys) == text
    assert box.opened(value, b"shop/a", keys[1:]) is None
    assert box.opened(value, b"shop/b", keys) is None, "it is bound to its name"
    assert box.closed(text, b"shop/a", keys[0].private.public_key()) != value


@pytest.mark.parametrize("value", ["", "AgB", "no base64!", base64.b64encode(b"\xff\xff short").decode()])
def test_what_is_no_value(keys: list[box.Key], value: str) -> None:
    assert box.opened(value, b"", keys) is None


def test_one_that_was_changed(keys: list[box.Key]) -> None:
    data = bytearray(base64.b64decode(box.closed(b"text", b"", keys[0].private.public_key())))
    data[-1] ^= 1
    assert box.opened(base64.b64encode(data).decode(), b"", keys) is None


@pytest.mark.parametrize(
    ("reach", "bound"), [("strict", b"shop/a"), ("namespace-wide", b"shop"), ("cluster-wide", b"")]
)
def test_what_a_value_is_bound_to(reach: Reach, bound: bytes) -> None:
    assert box.label(Sealed("shop", "a", "x.yaml", 1, reach)) == bound


def test_the_newest_closes(keys: list[box.Key]) -> None:
    assert box.newest(keys) is max(keys, key=lambda key: key.begins)


@pytest.mark.parametrize("data", [{}, {"tls.crt": "x", "tls.key": "x"}, {"tls.crt": "", "tls.key": ""}])
def test_a_secret_that_is_no_key(data: dict[str, str]) -> None:
    with pytest.raises(Failed, match="'key' is no sealing key") as told:
        box.read(secret(data))
    assert told.value.hint


def test_a_key_says_nothing_of_itself(keys: list[box.Key]) -> None:
    assert "private" not in repr(keys[0])
    assert box.make.__defaults__ == (4096,)
