"""Template folders: `*.j2` goes through Jinja and loses the suffix, everything else is taken as it stands."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".j2"
# YAML folds its other line breaks, and takes neither further control characters nor a byte order mark
# (https://yaml.org/spec/1.1/#b-generic).
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF)}
# What Terraform leaves behind when somebody runs it in a template folder.
_NOT_TEMPLATES = (".terraform", ".terraform.lock.hcl")


def rendered(folder: Path, values: Mapping[str, Any]) -> dict[str, str]:
    """Texts by path below `folder`, in POSIX form."""
    return {
        path.relative_to(folder).as_posix().removesuffix(SUFFIX): rendered_file(path, values)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not set(_NOT_TEMPLATES) & set(path.relative_to(folder).parts)
    }


def rendered_file(path: Path, values: Mapping[str, Any]) -> str:
    text = path.read_text(encoding="utf-8")
    return _jinja(text, path, values) if path.name.endswith(SUFFIX) else text


def _jinja(text: str, path: Path, values: Mapping[str, Any]) -> str:
    import jinja2

    try:
        result: str = _compiled(text).render(**values)
    except jinja2.TemplateError as error:
        raise Failed(f"the template '{path.name}' cannot be rendered", why=str(error)) from error
    return result


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    """Compiling takes ten times as long as rendering, and the services share most of their templates."""
    return _environment().from_string(text)


@cache
def _environment() -> Any:
    import jinja2

    # Autoescape is for HTML. The results are YAML and HCL: values enter through the filter `quoted`, or not at all.
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    environment.filters["quoted"] = _quoted
    return environment


def _quoted(value: object) -> str:
    """A JSON string, which YAML reads as the same text whatever it holds."""
    return json.dumps(str(value), ensure_ascii=False).translate(_ESCAPED)
