"""A git host's REST interface: deploy keys of GitHub and GitLab, and tokens of GitHub Apps.

GitHub: https://docs.github.com/en/rest/deploy-keys/deploy-keys and /rest/apps/apps; GitLab:
https://docs.gitlab.com/api/deploy_keys/. Both take the token as a bearer.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from karrots import clock
from karrots.adapters import rest
from karrots.errors import Failed, LoginNeeded, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.adapters.rest import Reply

Kind = Literal["github", "gitlab"]

PAGE = 100
MOST_PAGES = 100
APP_SECONDS = 540  # GitHub takes ten minutes at most
EARLY_SECONDS = 60  # for a clock that is ahead of GitHub's
HEADERS: Mapping[Kind, Mapping[str, str]] = {
    "github": {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
    "gitlab": {},
}
NEEDS: Mapping[Kind, str] = {
    "github": "a token that may administrate the repository (fine-grained: Administration, read and write)",
    "gitlab": "a token with the scope api, of a maintainer of the project",
}


@dataclass(frozen=True)
class Key:
    """A deploy key as its host knows it; `public` without its comment."""

    id: str
    title: str
    public: str


@dataclass(frozen=True)
class Keys:
    """The deploy keys of one repository. `api` is the interface's address; `token` is in no text of ours."""

    kind: Kind
    api: str
    repository: str
    token: str

    @property
    def _place(self) -> str:
        if self.kind == "github":
            return f"{self.api}/repos/{quote(self.repository)}/keys"
        return f"{self.api}/projects/{quote(self.repository, safe='')}/deploy_keys"

    def titled(self, title: str) -> list[Key]:
        return [each for each in self._all() if each.title == title]

    def _all(self) -> Iterator[Key]:
        for page in range(1, MOST_PAGES + 1):
            reply = self._asked("GET", f"{self._place}?per_page={PAGE}&page={page}", (200,))
            for each in reply.listed:
                yield Key(str(each.get("id")), str(each.get("title")), _bare(str(each.get("key"))))
            if len(reply.listed) < PAGE:
                return

    def add(self, title: str, public: str) -> str:
        """A key that may read; answers its id."""
        writes = {"read_only": True} if self.kind == "github" else {"can_push": False}
        reply = self._asked("POST", self._place, (201,), {"title": title, "key": public.strip(), **writes})
        return str(reply.body.get("id"))

    def remove(self, key: Key) -> None:
        """One that is gone already is gone."""
        self._asked("DELETE", f"{self._place}/{key.id}", (204, 404))

    def _asked(self, method: str, url: str, good: tuple[int, ...], document: Any = None) -> Reply:
        reply = rest.ask(self.kind, method, url, self.token, document, HEADERS[self.kind])
        if reply.status not in good:
            raise refusal(self.kind, self.repository, reply)
        return reply


def _bare(public: str) -> str:
    return " ".join(public.split()[:2])


def refusal(kind: Kind, about: str, reply: Reply) -> LoginNeeded | Failed:
    """What a host says, as an error with what to do."""
    said = reply.body.get("message") or reply.body.get("error_description") or reply.body.get("error") or ""
    why = f"{reply.status} {said}".strip()[:400]
    if reply.status == 401:
        hint = f"make {NEEDS[kind]}, and put it where git.access in karrots.yaml says"
        return LoginNeeded(f"{kind} does not take the token: it is not valid, or has expired", why=why, hint=hint)
    if reply.status in (403, 404):
        return LoginNeeded(f"{kind} does not let the token at '{about}'", why=why, hint=f"use {NEEDS[kind]}")
    return Failed(f"{kind} refused what was asked of '{about}'", why=why, hint="run the same command again")


def place_of(url: str, kind: Kind | None, api: str | None) -> tuple[Kind, str, str]:
    """Which host an address of a repository is at, where its interface is, and what the repository is called there.

    Raises UsageError for a host that is neither of the two and not said to be.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    known = kind or next((name for name in HEADERS if host in (f"{name}.com", f"www.{name}.com")), None)
    if known is None:
        raise UsageError(
            f"karrots does not know what kind of git host {host} is",
            why="deploy keys are made at GitHub and GitLab",
            hint="say it in karrots.yaml: git: {access: {deploy_key: {host: gitlab, …}}}   (or github)",
        )
    path = parts.path.strip("/").removesuffix(".git")
    return known, (api or _interface(known, host)).rstrip("/"), path


def _interface(kind: Kind, host: str) -> str:
    if kind == "gitlab":
        return f"https://{host}/api/v4"
    return "https://api.github.com" if host.endswith("github.com") else f"https://{host}/api/v3"


def app_token(api: str, app: str, installation: str, key: str) -> str:
    """A token of an installation of a GitHub App, good for an hour. Raises LoginNeeded and Failed."""
    url = f"{api.rstrip('/')}/app/installations/{quote(installation)}/access_tokens"
    reply = rest.ask("github", "POST", url, signed(app, key), None, HEADERS["github"])
    if reply.status != 201:
        raise _app_refusal(app, installation, reply)
    return str(reply.body.get("token"))


def _app_refusal(app: str, installation: str, reply: Reply) -> LoginNeeded:
    """401: the key is not the App's; 404: there is no such installation of it."""
    said = f"{reply.status} {reply.body.get('message', '')}".strip()[:400]
    return LoginNeeded(
        f"GitHub gives installation {installation} of the App {app} no token",
        why=said,
        hint="compare git.access.app in karrots.yaml with the App's settings: its id, a private key, the installation",
    )


def signed(app: str, key: str) -> str:
    """A JSON Web Token of the App, RS256 (RFC 7519). Raises LoginNeeded for what is no RSA key."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, RSAPrivateKey):
        hint = "make a private key in the App's settings, and name its file in git.access.app.key"
        raise LoginNeeded("the key of the GitHub App cannot be used", why="it is no RSA key in PEM form", hint=hint)
    now = int(clock.now().timestamp())
    claims = {"iat": now - EARLY_SECONDS, "exp": now + APP_SECONDS, "iss": app}
    told = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{told}.{_encoded(private.sign(told.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
