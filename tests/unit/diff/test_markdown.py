"""A comparison as a comment of a pull request."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from karrots.diff.document import Differences
from karrots.diff.markdown import LARGEST, code, many, markdown
from tests.unit.diff.samples import HOSTILE, IMAGE, difference, hostile, same

OURS = {"code", "details", "summary", "b"}


class Tags(HTMLParser):
    """The tags there are, and whether each is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs == []
        self.found.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outside_of_fences(text: str) -> str:
    return re.sub(r"^(`{3,})diff\n.*?^\1$\n", "", text, flags=re.MULTILINE | re.DOTALL)


def test_scores_first_risks_next_and_the_rest_folded() -> None:
    told = markdown(difference())
    assert told.startswith("## <code>qa</code> → <code>story</code>: zero-diff 96.42 %\n\n| level | zero-diff |")
    assert "| rendered | 96.42 % | 28 | 3 | 3 | 1 | 0 |" in told
    assert "| live | not compared |" in told
    assert "**2 risks**\n\n- **exposes** <code>Service/shop/edge</code> <code>spec.type</code>" in told
    assert told.count("<details>") == told.count("</details>") == 5 + 3
    assert "~ spec.replicas\n  2 → 5\n" in told


def test_it_is_short_when_nothing_differs() -> None:
    told = markdown(same())
    assert "zero-diff 100 %" in told
    assert "risk" not in told


@pytest.mark.parametrize("evil", HOSTILE)
def test_nothing_from_outside_is_a_tag_a_mention_a_link_or_the_end_of_a_fence(evil: str) -> None:
    told = markdown(hostile(evil))
    rest = outside_of_fences(told)
    tags = Tags()
    tags.feed(rest)
    assert tags.open == []
    assert tags.found <= OURS
    bare = re.sub(r"<code>.*?</code>", "", rest)
    assert not set("@`[<\\*") & set(re.sub(r"</?(?:details|summary|b)>|\*\*", "", bare).replace("_", "")), bare
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} <= {8, 4}, "a cell has grown"


def test_it_fits_a_comment_and_says_what_was_left_out() -> None:
    big = difference(*(replace(IMAGE, key=replace(IMAGE.key, name=f"front-{n}"), a="x" * 300) for n in range(500)))
    told = markdown(replace(big, patch=big.patch + "+" + "y" * 200_000))
    assert len(told) <= LARGEST
    assert re.search(r"_\d+ parts more are not shown", told)
    assert told.count("<details>") == told.count("</details>")


def test_several_share_the_room() -> None:
    told = many(Differences("qa", (difference(), same())))
    assert "| cluster | zero-diff | differences |" in told
    assert told.count("\n## ") == 2
    wide = replace(difference(), patch="+" + "y" * 60_000)
    assert len(many(Differences("qa", (wide,) * 8))) <= LARGEST


def test_code_has_no_character_that_means_something() -> None:
    assert code("a|b `c` <d> @e") == "<code>a&#124;b &#96;c&#96; &#60;d&#62; @e</code>"
    assert code("") == ""
