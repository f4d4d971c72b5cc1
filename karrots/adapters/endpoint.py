"""Whether an API server can be reached from this computer, and what stands in the way where it cannot.

TCP and TLS only, no login: what is asked here is asked before there is one. Bounded as a whole, names included.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from karrots.effects import effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    Problem = Literal["", "name", "timeout", "refused", "network", "certificate", "tls"]

SECONDS = 5.0
HTTPS = 443
WRONG_NAME = 62  # X509_V_ERR_HOSTNAME_MISMATCH, of OpenSSL's verify(1)


@dataclass(frozen=True)
class Reach:
    """`problem` is '' when it can be reached; `address` is what the name led to."""

    server: str
    problem: Problem
    why: str
    address: str = ""

    @property
    def ok(self) -> bool:
        return self.problem == ""

    @property
    def private(self) -> bool:
        """The name leads into a private network: a VPN, a bastion or a computer inside of it is needed."""
        return self.address != "" and ipaddress.ip_address(self.address).is_private


def reachable(server: str, ca: str, *, timeout: float = SECONDS) -> Reach:
    """`server` is https://host[:port], `ca` the PEM that its certificate must lead to. What is found is no error."""
    end = time.monotonic() + timeout
    parts = urlsplit(server)
    host, port = parts.hostname or "", parts.port or HTTPS
    with effect("connect", server, whole=False):
        addresses = _looked_up(host, port, timeout)
        if isinstance(addresses, Reach):
            return addresses
        found = Reach(server, "name", f"the name '{host}' leads nowhere")
        for address in addresses:
            found = _asked(server, host, (address, port), ca, end)
            if found.ok:
                break
        return found


def _looked_up(host: str, port: int, timeout: float) -> Sequence[str] | Reach:
    """In a thread that may stay behind: the resolver of the system cannot be told to hurry."""
    found: list[str] = []
    problem: list[str] = []

    def look() -> None:
        try:
            found.extend(
                dict.fromkeys(str(each[4][0]) for each in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
            )
        except (OSError, UnicodeError) as error:
            problem.append(getattr(error, "strerror", None) or str(error))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(timeout)
    if problem:
        return Reach(f"https://{host}:{port}", "name", f"the name '{host}' is not known here: {problem[0]}")
    if not found:
        return Reach(f"https://{host}:{port}", "timeout", f"nobody said within {timeout:.0f} s where '{host}' is")
    return tuple(found)


def _asked(server: str, host: str, address: tuple[str, int], ca: str, end: float) -> Reach:
    problem: Problem
    try:
        context = ssl.create_default_context(cadata=ca or None)
        with (
            socket.create_connection(address, max(end - time.monotonic(), 0.001)) as plain,
            _in_time(plain, end),
            context.wrap_socket(plain, server_hostname=host),
        ):
            return Reach(server, "", "answers", address[0])
    except ssl.SSLCertVerificationError as error:
        problem, why = "certificate", _certificate(error, host)
    except TimeoutError:
        problem, why = "timeout", f"{address[0]}:{address[1]} does not answer"
    except ssl.SSLError as error:
        problem, why = (
            "tls",
            f"what listens at {address[0]}:{address[1]} does not speak TLS as expected: {error.reason}",
        )
    except ConnectionRefusedError:
        problem, why = "refused", f"nobody listens at {address[0]}:{address[1]}"
    except OSError as error:
        problem, why = "network", f"no way to {address[0]}:{address[1]}: {error.strerror or error}"
    return Reach(server, problem, why, address[0])


def _in_time(plain: socket.socket, end: float) -> socket.socket:
    """What is left of the time is for the handshake."""
    plain.settimeout(max(end - time.monotonic(), 0.001))
    return plain


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == WRONG_NAME:
        return f"its certificate is not for '{host}'"
    return f"its certificate does not come from the cluster's authority: {error.verify_message}"
