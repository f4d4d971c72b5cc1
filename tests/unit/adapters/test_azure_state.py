"""A blob container for states, asked through Azure's REST interfaces on loopback."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.azure_state import BlobContainer
from karrots.errors import Failed, LoginNeeded, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/shopstates"
SERVICE = f"{ACCOUNT}/blobServices/default"
CONTAINER = f"{SERVICE}/containers/states"
BLOB = "/states/karrots/x.tfstate"


class Azure:
    """Documents by path; PUT and PATCH merge properties, `status` is what some paths answer instead."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {
            ACCOUNT: {"location": "westeurope", "properties": {"allowBlobPublicAccess": False}},
            SERVICE: {"properties": {"isVersioningEnabled": True}},
            CONTAINER: {"properties": {}},
        }
        self.status: dict[str, int] = {}
        self.url = ""

    def answer(self, method: str, path: str, data: bytes) -> tuple[int, Any]:
        if path in self.status:
            return self.status[path], {"error": {"code": "No", "message": "by the test"}}
        if method in {"PUT", "PATCH"}:
            kept = self.kept.setdefault(path, {"properties": {}})
            kept["properties"].update(json.loads(data)["properties"])
        if path not in self.kept:
            return 404, {"error": {"code": "ResourceNotFound", "message": path}}
        return (202, {}) if method == "DELETE" and self.kept.pop(path) else (200, self.kept[path])


@pytest.fixture
def azure() -> Iterator[Azure]:
    made = Azure()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = made.answer(self.command, self.path.partition("?")[0], data)
            body = b"" if self.command == "HEAD" else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
            pass

    verbs = {f"do_{verb}": Handler.answer for verb in ("GET", "HEAD", "PUT", "PATCH", "DELETE")}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Verbs", (Handler,), verbs)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


@pytest.fixture
def container(azure: Azure) -> BlobContainer:
    hosts = {"management": azure.url, "storage": azure.url}
    return BlobContainer("sub", "rg", "shopstates", "states", hosts)


def wrong(container: BlobContainer) -> list[str]:
    return [fact.what for fact in container.facts(thorough=True) if not fact.ok]


def test_one_that_is_fit(container: BlobContainer) -> None:
    found = container.facts(thorough=True)
    assert [fact.what for fact in found] == ["container", "versioning", "public access", "encryption"]
    assert wrong(container) == []
    assert found[0].found == "https://shopstates.blob.core.windows.net/states in westeurope"


@pytest.mark.parametrize(
    ("what", "path", "properties", "command"),
    [
        ("container", CONTAINER, None, "az storage container create --name states"),
        ("versioning", SERVICE, {}, "az storage account blob-service-properties update --resource-group rg"),
        ("public access", ACCOUNT, {"allowBlobPublicAccess": True}, "az storage account update --resource-group rg"),
    ],
)
def test_what_it_lacks_is_named_and_mended(
    azure: Azure, container: BlobContainer, what: str, path: str, properties: dict[str, Any] | None, command: str
) -> None:
    if properties is None:
        del azure.kept[path]
    else:
        azure.kept[path]["properties"] = dict(properties)
    assert wrong(container) == [what]
    (fact,) = [fact for fact in container.facts(thorough=False) if not fact.ok]
    assert fact.command.startswith(command)
    assert fact.mending
    container.mend(what)
    assert wrong(container) == []


def test_a_storage_account_is_made_by_hand(azure: Azure, container: BlobContainer) -> None:
    del azure.kept[ACCOUNT]
    (fact,) = container.facts(thorough=True)
    assert (fact.what, fact.ok, fact.mending) == ("storage account", False, "")
    assert [line.split()[:4] for line in fact.command.splitlines()] == [
        ["az", "storage", "account", "create"],
        ["az", "storage", "account", "blob-service-properties"],
        ["az", "storage", "container", "create"],
    ]


@pytest.mark.parametrize("path", [ACCOUNT, CONTAINER])
def test_one_that_is_not_ours(azure: Azure, container: BlobContainer, path: str) -> None:
    azure.status[path] = 403
    (fact,) = container.facts(thorough=True)
    assert (fact.ok, fact.mending) == (False, "")
    assert "is not ours" in fact.found


def test_a_login_that_has_ended(azure: Azure, container: BlobContainer) -> None:
    azure.status[ACCOUNT] = 401
    with pytest.raises(LoginNeeded) as caught:
        container.facts(thorough=True)
    assert caught.value.hint == "az login"


@pytest.mark.parametrize("path", [ACCOUNT, CONTAINER, SERVICE])
def test_trouble_at_the_other_end(azure: Azure, container: BlobContainer, path: str) -> None:
    azure.status[path] = 500
    with pytest.raises(Failed, match="does not answer as it should") as caught:
        container.facts(thorough=True)
    assert "by the test" in caught.value.why


def test_blobs(azure: Azure, container: BlobContainer) -> None:
    assert not container.holds("karrots/x.tfstate")
    azure.kept[BLOB] = {"properties": {}}
    assert container.holds("karrots/x.tfstate")
    container.remove("karrots/x.tfstate")
    container.remove("karrots/x.tfstate")
    assert BLOB not in azure.kept
    azure.status[BLOB] = 409
    for ask in (container.holds, container.remove):
        with pytest.raises(Failed, match="does not answer as it should"):
            ask("karrots/x.tfstate")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ToolMissing) as caught:
        BlobContainer("sub", "rg", "shopstates", "states").facts(thorough=False)
    assert caught.value.hint == "pip install 'karrots[azure]'"
