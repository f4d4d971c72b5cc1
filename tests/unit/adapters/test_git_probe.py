"""What Flux's log-in sees at the git host, over http and over SSH, on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters.flux import GitAccess
from karrots.adapters.git_probe import OtherHostKey, look, ssh_command
from karrots.errors import Failed, LoginNeeded
from karrots.fleet.git_access import public_key
from tests.support import repositories, ssh_host
from tests.support.private_host import USER, PrivateHost, private_host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.ssh_host import SshHost

TOKEN = "hunter2-s3cret"


@pytest.fixture
def head(tmp_path: Path) -> str:
    repo = repositories.repository(tmp_path / "fleet")
    repositories.bare_remote(tmp_path / "hosted/shared.git", repo.root)
    return repositories.git(repo.root, "rev-parse", "HEAD")


@pytest.fixture
def hosted(tmp_path: Path, head: str) -> Iterator[PrivateHost]:
    with private_host(tmp_path / "hosted", TOKEN) as host:
        yield host


@pytest.fixture
def key() -> str:
    return ssh_host.private_key()


@pytest.fixture
def secure(tmp_path: Path, head: str, key: str) -> Iterator[SshHost]:
    with ssh_host.ssh_host(tmp_path / "hosted", key) as host:
        yield host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With what a shell and ssh would stumble over in its name."""
    made = tmp_path / "run %h 'x'"
    made.mkdir()
    return made


def over_http(host: PrivateHost, password: str = TOKEN) -> GitAccess:
    return GitAccess(host.url(), {"username": USER, "password": password})


def over_ssh(host: SshHost, key: str, known_hosts: str | None = None) -> GitAccess:
    hosts = host.known_hosts if known_hosts is None else known_hosts
    return GitAccess(host.url, {"identity": key, "identity.pub": public_key(key), "known_hosts": hosts})


def test_a_token(hosted: PrivateHost, head: str, folder: Path) -> None:
    assert look(over_http(hosted), "main", folder).commit == head
    assert look(over_http(hosted), "story", folder).commit is None
    assert hosted.served
    assert not any(TOKEN in line for line in hosted.seen), "a token is on no command line"


def test_a_wrong_token(hosted: PrivateHost, folder: Path) -> None:
    with pytest.raises(LoginNeeded, match="does not let Flux's log-in in") as caught:
        look(over_http(hosted, "wrong"), "main", folder)
    assert "wrong" not in caught.value.why
    assert hosted.refused


def test_no_login_and_none_of_the_users_own(
    hosted: PrivateHost, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A helper of the user's that knows the password is not asked: Flux will not have it."""
    settings = tmp_path / "gitconfig"
    helper = f"!f() {{ echo username={USER}; echo password={TOKEN}; }}; f"
    settings.write_text(f'[credential]\n\thelper = "{helper}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    assert repositories.git(tmp_path, "ls-remote", hosted.url()), "the user has access"
    with pytest.raises(LoginNeeded):
        look(GitAccess(hosted.url()), "main", folder)


def test_a_key(secure: SshHost, key: str, head: str, folder: Path) -> None:
    assert look(over_ssh(secure, key), "main", folder).commit == head
    assert look(over_ssh(secure, key), "story", folder).commit is None
    assert secure.asked == ["git git-upload-pack '/shared.git'"] * 2
    assert list(folder.iterdir()) == [], "the key is gone"


def test_another_key(secure: SshHost, folder: Path) -> None:
    with pytest.raises(LoginNeeded, match="does not let Flux's log-in in") as caught:
        look(over_ssh(secure, ssh_host.private_key()), "main", folder)
    assert not isinstance(caught.value, OtherHostKey)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("known", ["nobody", "another key"])
def test_a_host_that_is_not_who_it_should_be(known: str, secure: SshHost, key: str, folder: Path) -> None:
    """Nothing is trusted unseen, and no key is given away."""
    other = f"[127.0.0.1]:{secure.port} {ssh_host.public_key(ssh_host.private_key())}"
    hosts = other if known == "another key" else "git.example.com ssh-ed25519 AAAA\n"
    with pytest.raises(OtherHostKey, match="shows another host key"):
        look(over_ssh(secure, key, hosts), "main", folder)
    assert secure.asked == []


def test_nobody_there(folder: Path, key: str) -> None:
    with pytest.raises(Failed, match="cannot be read"):
        look(GitAccess("http://127.0.0.1:9/shared.git"), "main", folder)
    access = GitAccess("ssh://git@127.0.0.1:9/x.git", {"identity": key, "known_hosts": "x"})
    with pytest.raises(Failed, match="cannot be read") as caught:
        look(access, "main", folder)
    assert "refused" in caught.value.why


def test_nothing_of_the_users_ssh_counts(folder: Path) -> None:
    command = ssh_command(folder)
    for option in (
        "-F /dev/null",
        "IdentitiesOnly=yes",
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentityAgent=none",
    ):
        assert option in command
