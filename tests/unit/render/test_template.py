from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from karrots.errors import Failed
from karrots.render.template import rendered

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_a_template_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "plain.tf").write_text('a = "${var.x}" {{ x }}\n')
    (tmp_path / "sub/.hidden.j2").write_text("{% if x %}\nx: {{ x | quoted }}\n{% endif %}\n")
    files = rendered(tmp_path, {"x": 'a"b: ${c}\n'})
    assert files == {"plain.tf": 'a = "${var.x}" {{ x }}\n', "sub/.hidden": 'x: "a\\"b: ${c}\\n"\n'}


def test_what_terraform_leaves_behind_is_no_template(tmp_path: Path) -> None:
    (tmp_path / ".terraform/providers").mkdir(parents=True)
    (tmp_path / ".terraform/providers/x").write_bytes(b"\xff")
    (tmp_path / ".terraform.lock.hcl").write_text("")
    (tmp_path / "main.tf").write_text("")
    assert rendered(tmp_path, {}) == {"main.tf": ""}


def test_a_value_nobody_gives_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ missing }}")
    with pytest.raises(Failed, match=r"the template 'a\.j2' cannot be rendered") as caught:
        rendered(tmp_path, {})
    assert "missing" in caught.value.why


@pytest.mark.parametrize(
    "text", ["a: b # c", '"', "\\", "\n", "ü", "😀", "a\x85b", "\u2028", "\u2029", "\ufeffa", "\x7f", "\x9b"]
)
def test_a_quoted_value_is_read_as_it_was(text: str, tmp_path: Path) -> None:
    (tmp_path / "file.yaml.j2").write_text("key: {{ value | quoted }}\n")
    written = rendered(tmp_path, {"value": text})["file.yaml"]
    assert yaml.safe_load(written) == {"key": text}
