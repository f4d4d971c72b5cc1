"""Every secret that content holds or asks for, by the same walk as the fence and lint."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.lint.build import Generated, Object
    from karrots.lint.walk import Scope, Walk

Way = Literal["sealed", "sops", "store", "plain"]
Reach = Literal["strict", "namespace-wide", "cluster-wide"]

SEALED_GROUP = "bitnami.com"
WIDER: tuple[Reach, ...] = ("cluster-wide", "namespace-wide")
STORES = {"ExternalSecret", "ClusterExternalSecret", "SecretProviderClass"}
STORE_GROUPS = {"external-secrets.io", "secrets-store.csi.x-k8s.io"}
# SOPS' own section, as YAML, JSON and dotenv have it.
SOPS_FILE = re.compile(rb'(?m)^(\s*"?sops"?\s*:|sops_version=)')
# Where SOPS says who can open a file: its list -> the word that names the key.
RECIPIENTS = {"age": "recipient", "kms": "arn", "gcp_kms": "resource_id", "azure_kv": "name", "pgp": "fp"}
IDENTITY = "identity"
ONE_VARIABLE = re.compile(r"\$\{[^{}]*\}")


@dataclass(frozen=True, order=True)
class Kept:
    """One secret. `path` is below the cluster directory; `opened_by` names the store, or SOPS' recipients.

    `decrypted_by` is what a Kustomization decrypts SOPS files with: IDENTITY or Secret/namespace/name; '' for nothing.
    """

    way: Way
    kind: str
    namespace: str
    name: str
    path: str
    line: int
    opened_by: str = ""
    decrypted_by: str = ""


@dataclass(frozen=True)
class Sealed:
    """A SealedSecret: its values by key, as text. `whole`: it is of the old form, one text for all."""

    namespace: str
    name: str
    path: str
    line: int
    reach: Reach = "strict"
    values: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False

    @property
    def label(self) -> str:
        return f"SealedSecret/{self.namespace}/{self.name}"

    @property
    def is_known(self) -> bool:
        """Whether its name is known before anything is substituted."""
        return "${" not in self.namespace + self.name


@dataclass(frozen=True, order=True)
class Decryption:
    """What a Flux Kustomization decrypts with: a Secret beside it, or '' for the identity of its controller."""

    namespace: str
    secret: str
    kustomization: str
    path: str
    line: int


def kept(walked: Walk) -> list[Kept]:
    """Sorted, each once."""
    found: set[Kept] = set()
    for scope in walked.scopes:
        for each in scope.build.objects:
            found.update(_kept(each, scope))
        found.update(_generated(each, scope, walked.files) for each in scope.build.secrets)
    return sorted(found)


def sealed(walked: Walk) -> list[Sealed]:
    """Each once, by its name."""
    found = {}
    for scope in walked.scopes:
        for each in scope.build.objects:
            if _is_sealed(each):
                made = _sealed(each, scope)
                found[made.namespace, made.name] = made
    return [found[name] for name in sorted(found)]


def decryptions(walked: Walk) -> list[Decryption]:
    found = (_decryption(scope.owner) for scope in walked.scopes if scope.owner is not None)
    return sorted({each for each in found if each is not None})


def _kept(each: Object, scope: Scope) -> Iterator[Kept]:
    namespace, at = scope.namespace_of(each), (each.path, each.line())
    if _is_sealed(each):
        yield Kept("sealed", each.kind, namespace, each.name, *at)
    elif "sops" in each.value:
        opened_by = _recipients(each.value["sops"])
        yield Kept("sops", each.kind, namespace, each.name, *at, opened_by, _decrypted_by(scope))
    elif each.kind in STORES and each.group in STORE_GROUPS:
        yield Kept("store", each.kind, namespace, each.name, *at, _store(each))
    elif each.kind == "Secret" and each.group == "" and _says_something(each):
        yield Kept("plain", each.kind, namespace, each.name, *at)


def _generated(each: Generated, scope: Scope, files: Mapping[str, bytes]) -> Kept:
    target = scope.owner.spec("targetNamespace") if scope.owner else None
    namespace = target if isinstance(target, str) and target else each.namespace
    encrypted = not each.literal and all(SOPS_FILE.search(files[path]) for path in each.files)
    way: Way = "sops" if encrypted and each.files else "plain"
    by = _decrypted_by(scope) if way == "sops" else ""
    return Kept(way, "Secret", namespace, each.name, each.path, each.line, "", by)


def _is_sealed(each: Object) -> bool:
    return each.kind == "SealedSecret" and each.group == SEALED_GROUP


def _sealed(each: Object, scope: Scope) -> Sealed:
    values = each.spec("encryptedData")
    texts = {str(key): value for key, value in values.items() if isinstance(value, str)} if _is(values) else {}
    whole = isinstance(each.spec("data"), str)
    return Sealed(scope.namespace_of(each), each.name, each.path, each.line(), _reach(each), texts, whole)


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _reach(each: Object) -> Reach:
    """Who may move it: an annotation of the object itself, not of its template, is what opens it."""
    metadata = each.value.get("metadata")
    said = metadata.get("annotations") if isinstance(metadata, dict) else None
    annotations = said if isinstance(said, dict) else {}
    found: Iterator[Reach] = (
        wide for wide in WIDER if annotations.get(f"sealedsecrets.{SEALED_GROUP}/{wide}") in ("true", True)
    )
    return next(found, "strict")


def _decrypted_by(scope: Scope) -> str:
    found = _decryption(scope.owner) if scope.owner is not None else None
    return "" if found is None else f"Secret/{found.namespace}/{found.secret}" if found.secret else IDENTITY


def _decryption(owner: Object) -> Decryption | None:
    if owner.spec("decryption", "provider") != "sops":
        return None
    secret = owner.spec("decryption", "secretRef", "name")
    at = (owner.path, owner.line("spec", "decryption"))
    return Decryption(owner.namespace, str(secret or ""), owner.label, *at)


def _recipients(section: Any) -> str:
    if not isinstance(section, dict):
        return ""
    found = []
    for kind, word in RECIPIENTS.items():
        listed = section.get(kind)
        entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        found += [f"{kind} {each.get(word, '?')}" for each in entries]
    return ", ".join(found)


def _store(each: Object) -> str:
    kind, name = each.spec("secretStoreRef", "kind") or "SecretStore", each.spec("secretStoreRef", "name")
    return f"{kind}/{name}" if name else str(each.spec("provider") or "")


def _says_something(each: Object) -> bool:
    """Beside what is substituted: that is no secret of the text."""
    texts = [each.value.get(part) for part in ("data", "stringData")]
    values = [str(value) for text in texts if isinstance(text, dict) for value in text.values() if value]
    return any(ONE_VARIABLE.sub("", value).strip() for value in values)
