"""A chart's source that does not answer, as Flux tells it."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.adapters import flux
from karrots.adapters.kube import Access, Kube
from karrots.errors import Failed
from karrots.steps.syncing import with_cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.steps.context import Context

AWAY = "failed to fetch Helm repository index: dial tcp 127.0.0.1:1: connect: connection refused"
ADDRESS = "https://charts.example.com"


def told(name: str, status: str, reason: str, message: str = "", **spec: Any) -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    meta = {"name": name, "namespace": "loki"}
    return {"metadata": meta, "spec": spec, "status": {"conditions": [ready]}}


def state(objects: Mapping[str, list[dict[str, Any]]]) -> flux.FluxState:
    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # (the name that the class asks for)
            body = json.dumps({"items": objects.get(self.path.partition("?")[0], [])}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            with closing(Kube(Access(f"http://127.0.0.1:{server.server_port}", ""), timeout=3)) as kube:
                return flux.state(kube)
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("kind", "collection"), [("HelmRepository", flux.HELM_REPOSITORIES), ("OCIRepository", flux.OCI_REPOSITORIES)]
)
def test_it_is_the_cause_and_not_what_waits_for_it(kind: str, collection: str) -> None:
    found = state(
        {
            flux.HELM_RELEASES: [told("loki", "False", "SourceNotReady", "HelmChart 'loki' is not ready")],
            flux.HELM_CHARTS: [told("loki", "False", "FetchFailed", "no artifact available")],
            collection: [told("loki", "False", "Failed", AWAY, url=ADDRESS), told("other", "True", "Succeeded")],
        }
    )
    assert len(found.objects) == 3
    cause = flux.first_cause(found.failed)
    assert cause is not None
    assert (cause.kind, cause.message, cause.address) == (kind, AWAY, ADDRESS)


def test_sources_that_do_well_are_not_counted() -> None:
    well = {flux.HELM_REPOSITORIES: [told("a", "True", "Succeeded"), told("b", "Unknown", "Progressing")]}
    assert state(well).objects == ()


def test_the_error_says_what_to_do() -> None:
    found = state({flux.HELM_REPOSITORIES: [told("loki", "False", "Failed", AWAY, url=ADDRESS)]})
    ctx = SimpleNamespace(flux=found, record=SimpleNamespace(name="qa-x", branch="feature/x"))
    error = with_cause(Failed("Flux cannot bring it up"), cast("Context", ctx))
    assert error.why == f"HelmRepository/loki/loki: Failed: {AWAY}"
    assert error.hint == (
        f"can the cluster reach {ADDRESS}? if that is not the address, mend it on feature/x; then: karrots sync qa-x"
    )
