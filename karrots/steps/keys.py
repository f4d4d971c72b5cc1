"""Giving a copy what it reads its secrets with, before the first sync.

Keys and values pass through this process and stay in its memory; they go from one API server to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters import flux
from karrots.adapters.kube import ApiRefused, group, parts, text
from karrots.errors import Failed
from karrots.pipeline import Done, Needed
from karrots.report.text import count_text
from karrots.secrets import admission, box
from karrots.steps.fencing import served, tried
from karrots.steps.secrets import (
    LABEL,
    MOST_ROWS,
    SEALED_SECRETS,
    Wanted,
    agree,
    asked_of_parent,
    is_protected,
    keys_of_parent,
    not_served,
    refuse,
    sealing_keys,
)
from karrots.steps.syncing import PASSING, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from karrots.adapters.kube import Kube, Object
    from karrots.secrets import Decryption, Sealed
    from karrots.steps.context import Context

FROM = "karrots.dev/copied-from"
OWN_KEY = "sealed-secrets-key-karrots"
DEPLOYMENTS = "/apis/apps/v1/deployments"
CONTROLLER = "sealed-secrets-controller"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
MAPS = f"/api/v1/namespaces/{flux.NAMESPACE}/configmaps"
MARKED = ",".join(f"{key}={value}" for key, value in admission.MARK.items())


class GiveKeys:
    """Before the first sync: a controller that finds no key makes one, and is asked to start again to see another."""

    name = "keys"
    title = "keys for its secrets"

    def check(self, ctx: Context) -> Done | Needed:
        wanted = Wanted.of(ctx)
        if not wanted.of_parent:
            return Done(wanted.why_not)
        missing = [each for way in _ways(wanted) for each in way.missing(ctx)]
        return Needed(", ".join(missing[:MOST_ROWS])) if missing else Done("there")

    def run(self, ctx: Context) -> str:
        wanted = Wanted.of(ctx)
        agree(ctx, wanted)
        return ", ".join(way.give(ctx) for way in _ways(wanted))


def _ways(wanted: Wanted) -> list[Shared | Resealed | Decrypting]:
    found: list[Shared | Resealed | Decrypting] = [Decrypting(wanted.names)] if wanted.names else []
    if wanted.sealed and wanted.terms.sealed != "own":
        found.append(Shared(wanted) if wanted.terms.sealed == "share" else Resealed(wanted))
    return found


@dataclass(frozen=True)
class Decrypting:
    """Secrets that Flux decrypts SOPS files with; one that somebody put there is left as it is."""

    names: Sequence[Decryption]

    def missing(self, ctx: Context) -> list[str]:
        return [f"{each.namespace}/{each.secret}" for each in self._missing(ctx)]

    def _missing(self, ctx: Context) -> list[Decryption]:
        return [each for each in self.names if ctx.api().get(_secret(each.namespace, each.secret)) is None]

    def give(self, ctx: Context) -> str:
        missing = self._missing(ctx)
        for each in missing:
            path = _secret(each.namespace, each.secret)
            found = asked_of_parent(ctx, lambda parent, path=path: parent.get(path))  # type: ignore[misc]
            if found is None:
                raise _no_secret(ctx, each)
            put(ctx, found)
        return f"{count_text(len(missing), 'Secret')} for SOPS copied"


def _no_secret(ctx: Context, each: Decryption) -> Failed:
    parent = ctx.record.parent.name if ctx.record.parent else ""
    where = f"{each.namespace}/{each.secret}"
    return Failed(
        f"'{parent}' has no Secret {where}",
        why=f"{each.kustomization} ({each.path}:{each.line}) decrypts with it",
        hint=f"karrots run {parent} -- kubectl -n {each.namespace} get secrets",
    )


def _secret(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def put(ctx: Context, found: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
    """A Secret of the parent's, under the same name in the copy."""
    metadata = group(found, "metadata")
    named = {"name": text(metadata.get("name")), "namespace": text(metadata.get("namespace"))}
    told = {"labels": dict(labels or {}), "annotations": {FROM: ctx.record.parent.id if ctx.record.parent else ""}}
    kept_ = {"apiVersion": "v1", "kind": "Secret", "type": found.get("type") or "Opaque"}
    place(ctx.api(), {**kept_, "metadata": named | told, "data": found.get("data") or {}})


