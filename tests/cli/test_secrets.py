"""`karrots secrets` and what `lint` says of secrets, where no cluster answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from karrots.cli import session
from karrots.cli.session import Session
from karrots.errors import ExitCode
from karrots.report.document import Format

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Fleet

SEALED = """apiVersion: bitnami.com/v1alpha1
kind: SealedSecret
metadata: {name: db, namespace: shop}
spec: {encryptedData: {password: AgB}}
"""
PLAIN = "apiVersion: v1\nkind: Secret\nmetadata: {name: token, namespace: shop}\nstringData: {token: Qz-plain}\n"
SOPS = "apiVersion: v1\nkind: Secret\nmetadata: {name: age, namespace: shop}\ndata: {a: 'ENC[]'}\nsops: {age: []}\n"


@pytest.mark.parametrize(
    ("settings", "state", "how", "gains"),
    [
        ("", "read", "sealed again for a key of 'story'", "who administers 'story' reads this one"),
        ("secrets: {sealed: share}\n", "read", "with the keys of 'qa'", "reads all that is sealed for 'qa'"),
        ("secrets: {sealed: own}\n", "not read", "has a key of its own", "nobody"),
    ],
)
def test_how_a_copy_reads_what_is_sealed(
    peopled: Fleet, karrots: CommandLine, settings: str, state: str, how: str, gains: str
) -> None:
    peopled.tell_story(SEALED, settings=settings)
    found = karrots("secrets", "story", "-o", "json", cwd=peopled.qa).document
    assert (found["kind"], found["cluster"], found["parent"], found["asked"]) == ("Secrets", "story", "qa", False)
    (item,) = found["items"]
    assert (item["kind"], item["namespace"], item["name"], item["state"]) == ("SealedSecret", "shop", "db", state)
    assert how in item["how"]
    assert gains in item["gains"]
    names = karrots("secrets", "story", "-o", "name", cwd=peopled.qa).out.split()
    assert names == (["SealedSecret/shop/db"] if state == "not read" else [])


def test_as_people_read_it(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(SEALED, PLAIN)
    told = karrots("secrets", "story", cwd=peopled.qa).out
    assert "the cluster did not answer" in told
    assert "as it stands in git" in told
    assert "Qz-plain" not in told
    peopled.git("switch", "--quiet", "main")
    assert karrots("secrets", "qa", cwd=peopled.qa).out == "qa is not a copy: no secret in its content\n"


def test_lint_says_what_stands_in_git_as_it_is(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(SEALED, PLAIN)
    (plain,) = karrots("lint", "-o", "json", cwd=peopled.qa).document["findings"]
    assert (plain["rule"], plain["severity"], plain["object"]) == ("plain-secret", "warning", "Secret/token")
    assert "kubeseal" in plain["fix_hint"]
    assert "Qz-plain" not in str(plain)


def test_lint_says_what_flux_will_not_decrypt(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(SOPS)
    (found,) = karrots("lint", "-o", "json", cwd=peopled.qa, expect=ExitCode.DIFFERENCES).document["findings"]
    assert (found["rule"], found["severity"]) == ("not-decrypted", "error")
    assert "decryption: {provider: sops" in found["fix_hint"]


@pytest.mark.parametrize("entry", ["sealed: never", "sealed: [share]", "sops: reseal", "seal: own"])
def test_secrets_in_cluster_yaml_that_are_none(entry: str, peopled: Fleet, karrots: CommandLine) -> None:
    peopled.tell_story(settings=f"secrets: {{{entry}}}\n")
    assert "secrets" in karrots("lint", cwd=peopled.qa, expect=ExitCode.USAGE).err


@pytest.mark.parametrize(("typed", "yes"), [("yes", True), ("YES", True), ("y", False), ("", False), ("no", False)])
@pytest.mark.parametrize("person", [True, False])
def test_a_yes_is_typed_by_a_person(monkeypatch: pytest.MonkeyPatch, typed: str, yes: bool, person: bool) -> None:
    monkeypatch.setattr(session, "answer", lambda _: typed)
    monkeypatch.setattr(Session, "may_ask", lambda _: person)
    made = Session(Path(), Format.text, quiet=False, verbose=0, no_input=False)
    assert made.settings.agree("may it leave?") is (yes and person)
    assert made.answering(yes=True).agree("may it leave?") is (yes and person), "no --yes stands for it"
