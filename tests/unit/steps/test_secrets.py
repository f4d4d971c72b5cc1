"""What goes from a parent's API server to its copy's, and what does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from karrots.errors import Failed, KarrotsError, Refused
from karrots.fleet.record import Parent
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.ops.bringup import converge, towards_ready
from karrots.ops.wait import Wait
from karrots.pipeline import Done, Needed
from karrots.secrets import Sealed, admission, box, sealed
from karrots.spec.cluster import Secrets
from karrots.steps import keys, secrets
from karrots.steps.keys import GiveKeys
from karrots.steps.secrets import AgreeToSecrets, Wanted, checks
from tests.support.records import record
from tests.unit.fence.trees import APPS, DIRECTORY, files, manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from karrots.fleet.record import Record
    from karrots.steps.context import Context

KEYS = "/api/v1/namespaces/kube-system/secrets"
DECRYPTING = APPS + "  decryption: {provider: sops, secretRef: {name: sops-age}}\n"
ENCRYPTED = manifest("Secret", "v1", "data: {a: 'ENC[AES256_GCM]'}\nsops: {age: [{recipient: age1example}]}\n")
MAKE = box.make


class Server:
    """Keeps what it is sent, by path, and exchanges what it was told."""

    def __init__(self, *kept: dict[str, Any]) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.exchanges = True
        for each in kept:
            self.apply(KEYS, each)

    def get(self, path: str) -> dict[str, Any] | None:
        if path.endswith("admissionregistration.k8s.io/v1"):
            return {"resources": [{"name": "mutatingadmissionpolicies"}] if self.exchanges else []}
        return self.kept.get(path)

    def list(self, path: str, labelSelector: str = "") -> list[dict[str, Any]]:  # noqa: N803  (the API's name)
        name = path.rpartition("/")[2]
        labels = dict(word.split("=") for word in labelSelector.split(",") if word)
        return [
            each
            for at, each in self.kept.items()
            if at.split("/")[-2] == name and labels.items() <= each["metadata"].get("labels", {}).items()
        ]

    def apply(self, collection: str, obj: dict[str, Any]) -> None:
        self.kept[f"{collection}/{obj['metadata']['name']}"] = obj

    def create(self, collection: str, obj: dict[str, Any]) -> None:
        self.kept.setdefault(f"{collection}/{obj['metadata']['name']}", obj)

    def delete(self, path: str) -> None:
        del self.kept[path]

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        obj = self.kept[path]
        if "spec" in patch:
            obj["spec"]["template"].update(patch["spec"]["template"])
            return
        _, texts = next(told for each in self.list("/configmaps") if (told := admission.told(each))[0][1] == "a")
        obj["spec"]["encryptedData"] = {key: after for key, (_, after) in texts.items()}

    def request(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        assert (method, "dryRun=All" in path) == ("POST", True)
        told = (admission.told(each) for each in self.list("/configmaps"))
        (texts,) = (texts for (_, name), texts in told if name == admission.PROBE)
        return 201, {**body, "data": {"probe": texts["probe"][1]}}


def key_secret(name: str = "key") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "kube-system", "labels": {secrets.LABEL: "active"}}
    return {"metadata": metadata, "type": "kubernetes.io/tls", "data": MAKE(2048)}


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    return key_secret()


def sealed_text(key: dict[str, Any], text: bytes = b"Qz-marked", name: str = "a") -> str:
    bound = box.label(Sealed("shop", name, "", 1))
    value = box.closed(text, bound, box.read(key).private.public_key())
    return manifest("SealedSecret", "bitnami.com/v1alpha1", f"spec: {{encryptedData: {{password: {value}}}}}")


def asking(parent: Server | None) -> Callable[[object, Callable[[Any], Any]], Any]:
    def asked(_: object, ask: Callable[[Any], Any]) -> Any:
        if parent is None:
            raise Failed("the keys of 'qa' cannot be had", hint="karrots apply qa")
        return ask(parent)

    return asked


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, parent: Server | None, *, protected: bool = False) -> None:
        self.copy = Server()
        self.parent = record("qa", protected=protected)
        self.yes = False
        self.asked: list[str] = []
        monkeypatch.setattr(box, "make", lambda: MAKE(2048))
        for module in (keys, secrets):
            monkeypatch.setattr(module, "asked_of_parent", asking(parent))
        monkeypatch.setattr(keys, "until", lambda true, *_: true())

    def agree(self, question: str) -> bool:
        self.asked.append(question)
        return self.yes

    def ctx(self, content: Mapping[str, bytes], sealed_mode: str = "reseal", sops: str = "share") -> Context:
        copy = record("qa-story", parent=Parent(name="qa", id=self.parent.id, commit="a" * 40))
        policies = SimpleNamespace(policies=SimpleNamespace(protected=[]))
        workspace = SimpleNamespace(parent_of=self._parent_of, settings=policies)
        said = Secrets(sealed=cast("Any", sealed_mode), sops=cast("Any", sops))
        made = SimpleNamespace(
            record=copy, workspace=workspace, agree=self.agree, agreed=False, api=lambda: self.copy,
            walked=walk(Tree(content, DIRECTORY)), run=SimpleNamespace(id="run", verb="branch"),
            provider=SimpleNamespace(NAME="local"),
            spec=SimpleNamespace(secrets=said, kubernetes="1.36"),
        )  # fmt: skip
        return cast("Context", made)

    def _parent_of(self, _: Record) -> Record:
        return self.parent

    def given(self, ctx: Context) -> str:
        step = GiveKeys()
        assert isinstance(step.check(ctx), Needed)
        told = step.run(ctx)
        assert isinstance(step.check(ctx), Done), step.check(ctx)
        return told


def test_a_cluster_that_is_no_copy_is_given_nothing(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, None)
    ctx = world.ctx(files(sealed_text(theirs)))
    ctx.record = record("qa")
    assert GiveKeys().check(ctx) == Done("not a copy: its keys are its own")
    assert checks(ctx) == []


@pytest.mark.parametrize("content", [files(), files(manifest("ConfigMap", "v1"))])
def test_nothing_sealed_asks_for_nothing(monkeypatch: pytest.MonkeyPatch, content: Mapping[str, bytes]) -> None:
    ctx = World(monkeypatch, None).ctx(content)
    assert isinstance(GiveKeys().check(ctx), Done)
    assert checks(ctx) == []


def test_shared_keys_are_copied_as_they_are(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    other = key_secret("older")
    world = World(monkeypatch, Server(theirs, other))
    world.given(world.ctx(files(sealed_text(theirs)), "share"))
    copied = {each["metadata"]["name"]: each["data"] for each in secrets.sealing_keys(cast("Any", world.copy))}
    assert copied == {"key": theirs["data"], "older": other["data"]}


def test_a_newer_key_of_the_parent_is_copied_too_and_controllers_start_again(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]
) -> None:
    parent = Server(theirs)
    world = World(monkeypatch, parent)
    ctx = world.ctx(files(sealed_text(theirs)), "share")
    world.given(ctx)
    container = {"image": "ghcr.io/bitnami/sealed-secrets-controller:0.40.0"}
    for name, image in (("sealed-secrets-controller", container), ("front", {"image": "shop/front"})):
        spec = {"template": {"spec": {"containers": [image]}}}
        metadata = {"name": name, "namespace": "kube-system"}
        world.copy.apply("/apis/apps/v1/namespaces/kube-system/deployments", {"metadata": metadata, "spec": spec})
    parent.apply(KEYS, key_secret("newer"))
    world.given(ctx)
    restarted = {
        each["metadata"]["name"]: "metadata" in each["spec"]["template"] for each in world.copy.list("/deployments")
    }
    assert restarted == {"sealed-secrets-controller": True, "front": False}


def test_a_copy_that_has_them_needs_its_parent_no_more(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs))
    ctx = world.ctx(files(sealed_text(theirs)), "share")
    world.given(ctx)
    monkeypatch.setattr(keys, "asked_of_parent", asking(None))
    assert isinstance(GiveKeys().check(ctx), Done)


def test_sealed_again_for_a_key_that_is_made_for_it(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs))
    ctx = world.ctx(files(sealed_text(theirs)))
    world.given(ctx)
    (own,) = secrets.sealing_keys(cast("Any", world.copy))
    assert own["data"] != theirs["data"]
    (content,) = sealed(walk(Tree(files(sealed_text(theirs)), DIRECTORY)))
    told = [admission.told(each) for each in world.copy.list("/configmaps")]
    ((before, after),) = (texts["password"] for (_, name), texts in told if name == "a")
    assert box.opened(after, box.label(content), [box.read(own)]) == b"Qz-marked"
    assert box.opened(before, box.label(content), [box.read(own)]) is None
    assert "Qz-marked" not in str(world.copy.kept)


def test_what_is_exchanged_already_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs))
    first = sealed_text(theirs)
    world.given(world.ctx(files(first)))
    before = dict(world.copy.kept)
    second = sealed_text(theirs, b"another", "b").replace("{name: a}", "{name: b}")
    world.given(world.ctx(files(first, second)))
    changed = {path for path, obj in before.items() if world.copy.kept.get(path) != obj}
    terms = admission.probe_terms([])["metadata"]["name"]
    assert {path.rpartition("/")[2] for path in changed} == {terms}
    assert not isinstance(GiveKeys().check(world.ctx(files(first))), Needed)


def test_what_is_sealed_for_the_copy_itself_is_let_be(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    own = key_secret("own")
    world = World(monkeypatch, Server(theirs))
    world.copy.apply(KEYS, own)
    ctx = world.ctx(files(sealed_text(own)))
    world.given(ctx)  # the policy alone
    assert [name for (_, name), _ in map(admission.told, world.copy.list("/configmaps"))] == [admission.PROBE]


def test_what_came_in_before_is_exchanged(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs))
    content = files(sealed_text(theirs))
    ctx = world.ctx(content)
    world.given(ctx)
    (found,) = sealed(walk(Tree(content, DIRECTORY)))
    live: dict[str, Any] = {
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"encryptedData": dict(found.values)},
    }
    world.copy.apply("/apis/bitnami.com/v1alpha1/namespaces/shop/sealedsecrets", live)
    world.given(ctx)
    assert live["spec"]["encryptedData"] != found.values


def test_an_api_server_that_cannot_exchange(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs))
    world.copy.exchanges = False
    with pytest.raises(Failed, match="cannot exchange sealed values") as told:
        GiveKeys().run(world.ctx(files(sealed_text(theirs))))
    assert "sealed: share" in told.value.hint


def test_a_cloud_whose_version_cannot_is_told_before(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    ctx = World(monkeypatch, Server(theirs)).ctx(files(sealed_text(theirs)))
    ctx.provider, ctx.spec = (
        cast("Any", SimpleNamespace(NAME="eks")),
        cast("Any", SimpleNamespace(secrets=Secrets(), kubernetes="1.35")),
    )
    (row,) = checks(ctx)
    assert not row.ok
    assert "sealed: share" in row.hint


def test_a_value_no_key_opens_is_named_with_the_command_that_seals_it(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]
) -> None:
    world = World(monkeypatch, Server(theirs))
    ctx = world.ctx(files(sealed_text(key_secret())))
    (row,) = checks(ctx)
    assert not row.ok
    assert f"{DIRECTORY}/flux/apps/all.yaml:1: SealedSecret/shop/a, 'password'" in row.found
    assert row.hint.startswith("karrots run qa -- kubeseal -f SECRET.yaml -w clusters/qa/flux/apps/all.yaml")
    with pytest.raises(Failed, match="no key opens 1 value of SealedSecrets"):
        GiveKeys().run(ctx)
    assert not world.copy.list("/configmaps")


@pytest.mark.parametrize("parent", [None, Server()])
def test_a_parent_that_has_no_keys_for_us(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any], parent: Server | None
) -> None:
    (row,) = checks(World(monkeypatch, parent).ctx(files(sealed_text(theirs))))
    assert (row.ok, bool(row.hint)) == (False, True)


@pytest.mark.parametrize("said", ["reseal", "share"])
def test_a_protected_parent_is_not_even_asked_without_a_yes(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any], said: str
) -> None:
    world = World(monkeypatch, None, protected=True)  # any question to it would raise Failed
    ctx = world.ctx(files(ENCRYPTED, sealed_text(theirs), apps=DECRYPTING), said)
    assert [row.ok for row in checks(ctx)] == [True]
    (step,) = secrets.agreement(ctx)
    assert isinstance(step.check(ctx), Needed)
    for act in (AgreeToSecrets(), GiveKeys()):
        with pytest.raises(Refused, match="nothing secret of 'qa' leaves it"):
            act.run(ctx)
    assert world.copy.kept == {}
    assert "flux-system/sops-age" in world.asked[0]
    assert "Who administers 'qa-story' gets" in world.asked[0]


def test_a_typed_yes_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]) -> None:
    world = World(monkeypatch, Server(theirs), protected=True)
    world.yes = True
    ctx = world.ctx(files(sealed_text(theirs)), "share")
    AgreeToSecrets().run(ctx)
    world.given(ctx)
    assert len(world.asked) == 1


def test_with_own_keys_nothing_of_a_protected_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, Any]
) -> None:
    ctx = World(monkeypatch, None, protected=True).ctx(files(sealed_text(theirs)), "own")
    assert secrets.agreement(ctx) == []
    assert GiveKeys().check(ctx) == Done("1 SealedSecret not read here")
    (row,) = checks(ctx)
    assert (row.ok, row.found) == (True, "1 sealed not read")


def test_what_flux_decrypts_with_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    age = {"metadata": {"name": "sops-age", "namespace": "flux-system"}, "data": {"a.agekey": "eA=="}}
    parent = Server()
    parent.apply("/api/v1/namespaces/flux-system/secrets", age)
    world = World(monkeypatch, parent)
    world.given(world.ctx(files(ENCRYPTED, apps=DECRYPTING)))
    assert world.copy.kept["/api/v1/namespaces/flux-system/secrets/sops-age"]["data"] == age["data"]


def test_what_flux_decrypts_with_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = World(monkeypatch, Server()).ctx(files(ENCRYPTED, apps=DECRYPTING))
    with pytest.raises(KarrotsError, match="'qa' has no Secret flux-system/sops-age") as told:
        GiveKeys().run(ctx)
    assert told.value.hint.startswith("karrots run qa")


def test_a_copy_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = World(monkeypatch, None).ctx(files(ENCRYPTED, apps=DECRYPTING), sops="own")
    assert not Wanted.of(ctx).of_parent
    (only,) = secrets.items(secrets.Terms.of(ctx.spec, ctx.record), secrets.content_of(ctx))
    assert (only.state, only.how) == ("not read", "not before somebody puts Secret/flux-system/sops-age there")


def test_what_flux_will_not_decrypt_is_told_before(monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = checks(World(monkeypatch, None).ctx(files(ENCRYPTED)))
    assert not row.ok
    assert "does not decrypt" in row.found


@pytest.mark.parametrize("wait", [Wait.ready, Wait.none])
def test_keys_are_there_before_anything_is_synced(wait: Wait) -> None:
    for steps in (towards_ready(wait), converge(wait)):
        names = [step.name for step in steps]
        assert names.index("flux") < names.index("keys") < names.index("sync")
