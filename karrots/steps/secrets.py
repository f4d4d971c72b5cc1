"""What a copy reads its secrets with: keys of the parent, or values that are sealed again for a key of its own.

Keys and values pass through this process and stay in its memory; they go from one API server to the other.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters import flux
from karrots.adapters.kube import ApiUnreachable, Kube, group, parts, text
from karrots.errors import Failed, KarrotsError, Refused
from karrots.pipeline import Done, Needed
from karrots.providers import provider
from karrots.providers.base import Check
from karrots.report.text import count_text
from karrots.secrets import Decryption, Kept, Sealed, admission, box, decryptions, kept, sealed
from karrots.secrets.find import IDENTITY
from karrots.steps.fencing import served, tried, walked
from karrots.steps.syncing import API_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from karrots.adapters.kube import Object
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.lint.walk import Walk
    from karrots.spec.cluster import ClusterSpec
    from karrots.steps.context import Context

SECRETS = "/api/v1/secrets"
LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
ACTIVE = f"{LABEL}=active"
FROM = "karrots.dev/copied-from"
OWN_KEY = "sealed-secrets-key-karrots"
SEALED_SECRETS = "/apis/bitnami.com/v1alpha1/sealedsecrets"
DEPLOYMENTS = "/apis/apps/v1/deployments"
CONTROLLER = "sealed-secrets-controller"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
MAPS = f"/api/v1/namespaces/{flux.NAMESPACE}/configmaps"
MARKED = ",".join(f"{key}={value}" for key, value in admission.MARK.items())
EXCHANGES_SINCE = 36  # the minor version that serves MutatingAdmissionPolicy
MOST_ROWS = 3


@dataclass(frozen=True)
class Item:
    """One secret of the content: whether and how the cluster reads it, and who gains access by that.

    `state` is read, not read, or depends (on rights that are given elsewhere).
    """

    way: str
    kind: str
    namespace: str
    name: str
    state: str
    how: str
    gains: str
    path: str
    line: int

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True)
class Terms:
    """Whose secrets, and what cluster.yaml says of them; `parent` is '' for a cluster that is no copy."""

    cluster: str
    parent: str
    sealed: str
    sops: str

    @classmethod
    def of(cls, spec: ClusterSpec, record: Record) -> Terms:
        parent = record.parent.name if record.parent else ""
        return cls(record.name, parent, spec.secrets.sealed, spec.secrets.sops)


def items(terms: Terms, content: Walk) -> list[Item]:
    return [_item(each, terms) for each in kept(content)]


def _item(each: Kept, terms: Terms) -> Item:
    state, how, gains = TOLD[each.way](each, terms)
    return Item(each.way, each.kind, each.namespace, each.name, state, how, gains, each.path, each.line)


def _of_sealed(_: Kept, terms: Terms) -> tuple[str, str, str]:
    if not terms.parent:
        return "read", "with the cluster's own key", ""
    if terms.sealed == "own":
        return "not read", f"not at all: '{terms.cluster}' has a key of its own", "nobody"
    who = f"who administers '{terms.cluster}' reads "
    if terms.sealed == "share":
        return "read", f"with the keys of '{terms.parent}', copied", f"{who}all that is sealed for '{terms.parent}'"
    return "read", f"sealed again for a key of '{terms.cluster}' as it is admitted", f"{who}this one"


def _of_sops(each: Kept, terms: Terms) -> tuple[str, str, str]:
    if not each.decrypted_by:
        return "not read", "not at all: its Kustomization does not decrypt", "nobody"
    by = f" ({each.opened_by})" if each.opened_by else ""
    if each.decrypted_by == IDENTITY:
        return "depends", f"by the identity of kustomize-controller{by}", "who may act as that identity"
    if not terms.parent:
        return "read", f"with {each.decrypted_by}{by}", ""
    if terms.sops == "own":
        return "not read", f"not before somebody puts {each.decrypted_by} there", "nobody"
    who = f"who administers '{terms.cluster}' reads all that is encrypted for it"
    return "read", f"with {each.decrypted_by} of '{terms.parent}', copied{by}", who


def _of_store(each: Kept, _: Terms) -> tuple[str, str, str]:
    return "depends", f"from {each.opened_by or 'its store'}, by an identity of the cluster's own", "as the store says"


def _of_plain(_: Kept, __: Terms) -> tuple[str, str, str]:
    return "read", "as it stands in git", "who reads the repository"


TOLD = {"sealed": _of_sealed, "sops": _of_sops, "store": _of_store, "plain": _of_plain}


# What is needed of the parent


@dataclass(frozen=True)
class Wanted:
    """What content asks for. `names` are Secrets that Flux decrypts with."""

    terms: Terms
    sealed: tuple[Sealed, ...]
    names: tuple[Decryption, ...]

    @classmethod
    def of(cls, ctx: Context) -> Wanted:
        terms = Terms.of(ctx.spec, ctx.record)
        if not terms.parent:
            return cls(terms, (), ())
        content = content_of(ctx)
        named = [each for each in decryptions(content) if each.secret and "${" not in each.namespace + each.secret]
        return cls(terms, tuple(sealed(content)), tuple(named if terms.sops == "share" else ()))

    @property
    def of_parent(self) -> bool:
        return bool(self.names) or (bool(self.sealed) and self.terms.sealed != "own")

    @property
    def why_not(self) -> str:
        if not self.terms.parent:
            return "not a copy: its keys are its own"
        unread = count_text(len(self.sealed), "SealedSecret")
        return f"{unread} not read here" if self.sealed else "none that needs a key of the parent's"

    def question(self, protected: str) -> str:
        what = []
        if self.sealed and self.terms.sealed == "share":
            what.append(f"all keys that open what is sealed for '{protected}'")
        elif self.sealed and self.terms.sealed == "reseal":
            what.append(f"the values of {count_text(len(self.sealed), 'SealedSecret')}")
        what += [f"{name.namespace}/{name.secret}" for name in self.names]
        return f"'{protected}' is protected. Who administers '{self.terms.cluster}' gets of it: {', '.join(what)}."


def content_of(ctx: Context) -> Walk:
    """Content is walked once for all the steps."""
    if ctx.walked is None:
        ctx.walked = walked(ctx.workspace, ctx.content, ctx.content_directory)
    return ctx.walked


def is_protected(workspace: Workspace, parent: Record | None) -> bool:
    return parent is not None and (parent.protected or parent.name in workspace.settings.policies.protected)


def agree(ctx: Context, wanted: Wanted) -> None:
    """Raises Refused unless somebody types a yes, where the parent is protected."""
    parent = ctx.workspace.parent_of(ctx.record)
    if ctx.agreed or parent is None or not is_protected(ctx.workspace, parent):
        return
    if not ctx.agree(wanted.question(parent.name)):
        raise Refused(
            f"nothing secret of '{parent.name}' leaves it",
            why="it is protected, and nobody typed a yes",
            hint=f"in {ctx.record.directory}/cluster.yaml: secrets: {{sealed: own, sops: own}}\n"
            "or run the same command in a terminal, and type the yes",
        )
    ctx.agreed = True


@contextmanager
def api_of_parent(ctx: Context) -> Iterator[Kube]:
    """Raises Failed where it cannot be asked."""
    parent = ctx.workspace.parent_of(ctx.record)
    named = ctx.record.parent.name if ctx.record.parent else ""
    hint = f"or in {ctx.record.directory}/cluster.yaml: secrets: {{sealed: own, sops: own}}"
    if parent is None:
        raise Failed(f"the keys of '{named}' cannot be had", why="that cluster is gone", hint=hint)
    try:
        access = provider(parent.provider).access(parent, {}, ctx.workspace.section(parent.provider))
        if access is None:
            raise ApiUnreachable("it has no API server")
        with closing(Kube(access, timeout=API_SECONDS)) as kube:
            yield kube
    except ApiUnreachable as error:
        why = ": ".join(filter(None, (error.message, error.why)))
        hint = f"karrots apply {parent.name}\n{hint}"
        raise Failed(f"the keys of '{parent.name}' cannot be had", why=why, hint=hint) from error


def sealing_keys(kube: Kube) -> list[Object]:
    return list(kube.list(SECRETS, labelSelector=ACTIVE))


def keys_of_parent(kube: Kube, name: str) -> list[Object]:
    found = sealing_keys(kube)
    if not found:
        raise Failed(
            f"'{name}' has no sealing key",
            why=f"no Secret in it has the label {ACTIVE}",
            hint=f"does the controller of Sealed Secrets run there?  karrots status {name}",
        )
    return found


# The steps


class AgreeToSecrets:
    """Before anything is made: what of a protected parent would leave it, and a yes."""

    name = "agree"
    title = "a yes to secrets"

    def check(self, ctx: Context) -> Done | Needed:
        return Done("typed") if ctx.agreed else Needed("the parent is protected")

    def run(self, ctx: Context) -> str:
        wanted = Wanted.of(ctx)
        agree(ctx, wanted)
        refuse_unopened(wanted, ctx)
        return f"'{wanted.terms.parent}' may be read"


def agreement(ctx: Context) -> list[AgreeToSecrets]:
    protected = is_protected(ctx.workspace, ctx.workspace.parent_of(ctx.record))
    return [AgreeToSecrets()] if protected and Wanted.of(ctx).of_parent else []


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
        with api_of_parent(ctx) as parent:
            for each in missing:
                found = parent.get(_secret(each.namespace, each.secret))
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
            with api_of_parent(ctx) as parent:
                theirs = keys_of_parent(parent, self.wanted.terms.parent)
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
        with api_of_parent(ctx) as parent:
            found = keys_of_parent(parent, self.wanted.terms.parent)
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


def not_served(ctx: Context) -> Failed:
    return Failed(
        f"'{ctx.record.name}' cannot exchange sealed values",
        why=f"its API server has no MutatingAdmissionPolicy (Kubernetes 1.{EXCHANGES_SINCE} and later have)",
        hint=f"in {ctx.record.directory}/cluster.yaml: secrets: {{sealed: share}}   (or own)",
    )


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
    for each in kube.list(SEALED_SECRETS):
        metadata = group(each, "metadata")
        namespace, name = text(metadata.get("namespace")), text(metadata.get("name"))
        values, texts = group(group(each, "spec"), "encryptedData"), known.get((namespace, name), {})
        if any(values.get(key) == before for key, (before, _) in texts.items()):
            yield f"/apis/bitnami.com/v1alpha1/namespaces/{namespace}/sealedsecrets/{name}", each


def settle(kube: Kube) -> bool:
    """Asks for one more admission; True when nothing is left."""
    found = list(unsettled(kube, _told(kube)))
    for path, _ in found:
        kube.merge(path, {})
    return not found


# What is looked at before anything is made


def refuse_unopened(wanted: Wanted, ctx: Context) -> None:
    if wanted.sealed and wanted.terms.sealed != "own":
        refuse(unopened_by_parent(wanted, ctx), wanted.terms.parent, ctx.record.directory)


def unopened_by_parent(wanted: Wanted, ctx: Context) -> list[tuple[Sealed, str]]:
    with api_of_parent(ctx) as kube:
        keys = [box.read(each) for each in keys_of_parent(kube, wanted.terms.parent)]
    return [
        (each, key)
        for each in wanted.sealed
        for key, value in each.values.items()
        if each.is_known and box.opened(value, box.label(each), keys) is None
    ]


def refuse(unopened: Sequence[tuple[Sealed, str]], parent: str, directory: str) -> None:
    """Raises Failed that names each."""
    if unopened:
        raise Failed(
            f"no key opens {count_text(len(unopened), 'value')} of SealedSecrets",
            why="\n".join(f"{directory}/{each.path}:{each.line}: {each.label}, '{key}'" for each, key in unopened),
            hint=seal_again(unopened[0][0], parent, directory),
        )


def seal_again(each: Sealed, parent: str, directory: str) -> str:
    scope = f" --scope {each.reach}" if each.reach != "strict" else ""
    return f"karrots run {parent} -- kubeseal{scope} -f SECRET.yaml -w {directory}/{each.path}   (and commit)"


def checks(ctx: Context) -> list[Check]:
    """Rows of the preflight of a copy; nothing of a protected parent is read for them."""
    if ctx.record.parent is None:
        return []
    found = items(Terms.of(ctx.spec, ctx.record), content_of(ctx))
    if not found:
        return []
    wanted = Wanted.of(ctx)
    problems = [*_not_decrypted(ctx), *_of_old_form(wanted), *_not_here(wanted, ctx), *_unopened(wanted, ctx)]
    return problems or [Check("secrets", ok=True, found=summary(found))]


def summary(found: Iterable[Item]) -> str:
    counts: dict[tuple[str, str], int] = {}
    for each in found:
        counts[each.way, each.state] = counts.get((each.way, each.state), 0) + 1
    return ", ".join(f"{count} {way} {state}" for (way, state), count in sorted(counts.items()))


def _not_decrypted(ctx: Context) -> list[Check]:
    hint = "spec: {decryption: {provider: sops, secretRef: {name: sops-age}}} in the Flux Kustomization"
    found = [each for each in kept(content_of(ctx)) if each.way == "sops" and not each.decrypted_by]
    why = "is encrypted with SOPS, and its Kustomization does not decrypt"
    return [Check(f"{each.path}:{each.line}", ok=False, found=f"{each.kind}/{each.name} {why}", hint=hint) for each in found]


def _of_old_form(wanted: Wanted) -> list[Check]:
    """Of what cannot be sealed again, and would come up unread."""
    if wanted.terms.sealed != "reseal":
        return []
    hint = "secrets: {sealed: share}   (or own) in cluster.yaml"
    reasons = [(each, _why_not_exchanged(each)) for each in wanted.sealed]
    return [
        Check(f"{each.path}:{each.line}", ok=False, found=f"{each.label} {why}", hint=hint)
        for each, why in reasons
        if why
    ]


def _why_not_exchanged(each: Sealed) -> str:
    if each.whole:
        return "is of the old form (spec.data), which is not sealed again; kubeseal writes encryptedData"
    if not each.is_known:
        return "has a name that is substituted, so nobody knows yet what it is sealed for"
    long = next((key for key in each.values if len(key) > admission.MOST_KEY), "")
    return f"has a key of more than {admission.MOST_KEY} characters" if long else ""


def _not_here(wanted: Wanted, ctx: Context) -> list[Check]:
    minor = int(ctx.spec.kubernetes.partition(".")[2])
    if wanted.sealed and wanted.terms.sealed == "reseal" and ctx.provider.NAME != "local" and minor < EXCHANGES_SINCE:
        error = not_served(ctx)
        return [Check("secrets", ok=False, found=f"{error.message}: {error.why}", hint=error.hint)]
    return []


def _unopened(wanted: Wanted, ctx: Context) -> list[Check]:
    """Asked of the parent before a copy is made; of a copy that is there, the step asks what it still needs."""
    parent = ctx.workspace.parent_of(ctx.record)
    if ctx.run.verb != "branch" or is_protected(ctx.workspace, parent) or not wanted.of_parent:
        return []
    try:
        refuse_unopened(wanted, ctx)
    except KarrotsError as error:
        return [Check("secrets", ok=False, found=": ".join((error.message, error.why)), hint=error.hint)]
    return []
