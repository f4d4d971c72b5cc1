"""A comparison as one HTML file: whole in itself, small, and nothing in it is anything else than text."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from karrots import places
from karrots.diff.page import page
from tests.unit.diff.samples import FRONT, HOSTILE, IMAGE, difference, hostile, same

if TYPE_CHECKING:
    from karrots.diff.document import Difference

TEMPLATE = places.templates() / "pages"
VOID = {"meta", "input", "br", "link"}
SCRIPTED = re.compile(r"^on|^(?:src|srcset|action|formaction|style|ping|background)$")


class Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.inside: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"script", "style"}:
            self.inside[self.open[-1]] = self.inside.get(self.open[-1], "") + data
        else:
            self.text.append(data)


def read(*found: Difference) -> Read:
    parser = Read()
    parser.feed(made(*found))
    parser.close()
    assert parser.open == []
    return parser


def made(*found: Difference) -> str:
    return page(found, TEMPLATE, {("rendered", FRONT): [("spec.replicas", "2")]})


def shape(parser: Read) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(sorted(attributes))) for tag, attributes in parser.tags]


def test_it_needs_nothing_but_itself() -> None:
    parser = read(difference())
    assert not [tag for tag, _ in parser.tags if tag in {"link", "img", "iframe", "object", "base", "embed"}]
    assert {a["href"][0] for tag, a in parser.tags if tag == "a"} == {"#"}
    assert "://" not in made(difference()).replace("http-equiv", "")


def test_only_our_script_and_our_style_may_run() -> None:
    parser = read(difference())
    policy = next(a["content"] for tag, a in parser.tags if a.get("http-equiv") == "Content-Security-Policy")
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(parser.inside[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize("evil", HOSTILE)
def test_whatever_a_text_holds_it_is_text(evil: str) -> None:
    """The page has the same tags and attributes as with harmless texts."""
    parser = read(hostile(evil))
    assert shape(parser) == shape(read(hostile("harmless")))
    assert parser.inside == read(same()).inside
    for _, attributes in parser.tags:
        assert not [name for name in attributes if SCRIPTED.match(name)]
    assert not set("\x1b\u202e\x07") & set(made(hostile(evil)))


def test_a_template_that_does_not_escape_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import jinja2

    assert "<img" not in made(hostile("<img src=x onerror=alert(1)>"))
    kept = jinja2.Environment

    def careless(**settings: object) -> jinja2.Environment:
        return kept(**{**settings, "autoescape": False})  # type: ignore[arg-type]

    monkeypatch.setattr(jinja2, "Environment", careless)
    evil = "<img src=x onerror=alert(1)>"
    assert evil in made(hostile(evil))


def test_every_difference_has_an_address_that_stays() -> None:
    parser, again = read(difference()), read(difference())
    ids = [a["id"] for _, a in parser.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert ids == [a["id"] for _, a in again.tags if "id" in a]
    targets = {a["href"][1:] for tag, a in parser.tags if tag == "a"}
    assert targets <= set(ids)
    less = read(difference(IMAGE))
    assert {a["id"] for tag, a in less.tags if tag == "section" and "id" in a} < set(ids)


def test_both_sides_stand_beside_each_other_with_signs_and_words() -> None:
    text = made(difference())
    assert "<del>shop/front:1.5.0</del>" in text
    assert "<ins>shop/front:1.6.0</ins>" in text
    assert "unexpected: nothing says that it should differ" in text
    assert "from flux/apps/front/deployment.yaml:14, Kustomization flux-system/apps (qa)" in text
    assert re.search(r'data-class="same"><th scope="row"><code>spec.replicas</code>', text)
    assert "a\n<del>b</del>\nc" in text


def test_lines_of_files_are_told_by_their_numbers() -> None:
    text = made(difference())
    assert re.search(r"<code>14 · 14</code>.*?<del>        - image: shop/front:1.5.0</del>", text, re.DOTALL)
    assert re.search(r"<code>15</code>.*?<i>nothing</i>.*?<ins>          name: front</ins>", text, re.DOTALL)
    assert re.search(r'class="same" data-class="same"><th scope="row"><code>15 · 16</code>', text)


def test_a_file_without_lines_is_told_too() -> None:
    binary = (
        "diff --git a/x.png b/x.png\nnew file mode 100644\nindex 000..111\nBinary files /dev/null and b/x.png differ\n"
    )
    assert "Binary files /dev/null and b/x.png differ" in made(replace(difference(), patch=binary))


def test_filters_name_what_there_is() -> None:
    parser = read(difference())
    boxes = {(a["name"], a["value"]) for tag, a in parser.tags if tag == "input" and "value" in a}
    levels = {value for name, value in boxes if name == "level"}
    assert levels == {"content", "rendered", "live"}
    assert {value for name, value in boxes if name == "class"} == {"unexpected", "expected", "runtime"}
    assert all(f">{kind}<" in made(difference()) for kind in ("Deployment", "Service", "ConfigMap", "file"))


def test_a_usual_case_is_below_300_kb_and_a_large_one_says_what_is_missing() -> None:
    many = [replace(IMAGE, key=replace(IMAGE.key, name=f"front-{n}")) for n in range(150)]
    usual = made(difference(*many))
    assert len(usual.encode()) < 300_000
    assert "did not fit" not in usual
    large = made(
        difference(*(replace(each, key=replace(each.key, namespace=f"n{n}")) for n in range(20) for each in many))
    )
    assert len(large.encode()) < 300_000
    assert re.search(r"\d+ things more did not fit into this page", large)


def test_several_pairs_share_one_page() -> None:
    parser = read(difference(), same())
    ids = [a["id"] for _, a in parser.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert "Nothing differs." in made(same())
