"""`promote`, `rollback`, `rebase`, `history` and `branch --at` where no cluster is asked: previews and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.cli.move_texts import _plain
from karrots.errors import ExitCode
from karrots.fleet import operations
from karrots.fleet.record import Applied, Parent
from karrots.ops.branch import time_of
from tests.support.repositories import git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Fleet, Refusal

DEPLOYMENT = "clusters/qa/flux/apps/hello/deployment.yaml"
STORY = "feature/story"


@pytest.fixture
def told(fleet: Fleet) -> Fleet:
    """Qa on main, and a story with one commit that changes an image; the story is checked out."""
    main = fleet.repo.head().commit or ""
    qa = fleet.known("qa", branch="main", phase="ready", applied=applied(main))
    fleet.git("switch", "-qc", STORY)
    fleet.edit(DEPLOYMENT, "nginx:1.29", "nginx:1.30")
    fleet.known("story", branch=STORY, parent=Parent(name="qa", id=qa.id, commit=main))
    return fleet


def applied(commit: str) -> Applied:
    return Applied(commit=commit, tool="terraform", tool_version="1.11.4", when="2026-11-21T07:00:00Z")


def dry(karrots: CommandLine, fleet: Fleet, *words: str, expect: int = 0) -> dict[str, Any]:
    before = fleet.picture()
    done = karrots(*words, "--dry-run", "-o", "json", cwd=fleet.qa, expect=expect)
    assert fleet.picture() == before
    return done.document


def test_a_preview_shows_what_a_merge_would_bring(told: Fleet, karrots: CommandLine) -> None:
    seen = dry(karrots, told, "promote", "story")
    assert (seen["kind"], seen["cluster"], seen["branch"], seen["commit"]) == ("Promotion", "qa", "main", "")
    preview = seen["preview"]
    assert preview["files"] == [{"status": "M", "path": "flux/apps/hello/deployment.yaml"}]
    assert [commit["subject"] for commit in preview["commits"]] == ["Change the content"]
    assert (preview["infrastructure"], preview["elsewhere"], preview["acts"], seen["next"]) == ([], [], [], [])
    assert preview["flux"]["reachable"] is False
    text = karrots("promote", "story", "--dry-run", cwd=told.qa).out
    assert text.startswith("story → qa: 1 commit, main at ")
    assert "'qa' does not answer, so whether it is Ready is not known" in text


def test_the_tree_of_a_preview_is_that_of_gits_own_merge(told: Fleet, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    told.commit({"clusters/qa/flux/more.yaml": "# more\n"})
    preview = dry(karrots, told, "promote", "story")["preview"]
    assert preview["behind"] == 1
    told.git("merge", "-q", "--no-edit", STORY)
    assert preview["tree"] == told.git("rev-parse", "HEAD^{tree}")


def test_infrastructure_is_compared_as_it_is_rendered(told: Fleet, karrots: CommandLine) -> None:
    told.edit("clusters/qa/cluster.yaml", "count: 2", "count: 5")
    seen = dry(karrots, told, "promote", "story")
    assert [file["path"] for file in seen["preview"]["infrastructure"]] == ["cluster.auto.tfvars.json"]
    assert '+      "count": 5' in seen["preview"]["infrastructure_patch"]
    assert seen["next"] == ["karrots apply qa"]
    text = karrots("promote", "story", "--dry-run", cwd=told.qa).out
    assert "what Terraform would replace or destroy is not part of this" in text
    assert "next: karrots apply qa" in text


def test_what_the_fence_held_is_told_before_it_acts(told: Fleet, karrots: CommandLine) -> None:
    told.commit(
        {
            "clusters/qa/flux/apps/hello/report.yaml": CRON_JOB,
            "clusters/qa/flux/apps/hello/kustomization.yaml": (told.qa / "flux/apps/hello/kustomization.yaml")
            .read_text()
            .replace("resources:", "resources:\n  - report.yaml"),
        }
    )
    acts = dry(karrots, told, "promote", "story")["preview"]["acts"]
    assert [(each["what"].split("/")[0], each["path"]) for each in acts] == [("CronJob", "flux/apps/hello/report.yaml")]
    open_ = told.ledger.get("story")
    told.ledger.save(replace(open_, fence={"CronJob": "open"}))
    assert dry(karrots, told, "promote", "story")["preview"]["acts"] == [], "it acts in the copy already"


CRON_JOB = """apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: hello}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: report, image: "busybox:1.37"}]
"""


def test_files_elsewhere_and_other_clusters_of_the_branch_are_named(told: Fleet, karrots: CommandLine) -> None:
    told.known("twin", branch="main")
    told.known("other", branch="main", directory="clusters/other")
    told.commit({"README": "more\n"})
    preview = dry(karrots, told, "promote", "story")["preview"]
    assert (preview["elsewhere"], preview["also"]) == ([{"status": "A", "path": "README"}], ["twin"])


def test_a_pull_request_is_text_and_changes_nothing(told: Fleet, karrots: CommandLine) -> None:
    told.edit("clusters/qa/cluster.yaml", "count: 2", "count: 5")
    told.git("commit", "-q", "--amend", "-m", "Five <b>nodes</b> for @everybody and `more`")
    before = told.picture()
    text = karrots("promote", "story", "--pr", cwd=told.qa).out
    assert told.picture() == before
    assert text.startswith("# Promote story into qa\n")
    assert "## Infrastructure changes" in text
    assert "<b>" not in text
    assert "@everybody" not in text
    assert "```diff\n--- a/cluster.auto.tfvars.json" in text
    assert "karrots promote story --into qa" in text


def test_words_of_others_stay_words_in_markdown() -> None:
    assert _plain("a `b` <c> @d\n[e](f) \u202e") == "a \\`b\\` &lt;c> &#64;d \\[e\\](f)"


def test_a_merge_that_conflicts(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    told.edit(DEPLOYMENT, "nginx:1.29", "nginx:1.28")
    for words in (("promote", "story", "--yes"), ("promote", "story", "--dry-run"), ("rebase", "story", "--yes")):
        said = refused(*words, code=ExitCode.REFUSED)
        assert "changed the same, and nothing was changed" in said.err
        for line in ("<<<<<<< ", "nginx:1.28", "=======", "nginx:1.30", ">>>>>>> "):
            assert line in said.err
        assert f"git switch {STORY} && git merge main" in said.err


def test_a_story_without_commits(told: Fleet, refused: Refusal) -> None:
    told.git("reset", "-q", "--hard", "main")
    assert "'story' has nothing to promote" in refused("promote", "story", code=ExitCode.REFUSED).err


def test_a_story_that_took_back_what_came_from_its_parent(told: Fleet, refused: Refusal) -> None:
    brought = told.commit({"clusters/qa/flux/a.yaml": "# a\n"}, "Bring qa into story\n\nKarrots-Verb: rebase")
    told.git("rm", "-q", "clusters/qa/flux/a.yaml")
    taken = told.commit({}, f"Roll back\n\nKarrots-Reverts: {brought}\nKarrots-Verb: rollback")
    said = refused("promote", "story", "--yes", code=ExitCode.REFUSED)
    assert "took back what came from 'qa'" in said.err
    assert f"git revert {taken[:10]}" in said.err


def test_a_rollback_that_took_back_others_too(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    told.git("merge", "-q", "--no-edit", "--no-ff", STORY)
    merge = told.git("rev-parse", "HEAD")
    other = told.commit({"clusters/qa/flux/a.yaml": "# a\n"})
    told.git("checkout", "HEAD~2", "--", "clusters/qa")
    told.git("rm", "-q", "clusters/qa/flux/a.yaml")
    back = told.commit({}, f"Roll qa back\n\nKarrots-Reverts: {other} {merge}\nKarrots-Verb: rollback")
    told.git("switch", "-q", STORY)
    told.edit(DEPLOYMENT, "nginx:1.30", "nginx:1.31")
    said = refused("promote", "story", "--yes", code=ExitCode.REFUSED)
    assert f"the rollback {back[:10]} took back 2 changes" in said.err
    assert f"git revert {back[:10]}" in said.err


def test_what_is_merged_already_is_no_error(told: Fleet, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    told.git("merge", "-q", "--no-edit", "--no-ff", STORY)
    assert dry(karrots, told, "promote", "story")["preview"] is None
    assert "nothing to move" in karrots("promote", "story", "--dry-run", cwd=told.qa).out
    assert "Nothing to promote" in karrots("promote", "story", "--pr", cwd=told.qa).out


def test_who_can_receive_nothing(told: Fleet, refused: Refusal) -> None:
    told.known("twin", branch=STORY)
    assert "promoted into itself" in refused("promote", "story", "--into", "story", code=ExitCode.USAGE).err
    assert "follow the same branch" in refused("promote", "story", "--into", "twin", code=ExitCode.REFUSED).err
    assert "was branched from no cluster" in refused("promote", "qa", code=ExitCode.USAGE).err
    assert "was branched from no cluster" in refused("rebase", "qa", code=ExitCode.USAGE).err
    assert "did you mean 'qa'" in refused("promote", "story", "--into", "qaa", code=ExitCode.NOT_FOUND).err
    assert "did you mean 'story'" in refused("promote", "stroy", code=ExitCode.NOT_FOUND).err


def test_a_parent_that_is_gone(told: Fleet, refused: Refusal) -> None:
    story = told.ledger.get("story")
    told.ledger.save(replace(story, parent=Parent(name="qa", id="0" * 26, commit="0" * 40)))
    for words in (("promote", "story"), ("rebase", "story")):
        said = refused(*words, code=ExitCode.NOT_FOUND)
        assert "the parent 'qa' of 'story' is gone" in said.err
        assert "another cluster has its name" in said.err


def test_a_protected_parent_has_to_be_named(told: Fleet, karrots: CommandLine, refused: Refusal) -> None:
    told.ledger.save(replace(told.ledger.get("qa"), protected=True))
    said = refused("promote", "story", "--yes", code=ExitCode.REFUSED)
    assert "cluster 'qa' is protected" in said.err
    assert "karrots promote story --into qa" in said.err
    assert dry(karrots, told, "promote", "story")["preview"]
    karrots("promote", "story", "--pr", cwd=told.qa)
    refused("promote", "story", "--into", "qa", "--yes", code=ExitCode.NOT_FOUND)  # named, but it does not run


def test_a_cluster_that_somebody_works_on(told: Fleet, refused: Refusal) -> None:
    for name, words in (("qa", ("promote", "story")), ("qa", ("rollback", "qa")), ("story", ("rebase", "story"))):
        lease = operations.started_here("apply", "bea@example.com")
        held = told.ledger.begin(name, lease)
        assert f"'{name}' is being worked on" in refused(*words, code=ExitCode.LOCKED).err
        told.ledger.save(replace(held, operation=None), operation=lease.id)


def test_a_cluster_on_its_way_out(told: Fleet, refused: Refusal) -> None:
    told.ledger.save(replace(told.ledger.get("qa"), phase="destroying"))
    for words in (("promote", "story"), ("rollback", "qa")):
        assert "'qa' is being destroyed" in refused(*words, code=ExitCode.REFUSED).err


def test_histories_that_began_apart(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "--orphan", "apart")
    told.git("checkout", "main", "--", ".")
    told.commit({})
    told.ledger.save(replace(told.ledger.get("story"), branch="apart"))
    assert "no commit in common" in refused("promote", "story", code=ExitCode.REFUSED).err
    assert "no commit in common" in refused("rebase", "story", code=ExitCode.REFUSED).err


def test_a_branch_that_is_checked_out_with_changes(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    (told.root / "karrots.yaml").write_text((told.root / "karrots.yaml").read_text() + "# mine\n")
    said = refused("promote", "story", "--yes", code=ExitCode.REFUSED)
    assert f"'main' is checked out in {told.root}, with changes that are not committed" in said.err
    assert "karrots.yaml" in said.err


def test_a_file_in_the_way_of_a_work_tree(told: Fleet, refused: Refusal) -> None:
    told.commit({"note": "theirs\n"})
    told.git("switch", "-q", "main")
    (told.root / "note").write_text("mine\n")
    assert "'note' is in the way" in refused("promote", "story", "--yes", code=ExitCode.REFUSED).err


def test_a_cluster_that_is_not_there_to_be_asked(told: Fleet, refused: Refusal) -> None:
    """It is looked at before anybody is asked for a yes, and nothing is moved."""
    told.git("switch", "-q", "main")
    told.commit({"clusters/qa/flux/later.yaml": "# later\n"})
    told.git("switch", "-q", STORY)
    for words in (("promote", "story"), ("rollback", "qa"), ("rebase", "story")):
        assert "the engine has no cluster" in refused(*words, code=ExitCode.NOT_FOUND).err


def test_rollback_takes_the_newest_change_of_the_directory_back(told: Fleet, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    told.git("merge", "-q", "--no-edit", "--no-ff", STORY)
    told.commit({"README": "later\n"})
    seen = dry(karrots, told, "rollback", "qa")
    assert seen["kind"] == "Rollback"
    assert seen["preview"]["files"] == [{"status": "M", "path": "flux/apps/hello/deployment.yaml"}]
    assert seen["preview"]["elsewhere"] == []
    told.git("revert", "--no-edit", "-m", "1", "HEAD~1")
    assert seen["preview"]["tree"] == told.git("rev-parse", "HEAD^{tree}")


def test_rollback_to_a_commit_puts_the_directory_back_and_nothing_else(told: Fleet, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    first = told.git("rev-parse", "HEAD")
    told.commit({"README": "later\n", "clusters/qa/flux/a.yaml": "# a\n"})
    told.commit({"clusters/qa/flux/b.yaml": "# b\n"})
    for to in (first, "last-good"):
        preview = dry(karrots, told, "rollback", "qa", "--to", to)["preview"]
        assert [file["path"] for file in preview["files"]] == ["flux/a.yaml", "flux/b.yaml"]
        assert preview["elsewhere"] == []
        assert told.git("rev-parse", f"{preview['tree']}:clusters/qa") == told.git("rev-parse", f"{first}:clusters/qa")
        assert len(preview["commits"]) == 2
    assert dry(karrots, told, "rollback", "qa", "--to", "HEAD")["preview"] is None


def test_last_good_is_the_newest_at_which_it_was_ready(told: Fleet, karrots: CommandLine, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    good = told.commit({"clusters/qa/flux/a.yaml": "# a\n"})
    told.ledger.save(replace(told.ledger.get("qa"), applied=applied(good)))
    later = told.commit({"clusters/qa/flux/b.yaml": "# b\n"})
    told.ledger.save(replace(told.ledger.get("qa"), applied=applied(later), phase="creating"))
    preview = dry(karrots, told, "rollback", "qa", "--to", "last-good")["preview"]
    assert [file["path"] for file in preview["files"]] == ["flux/b.yaml"]
    said = refused("rollback", "story", "--to", "last-good", code=ExitCode.NOT_FOUND)
    assert "knows no commit" in said.err


def test_where_a_rollback_cannot_go(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    assert "git knows no commit" in refused("rollback", "qa", "--to", "none", code=ExitCode.NOT_FOUND).err
    assert "is no part of 'main'" in refused("rollback", "qa", "--to", STORY, code=ExitCode.REFUSED).err
    assert "nothing to take back" in refused("rollback", "qa", code=ExitCode.REFUSED).err
    told.git("switch", "-q", "--orphan", "apart")
    told.commit({"README": "before\n"})
    told.git("checkout", "main", "--", "clusters", "karrots.yaml")
    told.commit({})
    told.ledger.save(replace(told.ledger.get("qa"), branch="apart"))
    assert "is not part of commit" in refused("rollback", "qa", "--to", "HEAD~1", code=ExitCode.USAGE).err


def test_what_came_after_stands_in_the_way_of_taking_back(told: Fleet, refused: Refusal) -> None:
    """A change of the directory, and one of the rest that touches the same file."""
    told.git("switch", "-q", "main")
    told.commit({"clusters/qa/flux/a.yaml": "# a\n", "shared": "one\n"})
    told.commit({"shared": "two\n"})
    said = refused("rollback", "qa", "--yes", code=ExitCode.REFUSED)
    assert "what came after" in said.err
    assert "karrots rollback qa --to" in said.err


@pytest.mark.parametrize(
    "marker", ['    karrots.dev/migration: "orders to UUIDs"\n', "# karrots.dev/migration: orders to UUIDs\n"]
)
def test_a_rollback_over_a_data_migration(told: Fleet, karrots: CommandLine, refused: Refusal, marker: str) -> None:
    told.git("switch", "-q", "main")
    told.commit({"clusters/qa/flux/apps/hello/job.yaml": f"kind: Job\n{marker}"})
    told.commit({"clusters/qa/flux/a.yaml": "# a\n"})
    assert dry(karrots, told, "rollback", "qa")["preview"]["files"], "it stays, so nothing is in the way"
    for to in ("last-good", "HEAD~2"):
        said = refused("rollback", "qa", "--to", to, "--yes", code=ExitCode.REFUSED)
        assert "cannot be rolled back over a data migration" in said.err
        assert "clusters/qa/flux/apps/hello/job.yaml: orders to UUIDs" in said.err
    told.commit({"clusters/qa/flux/apps/hello/job.yaml": "kind: Job\n"})
    assert dry(karrots, told, "rollback", "qa", "--to", "last-good")["preview"]["files"]


def test_rebase_brings_the_parents_later_commits(told: Fleet, karrots: CommandLine) -> None:
    assert dry(karrots, told, "rebase", "story")["preview"] is None
    told.git("switch", "-q", "main")
    told.commit({"clusters/qa/flux/later.yaml": "# later\n"}, "Later")
    seen = dry(karrots, told, "rebase", "story")
    assert (seen["kind"], seen["cluster"], seen["branch"]) == ("Rebase", "story", STORY)
    assert [commit["subject"] for commit in seen["preview"]["commits"]] == ["Later"]
    told.git("switch", "-q", STORY)
    told.git("merge", "-q", "--no-edit", "main")
    assert seen["preview"]["tree"] == told.git("rev-parse", "HEAD^{tree}")


def test_rebase_refuses_what_no_fence_could_hold(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    ingress = told.qa / "flux/apps/hello/ingress.yaml"
    changed = ingress.read_text().replace("${cluster_domain}", "example.net")
    assert changed != ingress.read_text()
    told.commit({"clusters/qa/flux/apps/hello/ingress.yaml": changed})
    said = refused("rebase", "story", "--yes", code=ExitCode.PREFLIGHT_FAILED)
    assert "cannot take what came to 'qa' meanwhile" in said.err
    assert "ingress.yaml" in said.err


def test_how_far_behind_is_in_every_list(told: Fleet, karrots: CommandLine) -> None:
    def behind() -> dict[str, int | None]:
        listed = karrots("ls", "-o", "json", cwd=told.qa).document["clusters"]
        return {row["name"]: row["behind"] for row in listed}

    assert behind() == {"qa": None, "story": 0}
    told.git("switch", "-q", "main")
    told.commit({"a": "1"})
    told.commit({"a": "2"})
    assert behind() == {"qa": None, "story": 2}
    status = karrots("status", "-o", "json", cwd=told.qa).document["clusters"]
    assert [row["behind"] for row in status] == [None, 2]
    assert "qa, 2 commits behind it" in karrots("show", "story", cwd=told.qa).out
    head, _, row = karrots("ls", cwd=told.qa).out.splitlines()
    assert row[head.index("BEHIND") :].startswith("2 ")
    told.git("branch", "-qD", STORY)
    assert behind() == {"qa": None, "story": None}


def test_history_is_told_by_the_branch_and_by_the_ledger(told: Fleet, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    told.git("merge", "-q", "--no-edit", "--no-ff", STORY)
    merge = told.git("rev-parse", "HEAD")
    before = told.ledger.get("qa").applied
    told.ledger.save(replace(told.ledger.get("qa"), applied=applied(merge)), verb="sync")
    events = karrots("history", "qa", "-o", "json", cwd=told.qa).document["events"]
    assert before is not None
    top = {event["source"]: event for event in reversed(events)}
    assert (top["branch"]["commit"], top["branch"]["verb"]) == (merge, "commit")
    assert (top["ledger"]["verb"], top["ledger"]["commit"], top["ledger"]["before"]) == ("sync", merge, before.commit)
    for event in events:
        assert event["when"].endswith("Z")
        assert event["who"] == "Ada Example"
        words = event["look"].split()
        assert git(told.root, *words[1:]), f"{event['look']} shows nothing"
    assert "nginx:1.30" in git(told.root, *top["ledger"]["look"].split()[1:])
    shown = karrots("history", "qa", "--limit", "1", cwd=told.qa).out
    assert len(shown.splitlines()) == 2
    assert shown.startswith("AGE")


def test_history_of_what_is_gone_and_of_what_never_was(told: Fleet, karrots: CommandLine, refused: Refusal) -> None:
    story = told.ledger.get("story")
    told.ledger.retire(story, {"cluster": "story", "id": story.id})
    events = karrots("history", "story", "-o", "json", cwd=told.qa).document["events"]
    assert "story is gone" in [event["what"] for event in events]
    assert "did you mean 'story'" not in refused("history", "none", code=ExitCode.NOT_FOUND).err
    assert "0 is no number of entries" in refused("history", "qa", "--limit", "0", code=ExitCode.USAGE).err


def test_branch_at_a_commit_or_a_time_of_the_past(told: Fleet, refused: Refusal, karrots: CommandLine) -> None:
    told.git("switch", "-q", "main")
    said = refused("branch", "x", "--at", STORY, code=ExitCode.USAGE)
    assert "is no part of the past of 'main'" in said.err
    assert "--from" in said.err
    assert "began later" in refused("branch", "x", "--at", "2001-01-01", code=ExitCode.NOT_FOUND).err
    assert "is no commit, and no time" in refused("branch", "x", "--at", "yesterday", code=ExitCode.NOT_FOUND).err
    assert "is no time" in refused("branch", "x", "--at", "2026-13-41", code=ExitCode.USAGE).err
    assert "has not come yet" in refused("branch", "x", "--at", "2999-01-01T00:00Z", code=ExitCode.USAGE).err
    words = ("--at", "HEAD", "--from", "HEAD")
    assert "two commits to branch from" in refused("branch", "x", *words, code=ExitCode.USAGE).err


def test_where_a_branch_was_at_a_time(told: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its own line: what a merge brought counts from the merge on."""
    from karrots.fleet.workspace import Workspace
    from karrots.ops.branch import BranchOptions, past

    told.git("switch", "-q", "main")
    made = {}
    for day in (1, 2, 3):
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_DATE", f"2030-01-0{day}T12:00:00Z")
        made[day] = told.commit({"day": str(day)})
    workspace = Workspace.open(told.qa)
    at = {
        "2030-01-01": 1, "2030-01-02": 2, "2030-01-02T11:59Z": 1, "2030-01-02T12:00:00Z": 2,
        "2030-01-02T13:59+02:00": 1, "2030-01-02T12:00": 2,
    }  # fmt: skip
    monkeypatch.setattr("karrots.clock.seconds", lambda: 2e9)
    for text, day in at.items():
        assert past(workspace, BranchOptions({}, at=text)) == (made[day], "main"), text
    assert past(workspace, BranchOptions({}, at="HEAD~1")) == (made[2], "main")


