"""Sealed values of a parent, made by kubeseal and opened by the real controller, in its copies of all three kinds."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import World, world
from tests.services import sealed_secrets
from tests.services.sealed_secrets import RIGHTS
from tests.support.engine import eventually
from tests.torture.secrets import Markers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.services.sealed_secrets import Controllers
    from tests.support.command_line import Outcome

__all__ = ["world"]
pytestmark = pytest.mark.engine

FOLDER = "flux/apps/vault"
VALUES = {"password": "Qz-strict-7d1f\n$HOME '\"ü", "empty": ""}
WIDE = {"token": "Qz-wide-83ab"}
ANYWHERE = {"token": "Qz-anywhere-90cc"}
SEEN: set[str] = set()
TOLD: list[str] = []
MARKERS = ("Qz-strict-7d1f", "Qz-wide-83ab", "Qz-anywhere-90cc", "Qz-later-11aa")


def secret(name: str, values: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "shop"},
        "stringData": values,
    }


@pytest.fixture(scope="module")
def controllers(world: World) -> Iterator[Controllers]:
    with sealed_secrets.at_work(world) as made:
        yield made


def seal(controllers: Controllers, cluster: str, name: str, values: dict[str, str], scope: str = "strict") -> None:
    """Into a file of the checked out branch."""
    world = controllers.world
    certificate = controllers.certificate(cluster)
    text = controllers.programs.seal(world, certificate, secret(name, values), scope)
    (world.directory / FOLDER / f"{name}.yaml").write_text(text)


@pytest.fixture(scope="module", autouse=True)
def parent(world: World, controllers: Controllers) -> None:
    """qa, with its controller and three sealed secrets on main, that it has opened."""
    folder = world.directory / FOLDER
    folder.mkdir()
    (folder / "crd.yaml").write_text(controllers.programs.crd())
    (folder / "rights.yaml").write_text(RIGHTS)
    (folder / "kustomization.yaml").write_text("resources: [crd.yaml, rights.yaml]\n")
    apps = world.directory / "flux/apps/kustomization.yaml"
    apps.write_text(apps.read_text() + "  - vault\n")
    commit(world, "Sealed Secrets")
    world.karrots("create")
    controllers.start("qa")
    seal(controllers, "qa", "strict", VALUES)
    seal(controllers, "qa", "wide", WIDE, "namespace-wide")
    seal(controllers, "qa", "anywhere", ANYWHERE, "cluster-wide")
    (folder / "kustomization.yaml").write_text(
        "resources: [crd.yaml, rights.yaml, strict.yaml, wide.yaml, anywhere.yaml]\n"
    )
    commit(world, "Three sealed secrets")
    world.karrots("sync", "qa")
    all_open(controllers, "qa")


def commit(world: World, message: str) -> None:
    world.git("add", ".")
    world.git("commit", "-qm", message)


def mode(world: World, said: str) -> str:
    """A commit whose cluster.yaml says it, beside main."""
    world.git("switch", "-qc", f"mode-{said}")
    settings = world.directory / "cluster.yaml"
    settings.write_text(settings.read_text() + f"secrets: {{sealed: {said}}}\n")
    commit(world, f"Copies {said}")
    found = world.git("rev-parse", "HEAD").strip()
    world.git("switch", "-q", "main")
    return found


def all_open(controllers: Controllers, cluster: str) -> None:
    for name, values in (("strict", VALUES), ("wide", WIDE), ("anywhere", ANYWHERE)):
        controllers.wait(cluster, name, "True")
        assert controllers.opened(cluster, name) == values


def certificates(controllers: Controllers, cluster: str) -> set[str]:
    return {each["data"]["tls.crt"] for each in controllers.keys(cluster)}


def heard(outcome: Outcome) -> None:
    TOLD.extend((outcome.out, outcome.err))


def remember(controllers: Controllers, cluster: str) -> None:
    SEEN.update(line for each in controllers.keys(cluster) for line in pem(each).splitlines()[1:3])


def gone(controllers: Controllers, cluster: str) -> None:
    """What its keys look like is kept, to be looked for."""
    remember(controllers, cluster)
    controllers.stop(cluster)
    receipt = controllers.world.karrots("destroy", cluster, "--yes", "-o", "json").document
    assert receipt["left"] == []


def states(world: World, cluster: str) -> dict[str, str]:
    document = world.karrots("secrets", cluster, "-o", "json").document
    assert document["asked"]
    return {item["name"]: item["state"] for item in document["items"]}


def test_sealed_again_is_the_default(world: World, controllers: Controllers) -> None:
    told = world.karrots("branch", "feature/again", "qa-again", "--dry-run", "-o", "json").document
    assert {(item["name"], item["state"]) for item in told["secrets"]} == {
        ("strict", "read"), ("wide", "read"), ("anywhere", "read"),
    }  # fmt: skip
    assert all("who administers 'qa-again'" in item["gains"] for item in told["secrets"])
    heard(world.karrots("branch", "feature/again", "qa-again", "-vv"))
    controllers.start("qa-again")
    all_open(controllers, "qa-again")
    assert not certificates(controllers, "qa-again") & certificates(controllers, "qa"), "no key of the parent's"
    assert len(controllers.keys("qa-again")) == 1, "the controller took the key that was there"
    assert states(world, "qa-again") == dict.fromkeys(("strict", "wide", "anywhere"), "read")
    assert world.git("diff", "main", "feature/again") == "", "content is as it was"


def test_what_is_changed_on_the_branch_is_not_exchanged(world: World, controllers: Controllers) -> None:
    world.git("switch", "-q", "feature/again")
    seal(controllers, "qa-again", "wide", {"token": "Qz-later-11aa"}, "namespace-wide")
    commit(world, "A token of the branch's")
    world.karrots("sync", "qa-again")
    eventually(lambda: controllers.opened("qa-again", "wide") == {"token": "Qz-later-11aa"})
    world.git("switch", "-q", "main")


def test_what_the_parent_seals_later_is_sealed_again_at_the_next_sync(world: World, controllers: Controllers) -> None:
    seal(controllers, "qa", "anywhere", {"token": "Qz-later-11aa"}, "cluster-wide")
    commit(world, "Another token")
    world.karrots("sync", "qa")
    world.git("switch", "-q", "feature/again")
    world.git("merge", "-q", "--no-edit", "main")
    world.karrots("sync", "qa-again")
    eventually(lambda: controllers.opened("qa-again", "anywhere") == {"token": "Qz-later-11aa"})
    world.git("switch", "-q", "main")
    world.git("revert", "--no-edit", "HEAD")
    world.karrots("sync", "qa")
    all_open(controllers, "qa")
    gone(controllers, "qa-again")


def test_shared_keys_are_there_before_the_controller(world: World, controllers: Controllers) -> None:
    heard(world.karrots("branch", "feature/share", "qa-share", "--from", mode(world, "share"), "-vv"))
    assert certificates(controllers, "qa-share") == certificates(controllers, "qa")
    controllers.start("qa-share")
    all_open(controllers, "qa-share")
    assert len(controllers.keys("qa-share")) == 1, "the controller made none"
    gone(controllers, "qa-share")


def test_with_a_key_of_its_own_nothing_is_read(world: World, controllers: Controllers) -> None:
    source = mode(world, "own")
    told = world.karrots("branch", "feature/own", "qa-own", "--from", source, "--dry-run", "-o", "json").document
    assert {item["state"] for item in told["secrets"]} == {"not read"}
    world.karrots("branch", "feature/own", "qa-own", "--from", source)
    assert controllers.keys("qa-own") == []
    controllers.start("qa-own")
    for name in ("strict", "wide", "anywhere"):
        controllers.wait("qa-own", name, "False")
        assert controllers.opened("qa-own", name) == {}
    unread = world.karrots("secrets", "qa-own", "-o", "name").out.split()
    assert unread == [f"SealedSecret/shop/{name}" for name in ("anywhere", "strict", "wide")]
    gone(controllers, "qa-own")


def test_a_value_that_no_key_opens_is_an_error_before_anything_is_made(world: World, controllers: Controllers) -> None:
    world.git("switch", "-qc", "broken")
    file = world.directory / FOLDER / "strict.yaml"
    file.write_text(file.read_text().replace("name: strict", "name: renamed"))
    commit(world, "Sealed for another name")
    refs = world.git("for-each-ref", "karrots/fleet", "refs/heads/feature")
    refused = world.karrots("branch", "feature/broken", "qa-broken", expect=5)
    heard(refused)
    assert "SealedSecret/shop/renamed, 'password'" in refused.err
    assert "karrots run qa -- kubeseal" in refused.err
    assert world.git("for-each-ref", "karrots/fleet", "refs/heads/feature") == refs
    world.git("switch", "-q", "main")


def test_a_protected_parent_gives_nothing_without_a_typed_yes(world: World, controllers: Controllers) -> None:
    world.git("switch", "-qc", "guarded")
    settings = world.root / "fleet/karrots.yaml"
    before = settings.read_text()
    settings.write_text(protecting(before, "qa"))
    for words in ((), ("--yes",)):
        refused = world.karrots("branch", "feature/guarded", "qa-guarded", *words, expect=3)
        assert "nothing secret of 'qa' leaves it" in refused.err
    assert "qa-guarded" not in world.karrots("ls", "-o", "json").out
    settings.write_text(before)
    world.git("switch", "-q", "main")


def protecting(settings: str, name: str) -> str:
    listed = "  protected:\n"
    assert listed in settings
    return settings.replace(listed, f"{listed}    - {name}\n")


def test_a_merge_carries_nothing_of_it(world: World, controllers: Controllers) -> None:
    world.git("merge", "-q", "--no-ff", "--no-edit", "feature/share", "-X", "ours")
    assert "sealed: share" in (world.directory / "cluster.yaml").read_text()
    world.karrots("sync", "qa")
    all_open(controllers, "qa")


def test_nothing_secret_is_left_where_it_does_not_belong(world: World, controllers: Controllers) -> None:
    """Values and private keys, as they are or in base64: not in logs, journals, git, what was said, or another file."""
    remember(controllers, "qa")
    assert len(SEEN) == 6, "two lines of a key of each cluster; a shared one is the parent's"
    markers = Markers({core: core for core in (*MARKERS, *SEEN)})
    found = {path: markers.found_in(path.read_bytes()) for path in world.root.rglob("*") if path.is_file()}
    assert {str(path.relative_to(world.root)) for path, cores in found.items() if cores and not kept(path)} == set()
    assert any(cores for path, cores in found.items() if kept(path)), "the search finds what is there"
    words = ["git", "cat-file", "--batch-all-objects", "--batch", "--buffer"]
    objects = subprocess.run(words, cwd=world.directory, capture_output=True, check=True).stdout
    assert markers.found_in(objects + "".join(TOLD).encode()) == set()


def pem(secret: dict[str, object]) -> str:
    data = secret["data"]
    assert isinstance(data, dict)
    return base64.b64decode(data["tls.key"]).decode()


def kept(path: Path) -> bool:
    """Where an API server keeps its Secrets."""
    return "etcd" in path.parts


def test_nothing_of_it_runs_on(world: World, controllers: Controllers) -> None:
    gone(controllers, "qa")
    assert world.processes() == []
