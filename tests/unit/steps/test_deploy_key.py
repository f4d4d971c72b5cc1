"""A cluster's own deploy key, from the host that makes it to the receipt that counts it."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.adapters import flux, git_probe
from karrots.errors import Failed, LoginNeeded
from karrots.ops.bringup import converge, towards_ready
from karrots.ops.destroy import removal
from karrots.ops.wait import Wait
from karrots.pipeline import Done, Needed
from karrots.spec.fleet import load_fleet
from karrots.steps import deploy_key
from karrots.steps.deploy_key import GiveDeployKey, RemoveDeployKey
from karrots.steps.preflight import flux_git
from karrots.steps.syncing import git_of
from tests.support import repositories, ssh_host
from tests.support.git_host import TOKEN, git_host
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.steps.context import Context
    from tests.support.git_host import GitHost

HEAD = "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: dev.example.com\n"


class Server:
    """One Secret of an API server."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def get(self, path: str) -> dict[str, Any] | None:
        return self.kept.get(path)

    def create(self, collection: str, obj: dict[str, Any]) -> None:
        """Its namespace."""

    def apply(self, collection: str, obj: dict[str, Any]) -> None:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in obj["stringData"].items()}
        self.kept[f"{collection}/{obj['metadata']['name']}"] = {"data": data}


@pytest.fixture(params=["github", "gitlab"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHost]:
    monkeypatch.setenv("HOST_TOKEN", TOKEN)
    with git_host(request.param) as made:
        yield made


def context(
    host: GitHost, url: str = "ssh://git@git.example.com/team/fleet.git", hosts: str = "h ssh-ed25519 AAAA"
) -> Context:
    spec = f"{{host: {host.kind}, api: '{host.api}', token: {{env: HOST_TOKEN}}, known_hosts: '{hosts}'}}"
    settings = load_fleet(f"{HEAD}git: {{access: {{url: '{url}', deploy_key: {spec}}}}}\n", "karrots.yaml")
    repo = SimpleNamespace(root="/", remote=lambda _: url)
    server = Server()
    made = SimpleNamespace(
        provider=SimpleNamespace(NAME="eks", git_access=lambda *_: None), record=record("qa"), git=None, receipt={},
        workspace=SimpleNamespace(settings=settings, repo=repo, remote="origin"), api=lambda: server,
    )  # fmt: skip
    return cast("Context", made)


def given(ctx: Context) -> flux.GitAccess:
    step = GiveDeployKey()
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)
    assert ctx.git is not None
    return ctx.git


def test_it_is_made_once_and_read_from_the_cluster_later(host: GitHost) -> None:
    ctx = context(host)
    made = given(ctx)
    (only,) = host.keys.values()
    assert only["title"] == f"karrots qa {ctx.record.id}"
    assert only["key"] == made.secret["identity.pub"].strip()
    assert made.url == "ssh://git@git.example.com/team/fleet.git"
    ctx.git = None
    assert git_of(ctx) == made
    assert TOKEN not in str(ctx.api().kept)  # type: ignore[attr-defined]


def test_one_that_its_host_lost_is_made_anew(host: GitHost) -> None:
    ctx = context(host)
    first = given(ctx)
    host.keys.clear()
    assert given(ctx) != first


def test_one_that_the_cluster_never_got_is_replaced(host: GitHost) -> None:
    ctx = context(host)
    given(ctx)
    ctx.api().kept.clear()  # type: ignore[attr-defined]
    given(ctx)
    assert len(host.keys) == 1


def test_it_is_removed_and_counted(host: GitHost) -> None:
    ctx = context(host)
    given(ctx)
    host.keys[99] = {"id": 99, "title": "karrots prod 1", "key": "ssh-ed25519 AAAA"}
    step = RemoveDeployKey()
    assert isinstance(step.check(ctx), Needed)
    step.run(ctx)
    assert isinstance(step.check(ctx), Done)
    assert list(host.keys) == [99]
    assert ctx.receipt["looked_for"] == {"deploy keys": 1}


def test_preflight_asks_the_host_and_says_when_the_token_has_expired(host: GitHost) -> None:
    ctx = context(host)
    (row,) = flux_git(ctx)
    assert (row.ok, row.found) == (True, f"{host.kind}, team/fleet: its deploy key is going to be made")
    host.token = "another"
    (row,) = flux_git(ctx)
    assert not row.ok
    assert "has expired" in row.found
    assert row.hint.startswith("make a token")
    with pytest.raises(LoginNeeded):
        RemoveDeployKey().check(ctx)


def test_a_cluster_without_one_says_what_to_type(host: GitHost) -> None:
    with pytest.raises(Failed, match="has no deploy key yet") as told:
        git_of(context(host))
    assert told.value.hint == "karrots apply qa"


def test_the_engine_needs_none(host: GitHost) -> None:
    ctx = context(host)
    ctx.provider.NAME = "local"  # type: ignore[misc]
    assert deploy_key.asked_for(ctx) is None
    assert isinstance(GiveDeployKey().check(ctx), Done)
    assert isinstance(RemoveDeployKey().check(ctx), Done)
    assert host.asked == []


def test_the_key_that_was_made_logs_in(host: GitHost, tmp_path: Path) -> None:
    """At an SSH host that lets in whom the interface was told of."""
    made = given(context(host))
    (told,) = host.keys.values()
    assert told["key"].split()[:2] == ssh_host.public_key(made.secret["identity"]).split()[:2]
    repositories.git(tmp_path, "init", "-q", "--bare", "-b", "main", "shared.git")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with ssh_host.ssh_host(tmp_path, made.secret["identity"]) as served:
        access = flux.GitAccess(served.url, {**made.secret, "known_hosts": served.known_hosts})
        assert git_probe.look(access, "main", private).commit is None
        assert served.asked


@pytest.mark.parametrize("wait", [Wait.ready, Wait.none])
def test_it_is_there_before_anything_is_synced_and_goes_last(wait: Wait) -> None:
    for steps in (towards_ready(wait), converge(wait)):
        names = [step.name for step in steps]
        assert names.index("flux") < names.index("git-key") < names.index("sync")
    assert [step.name for step in removal()][-2:] == ["git-key", "receipt"]
