"""A provider's schema from its npm package `@cdktf/provider-…`, where the provider itself cannot be had.

The package's manifest (.jsii) has names, types and what is required; its JavaScript says list or set. Lost are
`sensitive`, `deprecated`, most limits of blocks, and whether an optional text, number or boolean is computed too: all
of them are taken to be.
"""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from tests.schemas.kept import is_kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
KIND = re.compile(r"^ {8,}(\w+): \{\n *value: .*\n *isBlock: (?:true|false),\n *type: \"(\w+)\",", re.MULTILINE)
PART = re.compile(r"^(?:function (\w+)ToHclTerraform|class (\w+) extends)", re.MULTILINE)

INTERNAL = {"fqn", "internalValue"}

Json = dict[str, Any]


class Package:
    """An npm package on the disk."""

    def __init__(self, file: Path, provider: str) -> None:
        with tarfile.open(file) as archive:
            self._texts = dict(_read(archive))
        manifest = json.loads(self._texts[".jsii"])
        if manifest.get("schema") == "jsii/file-redirect":
            manifest = json.loads(self._texts[manifest["filename"]])
        self.provider = provider
        self.label = f"{manifest['name']}@{manifest['version']}"
        self._name = manifest["name"]
        self._types: Mapping[str, Json] = manifest["types"]
        place = rf"hashicorp/{provider}/([0-9.]+)/docs"
        self._link = re.compile(place + r"/(resources|data-sources)/(\w+)#(\w+)")
        self._provider_link = re.compile(place + r"#(\w+)")

    @cached_property
    def version(self) -> str:
        """Of the provider."""
        found = next(filter(None, (self._link.search(json.dumps(each)) for each in self._types.values())))
        return found[1]

    def schema(self) -> Json:
        parts: dict[str, Json] = {"resources": {}, "data-sources": {}}
        for name, each in self._types.items():
            owner = self._types.get(name.removesuffix("Config"))
            if each["kind"] != "interface" or not name.endswith("Config") or owner is None or owner["kind"] != "class":
                continue
            link = self._link.search(json.dumps(each.get("properties", [])))
            kind = f"{self.provider}_{link[3]}" if link else ""
            if link and is_kept(kind):
                parts[link[2]][kind] = {"version": 0, "block": self._root(name, owner)}
        return {
            "provider": {"version": 0, "block": self._provider()},
            "resource_schemas": dict(sorted(parts["resources"].items())),
            "data_source_schemas": dict(sorted(parts["data-sources"].items())),
        }

    def _provider(self) -> Json:
        name = next(n for n in self._types if n.split(".")[1] == "provider" and n.endswith("ProviderConfig"))
        block = self._block(name, self._provider_link, 2)
        block.get("attributes", {}).pop("alias", None)
        return block

    def _root(self, config: str, owner: Json) -> Json:
        """The arguments, and what the class lets one read beside them."""
        block = self._block(config, self._link, 4)
        attributes = block.setdefault("attributes", {})
        self._add_read_only(owner, attributes, block.get("block_types", {}))
        attributes.setdefault("id", {"type": "string", "optional": True, "computed": True})
        return block

    def _add_read_only(self, owner: Json, attributes: Json, blocks: Json) -> None:
        """What a class has beside its arguments."""
        properties = {each["name"]: each for each in owner.get("properties", [])}
        for name, each in properties.items():
            plain = snake(name)
            is_argument = name.endswith("Input") or f"{name}Input" in properties or name in INTERNAL
            if each.get("static") or is_argument or plain in attributes or plain in blocks:
                continue
            kind = self._read_only(each["type"])
            if kind:
                attributes[plain] = {"type": kind, "computed": True}

    def _block(self, name: str, link: re.Pattern[str], group: int) -> Json:
        attributes, blocks = {}, {}
        kinds = self._kinds(name)
        for each in self._types[name].get("properties", []):
            found = link.search(json.dumps(each.get("docs", {})))
            if not found:
                continue
            argument, is_optional = found[group], each.get("optional", False)
            plain, nested = self._plain(each["type"]), self._struct(each["type"])
            if plain:
                attributes[argument] = _argument(argument, _as(plain, kinds.get(argument)), is_optional=is_optional)
            elif nested:
                inside = self._block(nested[0], link, group)
                blocks[argument] = _nested(inside, argument, kinds.get(argument), nested[1], is_optional=is_optional)
        output = self._types.get(f"{name}OutputReference")
        if output is not None:
            self._add_read_only(output, attributes, blocks)
        return {part: value for part, value in (("attributes", attributes), ("block_types", blocks)) if value}

    def _kinds(self, name: str) -> Mapping[str, str]:
        """List, set or map, by argument, of a struct or of a configuration."""
        struct = name.rpartition(".")[2].lower()
        path = str(self._types[name]["symbolId"]).partition(":")[0]
        own = self._javascript(re.sub(r"^src/", "lib/", path))
        return own.get(struct) or own.get(struct.removesuffix("config"), {})

    @cache  # noqa: B019  (a package lives as long as the script)
    def _javascript(self, path: str) -> Mapping[str, Mapping[str, str]]:
        """By the name of a struct, or of a class, in small letters."""
        pieces = PART.split(self._texts.get(f"{path}.js", ""))
        parts = zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
        return {(function or kind).lower(): dict(KIND.findall(body)) for function, kind, body in parts}

    def _plain(self, kind: Json) -> Any:
        if "primitive" in kind:
            return PRIMITIVES.get(kind["primitive"])
        if "union" in kind:
            return next(filter(None, map(self._plain, kind["union"]["types"])), None)
        if "collection" in kind:
            inside = self._plain(kind["collection"]["elementtype"])
            return inside and ["map" if kind["collection"]["kind"] == "map" else "list", inside]
        return None

    def _struct(self, kind: Json) -> tuple[str, bool] | None:
        """The type of a nested block, and whether there can be many."""
        if kind.get("fqn", "").startswith(f"{self._name}."):
            return kind["fqn"], False
        if "union" in kind:
            return next(filter(None, map(self._struct, kind["union"]["types"])), None)
        if "collection" in kind:
            inside = self._struct(kind["collection"]["elementtype"])
            return (inside[0], True) if inside else None
        return None

    def _read_only(self, kind: Json, above: tuple[str, ...] = ()) -> Any:
        name = kind.get("fqn", "")
        plain = self._plain(kind)
        if plain:
            return plain
        if name in {"cdktf.IResolvable", "cdktf.StringMap"}:
            return "bool" if name == "cdktf.IResolvable" else ["map", "string"]
        element = name.removesuffix("List") + "OutputReference"
        if not name.endswith("List") or element not in self._types or name in above:
            return None
        inside = {}
        for each in self._types[element].get("properties", []):
            if each["name"] not in INTERNAL and not each["name"].endswith("Input"):
                inside[snake(each["name"])] = self._read_only(each["type"], (*above, name))
        return ["list", ["object", {name: of for name, of in inside.items() if of}]]


def _read(archive: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    for member in archive:
        name = member.name.removeprefix("package/")
        wanted = name.endswith("/index.js") or name in {".jsii", ".jsii.gz"}
        source = archive.extractfile(member) if wanted else None
        if source is not None:
            data = source.read()
            yield name, (gzip.decompress(data) if name.endswith(".gz") else data).decode()


def _argument(name: str, kind: Any, *, is_optional: bool) -> Json:
    if not is_optional:
        return {"type": kind, "required": True}
    is_computed = isinstance(kind, str) or name == "tags_all"
    return {"type": kind, "optional": True, **({"computed": True} if is_computed else {})}


def _nested(block: Json, name: str, kind: str | None, many: bool, *, is_optional: bool) -> Json:
    if name == "timeouts":
        return {"nesting_mode": "single", "block": block}
    limits = {} if many else {"max_items": 1}
    return {
        "nesting_mode": "set" if kind == "set" else "list",
        **limits,
        **({} if is_optional else {"min_items": 1}),
        "block": block,
    }


def _as(plain: Any, kind: str | None) -> Any:
    return ["set", plain[1]] if kind == "set" and isinstance(plain, list) and plain[0] == "list" else plain


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda letter: f"_{letter[1].lower()}", name)
