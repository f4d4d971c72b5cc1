"""Broken and hostile input, made from a seed: bytes, YAML, JSON, names, trees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

MARKER = "karrots-torture-marker"

SCALARS = (
    "", "~", "null", "true", "no", "on", "y", "0", "-1", "007", "1e3", "1.30", ".nan", ".inf", "0x1f", "0o17",
    "190:20:30",
    "2024-13-45", "25:61:61", "2026-11-21", "9" * 5000, "0x" + "f" * 10_000, "'", '"', "[]", "{}", "- a", "a: b", "*a",
    "&a",
    "!!binary aGk=", "!!set {a}", "!!python/object/apply:os.system [id]", "!!timestamp 2024-13-45", "!!int x",
    "!foo bar",
    "!!float .nan", "!!bool maybe", "!!null x", "!!omap [a: 1]", "!!pairs [a: 1]", "|\n  text", ">\n  text", "? a",
    "@", "`", "%",
    "\x00", "\ufeff", "\u202e", "\x1b[2J", "\x85", "\u2028", "\ud800", "x" * 5000, "é", "日本",
    '${file("/etc/passwd")}',
    "%{ for x in y }", "<<", "<<: *a", "=", "a\tb", "\ta", "a\r\nb", "a#b", "a #b", "local", "1.36", "'1.36'", "2.9",
    "1m", "7d",
)  # fmt: skip
KEYS = (
    "apiVersion", "kind", "provider", "kubernetes", "nodes", "network", "flux", "variables", "terraform", "domain",
    "git",
    "addresses", "providers", "policies", "default", "count", "min", "max", "size", "zones", "nat", "version",
    "interval",
    "remote", "pool", "prefix", "ttl", "protected", "local", "eks", "account", "region", "<<", "=", "cluster_name",
    "k" * 3000,
    "é", "", "1", "true", "~", "a.b", "[a]", "{a: b}", "? ", "!!str x", "*a", "&a b", "\x1b[31m", "__class__",
    "api_version",
)  # fmt: skip
CORPUS: tuple[bytes, ...] = (
    b"[" * 100_000, b"{" * 100_000, b"- " * 50_000, b"a: " * 50_000, b"[" * 100_000 + b"]" * 100_000,
    b"\n".join(b" " * n + b"a:" for n in range(1200)), b"? " * 60_000, b"- - " * 40_000, b"!!" * 100_000,
    b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 110)),
    b"&a [*a]", b"&a {b: *a}", b"a: &a\n  b: *a\n", b"&a {<<: *a}", b"a: &x {<<: [*x]}", b"a: *nobody", b"*a : b",
    b"a: 1\na: 2\n", b"a: {b: 1, b: 2}", b"nodes: {default: {count: 1}}\nnodes: {}\n", b"<<: {a: 1}\n<<: {b: 2}\n",
    b"when: 2024-13-45", b"when: 25:61:61", b"when: 2001-12-14t21:59:43.10-05:00", b"n: " + b"9" * 5000,
    b"n: -" + b"1" * 100_000,
    b"n: 0x" + b"f" * 10_000, b"n: 1e" + b"9" * 400, b"f: .nan", b"f: -.INF", b"a: !!binary \xff\xff",
    b"a: !!set {a, b}",
    b"a: !!python/object/apply:os.system ['touch marker']", b"!!python/object/new:type {}",
    b"%TAG ! tag:evil,2000:\n---\n!x a",
    b"%YAML 9.9\n---\na: b", b"%YAML 1.1\n---\na: no", b"\x00", b"a: \x00", b"\xef\xbb\xbfa: b",
    "a: b".encode("utf-16"),
    "a: b".encode("utf-32"), b"\xff\xfe\x00", b"\xc0\xaf", b"\xed\xa0\x80: x", b"a:\tb", b"\ta: b",
    b"a:\r\n  b: c\r\n", b"a: b\r",
    b"k" * 200_000 + b": v", b"? " + b"k" * 2000 + b"\n: v", b"---\na: 1\n---\nb: 2\n", b"", b"\n\n",
    b"# only a comment", b"---",
    b"...", b"- a", b"text", b"123", b"null", b"a: 'open", b'a: "open', b"a: |\n", b"a: >-\n\n\n", b"a: [b, c",
    b"a: {b: c", b"}", b"]",
    b"\x85a: b", "a: \u2028b".encode(), b'a: "\\ud800"', b'a: "\\U00110000"', b'a: "\\x00"', b"{a: b}: c", b"[a]: b",
    b"? {a: b}\n: c",
    b"x" * (1 << 20), b"x" * ((1 << 20) + 1), b"".join(b"k%06d: v\n" % n for n in range(100_000)), b"a,\n" * 300_000,
    b"[" + b"[]," * 340_000 + b"]", b"- &a%d b\n" * 1000, b"\n".join(b"- &a%d x" % n for n in range(2000)),
    b"a: &a x\nb: [" + b"*a," * 2000 + b"]", b"#" * (1 << 20), b" " * (1 << 20), b"\n" * (1 << 20),
    b"nodes:\n" + b"".join(b"  n%d: {counts: 1}\n" % n for n in range(40_000)),
    b"a:" + b":#" * 20_000 + b"\n" + b"#\n" * 20_000 + b"x: y\n",
)  # fmt: skip

CLUSTER = b"""apiVersion: karrots.dev/v1
kind: Cluster
provider: local
kubernetes: "1.36"
nodes:
  default:
    count: 2
