"""Git's text without the values of Secrets: their lines are found in whatever form they are written."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from karrots.diff.covered import covered, generated_from, secret_lines
from tests.support.repositories import commit, git, repository

if TYPE_CHECKING:
    from pathlib import Path

VALUE = "hunter2"
ODD_NAMES = ('odd "name".yaml', "gr\u00fc\u00dfe.yaml", "with a blank.yaml")
WRITTEN = {
    "block": f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  password: {VALUE}\ntype: Opaque\n",
    "before its kind": f"data:\n  password: {VALUE}\nkind: Secret\nmetadata:\n  name: a\n",
    "quoted": f"'kind': 'Secret'\n\"stringData\":\n  \"password\": \"{VALUE}\"\n",
    "flow": f"kind: Secret\nstringData: {{password: {VALUE}}}\n",
    "one line": f'{{"kind": "Secret", "stringData": {{"password": "{VALUE}"}}}}\n',
    "json": f'{{\n  "kind": "Secret",\n  "data": {{\n    "password": "{VALUE}"\n  }}\n}}\n',
    "text of many lines": f"kind: Secret\nstringData:\n  file: |\n    first\n\n    pin={VALUE}\n",
    "a list": f"kind: List\nitems:\n  - kind: Secret\n    data:\n      password: {VALUE}\n  - kind: ConfigMap\n",
    "a second document": f"kind: ConfigMap\ndata:\n  a: b\n---\nkind: Secret\ndata:\n  password: {VALUE}\n",
    "broken": f"kind: Secret\n  broken: [\ndata:\n  password: {VALUE}\n",
    "a comment behind": f"kind: Secret # of ours\ndata: # here\n  password: {VALUE}\n",
    "windows": f"kind: Secret\r\ndata:\r\n  password: {VALUE}\r\n",
    "a generator": f"secretGenerator:\n- name: a\n  literals:\n  - password={VALUE}\nresources:\n- x.yaml\n",
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_every_line_with_a_value_is_found(written: str) -> None:
    lines = written.split("\n")
    holding = {number for number, line in enumerate(lines, 1) if VALUE in line}
    assert holding <= secret_lines(written)


def test_other_objects_of_the_file_are_left_alone() -> None:
    told = secret_lines("kind: ConfigMap\ndata:\n  a: b\n---\nkind: Secret\ndata:\n  c: d\ntype: Opaque\n")
    assert told == {6, 7}
    assert secret_lines("kind: ConfigMap\ndata:\n  kind: Secretive\n") == set()


def test_files_of_generators() -> None:
    kustomization = (
        b"secretGenerator:\n  - name: a\n    envs: [tls.env]\n    files:\n      - key=../tls.pem\nresources: []\n"
    )
    assert {"apps/tls.env", "tls.pem"} <= generated_from({"apps/kustomization.yaml": kustomization})


@pytest.mark.parametrize(
    ("name", "written"),
    [*(("a.yaml", text) for text in WRITTEN.values()), *((name, WRITTEN["block"]) for name in ODD_NAMES)],
)
def test_what_git_says_of_a_change_is_covered(written: str, name: str, tmp_path: Path) -> None:
    """Added, changed, moved and taken away, with the values in the lines around a change too."""
    repo = repository(tmp_path)
    texts = [written, written.replace(VALUE, "another1"), written + "# more\n", written.replace("name: a", "name: b")]
    trees = [git(repo.root, "rev-parse", "HEAD^{tree}")]
    for text in texts:
        commit(repo.root, {name: text}, "Change")
        trees.append(git(repo.root, "rev-parse", "HEAD^{tree}"))
    git(repo.root, "mv", name, f"moved {name}")
    git(repo.root, "commit", "-qm", "Move")
    trees.append(git(repo.root, "rev-parse", "HEAD^{tree}"))
    for a, b in itertools.chain(itertools.pairwise(trees), itertools.pairwise(reversed(trees))):
        files = [{path: file.data for path, file in repo.files(tree).items()} for tree in (a, b)]
        told = covered(repo.diff(a, b), files[0], files[1])
        assert VALUE not in told
        assert "another1" not in told


def test_what_is_no_secret_stays_as_git_says_it(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    before = git(repo.root, "rev-parse", "HEAD^{tree}")
    commit(repo.root, {"a.yaml": "kind: ConfigMap\ndata:\n  a: b\n", "b.bin": "\0"}, "Add")
    after = git(repo.root, "rev-parse", "HEAD^{tree}")
    files = [{path: file.data for path, file in repo.files(tree).items()} for tree in (before, after)]
    assert covered(repo.diff(before, after), files[0], files[1]) == repo.diff(before, after)
