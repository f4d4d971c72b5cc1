"""A log-in in the address of a remote: it works, and no other process and no message sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.errors import LoginNeeded
from tests.support.private_host import PrivateHost, private_host
from tests.support.repositories import git, repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.adapters.git import Repository

PASSWORD = "Qz-secret-7f21%40$"
ENCODED = "Qz-secret-7f21%2540%24"  # as it stands in an address


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateHost]:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(tmp_path / "shared.git"))
    git(tmp_path / "shared.git", "config", "http.receivepack", "true")
    with private_host(tmp_path, PASSWORD) as running:
        yield running


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "fleet")


def seen(host: PrivateHost) -> str:
    return "\n".join(host.seen)


def test_a_log_in_in_the_address_is_on_no_command_line(host: PrivateHost, repo: Repository) -> None:
    git(repo.root, "remote", "add", "origin", host.url(ENCODED))
    head = repo.head().commit or ""
    repo.push_branch("origin", "main", head)
    repo.fetch("origin")
    assert repo.remote_branch_commit("origin", "main") == head
    assert host.served > 0
    assert "git-remote-http" in seen(host), "the program that could show it was seen"
    assert "Qz-secret" not in seen(host)


@pytest.mark.parametrize("rule", ["insteadOf", "pushInsteadOf"])
def test_nor_is_one_that_a_rule_of_the_user_puts_there(host: PrivateHost, repo: Repository, rule: str) -> None:
    git(repo.root, "remote", "add", "origin", "http://fleet.example/shared.git")
    address = host.url(ENCODED).removesuffix("shared.git")
    git(repo.root, "config", f"url.{address}.{rule}", "http://fleet.example/")
    repo.push_swap("origin", "refs/heads/main", repo.head().commit, None)
    assert host.served > 0
    assert "git-remote-http" in seen(host)
    assert "Qz-secret" not in seen(host)


def test_a_separate_address_for_pushes(host: PrivateHost, repo: Repository) -> None:
    git(repo.root, "remote", "add", "origin", str(repo.root))
    git(repo.root, "config", "remote.origin.pushurl", host.url(ENCODED))
    assert repo.push_swap("origin", "refs/heads/other", repo.head().commit, None)
    assert host.served > 0
    assert "Qz-secret" not in seen(host)


def test_a_wrong_password_is_told_without_it(host: PrivateHost, repo: Repository) -> None:
    git(repo.root, "remote", "add", "origin", host.url("Qz-secret-wrong"))
    with pytest.raises(LoginNeeded) as caught:
        repo.fetch("origin")
    assert host.refused > 0
    assert "Qz-secret" not in f"{caught.value.message}{caught.value.why}{caught.value.hint}{seen(host)}"
