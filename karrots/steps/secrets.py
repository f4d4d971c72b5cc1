"""How a copy reads the secrets of its content, what of that its parent gives, and a yes where that is protected."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from karrots.adapters.kube import ApiUnreachable, Kube
from karrots.errors import Failed, KarrotsError, Refused
from karrots.pipeline import Done, Needed
from karrots.providers import provider
from karrots.providers.base import Check
from karrots.report.text import count_text
from karrots.secrets import Decryption, Kept, Sealed, admission, box, decryptions, kept, sealed
from karrots.secrets.find import IDENTITY
from karrots.steps.fencing import walked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from karrots.adapters.kube import Object
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.lint.walk import Walk
    from karrots.spec.cluster import ClusterSpec
    from karrots.steps.context import Context

T = TypeVar("T")

SECRETS = "/api/v1/secrets"
LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
ACTIVE = f"{LABEL}=active"
SEALED_SECRETS = "/apis/bitnami.com/v1alpha1/sealedsecrets"
EXCHANGES_SINCE = 36  # the minor version that serves MutatingAdmissionPolicy
MOST_ROWS = 3
PARENT_SECONDS = 15.0


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


def asked_of_parent(ctx: Context, ask: Callable[[Kube], T]) -> T:
    """Raises Failed where it cannot be asked."""
    parent = ctx.workspace.parent_of(ctx.record)
    hint = f"or in {ctx.record.directory}/cluster.yaml: secrets: {{sealed: own, sops: own}}"
    if parent is None:
        named = ctx.record.parent.name if ctx.record.parent else ""
        raise Failed(f"the keys of '{named}' cannot be had", why="that cluster is gone", hint=hint)
    try:
        with closing(api_of(ctx.workspace, parent)) as kube:
            return ask(kube)
    except ApiUnreachable as error:
        why = ": ".join(filter(None, (error.message, error.why)))
        hint = f"karrots apply {parent.name}\n{hint}"
        raise Failed(f"the keys of '{parent.name}' cannot be had", why=why, hint=hint) from error


def api_of(workspace: Workspace, record: Record) -> Kube:
    """Raises ApiUnreachable for a cluster that has no API server."""
    access = provider(record.provider).access(record, {}, workspace.section(record.provider))
    if access is None:
        raise ApiUnreachable(f"'{record.name}' has no API server")
    return Kube(access, timeout=PARENT_SECONDS)


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


# What is looked at before anything is made


def refuse_unopened(wanted: Wanted, ctx: Context) -> None:
    if wanted.sealed and wanted.terms.sealed != "own":
        refuse(unopened_by_parent(wanted, ctx), wanted.terms.parent, ctx.record.directory)


def unopened_by_parent(wanted: Wanted, ctx: Context) -> list[tuple[Sealed, str]]:
    found = asked_of_parent(ctx, lambda kube: keys_of_parent(kube, wanted.terms.parent))
    keys = [box.read(each) for each in found]
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
    return [
        Check(f"{each.path}:{each.line}", ok=False, found=f"{each.kind}/{each.name} {why}", hint=hint) for each in found
    ]


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


def not_served(ctx: Context) -> Failed:
    return Failed(
        f"'{ctx.record.name}' cannot exchange sealed values",
        why=f"its API server has no MutatingAdmissionPolicy (Kubernetes 1.{EXCHANGES_SINCE} and later have)",
        hint=f"in {ctx.record.directory}/cluster.yaml: secrets: {{sealed: share}}   (or own)",
    )


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
        return [Check("secrets", ok=False, found=f"{error.message}: {error.why}", hint=error.hint)]
    return []