def place(kube: Kube, secret: Object) -> None:
    namespace = secret["metadata"]["namespace"]
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    kube.create("/api/v1/namespaces", made)
    kube.apply(f"/api/v1/namespaces/{namespace}/secrets", secret)


@dataclass(frozen=True)
class Shared:
    """All active keys of the parent; its newer ones too, while it is not protected and answers."""

    wanted: Wanted

    def missing(self, ctx: Context) -> list[str]:
        return [f"the key {text(group(each, 'metadata').get('name'))}" for each in self._missing(ctx)]

    def _missing(self, ctx: Context) -> list[Object]:
        here = sealing_keys(ctx.api())
        copied = any(FROM in group(group(each, "metadata"), "annotations") for each in here)
        if copied and is_protected(ctx.workspace, ctx.workspace.parent_of(ctx.record)):
            return []
        have = {certificate(each) for each in here}
        try:
            theirs = asked_of_parent(ctx, lambda parent: keys_of_parent(parent, self.wanted.terms.parent))
        except Failed:
            if copied:
                return []
            raise
        return [each for each in theirs if certificate(each) not in have]

    def give(self, ctx: Context) -> str:
        missing = self._missing(ctx)
        for each in missing:
            put(ctx, each, {LABEL: "active"})
        restart_controllers(ctx.api(), ctx.run.id)
        return f"{count_text(len(missing), 'sealing key')} of '{self.wanted.terms.parent}' copied"


def certificate(secret: Mapping[str, Any]) -> str:
    return text(group(secret, "data").get(box.CERTIFICATE))


def restart_controllers(kube: Kube, at: str) -> None:
    """A controller reads keys when it starts."""
    for each in kube.list(DEPLOYMENTS):
        pod = group(group(group(each, "spec"), "template"), "spec")
        if any(CONTROLLER in text(part.get("image")) for part in parts(pod.get("containers"))):
            metadata = group(each, "metadata")
            path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}"
            template = {"metadata": {"annotations": {RESTARTED: at}}}
            kube.merge(path, {"spec": {"template": template}})


@dataclass(frozen=True)
class Resealed:
    """Values of content, sealed again for the copy's newest key and exchanged as they are admitted."""

    wanted: Wanted

    def missing(self, ctx: Context) -> list[str]:
        kube = ctx.api()
        own = [box.read(each) for each in sealing_keys(kube)]
        if not own:
            return ["a sealing key of its own"]
        known = _told(kube)
        lacking = [f"{each.label} {key}" for each, key, _ in self._unknown(known, own)]
        standing = [] if _stands(kube) else ["the exchange at admission"]
        return [*lacking, *standing, *(path for path, _ in unsettled(kube, known))]

    def _unknown(
        self, known: Mapping[tuple[str, str], Mapping[str, tuple[str, str]]], own: Sequence[box.Key]
    ) -> Iterator[tuple[Sealed, str, str]]:
        """What is neither exchanged already nor sealed for the copy itself."""
        for each in filter(lambda found: found.is_known, self.wanted.sealed):
            texts = known.get((each.namespace, each.name), {})
            for key, value in each.values.items():
                if texts.get(key, ("", ""))[0] != value and box.opened(value, box.label(each), own) is None:
                    yield each, key, value

    def give(self, ctx: Context) -> str:
        kube = ctx.api()
        version = served(kube)
        if not version:
            raise not_served(ctx)
        found = asked_of_parent(ctx, lambda parent: keys_of_parent(parent, self.wanted.terms.parent))
        theirs = [box.read(each) for each in found]
        own = self._own_keys(kube, text(group(found[0], "metadata").get("namespace")))
        maps = self._maps(_told(kube), theirs, own, ctx)
        self._put_up(kube, version, maps)
        terms = admission.probe_terms(maps)
        kube.apply(MAPS, terms)
        until(lambda: exchanges(kube, terms), ctx, "values are exchanged at admission")
        until(lambda: settle(kube), ctx, "what is there already is exchanged")
        return f"{count_text(len(self.wanted.sealed), 'SealedSecret')} sealed again"

    def _own_keys(self, kube: Kube, namespace: str) -> list[box.Key]:
        """The key is made here, so that it is there before its controller, and goes nowhere else."""
        found = sealing_keys(kube)
        if not found:
            metadata = {"name": OWN_KEY, "namespace": namespace, "labels": {LABEL: "active"}}
            kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls"}
            place(kube, {**kind, "metadata": metadata, "data": box.make()})
            restart_controllers(kube, OWN_KEY)
        return [box.read(each) for each in found or sealing_keys(kube)]

    def _maps(
        self,
        known: Mapping[tuple[str, str], Mapping[str, tuple[str, str]]],
        theirs: Sequence[box.Key],
        own: Sequence[box.Key],
        ctx: Context,
    ) -> list[Object]:
        """What was exchanged before stays as it was."""
        public = box.newest(own).private.public_key()
        made: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
        unopened = []
        for each, key, value in self._unknown({}, own):
            bound, before = box.label(each), known.get((each.namespace, each.name), {}).get(key, ("", ""))
            opened = box.opened(value, bound, theirs) if before[0] != value else b""
            if opened is None:
                unopened.append((each, key))
                continue
            after = before[1] if before[0] == value else box.closed(opened, bound, public)
            made.setdefault((each.namespace, each.name), {})[key] = (value, after)
        refuse(unopened, self.wanted.terms.parent, ctx.record.directory)
        return [admission.exchanged(*named, texts) for named, texts in made.items()]

    def _put_up(self, kube: Kube, version: str, maps: Sequence[Object]) -> None:
        for each in maps:
            kube.apply(MAPS, each)
        kept_ = {each["metadata"]["name"] for each in maps}
        for each in kube.list(MAPS, labelSelector=MARKED):
            if each["metadata"]["name"] not in kept_:
                kube.delete(f"{MAPS}/{each['metadata']['name']}")
        for each in admission.policy(version):
            kube.apply(_collection(each), each)


