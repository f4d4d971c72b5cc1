"""The fence as objects of an API server. Content and controllers stay as they are, and any depth is reached.

What a maker makes is denied; what has a switch is switched as it is admitted, and a note on it keeps what it said.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.fence.kinds import BY_WHAT_RUNS, DNS_WRITER, GIT_WRITERS, JOB, LABEL, MAKERS, SWITCHES, Maker, Switch
from karrots.fence.selection import NEVER, Decisions, means

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]

GROUP = "admissionregistration.k8s.io"
PREFIX = "karrots-fence"
MARK = {"karrots.dev/fence": "yes"}
DIGEST = "karrots.dev/fence-digest"
# On an object that is held: what its switch said before.
NOTE = "karrots.dev/fence-before"
# Flux does not take away what it did not make; the note is for those who look.
NO_NOTE = "(has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}])"
NAME = "(has(object.metadata.name) ? object.metadata.name : '')"
ALL_SWITCHES = (*SWITCHES, *BY_WHAT_RUNS)


@dataclass(frozen=True)
class Terms:
    """Whose fence it is, and what is open in it. `addresses` are the parent's, which its pods do not reach."""

    cluster: str
    domain: str
    decisions: Decisions = field(default_factory=Decisions)
    addresses: tuple[str, ...] = ()


def policies(terms: Terms, mutating: str) -> list[Object]:
    """`mutating` is the version in which MutatingAdmissionPolicy is served; '' where it is not, and all is denied.

    Those by which one sees that the rest is in force come last.
    """
    if mutating:
        switches = [each for switch in ALL_SWITCHES for each in _switching(switch, terms, mutating)]
    else:
        refused = (*SWITCHES, JOB)  # of a workload the pods are, and the rest of its Kustomization comes up
        switches = [each for switch in refused for each in _refusing(switch, terms)]
    makers = [each for maker in reversed(MAKERS) for each in _denying(maker, terms)]
    return [*switches, *_pods(terms), *makers]


def digest(obj: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(obj["spec"], sort_keys=True).encode()).hexdigest()[:16]


def _object(kind: str, version: str, name: str, spec: Object) -> Object:
    made: Object = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "spec": spec}
    return {**made, "metadata": {"name": name, "labels": dict(MARK), "annotations": {DIGEST: digest(made)}}}


def _constraints(group: str, plural: str, *operations: str) -> Object:
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": list(operations), "resources": [plural]}
    return {"resourceRules": [rule]}


# What is denied


def _denying(maker: Maker, terms: Terms) -> list[Object]:
    kind = f"'{maker.kind.name}'"
    held = terms.decisions.expression(kind, "request.namespace", "n")
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(maker.made_group, maker.made, "CREATE"),
        "variables": [{"name": "makers", "expression": maker.made_by}],
        "validations": [
            {
                "expression": f"!variables.makers.exists(n, {held})",
                "message": f"held by the fence of '{terms.cluster}': karrots fence {terms.cluster}",
                "messageExpression": _message(terms, kind, "variables.makers[0]"),
            }
        ],
    }
    return _validating(f"{PREFIX}-{maker.made}", spec)


def _message(terms: Terms, kind: str, name: str) -> str:
    label = f"{kind} + '/' + request.namespace + '/' + {name}"
    return (
        f"'the fence of {terms.cluster} holds ' + {label}"
        f" + '; to open it: karrots fence {terms.cluster} --open ' + {label}"
    )


def _validating(name: str, spec: Object) -> list[Object]:
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        _object("ValidatingAdmissionPolicy", "v1", name, spec),
        _object("ValidatingAdmissionPolicyBinding", "v1", name, binding),
    ]


def _refusing(switch: Switch, terms: Terms) -> list[Object]:
    """Where nothing can be switched: an object that is not stopped is not let in."""
    running = _running(switch, terms)
    kind = f"'{switch.kind.name}'"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(switch.kind.group, switch.kind.plural, "CREATE", "UPDATE"),
        "validations": [
            {
                "expression": f"!({running})",
                "message": f"held by the fence of '{terms.cluster}': karrots fence {terms.cluster}",
                "messageExpression": _message(terms, kind, NAME),
            }
        ],
    }
    return _validating(f"{PREFIX}-{switch.kind.plural}-not-stopped", spec)


def _pods(terms: Terms) -> list[Object]:
    """Whatever makes them; those of a Job are held by the Job, which may be a CronJob's that is open."""
    hash_ = (
        "has(object.metadata.labels) && 'pod-template-hash' in object.metadata.labels"
        " ? '-' + object.metadata.labels['pod-template-hash'] : ''"
    )
    owned = "has(object.metadata.ownerReferences) && size(object.metadata.ownerReferences) > 0"
    owner = "object.metadata.ownerReferences[0]"
    of_set = f"{owned} && {owner}.kind == 'ReplicaSet' && variables.hash != '' && {owner}.name.endsWith(variables.hash)"
    cut = f"{owner}.name.substring(0, size({owner}.name) - size(variables.hash))"
    held = terms.decisions.expression("variables.kind", "request.namespace", "variables.name")
    named = _or_named(terms, "variables.kind", "variables.name")
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints("", "pods", "CREATE"),
        "matchConditions": [{"name": "no-job", "expression": f"!({owned} && {owner}.kind == 'Job')"}],
        "variables": [
            {"name": "hash", "expression": hash_},
            {"name": "kind", "expression": f"{of_set} ? 'Deployment' : ({owned} ? {owner}.kind : 'Pod')"},
            {"name": "name", "expression": f"{of_set} ? {cut} : ({owned} ? {owner}.name : {NAME})"},
        ],
        "validations": [
            {
                "expression": f"!({_outside('object', terms)}{named}) || !{held}",
                "message": f"held by the fence of '{terms.cluster}': karrots fence {terms.cluster}",
                "messageExpression": _message(terms, "variables.kind", "variables.name"),
            }
        ],
    }
    return _validating(f"{PREFIX}-pods", spec)


