"""HashiCorp's own azurerm provider: built once a recipe into the user's cache, and a place where it finds Azure.

Azure is an https server on loopback with the four routes that a plan of a new cluster asks for.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import platform
import re
import shutil
import ssl
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from karrots import places
from karrots.adapters import process
from karrots.engine import certificates, recipe, toolchain
from karrots.engine.locks import held
from karrots.engine.recipe import Program, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "terraform-provider-azurerm"
WHAT = Recipe(
    Path(__file__).parent.parent / "azurerm" / "module", (Program(NAME, f"github.com/hashicorp/{NAME}", ("-help",)),)
)
# The program calls itself `dev`; it is what came after 5.2.0.
VERSION = "5.3.0"
BUILD_SECONDS = 7200.0
# The largest of its packages take gigabytes to compile.
PARALLEL = "-p=2"
SPACE = 6 * 10**9
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
# Taken before any test changes it.
ENVIRONMENT = dict(os.environ)

TENANT = "00000000-0000-4000-8000-00000000000a"
CLIENT = "00000000-0000-4000-8000-00000000000b"
PERSON = "00000000-0000-4000-8000-00000000000c"
PROVIDERS = ("Compute", "ContainerService", "ManagedIdentity", "Network", "Storage")
ZONE = "dev.example.com"


def built() -> Path:
    """The program, from the user's own cache, whatever a test set in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name not in ENVIRONMENT]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        folder = places.cache() / "azurerm" / recipe.digest(WHAT)
        with held(folder.parent / "build.lock", "the build of the azurerm provider", wait=BUILD_SECONDS):
            if not (folder / NAME).is_file():
                _build(folder)
    return folder / NAME


def _build(folder: Path) -> None:
    go = toolchain.ensure(recipe.go_floor(WHAT.modules))
    toolchain.require_space({go.build_cache: SPACE, folder.parent: SPACE // 10})
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
        made = Path(scratch) / "azurerm"
        process.run(
            [go.program, "build", "-ldflags", WHAT.ldflags, "-o", f"{made}/", WHAT.programs[0].package],
            cwd=WHAT.modules,
            env=go.environment((*recipe.BUILD_FLAGS, PARALLEL)),
            timeout=BUILD_SECONDS,
        )
        process.run([str(made / NAME), *WHAT.programs[0].probe])
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def mirror(folder: Path, program: Path) -> Path:
    """`folder` as a filesystem mirror that has `program` too."""
    kind = f"{sys.platform}_{MACHINES.get(platform.machine(), platform.machine())}"
    package = folder / "registry.terraform.io" / "hashicorp" / "azurerm" / VERSION / kind
    package.mkdir(parents=True, exist_ok=True)
    place = package / f"{NAME}_v{VERSION}"
    place.unlink(missing_ok=True)
    place.symlink_to(program)
    return folder


def settings(folder: Path, program: Path) -> Path:
    """A Terraform configuration that installs `program` and nothing else."""
    place = mirror(folder / "mirror", program)
    file = folder / "terraform.rc"
    file.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{place}"\n  }}\n}}\n')
    return file


@dataclass
class Azure:
    """`unknown` are the requests that no route answers."""

    authority: Path
    port: int = 0
    unknown: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """A log-in of a program, for the provider."""
        return {
            "ARM_METADATA_HOSTNAME": self.host,
            "ARM_TENANT_ID": TENANT,
            "ARM_CLIENT_ID": CLIENT,
            "ARM_CLIENT_SECRET": "none",
            "SSL_CERT_FILE": str(self.authority),
        }

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        """The body of an answer; None where Azure would have more to say than this."""
        if path == "/metadata/endpoints":
            return self._endpoints()
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return {"token_type": "Bearer", "expires_in": 3600, "access_token": _token()}
        if re.fullmatch(r"/subscriptions/[^/]+/providers", path):
            return {"value": [_registered(name) for name in PROVIDERS]}
        if re.fullmatch(r"/subscriptions/[^/]+/resources", path) and "dnszones" in query["$filter"][0].lower():
            return {"value": [_zone(path.split("/")[2], name) for name in (ZONE, "other.example.net")]}
        return None

    def _endpoints(self) -> dict[str, Any]:
        here = f"https://{self.host}"
        return {
            "name": "AzureCloud",
            "resourceManager": here,
            "microsoftGraphResourceId": f"{here}/graph",
            "authentication": {
                "loginEndpoint": here,
                "audiences": [here],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "suffixes": {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"},
        }


def _token() -> str:
    """Unsigned: the provider reads who it is from it, and nobody checks it here."""
    claims = {"oid": PERSON, "tid": TENANT, "appid": CLIENT, "idtyp": "app"}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


def _registered(name: str) -> dict[str, Any]:
    return {"namespace": f"Microsoft.{name}", "registrationState": "Registered", "resourceTypes": []}


def _zone(subscription: str, name: str) -> dict[str, str]:
    kind = "Microsoft.Network/dnsZones"
    group = f"/subscriptions/{subscription}/resourceGroups/dns"
    return {"id": f"{group}/providers/{kind}/{name}", "name": name, "type": kind, "location": "global"}


@contextmanager
def azure(folder: Path) -> Iterator[Azure]:
    certificates.make(folder / "pki")
    here = Azure(folder / "pki" / "ca.crt")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(here))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pki" / "apiserver.crt", folder / "pki" / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    here.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()


def _handler(here: Azure) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            place = urlsplit(self.path)
            body = here.answer(place.path, parse_qs(place.query))
            if body is None:
                here.unknown.append(f"{self.command} {self.path}")
            data = json.dumps(body).encode()
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    return Handler
