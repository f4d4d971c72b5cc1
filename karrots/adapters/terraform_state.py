"""Terraform's `http` backend over a StateStore, served to the Terraform we run, and to nobody else.

Protocol: https://developer.hashicorp.com/terraform/language/backend/http
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from karrots.adapters.terraform_store import Acquired, StateLocked, StateMalformed, StateStore
from karrots.effects import effect
from karrots.errors import Failed, KarrotsError
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.terraform_keeper import Ask
    from karrots.errors import Diagnostic

__all__ = ["StateServer", "StateStore"]

MAXIMUM_BYTES = 100 * 1024 * 1024
LENGTH = re.compile(r"[0-9]{1,15}")
USER = "karrots"
# How soon the server notices that it shall stop; http.server's own half a second would be felt in every verb.
POLL_SECONDS = 0.02
READ_TIMEOUT_SECONDS = 60
# Of a request that got no answer, or a bad one. Without waiting in between: either an answer was lost, or the server
# has died, and then Terraform shall give up and leave its state in a file at once, where the next run finds it. Its
# own settings cost 3 s a request, of which there are four.
RETRIES = 2
DRAINED_BYTES = 64 * 1024


class StateServer:
    """Terraform's `http` backend over one StateStore, on a free loopback port, while the `with` block runs.

    `holder` says who works on the state, shown to whoever finds it locked. `say` hears in a sentence what Terraform
    cannot show: who it waits for, a lock taken over from a dead process, a write refused and why. The server's threads
    call it. `blocked` is why the last request did not get the lock.

    `address` is a port and a password to use again: Terraform refuses a working folder whose backend has moved.
    """

    backend = "http"
    settings: Mapping[str, str] = MappingProxyType({})  # all of it is in the environment
    patience = ""

    def __init__(
        self,
        folder: Path,
        holder: str,
        *,
        say: Callable[[str], None] = lambda _: None,
        address: tuple[int, str] | None = None,
    ) -> None:
        self.store = StateStore(folder, holder)
        self.holder = holder
        self.say = say
        self.port, self.password = address or (0, secrets.token_urlsafe(32))
        self.changes = threading.Lock()
        self.blocked: KarrotsError | None = None

    @cached_property
    def _listener(self) -> _Listener:
        return _Listener(self)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(POLL_SECONDS,), name="terraform-state", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self.release()

    def release(self) -> None:
        """Drop the lock of a Terraform that was killed; one that still runs can write no more."""
        with self.changes, suppress(StateLocked):
            self.store.release()

    def wait_for(self, error: KarrotsError) -> None:
        """Say so once: Terraform asks again and again, and says nothing of it."""
        if self.blocked is None or (self.blocked.message, self.blocked.why) != (error.message, error.why):
            self.say(f"{error.message}: {error.why}")
        self.blocked = error

    def say_acquired(self, acquired: Acquired) -> None:
        dead = acquired.dead
        if dead:
            self.say(
                f"took over the state lock of {dead.holder}: process {dead.pid}, holder since {dead.since}, is gone"
            )
        for file in acquired.rescued:
            self.say(f"took over the Terraform state left in {file}")

    @property
    def address(self) -> tuple[int, str]:
        return self._listener.server_port, self.password

    def ready(self, ask: Ask) -> None:
        """What the dead left is taken over with the lock."""

    def begin(self, pid: int, folder: Path) -> None:
        self.blocked = None
        self.store.begin_work(pid, folder)

    def heard(self, line: str, ask: Ask) -> None:
        """The lock says whose it is from the start."""

    def let_go(self, ask: Ask, *, well: bool) -> None:  # noqa: ARG002
        self.release()

    def end(self, pid: int) -> None:
        self.store.end_work(pid)

    def refused(self, diagnostics: Sequence[Diagnostic]) -> KarrotsError | None:  # noqa: ARG002
        return self.blocked

    def document(self, ask: Ask) -> Mapping[str, Any] | None:  # noqa: ARG002
        return self.store.current()

    def adopt(self, file: Path, ask: Ask) -> None:  # noqa: ARG002
        self.store.adopt(file)

    def environment(self) -> dict[str, str]:
        address = f"http://127.0.0.1:{self._listener.server_port}/state"
        return {
            "TF_HTTP_ADDRESS": address,
            "TF_HTTP_LOCK_ADDRESS": address,
            "TF_HTTP_UNLOCK_ADDRESS": address,
            "TF_HTTP_USERNAME": USER,
            "TF_HTTP_PASSWORD": self.password,
            "TF_HTTP_RETRY_MAX": str(RETRIES),
            "TF_HTTP_RETRY_WAIT_MIN": "0",
            "TF_HTTP_RETRY_WAIT_MAX": "0",
        }


class _Listener(ThreadingHTTPServer):
    request_queue_size = 64

    def __init__(self, state: StateServer) -> None:
        super().__init__(("127.0.0.1", state.port), _Handler)
        self.state = state
        token = base64.b64encode(f"{USER}:{state.password}".encode()).decode()
        self.authorization = f"Basic {token}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that hangs up; http.server would print a traceback."""


@dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = READ_TIMEOUT_SECONDS

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_DELETE(self) -> None:
        self._serve(self._delete)

    def do_LOCK(self) -> None:
        self._serve(self._acquire)

    def do_UNLOCK(self) -> None:
        self._serve(self._release)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Terraform's own log has it."""

    @property
    def _store(self) -> StateStore:
        return self.server.state.store

    def _serve(self, action: Callable[[bytes], _Answer]) -> None:
        with effect("serve", self.command) as serving:
            answer = self._answered(action)
            self._send(replace(answer, body=serving.garbled(answer.body)))

    def _answered(self, action: Callable[[bytes], _Answer]) -> _Answer:
        answer = self._refusal()
        if answer is None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with self.server.state.changes:
                answer = self._guarded(action, body)
        else:
            # An answer sent while the request lies unread is lost when the connection closes.
            self._drain()
        return answer

    def _refusal(self) -> _Answer | None:
        """What is wrong with the request before its body is read."""
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), self.server.authorization.encode()):
            return _Answer(HTTPStatus.UNAUTHORIZED, headers=(("WWW-Authenticate", 'Basic realm="karrots"'),))
        if self.path.partition("?")[0] != "/state":
            return _Answer(HTTPStatus.NOT_FOUND)
        length = self.headers.get("Content-Length")
        if length is None and self.command in {"POST", "LOCK", "UNLOCK"}:
            return _Answer(HTTPStatus.LENGTH_REQUIRED)
        if length is not None and not LENGTH.fullmatch(length):
            return _Answer(HTTPStatus.BAD_REQUEST)
        if int(length or 0) > MAXIMUM_BYTES:
            self.server.state.say(f"a Terraform state of {length} bytes was refused, {MAXIMUM_BYTES} is the most")
            return _Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    def _drain(self) -> None:
        length = self.headers.get("Content-Length", "")
        if LENGTH.fullmatch(length):
            self.rfile.read(min(int(length), DRAINED_BYTES))

    def _guarded(self, action: Callable[[bytes], _Answer], body: bytes) -> _Answer:
        if len(body) != int(self.headers.get("Content-Length", 0)):
            return self._refused(HTTPStatus.BAD_REQUEST, "a request about the Terraform state was cut short")
        try:
            return action(body)
        except StateLocked as error:
            return _Answer(HTTPStatus.LOCKED, json.dumps(error.lock.info).encode())
        except StateMalformed as error:
            return self._refused(HTTPStatus.BAD_REQUEST, f"{error.message}: {error.why}")
        except Failed as error:
            return self._refused(HTTPStatus.CONFLICT, f"{error.message}: {error.why}")
        except OSError as error:
            return self._refused(HTTPStatus.INSUFFICIENT_STORAGE, f"the Terraform state cannot be kept: {error}")

    def _refused(self, status: HTTPStatus, reason: str) -> _Answer:
        # Terraform shows the status alone, so the reason goes to the reader by our own way.
        self.server.state.say(reason)
        return _Answer(status, reason.encode())

    def _get(self, _: bytes) -> _Answer:
        data = self._store.read()
        if data is None:
            return _Answer(HTTPStatus.NO_CONTENT)
        return _Answer(HTTPStatus.OK, data, (("Content-MD5", _md5(data)),))

    def _post(self, body: bytes) -> _Answer:
        if self.headers.get("Content-MD5", _md5(body)) != _md5(body):
            return self._refused(HTTPStatus.BAD_REQUEST, "a Terraform state arrived damaged")
        lock_id = parse_qs(self.path.partition("?")[2]).get("ID", [""])[0]
        self._store.put(body, lock_id)
        return _Answer(HTTPStatus.OK)

    def _delete(self, _: bytes) -> _Answer:
        self._store.forget()
        return _Answer(HTTPStatus.OK)

    def _acquire(self, body: bytes) -> _Answer:
        state = self.server.state
        info = _lock_info(body)
        try:
            acquired = self._store.acquire(info, state.holder)
        except StateLocked as error:
            state.wait_for(error)
            raise
        except Failed as error:
            # Terraform would ask again after a conflict, for as long as it waits for a lock.
            state.wait_for(error)
            return _Answer(HTTPStatus.PRECONDITION_FAILED, error.message.encode())
        state.blocked = None
        state.say_acquired(acquired)
        return _Answer(HTTPStatus.OK)

    def _release(self, body: bytes) -> _Answer:
        self._store.release(str(_lock_info(body)["ID"]))
        return _Answer(HTTPStatus.OK)

    def _send(self, answer: _Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def _lock_info(body: bytes) -> dict[str, Any]:
    try:
        info = json_file.load(body)
        if not info["ID"]:
            raise KeyError("ID")  # noqa: TRY301
    except (ValueError, TypeError, KeyError) as error:
        raise StateMalformed("what was sent is not a Terraform lock", why=repr(error)) from error
    return dict(info)


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
