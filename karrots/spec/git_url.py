"""Addresses of git repositories as Flux takes them: https://… and ssh://…, with no log-in in them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# host:path as git understands it: no slash before the first colon, and no scheme (git-clone(1), "GIT URLS").
SCP = re.compile(r"(?:(?P<user>[^@/:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\s\[\]]+):(?P<path>(?!//)\S+)")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
SSH_USER = "git"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def flux_url(text: str) -> str:
    """The address in the form Flux takes; Flux refuses git@host:path. Raises ValueError with the reason."""
    scp = SCP.fullmatch(text)
    if scp and "://" not in text:
        return flux_url(f"ssh://{scp['user'] or SSH_USER}@{scp['host']}/{scp['path'].lstrip('/')}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"is no address: {error}") from error
    _check(text, parts.scheme, host, parts.path)
    user = _user(parts.scheme, parts.username, parts.password)
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{user}{named}{f':{port}' if port else ''}{parts.path}"


def _check(text: str, scheme: str, host: str, path: str) -> None:
    if scheme not in ("https", "ssh", "http"):
        raise ValueError("must be an https:// or ssh:// address: a cluster cannot read a folder of this computer")
    if scheme == "http" and host not in LOOPBACK:
        raise ValueError("must be https://: over http:// everybody on the way could read it and change it")
    if not HOST.fullmatch(host) or path.strip("/") == "" or re.search(r"\s|[\x00-\x1f?#]", text):
        raise ValueError("must name a host and a repository, such as https://git.example.com/team/fleet.git")


def _user(scheme: str, user: str | None, password: str | None) -> str:
    if scheme == "ssh":
        if password is not None:
            raise ValueError("holds a password; ssh logs in with a key (git.access.ssh)")
        return f"{user or SSH_USER}@"
    if user is not None or password is not None:
        raise ValueError("holds a log-in; name the token in git.access.token and leave it out of the address")
    return ""


def scheme_of(url: str) -> str:
    return url.partition("://")[0]


def known_as(url: str) -> str:
    """The host as known_hosts names it: with its port where that is not 22."""
    parts = urlsplit(url)
    return f"[{parts.hostname}]:{parts.port}" if parts.port not in (None, 22) else str(parts.hostname)


def over_https(url: str) -> str:
    """What an ssh address of one of the large hosts is over https, to be shown in a hint."""
    parts = urlsplit(url)
    return f"https://{parts.hostname}{parts.path}"


def over_ssh(url: str) -> str:
    parts = urlsplit(url)
    return f"ssh://{SSH_USER}@{parts.hostname}{parts.path}"
