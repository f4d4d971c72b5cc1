from __future__ import annotations

from karrots.fleet.lineage import forest, live_children, walk
from karrots.fleet.record import Parent, Record
from tests.support.records import record


def child(name: str, of: Record) -> Record:
    return record(name, parent=Parent(name=of.name, id=of.id, commit="a" * 40))


def drawn(records: list[Record]) -> list[str]:
    return ["  " * depth + node.record.name for depth, node in walk(forest(records))]


def test_branches_hang_below_what_they_came_from() -> None:
    qa, prod = record("qa"), record("prod")
    b, a = child("b", qa), child("a", qa)
    deep = child("deep", a)
    assert drawn([b, deep, qa, a, prod]) == ["prod", "qa", "  a", "    deep", "  b"]
    assert live_children(qa, [b, deep, qa, a, prod]) == [a, b]


def test_a_child_of_a_gone_parent_is_at_the_root_and_says_so() -> None:
    orphan = child("orphan", record("gone"))
    (node,) = forest([orphan])
    assert (node.record, node.gone) == (orphan, "gone")


def test_a_new_cluster_of_the_parents_name_is_not_its_parent() -> None:
    orphan = child("orphan", record("qa"))
    assert drawn([orphan, record("qa")]) == ["orphan", "qa"]


def test_a_circle_hides_no_cluster() -> None:
    a, b = record("a"), record("b")
    a, b = (
        record("a", id=a.id, parent=Parent(name="b", id=b.id, commit="")),
        record("b", id=b.id, parent=Parent(name="a", id=a.id, commit="")),
    )
    assert drawn([a, b, child("c", b)]) == ["a", "b", "  c"]


def test_a_very_long_line_is_no_trouble() -> None:
    line = [record("c0")]
    for place in range(1, 1500):
        line.append(child(f"c{place}", line[-1]))
    assert [depth for depth, _ in walk(forest(line))] == list(range(1500))