flux:
  version: "2.9"
  interval: 1m
variables:
  log_level: debug
terraform: rendered
"""
FLEET = b"""apiVersion: karrots.dev/v1
kind: Fleet
domain: example.com
git:
  remote: origin
addresses:
  pool: 10.64.0.0/10
  prefix: 20
providers:
  local: {}
policies:
  ttl: 7d
  protected:
    - prod
"""


def mutated(random: Random, data: bytes, *, most: int = 6) -> bytes:
    """`data` with a few bytes, lines or stretches changed, moved, doubled or taken away."""
    out = bytearray(data)
    for _ in range(random.randint(1, most)):
        _once(random, out)
    return bytes(out)


def _once(random: Random, out: bytearray) -> None:
    at = random.randrange(len(out) + 1)
    end = min(len(out), at + random.choice((1, 1, 2, 8, 40, 400)))
    match random.randrange(7):
        case 0:
            out[at:end] = random.randbytes(end - at)
        case 1:
            del out[at:end]
        case 2:
            out[at:at] = out[at:end] * random.choice((1, 2, 50))
        case 3:
            out[at:at] = random.choice(SCALARS).encode("utf-8", "surrogatepass")
        case 4:
            del out[at:]
        case 5 if at < len(out):
            out[at] ^= 1 << random.randrange(8)
        case _:
            out[at:at] = random.choice(
                (b"\x00", b"\xff", b"\n", b"\t", b'"', b"}", b"]", b": ", b"[", b"{", b"\\", b"*a ", b"&a ")
            )


def yaml_file(random: Random, valid: bytes) -> bytes:
    """A mutated valid file, one from the corpus, or one from the grammar."""
    match random.randrange(8):
        case 0:
            return random.choice(CORPUS)
        case 1:
            return mutated(random, random.choice(CORPUS)[:4096])
        case 2 | 3 | 4:
            return mutated(random, valid)
        case 5:
            return _replaced(random, valid)
        case _:
            return _node(random, 0, 0).encode("utf-8", "surrogatepass")


def _replaced(random: Random, valid: bytes) -> bytes:
    """The value of one line is another."""
    lines = valid.decode().splitlines()
    at = random.randrange(len(lines))
    key = lines[at].partition(":")[0]
    lines[at] = f"{key}: {random.choice(SCALARS)}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _node(random: Random, depth: int, indent: int) -> str:
    pad = " " * indent
    if depth > 5 or random.random() < 0.15:
        return f"{pad}{random.choice(SCALARS)}\n"
    lines = []
    for _ in range(random.randint(1, 5)):
        head = "-" if random.random() < 0.2 else f"{random.choice(KEYS)}:"
        if random.random() < 0.5:
            lines.append(f"{pad}{head} {random.choice(SCALARS)}\n")
        else:
            lines.append(f"{pad}{head}\n{_node(random, depth + 1, indent + 2)}")
    return "".join(lines)


# JSON

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**30, -(10**300), 1e308, float("nan"), float("inf"), "", "x", "\x00", "\ud800",
    "\x1b[2J\x07", "a\nb",
    "\u202e", "../../etc/passwd", "/etc/passwd", "--output=/tmp/x", "$(id)", "-1", "x" * 5000, [], {}, [[]], [None],
    {"": None}, {"a": {}},
    {"name": "qa"}, [1, "a", None], "2026-11-21T07:00:00Z", "99999-01-01T00:00:00Z", "2026-02-31T00:00:00Z",
    "10.0.0.0/99",
)  # fmt: skip


def changed(random: Random, value: Any, depth: int = 0) -> Any:
    """A JSON value with one part replaced, taken away, or added."""
    if depth > 8 or not isinstance(value, (dict, list)) or not value or random.random() < 0.25:
        return random.choice(VALUES)
    if isinstance(value, list):
        at = random.randrange(len(value))
        return [*value[:at], changed(random, value[at], depth + 1), *value[at + 1 :]]
    copy = dict(value)
    key = random.choice(list(copy))
    match random.randrange(5):
        case 0:
            del copy[key]
        case 1:
            copy[random.choice(("extra", "", "type", "\x00", "schema"))] = random.choice(VALUES)
        case _:
            copy[key] = changed(random, copy[key], depth + 1)
    return copy


def json_text(random: Random, value: Any) -> bytes:
    """`value` with parts changed, then perhaps broken as a text."""
    for _ in range(random.randint(1, 3)):
        value = changed(random, value)
    data = json.dumps(value).encode()
    match random.randrange(10):
        case 0:
            return mutated(random, data)
        case 1:
            return data[: random.randrange(len(data) + 1)]
        case 2:
            return random.choice(BROKEN_JSON)
        case 3:
            return deep(random, data)
        case _:
            return data


BROKEN_JSON: tuple[bytes, ...] = (
    b"", b"null", b"[]", b"{}", b"0", b'""', b"[null]", b"true", b"\x00", b"\xff\xfe", b"NaN", b"[" * 100_000,
    b'{"a":' * 100_000, b"9" * 5000,
    b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"x":"' + b"y" * 300_000 + b'"}',
    b"[" * 900 + b"]" * 900, b"{}" * 2, b"{} x",
)  # fmt: skip


def deep(random: Random, data: bytes) -> bytes:
    """The document with something deep in it."""
    depth = random.choice((70, 400, 900, 985, 10_000))
    bottom = b"[" * depth + b"]" * depth
    return data[:1] + b'"deep": ' + bottom + (b"," if len(data) > 2 else b"") + data[1:] if data[:1] == b"{" else bottom


# Names

NAMES: tuple[bytes, ...] = (
    b"a", b"qa", b"QA", b"Qa", b"\xff\xfe", "\u00e9".encode(), "e\u0301".encode(), b"n" * 255, b"n" * 4096, b"-x",
    b"--upload-pack=x", b" ", b"a b",
    b"a\nb", b"\x1b[2J", b"\x07", b"$(id)", b"`id`", b"..x", b".git", b".GIT", b"git~1", b".git\xe2\x80\x8c", b"CON",
    b"a:b", b"a\\b", b"*", b"?", b"con",
    b".gitmodules", b".gitattributes", b"kustomization.yaml", b"record.json", b"applied", b"cluster.yaml", b"flux",
    b"terraform", "\u202ex".encode(), b"'", b'"', b"x.json",
)  # fmt: skip


def words(random: Random, choices: Sequence[str], most: int) -> list[str]:
    return [random.choice(choices) for _ in range(random.randint(0, most))]
