"""Tokens end; a door that logs in with them must not."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from karrots import clock
from karrots.adapters.kube import Access, Kube, credential, kubeconfig
from karrots.adapters.tokens import Token, Tokens
from tests.torture.fuzz_net import Answering, whole_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGIN = ("karrots", "-C", "/fleet", "token", "qa")


class Made:
    """Counts, and gives tokens of the seconds that are asked for."""

    def __init__(self, *lives: float) -> None:
        self.lives: Iterator[float] = iter(lives)
        self.made = 0

    def __call__(self) -> Token:
        self.made += 1
        return Token(f"token-{self.made}", clock.seconds() + next(self.lives))


def test_a_token_is_used_again_until_it_nears_its_end() -> None:
    made = Made(600, 600)
    tokens = Tokens(made)
    assert [tokens.now().text for _ in range(3)] == ["token-1"] * 3


def test_a_token_that_ends_soon_is_made_anew() -> None:
    made = Made(59, 600)
    tokens = Tokens(made)
    assert [tokens.now().text for _ in range(3)] == ["token-1", "token-2", "token-2"]


def test_only_the_token_that_was_refused_is_thrown_away() -> None:
    made = Made(600, 600)
    tokens = Tokens(made)
    old = tokens.now()
    tokens.refused(old)
    new = tokens.now()
    tokens.refused(old)
    assert tokens.now() is new
    assert made.made == 2


def test_a_refused_token_is_made_anew_once() -> None:
    statuses = iter(["401 Unauthorized", "200 OK", "401 Unauthorized", "401 Unauthorized", "200 OK"])

    def say(peer: Any) -> None:
        peer.sendall(whole_answer(b"{}", next(statuses)))

    made = Made(600, 600, 600, 600)
    with closing(Answering(say)) as server:
        client = Kube(Access(server.address, "", tokens=Tokens(made)), timeout=2)
        try:
            answers = [client.request("GET", "/x")[0] for _ in range(2)]
        finally:
            client.close()
    assert answers == [200, 401]
    assert made.made == 3


def test_a_token_is_in_no_text_by_accident() -> None:
    assert "token-1" not in repr(Made(1)())


def test_a_kubeconfig_names_the_command_and_never_the_token() -> None:
    tokens = Tokens(Made(600))
    document = kubeconfig("qa", Access("https://x", "PEM", tokens=tokens), LOGIN)
    user = document["users"][0]["user"]
    assert user["exec"]["command"] == "karrots"
    assert user["exec"]["args"] == ["-C", "/fleet", "token", "qa"]
    assert user["exec"]["apiVersion"] == "client.authentication.k8s.io/v1"
    assert user["exec"]["interactiveMode"] == "Never"
    assert "token-1" not in str(document)


def test_an_authority_that_the_computer_trusts_is_not_named() -> None:
    assert kubeconfig("qa", Access("https://x", ""))["clusters"][0]["cluster"] == {"server": "https://x"}


@pytest.mark.parametrize("seconds", [0.0, 1_800_000_000.9])
def test_a_credential_says_when_it_ends(seconds: float) -> None:
    status = credential(Token("k8s-aws-v1.x", seconds))["status"]
    assert status["token"] == "k8s-aws-v1.x"
    assert int(clock.moment(status["expirationTimestamp"]).timestamp()) == int(seconds)
