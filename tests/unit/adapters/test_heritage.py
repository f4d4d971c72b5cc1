"""What external-dns made for one cluster, and what only looks like it."""

from __future__ import annotations

from dataclasses import dataclass

from karrots.adapters.heritage import of_owner


@dataclass(frozen=True)
class Entry:
    name: str
    kind: str
    values: tuple[str, ...] = ("192.0.2.1",)


OURS = '"heritage=external-dns,external-dns/owner=01a,external-dns/resource=ingress/shop/web"'
THEIRS = OURS.replace("01a", "01b")


def found(*entries: Entry) -> set[tuple[str, str]]:
    return {(entry.name, entry.kind) for entry in of_owner(entries, "01a")}


def test_a_record_goes_with_the_text_beside_it_in_both_forms() -> None:
    new = (Entry("shop.d", "A"), Entry("a-shop.d", "TXT", (OURS,)))
    old = (Entry("web.d", "CNAME"), Entry("web.d", "TXT", (OURS,)))
    assert found(*new, *old) == {("shop.d", "A"), ("a-shop.d", "TXT"), ("web.d", "CNAME"), ("web.d", "TXT")}


def test_a_text_named_after_a_type_stands_for_that_type_alone() -> None:
    """Somebody's own record may have the name of the text."""
    text = Entry("cname-shop.d", "TXT", (OURS,))
    assert found(text, Entry("shop.d", "CNAME"), Entry("cname-shop.d", "A"), Entry("shop.d", "A")) == {
        ("cname-shop.d", "TXT"),
        ("shop.d", "CNAME"),
    }


def test_a_set_of_texts_with_somebodys_own_in_it_stays() -> None:
    spf = Entry("shop.d", "TXT", (OURS, '"v=spf1 -all"'))
    assert found(spf) == set()
    assert found(Entry("shop.d", "TXT", (OURS, THEIRS))) == set()


def test_what_two_owners_claim_is_nobodys_to_delete() -> None:
    texts = (Entry("a-shop.d", "TXT", (OURS,)), Entry("shop.d", "TXT", (THEIRS,)))
    assert found(Entry("shop.d", "A"), *texts) == {("a-shop.d", "TXT")}
