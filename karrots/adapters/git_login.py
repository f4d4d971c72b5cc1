"""A log-in in the address of a remote (https://user:password@host/…), kept off git's command lines.

git starts `git-remote-http ADDRESS` as another program, and everybody on the computer can read command lines. So git is
given the address without the log-in, by a rule that rewrites it, and asks for the log-in where it may be answered: by a
credential helper that reads it from the environment. Both travel as GIT_CONFIG_* variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What of the configuration decides on the addresses of remotes; for `git config -z --get-regexp`.
DECIDING = r"^remote\..*\.(push)?url$|^url\..*\.(push)?insteadof$"
USER, PASSWORD = "KARROTS_GIT_USER", "KARROTS_GIT_PASSWORD"
HELPER = f"""!f() {{ test "$1" != get || printf 'username=%s\\npassword=%s\\n' "${USER}" "${PASSWORD}"; }}; f"""
COUNT = "GIT_CONFIG_COUNT"


@dataclass(frozen=True)
class Login:
    """`place` is scheme and host, `address` all but the log-in."""

    place: str
    address: str
    user: str
    password: str


def hidden(configuration: str, remote: str, *, push: bool, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for a git that talks to `remote`; none where no address of it holds a password."""
    entries = _entries(configuration)
    settings: list[tuple[str, str]] = []
    variables: dict[str, str] = {}
    for written, rule in _written(entries, remote, push=push):
        login = login_in(_rewritten(written, entries, rule) or _rewritten(written, entries, "insteadof") or written)
        if login is not None:
            settings += _settings(written, rule, login)
            variables = {USER: login.user, PASSWORD: login.password}
    return variables | _as_variables(settings, environment) if settings else {}


def answered(address: str, user: str, password: str) -> dict[str, str]:
    """Variables for a git that is asked for a log-in at an address that holds none."""
    parts = urlsplit(address)
    helper = f"credential.{parts.scheme}://{parts.netloc}.helper"
    return {USER: user, PASSWORD: password} | _as_variables([(helper, ""), (helper, HELPER)], {})


def login_in(address: str) -> Login | None:
    """None for an address without a password, and for one that git's protocol for log-ins could not carry."""
    try:
        parts = urlsplit(address)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or parts.password is None or {"\n", "\0"} & {*user, *password}:
        return None
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return Login(place, parts._replace(netloc=place.partition("://")[2]).geturl(), user, password)


def _entries(configuration: str) -> list[tuple[str, str]]:
    pairs = (entry.partition("\n") for entry in configuration.split("\0") if entry)
    return [(name, value) for name, _, value in pairs]


def _written(entries: Sequence[tuple[str, str]], remote: str, *, push: bool) -> list[tuple[str, str]]:
    """The remote's addresses as they are written down, each with the kind of rule that is asked first."""
    separate = [value for name, value in entries if name == f"remote.{remote}.pushurl"]
    if push and separate:
        return [(value, "insteadof") for value in separate]
    rule = "pushinsteadof" if push else "insteadof"
    return [(value, rule) for name, value in entries if name == f"remote.{remote}.url"]


def _rewritten(address: str, entries: Sequence[tuple[str, str]], rule: str) -> str | None:
    """As git does it: of the rules that fit, the one with the longest beginning."""
    fitting = [
        (prefix, name.removeprefix("url.").removesuffix(f".{rule}"))
        for name, prefix in entries
        if name.startswith("url.") and name.endswith(f".{rule}") and address.startswith(prefix)
    ]
    if not fitting:
        return None
    prefix, base = max(fitting, key=lambda pair: len(pair[0]))
    return base + address.removeprefix(prefix)


def _settings(written: str, rule: str, login: Login) -> list[tuple[str, str]]:
    """The rule's beginning is the whole address, so that it wins over the user's own."""
    helper = f"credential.{login.place}.helper"
    return [(f"url.{login.address}.{rule}", written), (helper, ""), (helper, HELPER)]


def _as_variables(settings: Sequence[tuple[str, str]], environment: Mapping[str, str]) -> dict[str, str]:
    """After those that are there already."""
    given = environment.get(COUNT, "")
    first = int(given) if given.isdecimal() else 0
    variables = {COUNT: str(first + len(settings))}
    for number, (name, value) in enumerate(settings, first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables
