"""`karrots diff`: its levels and forms, what it takes for a side, and what it does when a side is not as one hopes."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.kube import Access
from karrots.errors import ExitCode
from karrots.providers import local
from tests.support.api_server import ApiServer, Served, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from karrots.fleet.record import Record
    from tests.cli.conftest import CommandLine, Fleet, Refusal

FORMS = ("text", "json", "yaml", "name", "markdown", "html")
DEPLOYMENT = "clusters/qa/flux/apps/hello/deployment.yaml"


@pytest.fixture
def changed(peopled: Fleet) -> Fleet:
    """The story serves another image, too."""
    peopled.git("switch", "--quiet", "feature/story")
    peopled.edit(DEPLOYMENT, "nginx:1.29", "nginx:1.30")
    peopled.git("switch", "--quiet", "main")
    return peopled


def scores(found: dict[str, Any]) -> dict[str, Any]:
    return {each["level"]: each["percent"] if each["compared"] else None for each in found["scores"]}


# Levels


def test_content_and_rendered_are_compared_when_nothing_else_is_asked(changed: Fleet, karrots: CommandLine) -> None:
    found = karrots("diff", "qa", "story", "-o", "json", cwd=changed.qa).document
    assert list(scores(found)) == ["content", "rendered"]
    (image,) = [each for each in found["departures"] if each["level"] == "rendered"]
    assert image["key"] == {"group": "apps", "kind": "Deployment", "namespace": "hello", "name": "hello"}
    assert image["path"] == "spec.template.spec.containers[name=hello].image"
    assert (image["a"], image["b"], image["classed"]) == ("nginx:1.29", "nginx:1.30", "unexpected")
    assert image["origin_b"]["path"] == "flux/apps/hello/deployment.yaml"
    assert image["origin_b"]["line"] == 17
    assert image["origin_b"]["kustomization"] == "flux-system/apps"
    assert found["percent"] == min(scores(found).values()) < 100
    assert found["fork"] == changed.git("rev-parse", "main")


def test_levels_come_in_one_order_however_they_are_asked_for(changed: Fleet, karrots: CommandLine) -> None:
    words = ("--level", "terraform", "--level", "content", "--level", "content")
    found = karrots("diff", "qa", "story", *words, "-o", "json", cwd=changed.qa).document
    assert list(scores(found)) == ["content", "terraform"]


def test_an_override_is_an_expected_difference_of_terraform(changed: Fleet, karrots: CommandLine) -> None:
    found = karrots("diff", "story", "qa", "--level", "terraform", "-o", "json", cwd=changed.qa).document
    (count,) = found["departures"]
    assert (count["path"], count["a"], count["b"]) == ("nodes.default.count", "2", "3")
    assert count["classed"] == "expected"
    assert count["origin_b"]["override"] == "nodes.default.count"
    assert found["overrides"] == [{"key": "nodes.default.count", "a": "", "b": "3"}]


def test_a_comment_is_no_difference_of_what_flux_applies(peopled: Fleet, karrots: CommandLine) -> None:
    found = karrots("diff", "qa", "story", "-o", "json", cwd=peopled.qa).document
    assert scores(found)["rendered"] == 100.0
    assert scores(found)["content"] < 100.0


def test_a_cluster_and_itself_are_the_same_at_every_level_that_needs_no_cluster(
    changed: Fleet, karrots: CommandLine
) -> None:
    words = ("--level", "content", "--level", "rendered", "--level", "terraform", "--exit-code", "--fail-under", "100")
    told = karrots("diff", "qa", "qa", *words, cwd=changed.qa)
    assert told.out.startswith("qa → qa: same content, zero-diff 100 %\n")


# Sides


def test_a_commit_of_a_cluster_is_a_side(changed: Fleet, karrots: CommandLine) -> None:
    words = ("diff", "story@feature/story~1", "story", "-o", "json", "--level", "content")
    found = karrots(*words, cwd=changed.qa).document
    assert [file["path"] for file in found["files"]] == ["flux/apps/hello/deployment.yaml"]
    assert found["a"]["label"] == "story@feature/story~1"
    assert found["a"]["cluster"] == "story"


def test_a_commit_that_is_not_there(refused: Refusal, fleet: Fleet) -> None:
    fleet.known("qa", branch="main")
    assert "git knows no commit 'nowhere'" in refused("diff", "qa", "qa@nowhere", code=ExitCode.NOT_FOUND).err
    fleet.git("switch", "--quiet", "--orphan", "empty")
    fleet.commit({"README.md": "nothing\n"})
    fleet.git("switch", "--quiet", "main")
    told = refused("diff", "qa", "qa@empty", code=ExitCode.NOT_FOUND).err
    assert "there is no 'clusters/qa' at 'empty'" in told


@pytest.mark.parametrize(("word", "meant"), [("storry", "story"), ("clusters/qq", "clusters/qa"), ("clusters/qa/", "")])
def test_a_name_that_is_not_there_is_guessed(word: str, meant: str, peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots("diff", word, "qa", cwd=peopled.root, expect=None)
    assert told.status == (ExitCode.NOT_FOUND if meant else ExitCode.DONE)
    assert (f"did you mean '{meant}'?" in told.err) == bool(meant)


def test_one_parent_and_several_beside_it(changed: Fleet, karrots: CommandLine) -> None:
    found = karrots("diff", "qa", "story", "clusters/qa", "-o", "json", cwd=changed.qa).document
    assert (found["kind"], found["parent"]) == ("Differences", "qa")
    assert [each["b"]["label"] for each in found["compared"]] == ["story", "clusters/qa"]
    for form in FORMS:
        assert karrots("diff", "qa", "story", "clusters/qa", "-o", form, cwd=changed.qa).out
    karrots("diff", "qa", "clusters/qa", "story", "--exit-code", cwd=changed.qa, expect=ExitCode.DIFFERENCES)


def test_all_clusters_at_two_refs_have_content_and_nothing_that_flux_builds(
    changed: Fleet, karrots: CommandLine
) -> None:
    told = karrots("diff", "main", "feature/story", cwd=changed.root)
    assert told.out.startswith("main:clusters → feature/story:clusters: 2 files of content differ")
    assert "! rendered: 'main:clusters' is no cluster directory" in told.out


def test_histories_that_have_nothing_in_common(peopled: Fleet, karrots: CommandLine) -> None:
    tree = peopled.git("rev-parse", "main^{tree}")
    other = peopled.git("commit-tree", tree, "-m", "Another beginning")
    peopled.git("update-ref", "refs/heads/other", other)
    found = karrots("diff", "main", "other", "-o", "json", cwd=peopled.qa).document
    assert found["fork"] == ""
    assert found["percent"] == 100.0
    (trouble,) = found["troubles"]
    assert "no commit in common" in trouble["message"]


def test_two_providers_stand_apart(fleet: Fleet, karrots: CommandLine) -> None:
    fleet.known("qa", branch="main")
    fleet.git("switch", "--quiet", "--create", "cloud")
    fleet.edit("clusters/qa/cluster.yaml", "provider: local", "provider: eks")
    fleet.git("switch", "--quiet", "main")
    fleet.known("far", branch="cloud", provider="eks", region="eu-central-1", account="123456789012")
    found = karrots(
        "diff", "qa", "far", "--level", "rendered", "--level", "terraform", "-o", "json", cwd=fleet.qa
    ).document
    assert scores(found) == {"rendered": 100.0, "terraform": 100.0}
    (trouble,) = found["troubles"]
    assert "'qa' is on local and 'far' on eks" in trouble["message"]
    assert "eks" in trouble["message"].partition("variables")[2]


# Options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--level", "lively"), "'lively' is not one of 'content', 'rendered', 'terraform', 'live'"),
        (("--fail-under", "101"), "101"),
        (("--fail-under", "nan"), "it is not a number"),
    ],
)
def test_words_that_do_not_fit(words: tuple[str, ...], said: str, refused: Refusal, fleet: Fleet) -> None:
    fleet.known("qa", branch="main")
    assert said in refused("diff", "qa", "qa", *words, code=ExitCode.USAGE).err


def test_one_side_alone_is_none(refused: Refusal) -> None:
    assert "B" in refused("diff", "qa", code=ExitCode.USAGE).err


def test_pages_are_forms_of_this_verb_alone(fleet: Fleet, karrots: CommandLine) -> None:
    assert "is not one of" in karrots("ls", "-o", "html", cwd=fleet.qa, expect=ExitCode.USAGE).err
    assert "'pdf' is not one of" in karrots("diff", "a", "b", "-o", "pdf", cwd=fleet.qa, expect=ExitCode.USAGE).err


def test_a_score_below_the_bound_fails(changed: Fleet, karrots: CommandLine) -> None:
    karrots("diff", "qa", "story", "--fail-under", "50", cwd=changed.qa)
    karrots("diff", "qa", "story", "--fail-under", "99.5", cwd=changed.qa, expect=ExitCode.DIFFERENCES)
    karrots("diff", "qa", "story", "--level", "live", "--fail-under", "0", cwd=changed.qa, expect=ExitCode.DIFFERENCES)


def test_the_summary_has_no_text_of_files(changed: Fleet, karrots: CommandLine) -> None:
    told = karrots("diff", "qa", "story", "--stat", cwd=changed.qa).out
    assert "@@" not in told
    assert "flux/apps/hello/deployment.yaml" in told
    assert re.search(r"^rendered +Deployment.apps/hello/hello +- +1 unexpected$", told, re.MULTILINE)


def test_a_page_and_a_comment(changed: Fleet, karrots: CommandLine) -> None:
    page = karrots("diff", "qa", "story", "-o", "html", cwd=changed.qa).out
    assert page.startswith("<!doctype html>")
    assert "<ins>nginx:1.30</ins>" in page
    assert re.search(r'data-class="same"><th scope="row"><code>spec.template.spec.containers\[name=hello\].name', page)
    comment = karrots("diff", "qa", "story", "-o", "markdown", cwd=changed.qa).out
    assert comment.startswith("## <code>qa</code> → <code>story</code>: zero-diff ")


# Content that is not as one hopes


SECRET = "hunter2-Zorro"


def test_a_secret_that_somebody_committed_is_in_no_form(peopled: Fleet, karrots: CommandLine) -> None:
    """As text, in base64, and from a generator; another one is put in its place."""
    import base64

    coded = base64.b64encode(SECRET.encode()).decode()
    peopled.git("switch", "--quiet", "feature/story")
    manifest = "apiVersion: v1\nkind: Secret\nmetadata: {{name: {0}, namespace: hello}}\n{1}:\n  password: {2}\n"
    folder = "clusters/qa/flux/apps/hello"
    files = {
        f"{folder}/one.yaml": manifest.format("one", "stringData", SECRET),
        f"{folder}/two.yaml": manifest.format("two", "data", coded),
        f"{folder}/tls.env": f"TOKEN={SECRET}\n",
    }
    kustomization = (peopled.root / f"{folder}/kustomization.yaml").read_text()
    generator = "secretGenerator:\n  - name: three\n    literals: [pin=" + SECRET + "]\n    envs: [tls.env]\n"
    files[f"{folder}/kustomization.yaml"] = (
        kustomization.replace("resources:", "resources:\n  - one.yaml\n  - two.yaml") + generator
    )
    peopled.commit(files)
    changes = {
        path: text.replace(SECRET, "another-Value").replace(coded, "YW5vdGhlci1WYWx1ZQ==")
        for path, text in files.items()
    }
    peopled.git("branch", "--quiet", "before")
    peopled.commit(changes)
    peopled.git("switch", "--quiet", "main")
    values = (SECRET, coded, "another-Value", "YW5vdGhlci1WYWx1ZQ==")
    for sides in (("qa", "story"), ("story@before", "story")):
        for form in FORMS:
            out = karrots("diff", *sides, "-o", form, cwd=peopled.qa).out
            assert not [value for value in values if value in out], (sides, form)
    found = karrots("diff", "story@before", "story", "-o", "json", cwd=peopled.qa).document
    told = {each["key"]["name"].partition("-")[0] for each in found["departures"] if each["key"]["kind"] == "Secret"}
    assert told == {"one", "two", "three"}, "that it differs is told all the same"


def test_binary_large_and_wrongly_encoded_files(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.git("switch", "--quiet", "feature/story")
    folder = peopled.qa / "flux" / "apps"
    (folder / "logo.png").write_bytes(bytes(range(256)) * 40)
    (folder / "latin.yaml").write_bytes(b"name: na\xefve\n")
    (folder / "large.txt").write_text("".join(f"line {number:60}\n" for number in range(17_000)))
    peopled.git("add", "--all")
    peopled.git("commit", "--quiet", "--message", "Odd files")
    peopled.git("switch", "--quiet", "main")
    for form in ("text", "json", "markdown", "html"):
        assert "logo.png" in karrots("diff", "qa", "story", "-o", form, cwd=peopled.qa).out


def test_content_that_is_broken_leaves_the_other_levels(peopled: Fleet, karrots: CommandLine) -> None:
    peopled.git("switch", "--quiet", "feature/story")
    peopled.commit({"clusters/qa/cluster.yaml": "provider: [local\n"})
    peopled.git("switch", "--quiet", "main")
    words = ("--level", "content", "--level", "rendered", "--level", "terraform")
    found = karrots("diff", "qa", "story", *words, "-o", "json", cwd=peopled.qa).document
    assert scores(found)["content"] < 100
    assert (scores(found)["rendered"], scores(found)["terraform"]) == (None, None)
    assert {each["level"] for each in found["troubles"]} == {"rendered", "terraform"}


# Running clusters


Live = dict[str, ApiServer]


def kinds() -> list[Served]:
    config_maps = Served("ConfigMap", "configmaps")
    config_maps.put("settings", "shop", data={"level": "info"})
    config_maps.put("kube-root-ca.crt", "shop", data={"ca.crt": "of each its own"})
    secrets = Served("Secret", "secrets")
    secrets.put("login", "shop", data={"password": "aHVudGVyMi1ab3Jybw=="}, type="Opaque")
    deployments = Served("Deployment", "deployments", "apps")
    deployments.put("front", "shop", spec={"replicas": 2}, metadata={"uid": "1", "resourceVersion": "9"})
    leases = Served("Lease", "leases", "coordination.k8s.io", status=500)
    widgets = Served("Widget", "widgets", "shop.example.com", ("v2", "v1"))
    widgets.put("round", "shop", spec={"size": 1})
    return [config_maps, secrets, deployments, leases, widgets]


@pytest.fixture
def live(peopled: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """Qa and story each have an API server."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(running(ApiServer(kinds()))) for name in ("qa", "story")}

        def access(record: Record, *_: object) -> Access:
            return Access(servers[record.name].address, "")

        monkeypatch.setattr(local, "access", access)
        yield servers


@pytest.fixture
def look(peopled: Fleet, live: Live, karrots: CommandLine) -> Callable[..., dict[str, Any]]:
    def asked(*words: str) -> dict[str, Any]:
        return karrots("diff", "qa", "story", "--level", "live", *words, "-o", "json", cwd=peopled.qa).document

    return asked


def of(server: ApiServer, plural: str) -> Served:
    return next(each for each in server.kinds if each.plural == plural)


def test_two_that_run_the_same_are_the_same(look: Callable[..., dict[str, Any]]) -> None:
    found = look()
    assert found["troubles"] == []
    assert found["departures"] == []
    assert scores(found) == {"live": 100.0}
    assert found["scores"][0]["total"] == 4


def test_what_somebody_edited_is_told_with_who_it_was(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    (front,) = of(live["story"], "deployments").objects
    front["spec"]["replicas"] = 5
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    front["metadata"]["managedFields"] = [{"manager": "kubectl-scale", "operation": "Update", "fieldsV1": fields}]
    (departure,) = look()["departures"]
    assert (departure["path"], departure["a"], departure["b"]) == ("spec.replicas", "2", "5")
    assert departure["origin_b"]["manager"] == "kubectl-scale"


def test_kinds_that_may_not_be_listed_are_named_and_left_out(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    of(live["story"], "secrets").status = 403
    found = look()
    (trouble,) = found["troubles"]
    assert (trouble["side"], trouble["message"]) == ("story", "no right to list secrets")
    assert "kubectl auth can-i list secrets" in trouble["hint"]
    assert found["departures"] == []
    assert (scores(found)["live"], found["scores"][0]["total"]) == (100.0, 3)


def test_a_kind_that_one_side_lacks_is_named(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    live["story"].kinds = [each for each in live["story"].kinds if each.plural != "widgets"]
    found = look()
    assert "story: it has no kind Widget.shop.example.com, which 'qa' has" in [
        f"{each['side']}: {each['message']}" for each in found["troubles"]
    ]
    assert [(each["key"]["name"], each["change"]) for each in found["departures"]] == [("round", "removed")]


def test_a_kind_is_read_in_a_version_that_both_have(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    of(live["story"], "widgets").versions = ("v1",)
    assert scores(look()) == {"live": 100.0}
    assert any(path.startswith("/apis/shop.example.com/v1/widgets") for path in live["qa"].asked)


def test_pages_are_read_to_their_end(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    for server in live.values():
        for number in range(1200):
            of(server, "configmaps").put(f"more-{number:04}", "shop", data={"number": str(number)})
    of(live["story"], "configmaps").objects[-1]["data"] = {"number": "another"}
    found = look()
    assert [each["key"]["name"] for each in found["departures"]] == ["more-1199"]
    assert found["scores"][0]["total"] == 1204


def test_a_side_that_does_not_answer_leaves_the_other_levels(live: Live, peopled: Fleet, karrots: CommandLine) -> None:
    live["story"].address = "http://127.0.0.1:9"
    words = ("diff", "qa", "story", "--level", "live", "--level", "content")
    found = karrots(*words, "-o", "json", cwd=peopled.qa).document
    assert scores(found)["live"] is None
    assert scores(found)["content"] is not None
    assert "'story' does not answer" in found["troubles"][0]["message"]
    told = karrots(*words, cwd=peopled.qa).out
    assert re.search(r"^live +not compared", told, re.MULTILINE)


def test_a_cluster_that_is_not_running(peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots("diff", "qa", "story", "--level", "live", cwd=peopled.qa)
    assert "! live: cluster 'qa' is not running\n    try: karrots apply qa\n" in told.out


@pytest.mark.parametrize("side", ["main", "clusters/qa", "story@main"])
def test_what_is_content_alone_does_not_run(side: str, live: Live, peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots("diff", "qa", side, "--level", "live", cwd=peopled.qa).out
    assert "is content, of which nothing runs" in told


def test_a_group_whose_server_is_away_is_named(live: Live, look: Callable[..., dict[str, Any]]) -> None:
    live["qa"].stale = ("shop.example.com",)
    found = look()
    assert "what serves shop.example.com/v2 does not answer" in json.dumps(found["troubles"])


def test_no_value_of_a_secret_in_any_form(live: Live, peopled: Fleet, karrots: CommandLine) -> None:
    import base64

    (login,) = of(live["story"], "secrets").objects
    login["data"] = {
        "password": base64.b64encode(b"swordfish-77").decode(),
        "user": base64.b64encode(b"root-admin").decode(),
    }
    (front,) = of(live["story"], "deployments").objects
    front["spec"]["template"] = {
        "spec": {"containers": [{"name": "front", "env": [{"name": "PW", "value": "swordfish-77"}]}]}
    }
    for form in FORMS:
        out = karrots("diff", "qa", "story", "--level", "live", "-o", form, cwd=peopled.qa).out
        for value in ("swordfish-77", "root-admin", SECRET):
            assert value not in out
            assert base64.b64encode(value.encode()).decode() not in out
        assert "login" in out
