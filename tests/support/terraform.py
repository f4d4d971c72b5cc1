"""States, roots and requests for the tests of the Terraform door."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.adapters.terraform_state import StateServer

LINEAGE = "6c1c52b4-0000-4000-8000-000000000001"


def state(serial: int, *, lineage: str = LINEAGE, resources: int = 0, **more: Any) -> bytes:
    """A state of Terraform's format 4 with `resources` managed objects and one data source."""
    managed = {"mode": "managed", "type": "t", "name": "n", "instances": [{"index_key": n} for n in range(resources)]}
    looked_up = {"mode": "data", "type": "t", "name": "d", "instances": [{}]}
    document = {
        "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": lineage,
        "outputs": {}, "resources": [managed, looked_up], **more,
    }  # fmt: skip
    return json.dumps(document).encode()


def lock_info(lock_id: str) -> dict[str, Any]:
    return {"ID": lock_id, "Operation": "OperationTypeApply", "Who": "ada@example", "Info": ""}


def ask(
    server: StateServer,
    method: str,
    body: bytes | None = None,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    password: str | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """One request as Terraform makes it; `headers` replace those it would send."""
    settings = server.environment()
    place = urlsplit(settings["TF_HTTP_ADDRESS"])
    secret = settings["TF_HTTP_PASSWORD"] if password is None else password
    token = base64.b64encode(f"{settings['TF_HTTP_USERNAME']}:{secret}".encode()).decode()
    sent = {"Authorization": f"Basic {token}"}
    if body is not None:
        sent["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request(method, place.path + query, body, sent | dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.headers)
    finally:
        connection.close()


def lock(server: StateServer, lock_id: str = "one") -> int:
    return ask(server, "LOCK", json.dumps(lock_info(lock_id)).encode())[0]


def unlock(server: StateServer, lock_id: str = "one") -> int:
    return ask(server, "UNLOCK", json.dumps(lock_info(lock_id)).encode())[0]


def root(folder: Path, text: str, variables: Mapping[str, Any] | None = None) -> Path:
    """A Terraform root whose state is kept by the `http` backend."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").write_text('terraform {\n  backend "http" {}\n}\n' + text)
    (folder / "test.auto.tfvars.json").write_text(json.dumps(dict(variables or {})))
    return folder