def _collection(obj: Object) -> str:
    plural = "mutatingadmissionpolicies" if obj["kind"].endswith("Policy") else "mutatingadmissionpolicybindings"
    return f"/apis/{obj['apiVersion']}/{plural}"


def _told(kube: Kube) -> dict[tuple[str, str], dict[str, tuple[str, str]]]:
    return dict(admission.told(each) for each in kube.list(MAPS, labelSelector=MARKED))


def _stands(kube: Kube) -> bool:
    version = served(kube)
    return bool(version) and all(_digest(kube, each) == _digest_of(each) for each in admission.policy(version))


def _digest(kube: Kube, wanted: Object) -> str:
    return _digest_of(kube.get(f"{_collection(wanted)}/{wanted['metadata']['name']}") or {})


def _digest_of(obj: Mapping[str, Any]) -> str:
    return text(group(group(obj, "metadata"), "annotations").get(admission.DIGEST))


def exchanges(kube: Kube, terms: Object) -> bool:
    """Whether the API server acts by the newest of it: it learns that a moment after it was written."""
    status, said = tried(kube, MAPS, admission.probe())
    return status < 300 and group(said, "data").get("probe") == terms["data"][f"{admission.AFTER}probe"]


def unsettled(
    kube: Kube, known: Mapping[tuple[str, str], Mapping[str, tuple[str, str]]]
) -> Iterator[tuple[str, Object]]:
    """What came in before it was exchanged."""
    for each in _living(kube):
        metadata = group(each, "metadata")
        namespace, name = text(metadata.get("namespace")), text(metadata.get("name"))
        values, texts = group(group(each, "spec"), "encryptedData"), known.get((namespace, name), {})
        if any(values.get(key) == before for key, (before, _) in texts.items()):
            yield f"/apis/bitnami.com/v1alpha1/namespaces/{namespace}/sealedsecrets/{name}", each


def _living(kube: Kube) -> list[Object]:
    """None while the kind is so new that nothing can be in it."""
    try:
        return list(kube.list(SEALED_SECRETS))
    except ApiRefused as error:
        if error.status in PASSING:
            return []
        raise


def settle(kube: Kube) -> bool:
    """Asks for one more admission; True when nothing is left."""
    found = list(unsettled(kube, _told(kube)))
    for path, _ in found:
        kube.merge(path, {})
    return not found