def test_times_are_times_and_commits_are_not() -> None:
    assert time_of("1970-01-01") == 86399
    assert time_of("1970-01-01T00:01Z") == 60
    for text in ("HEAD", "20261121", "2026-11", "1234567890", "2026-11-21x"):
        assert time_of(text) is None


def test_answers_have_one_name_each(told: Fleet, karrots: CommandLine) -> None:
    assert karrots("promote", "story", "--dry-run", "-o", "name", cwd=told.qa).out == "qa\n"
    assert json.loads(karrots("promote", "story", "--pr", "-o", "json", cwd=told.qa).out)["kind"] == "Promotion"


def test_a_branch_that_went_separate_ways_at_the_remote(told: Fleet, tmp_path: Path, refused: Refusal) -> None:
    shared = tmp_path / "shared.git"
    told.git("clone", "-q", "--bare", str(told.root), str(shared))
    told.git("remote", "add", "origin", str(shared))
    told.git("switch", "-q", "main")
    told.commit({"mine": "x\n"})
    said = refused("promote", "story", "--yes", code=ExitCode.REFUSED)
    assert "'main' has 1 commit that 'origin' does not have" in said.err
    assert "git push origin main" in said.err
    other = told.git("commit-tree", "-p", "main~1", "-m", "Theirs", "main~1^{tree}")
    told.git("push", "-q", "--force", "origin", f"{other}:refs/heads/main")
    assert "went separate ways" in refused("promote", "story", "--yes", code=ExitCode.REFUSED).err


def test_a_branch_that_is_not_here(told: Fleet, refused: Refusal) -> None:
    told.git("switch", "-q", "main")
    told.git("branch", "-qD", STORY)
    assert f"the branch '{STORY}' is gone" in refused("promote", "story", code=ExitCode.NOT_FOUND).err
