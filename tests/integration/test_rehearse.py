"""`karrots rehearse --terraform` with the real Terraform and the real program that plays recorded providers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots import places
from karrots.errors import ExitCode
from karrots.replay import schemas
from tests.replay.play import complaints, played
from tests.support import fleets
from tests.support.command_line import Outcome, karrots

if TYPE_CHECKING:
    from karrots.replay.schemas import Recorded

ROOTS = Path(__file__).parent.parent / "data" / "roots"
WHOLE = ["init", "validate", "plan", "apply", "second plan", "destroy"]

pytestmark = pytest.mark.usefixtures("with_replay")


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOTS, tmp_path / "roots"))


def rehearsed(root: Path, *more: str, expect: int = 0) -> dict[str, Any]:
    found = run(root, *more, "-o", "json", expect=expect).document
    assert found["kind"] == "Rehearsed"
    return found


def run(root: Path, *more: str, expect: int = 0) -> Outcome:
    return karrots("rehearse", "--terraform", "--root", str(root), *more, cwd=root.parent, expect=expect)


def edit(root: Path, before: str, after: str) -> None:
    file = root / "main.tf"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def listing(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def found(document: dict[str, Any]) -> list[str]:
    return [f"{each['address']} {each['summary']}: {each['detail']}" for each in document["findings"]]


def test_a_whole_life(roots: Path) -> None:
    before = listing(roots)
    document = rehearsed(roots / "network")
    assert [stage["name"] for stage in document["stages"]] == WHOLE
    assert {stage["outcome"] for stage in document["stages"]} == {"ok"}
    assert [stage["found"] for stage in document["stages"]] == [
        "aws 6.25.0", "valid", "+6 ~0 -0", "6 made", "nothing to change", "6 removed",
    ]  # fmt: skip
    assert document["findings"] == []
    assert listing(roots) == before, "something was written beside the user's files"
    (left,) = places.runs().iterdir()
    assert {path.name for path in left.iterdir()} == {"journal.jsonl", "root", "terraform.rc"}


AWS = [each for each in schemas.shipped() if each.name == "aws"]


@pytest.mark.parametrize("recorded", AWS, ids=lambda each: each.label.replace(" ", "-"))
def test_each_recording_plays(roots: Path, recorded: Recorded) -> None:
    result = played(roots / "network", [recorded])
    assert complaints(result) == []
    assert result.stages[0].found == recorded.label


def test_people_get_a_table(roots: Path) -> None:
    text = run(roots / "network").out
    assert text.splitlines()[0].split() == ["STAGE", "OUTCOME", "FOUND", "TOOK"]
    assert "destroy" in text


def test_what_is_wrong_is_shown_with_its_place(roots: Path) -> None:
    edit(roots / "network", '= "API"', '= "APIS"')
    outcome = run(roots / "network", expect=ExitCode.DIFFERENCES)
    assert "main.tf:69: error: aws_eks_cluster.this: Value not allowed" in outcome.out
    assert '"access_config.authentication_mode" is "APIS"' in outcome.out
    assert "https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/eks_cluster" in outcome.out
    assert "destroy" not in outcome.out


def test_everything_that_is_wrong_is_found_at_once(roots: Path) -> None:
    edit(roots / "network", '= "API"', '= "APIS"')
    edit(roots / "network", 'name     = "this"', 'name     = "-this"')
    assert len(rehearsed(roots / "network", expect=ExitCode.DIFFERENCES)["findings"]) == 2


def test_a_root_that_never_settles(roots: Path) -> None:
    edit(roots / "network", 'Name = "this"', "Name = timestamp()")
    document = rehearsed(roots / "network", expect=ExitCode.DIFFERENCES)
    assert document["stages"][-1]["name"] == "second plan"
    assert found(document) == ["aws_vpc.this Not settled: a second plan would update it again"]


def test_a_deprecated_argument_is_a_warning(roots: Path) -> None:
    edit(roots / "network", 'state = "available"', 'state = "available"\n  group_names = ["x"]')
    edit(roots / "network", 'group_names = ["x"]', "")
    (roots / "network" / "old.tf").write_text('resource "aws_eip" "old" {\n  vpc = true\n}\n')
    edit(roots / "network", ">= 5.100, < 7", "~> 5.100")
    document = rehearsed(roots / "network")
    assert [(each["severity"], each["address"]) for each in document["findings"]] == [("warning", "aws_eip.old")]


def test_a_value_that_is_missing(roots: Path) -> None:
    (roots / "network" / "region.auto.tfvars").unlink()
    document = rehearsed(roots / "network", expect=ExitCode.DIFFERENCES)
    assert "No value for required variable" in found(document)[0]
    given = roots / "elsewhere.tfvars"
    given.write_text('region = "eu-west-3"\n')
    assert rehearsed(roots / "network", "--var-file", str(given))["findings"] == []


def test_no_command_of_a_provisioner_is_run(roots: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    given = roots / "file.tfvars"
    given.write_text(f"file = {json.dumps(str(touched))}\n")
    document = rehearsed(roots / "commands", "--var-file", str(given))
    assert [(stage["name"], stage["outcome"]) for stage in document["stages"]][3:] == [
        ("apply", "left out"), ("second plan", "left out"), ("destroy", "left out"),
    ]  # fmt: skip
    assert "terraform_data.it would run commands" in document["stages"][3]["found"]
    assert not touched.exists()


def test_modules_beside_the_root_and_a_cloud_block(roots: Path) -> None:
    before = listing(roots)
    document = rehearsed(roots / "modules" / "live")
    assert document["stages"][-1]["found"] == "1 removed"
    assert listing(roots) == before


def test_modules_of_a_registry_are_not_fetched(roots: Path) -> None:
    (roots / "network" / "more.tf").write_text('module "x" {\n  source = "example/thing/aws"\n}\n')
    document = rehearsed(roots / "network", expect=ExitCode.DIFFERENCES)
    assert (document["stages"][0]["name"], document["stages"][0]["outcome"]) == ("init", "failed")


OWN = """terraform {
  required_providers {
    thing = {
      source  = "example.com/team/thing"
      version = "~> 2.3, != 2.3.0"
    }
  }
}

