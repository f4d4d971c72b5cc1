"""Deploy keys and App tokens, against servers that speak as GitHub's and GitLab's do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import rsa

from karrots.adapters.git_host import Keys, Kind, app_token, place_of
from karrots.errors import LoginNeeded, UsageError
from karrots.fleet.git_access import new_key, public_key
from tests.support.git_host import APP, APP_TOKEN, INSTALLATION, REPOSITORY, TOKEN, git_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.git_host import GitHost


@pytest.fixture(params=["github", "gitlab"])
def host(request: pytest.FixtureRequest) -> Iterator[GitHost]:
    with git_host(request.param) as made:
        yield made


def keys_of(host: GitHost) -> Keys:
    kind: Kind = "github" if host.kind == "github" else "gitlab"
    return Keys(kind, host.api, REPOSITORY, TOKEN)


def test_a_key_is_made_found_by_its_title_and_removed(host: GitHost) -> None:
    keys, public = keys_of(host), public_key(new_key())
    keys.add("another", public_key(new_key()))
    keys.add("karrots qa 1", public)
    (found,) = keys.titled("karrots qa 1")
    assert found.public == public.strip()
    keys.remove(found)
    assert keys.titled("karrots qa 1") == []
    assert len(keys.titled("another")) == 1
    keys.remove(found)  # gone already


def test_all_pages_are_looked_at(host: GitHost) -> None:
    host.keys = {number: {"id": number, "title": f"t{number}", "key": "ssh-ed25519 AAAA x"} for number in range(250)}
    assert [key.id for key in keys_of(host).titled("t249")] == ["249"]
    assert len(host.asked) == 3
    host.keys = dict(list(host.keys.items())[:200])
    assert keys_of(host).titled("t249") == []


def test_a_token_that_has_expired(host: GitHost) -> None:
    host.token = "another"
    with pytest.raises(LoginNeeded, match="has expired") as told:
        keys_of(host).titled("x")
    assert "401" in told.value.why
    assert "git.access in karrots.yaml" in told.value.hint
    assert TOKEN not in f"{told.value} {told.value.why} {told.value.hint}"


def test_a_token_that_may_not(host: GitHost) -> None:
    host.may_write = False
    with pytest.raises(LoginNeeded, match="does not let the token") as told:
        keys_of(host).add("x", public_key(new_key()))
    assert told.value.hint
    with pytest.raises(LoginNeeded, match="'team/other'"):
        replace(keys_of(host), repository="team/other").titled("x")


@pytest.mark.parametrize(
    ("url", "kind", "api", "expected"),
    [
        ("ssh://git@github.com/team/fleet.git", None, None, ("github", "https://api.github.com", "team/fleet")),
        ("https://gitlab.com/a/b/fleet", None, None, ("gitlab", "https://gitlab.com/api/v4", "a/b/fleet")),
        ("https://git.example.com/a/b", "github", None, ("github", "https://git.example.com/api/v3", "a/b")),
        (
            "https://git.example.com/a/b",
            "gitlab",
            "https://x.example.com/v4/",
            ("gitlab", "https://x.example.com/v4", "a/b"),
        ),
    ],
)
def test_where_a_hosts_interface_is(url: str, kind: Kind | None, api: str | None, expected: tuple[str, ...]) -> None:
    assert place_of(url, kind, api) == expected


@pytest.mark.parametrize("url", ["https://git.example.com/a/b", "https://github.com.example.com/a/b"])
def test_a_host_that_is_neither(url: str) -> None:
    with pytest.raises(UsageError, match="what kind of git host") as told:
        place_of(url, None, None)
    assert "deploy_key: {host: gitlab" in told.value.hint


@pytest.fixture(scope="module")
def app_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = forms.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption()).decode()


def test_an_app_gets_a_token_of_its_installation(app_key: rsa.RSAPrivateKey) -> None:
    with git_host("github") as host:
        host.app_key = app_key.public_key()
        assert app_token(host.api, APP, INSTALLATION, pem(app_key)) == APP_TOKEN


@pytest.mark.parametrize(
    ("app", "installation", "own"), [("1", INSTALLATION, True), (APP, "9", True), (APP, INSTALLATION, False)]
)
def test_an_app_that_gets_none(app_key: rsa.RSAPrivateKey, app: str, installation: str, own: bool) -> None:
    key = app_key if own else rsa.generate_private_key(65537, 2048)
    with git_host("github") as host:
        host.app_key = app_key.public_key()
        with pytest.raises(LoginNeeded, match=f"installation {installation} of the App {app}") as told:
            app_token(host.api, app, installation, pem(key))
    assert "git.access.app" in told.value.hint


@pytest.mark.parametrize("key", ["", "no key", new_key()])
def test_an_app_without_a_key(key: str) -> None:
    with pytest.raises(LoginNeeded, match="key of the GitHub App"):
        app_token("http://127.0.0.1:9", APP, INSTALLATION, key)
