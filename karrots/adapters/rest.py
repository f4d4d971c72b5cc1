"""One JSON request to a cloud's REST interface, with a token; for what no SDK of ours speaks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.effects import effect
from karrots.errors import Failed
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 30
MOST = 32 << 20  # bytes; what Azure has of machines in one region takes some megabytes


class Unreachable(Failed):
    pass


@dataclass(frozen=True)
class Reply:
    """`headers` by their names in small letters; `listed` are the parts of an answer that is a list."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    listed: Sequence[Mapping[str, Any]] = ()

    @property
    def why(self) -> str:
        """What a refusal says of itself."""
        error = self.body.get("error")
        told = error if isinstance(error, dict) else self.body
        return f"{self.status} {told.get('code', '')}: {told.get('message', '')}"[:400]


def ask(
    cloud: str, method: str, url: str, token: str, document: Any = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Any status is an answer, one that leads elsewhere too. Raises Unreachable when there is none."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request

    data = None if document is None else json.dumps(document).encode()
    kept = {"Accept": "application/json", **({"Content-Type": "application/json"} if data else {}), **(headers or {})}
    if token:
        kept["Authorization"] = f"Bearer {token}"
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise Failed(f"{cloud} is asked by https only", why=url)
    request = Request(url, data=data, headers=kept, method=method)  # noqa: S310  (looked at above)
    try:
        with (
            effect(cloud, f"{method} {url.partition('?')[0]}", whole=method != "GET") as asking,
            _opener().open(request, timeout=SECONDS) as answer,
        ):
            return _read(answer.status, asking.garbled(answer.read(MOST)), answer.headers)
    except HTTPError as error:
        with error:
            return _read(error.code, error.read(MOST), error.headers)
    except (URLError, HTTPException, OSError) as error:
        raise Unreachable(f"{cloud} cannot be reached", why=f"{url.partition('?')[0]}: {error}") from error


def _opener() -> Any:
    """Python's own would take the token along to wherever an answer leads."""
    from urllib.request import HTTPRedirectHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    return build_opener(Stay)


def _read(status: int, data: bytes, headers: Any) -> Reply:
    try:
        found = json_file.load(data) if data else {}
    except ValueError:
        found = {"message": data[:200].decode("utf-8", "replace")}
    told = {name.lower(): value for name, value in headers.items()}
    listed = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return Reply(status, found if isinstance(found, dict) else {}, told, listed)