resource "thing_box" "this" {
  size = 3
}

output "box" {
  value = thing_box.this.id
}
"""
RECORDING = {
    "provider_schemas": {
        "example.com/team/thing": {
            "provider": {"version": 0, "block": {}},
            "resource_schemas": {
                "thing_box": {
                    "version": 0,
                    "block": {
                        "attributes": {
                            "id": {"type": "string", "computed": True},
                            "size": {"type": "number", "required": True},
                        }
                    },
                }
            },
        }
    }
}


def test_a_recording_of_the_users_own(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    (root / "main.tf").write_text(OWN)
    (tmp_path / "schema.json").write_text(json.dumps(RECORDING))
    document = rehearsed(root, "--schema", str(tmp_path / "schema.json"))
    assert document["stages"][0]["found"] == "thing 2.3.1"
    assert document["stages"][-1]["found"] == "1 removed"
    assert "thing of schema.json" in document["schemas"]


def test_a_provider_that_nobody_recorded(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    (root / "main.tf").write_text(OWN)
    outcome = run(root, expect=ExitCode.DIFFERENCES)
    assert "try: terraform providers schema -json > schema.json" in outcome.out
    assert "--schema schema.json" in outcome.out


def test_the_users_plugin_cache_gets_nothing(roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A played provider that stays where the real one is looked for would be used in its place."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("TF_PLUGIN_CACHE_DIR", str(cache))
    rehearsed(roots / "network")
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_cluster_directory(tmp_path: Path) -> None:
    """The local engine's root starts processes, so that it ends with the plan."""
    directory = fleets.shop(tmp_path)
    outcome = karrots("rehearse", "--terraform", "clusters/qa", "-o", "json", cwd=directory.parent.parent)
    stages = outcome.document["stages"]
    assert [stage["outcome"] for stage in stages] == ["ok", "ok", "ok", "left out", "left out", "left out"]
    assert stages[2]["found"] == "+2 ~0 -0"
    assert not os.path.lexists(directory / "terraform" / ".terraform")


def test_an_ejected_cluster_directory(tmp_path: Path) -> None:
    directory = fleets.shop(tmp_path)
    karrots("eject", cwd=directory)
    (directory / "terraform" / "more.tf").write_text('resource "terraform_data" "more" {\n  inputs = 1\n}\n')
    outcome = karrots("rehearse", "--terraform", cwd=directory, expect=ExitCode.DIFFERENCES)
    assert 'An argument named "inputs" is not expected here' in outcome.out


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((), ExitCode.USAGE, "is not in a git repository"),
        (("--terraform", "a", "--root", "b"), ExitCode.USAGE, "two roots"),
        (("--terraform", "--root", "empty"), ExitCode.NOT_FOUND, "there is no Terraform in"),
        (("--terraform", "--root", "nowhere"), ExitCode.NOT_FOUND, "there is no Terraform in"),
        (("--terraform", "--root", "roots/network", "--schema", "none.json"), ExitCode.NOT_FOUND, "providers schema"),
        (("--terraform", "--root", "roots/network", "--schema", "text"), ExitCode.USAGE, "cannot be read"),
        (("--terraform", "--root", "roots/network", "--schema", "list"), ExitCode.USAGE, "not a recorded schema"),
        (("--terraform", "--root", "roots/network", "--schema", "odd"), ExitCode.USAGE, "is no provider"),
        (("--terraform", "--root", "roots/network", "--var-file", "text"), ExitCode.USAGE, ".tfvars"),
        (("--terraform", "--root", "roots/network", "--var-file", "x.tfvars"), ExitCode.NOT_FOUND, "--var-file"),
        (("--terraform",), ExitCode.USAGE, "git"),
    ],
)
def test_bad_input(words: tuple[str, ...], status: int, says: str, roots: Path) -> None:
    start = roots.parent
    (start / "empty").mkdir()
    (start / "text").write_text("no JSON")
    (start / "list").write_text("[]")
    (start / "odd").write_text('{"provider_schemas": {"../../etc": {}}}')
    outcome = karrots("rehearse", *words, cwd=start, expect=status)
    assert says in outcome.err