# What is switched


def _switching(switch: Switch, terms: Terms, version: str) -> list[Object]:
    name = f"{PREFIX}-{switch.kind.plural}"
    note = NOTE.replace("/", "~1")
    patch = (
        f"{NO_NOTE} + [JSONPatch{{op: 'add', path: '/metadata/annotations/{note}', value: {switch.before}}},"
        f" JSONPatch{{op: 'add', path: '/spec/{switch.field}', value: {switch.value}}}]"
    )
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "matchConstraints": _constraints(switch.kind.group, switch.kind.plural, "CREATE", "UPDATE"),
        "matchConditions": [{"name": "held", "expression": _running(switch, terms)}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    return [
        _object("MutatingAdmissionPolicy", version, name, spec),
        _object("MutatingAdmissionPolicyBinding", version, name, {"policyName": name}),
    ]


def _running(switch: Switch, terms: Terms) -> str:
    """CEL for an object that is held, and not stopped yet."""
    held = terms.decisions.expression(f"'{switch.kind.name}'", "request.namespace", NAME)
    running = f"has(object.spec) && ({switch.when}) && {held}"
    if switch not in BY_WHAT_RUNS:
        return running
    outside = _outside("object.spec.template", terms)
    if switch is JOB:
        outside = f"!{_of_cron_job()} && ({outside})"
    else:
        outside += _or_named(terms, f"'{switch.kind.name}'", NAME)
    return f"{running} && ({outside})"


def _or_named(terms: Terms, kind: str, name: str) -> str:
    """Also what somebody named, whatever it runs."""
    meant = means(terms.decisions.closed_by_name, kind, "request.namespace", name)
    return f" || {meant}" if meant != NEVER else ""


def _of_cron_job() -> str:
    return "(has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, o.kind == 'CronJob'))"


def _outside(pod: str, terms: Terms) -> str:
    """The same as karrots.fence.find.runs_outside, of a pod or a template of one."""
    labelled = " || ".join(
        f"(has({each}.metadata) && has({each}.metadata.labels) && '{LABEL}' in {each}.metadata.labels)"
        for each in dict.fromkeys((pod, "object"))
    )
    writers = "|".join(GIT_WRITERS)
    return (
        f"{labelled} || {pod}.spec.containers.exists(c, has(c.image) && ("
        f"c.image.matches('(^|/)({writers})([:@]|$)')"
        f" || (c.image.matches('(^|/){DNS_WRITER}([:@]|$)') && !({_keeps_to(terms.domain)}))))"
    )


def _keeps_to(domain: str) -> str:
    start = "--domain-filter="
    own = f"(a == '{start}{domain}' || a.endsWith('.{domain}'))"
    return (
        f"has(c.args) && c.args.exists(a, a.startsWith('{start}')) && c.args.all(a, !a.startsWith('{start}') || {own})"
    )


# Who is not reached


def egress(terms: Terms, namespace: str) -> Object:
    """All but the parent's addresses may be reached. Such policies add up, so it is for namespaces without one."""
    ranges = [ipaddress.ip_network(each) for each in terms.addresses]
    whole = [("0.0.0.0/0", 4), ("::/0", 6)]
    blocks = [
        {"ipBlock": {"cidr": cidr} | ({"except": listed_} if listed_ else {})}
        for cidr, version in whole
        for listed_ in [sorted(str(each) for each in ranges if each.version == version)]
    ]
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"namespaceSelector": {}}, *blocks]}]}
    metadata = {
        "name": PREFIX,
        "namespace": namespace,
        "labels": dict(MARK),
        "annotations": {DIGEST: digest({"spec": spec})},
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


# Objects by which one sees whether the fence is in force; they are asked for as a try, and never made


def probe_job(name: str) -> Object:
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": "00000000-0000-0000-0000-000000000000"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{PREFIX}-probe", "ownerReferences": [owner]},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "probe", "image": "none"}]}}},
    }


def probe_deployment() -> Object:
    labels = {"app": f"{PREFIX}-probe", LABEL: "probe"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{PREFIX}-probe"},
        "spec": {
            "selector": {"matchLabels": {"app": labels["app"]}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "probe", "image": "none"}]}},
        },
    }


def probe_provider() -> Object:
    return {
        "apiVersion": "notification.toolkit.fluxcd.io/v1beta3",
        "kind": "Provider",
        "metadata": {"name": f"{PREFIX}-probe"},
        "spec": {"type": "generic", "address": "http://127.0.0.1"},
    }
