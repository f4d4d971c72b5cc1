"""Values that are sealed for the parent, exchanged in the copy as they are admitted.

For each SealedSecret of content a ConfigMap says which text is exchanged for which. A value that somebody changed since
is none of them, and stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from karrots.secrets.find import SEALED_GROUP
from karrots.spec.identity import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Object = dict[str, Any]

GROUP = "admissionregistration.k8s.io"
POLICY = "karrots-resealed"
PROBE = "karrots-resealed-probe"
MARK = {"karrots.dev/resealed": "yes"}
DIGEST = "karrots.dev/resealed-digest"
BEFORE, AFTER = "f.", "t."
MOST_KEY = 253 - len(BEFORE)  # a ConfigMap's keys are as long as a Secret's
OF_NAMESPACE, OF_NAME = "karrots.dev/namespace", "karrots.dev/name"
AS_SEALED = "before"


def policy(version: str) -> list[Object]:
    """`version` in which MutatingAdmissionPolicy is served."""
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {"resourceRules": [_rule(SEALED_GROUP, "sealedsecrets"), _rule("", "configmaps", PROBE)]},
        "matchConditions": [
            {"name": "named", "expression": _is_named()},
            {"name": "sealed", "expression": f"{_of_probe('has(object.data)', _HAS_VALUES)}"},
        ],
        "variables": [
            {"name": "values", "expression": _of_probe("object.data", "object.spec.encryptedData")},
            {"name": "at", "expression": _of_probe("'/data/'", "'/spec/encryptedData/'")},
        ],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": _exchange()}}],
    }
    binding = {
        "policyName": POLICY,
        "paramRef": {
            "namespace": NAMESPACE,
            "selector": {"matchLabels": dict(MARK)},
            "parameterNotFoundAction": "Allow",
        },
    }
    return [
        _object("MutatingAdmissionPolicy", version, spec),
        _object("MutatingAdmissionPolicyBinding", version, binding),
    ]


_HAS_VALUES = "(has(object.spec) && has(object.spec.encryptedData))"


def _of_probe(yes: str, no: str) -> str:
    return f"object.kind == 'ConfigMap' ? {yes} : {no}"


def _rule(group: str, plural: str, name: str = "") -> Object:
    operations = ["CREATE"] if name else ["CREATE", "UPDATE"]
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": operations, "resources": [plural]}
    return {**rule, "resourceNames": [name]} if name else rule


def _is_named() -> str:
    told = "params.metadata.annotations"
    return f"{told}['{OF_NAMESPACE}'] == request.namespace && {told}['{OF_NAME}'] == object.metadata.name"


def _exchange() -> str:
    before, after, now = f"params.data['{BEFORE}' + k]", f"params.data['{AFTER}' + k]", "variables.values[k]"
    known = f"variables.values.filter(k, ('{BEFORE}' + k) in params.data && {before} == {now})"
    path = "variables.at + jsonpatch.escapeKey(k)"
    return f"{known}.map(k, JSONPatch{{op: 'replace', path: {path}, value: {after}}})"


def _object(kind: str, version: str, spec: Object) -> Object:
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    metadata = {"name": POLICY, "labels": dict(MARK), "annotations": {DIGEST: digest}}
    return {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def exchanged(namespace: str, name: str, values: Mapping[str, tuple[str, str]]) -> Object:
    """The texts of one SealedSecret by key: as content has them, and as the copy can open them."""
    data = {f"{BEFORE}{key}": before for key, (before, _) in values.items()}
    data |= {f"{AFTER}{key}": after for key, (_, after) in values.items()}
    own = hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:24]
    metadata = {
        "name": f"{POLICY}-{own}",
        "namespace": NAMESPACE,
        "labels": dict(MARK),
        "annotations": {OF_NAMESPACE: namespace, OF_NAME: name},
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def told(config_map: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, tuple[str, str]]]:
    """Of which SealedSecret it speaks, and its texts by key: what `exchanged` was given."""
    annotations = config_map["metadata"].get("annotations") or {}
    data = config_map.get("data") or {}
    keys = [word.removeprefix(BEFORE) for word in data if word.startswith(BEFORE)]
    texts = {key: (data[f"{BEFORE}{key}"], data.get(f"{AFTER}{key}", "")) for key in keys}
    return (annotations.get(OF_NAMESPACE, ""), annotations.get(OF_NAME, "")), texts


def probe_terms(maps: Iterable[Mapping[str, Any]]) -> Object:
    """Written after all others: an API server that knows it knows them too."""
    state = json.dumps([told(each) for each in maps], sort_keys=True)
    digest = hashlib.sha256(state.encode()).hexdigest()[:16]
    return exchanged(NAMESPACE, PROBE, {"probe": (AS_SEALED, digest)})


def probe() -> Object:
    """Asked for as a try, and never made."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE}, "data": {"probe": AS_SEALED}}
