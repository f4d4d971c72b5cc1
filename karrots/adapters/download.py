"""The one door to files on the web: bounded in size and time, and only used where somebody typed that it shall be."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from typing import TYPE_CHECKING

from karrots.effects import effect
from karrots.errors import Failed

if TYPE_CHECKING:
    from http.client import HTTPResponse

LARGEST = 8 << 20  # bytes
SECONDS = 30.0


class DownloadFailed(Failed):
    """It could not be had, or is not what was promised."""


def fetch(url: str, *, largest: int = LARGEST, timeout: float = SECONDS) -> bytes:
    """Over the proxy of the environment where there is one. Raises DownloadFailed."""
    from urllib.request import urlopen

    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise DownloadFailed(f"'{url}' is not fetched", why="only https is")
    try:
        with effect("fetch", url, whole=False) as asking, urlopen(url, timeout=timeout) as answer:  # noqa: S310
            return asking.garbled(_within(answer, url, largest))
    except (OSError, HTTPException) as error:
        raise DownloadFailed(f"'{url}' could not be fetched", why=str(error)) from error


def _within(answer: HTTPResponse, url: str, largest: int) -> bytes:
    data = answer.read(largest + 1)
    if len(data) > largest:
        raise DownloadFailed(f"'{url}' is not taken", why=f"it is larger than {largest >> 20} MiB")
    return data


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
