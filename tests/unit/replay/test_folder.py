from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from karrots.errors import NotFound
from karrots.replay import folder, mirror, schemas

if TYPE_CHECKING:
    from pathlib import Path


def written(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        file = root / name.replace("__", "/").replace("_tf", ".tf")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_a_root_is_linked_without_what_terraform_left(tmp_path: Path) -> None:
    root = written(tmp_path / "live", main_tf="# here")
    for name in (".terraform.lock.hcl", "terraform.tfstate", "terraform.tfstate.backup", "old.tfplan"):
        (root / name).write_text("")
    (root / ".terraform").mkdir()
    made = folder.linked(root, tmp_path / "run")
    assert {path.name for path in made.iterdir()} == {"main.tf", folder.OVERRIDE}
    assert (made / "main.tf").readlink() == root / "main.tf"


def test_modules_beside_below_and_above(tmp_path: Path) -> None:
    fleet = written(
        tmp_path / "fleet",
        live__main_tf='module "a" {\n  source = "../shared/a"\n}\nmodule "b" {\n  source = "./inside"\n}\n',
        live__inside__main_tf='module "up" {\n  source = "../.."\n}\n',
        shared__a__main_tf='module "c" {\n  source = "../c"\n}\n',
        shared__c__main_tf="# the last",
        main_tf="# above",
    )
    made = folder.linked(fleet / "live", tmp_path / "run")
    assert made == tmp_path / "run" / "live"
    assert not made.is_symlink()
    for path in ("live/inside/main.tf", "shared/a/main.tf", "shared/c/main.tf", "main.tf"):
        assert (tmp_path / "run" / path).read_text() == (fleet / path).read_text()


def test_modules_in_json_and_what_is_no_path(tmp_path: Path) -> None:
    source = {"module": {"x": {"source": "../x"}, "y": {"source": "team/y/aws"}}}
    root = written(tmp_path / "live", main_tf="")
    (root / "more.tf.json").write_text(json.dumps(source))
    written(tmp_path / "x", main_tf="")
    assert folder.modules(root) == [tmp_path / "x"]


def test_downloaded_modules_are_used_and_not_written(tmp_path: Path) -> None:
    root = written(tmp_path / "live", main_tf="")
    kept = root / ".terraform" / "modules"
    (kept / "vpc").mkdir(parents=True)
    (kept / "modules.json").write_text("{}")
    made = folder.linked(root, tmp_path / "run") / ".terraform" / "modules"
    assert not (made / "modules.json").is_symlink()
    assert (made / "vpc").readlink() == kept / "vpc"


def test_a_folder_without_terraform(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no Terraform in"):
        folder.linked(tmp_path, tmp_path / "run")


def test_versions_to_offer_for_what_is_asked() -> None:
    assert mirror.versions([]) == ["1.0.0"]
    assert set(mirror.versions(["~> 6.27"])) == {"1.0.0", "6.27.0", "6.27.1"}
    assert {"5.0.1", "6.99.3"} <= set(mirror.versions(["> 5.0, != 6.99.2", ">= 1"]))
    assert "2.0.0-beta1" in mirror.versions(["2.0.0-beta1"])


def test_constraints_are_found_in_modules_too(tmp_path: Path) -> None:
    written(tmp_path / "shared", main_tf='version = "~> 2.0"')
    root = written(tmp_path / "live", main_tf='version = ">= 1.5"\nmodule "a" {\n  source = "../shared"\n}\n')
    assert list(folder.constraints(root)) == [">= 1.5", "~> 2.0"]


def test_constraints_are_found_in_what_init_brought(tmp_path: Path) -> None:
    root = written(tmp_path / "live", main_tf="")
    written(root / ".terraform" / "modules" / "vpc", main_tf='version = "~> 7.1"')
    manifest = root / ".terraform" / "modules" / "modules.json"
    manifest.write_text(json.dumps({"Modules": [{"Key": "vpc", "Dir": ".terraform/modules/vpc"}]}))
    assert list(folder.constraints(folder.linked(root, tmp_path / "run"))) == ["~> 7.1"]
    for damaged in ("[", "[1]", '{"Modules": [{}]}'):
        manifest.write_text(damaged)
        assert list(folder.constraints(root)) == []


def test_a_mirror_offers_each_provider_under_both_registries(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("")
    aws = next(each for each in schemas.shipped() if each.name == "aws")
    environment = mirror.lay_out(tmp_path / "run", program, [aws], [])
    for registry in mirror.REGISTRIES:
        (place,) = (tmp_path / "run" / "mirror" / registry / "hashicorp" / "aws" / "5.100.0").iterdir()
        assert (place / "terraform-provider-aws_v5.100.0").readlink() == program
        assert json.loads((place / "schema.json").read_text())["provider_schemas"].keys() == {aws.address}
        assert "aws_eks_cluster" in json.loads((place / "rules.json").read_text())["resources"]
    assert environment["TF_PLUGIN_CACHE_DIR"].startswith(str(tmp_path / "run"))
    assert environment["HTTPS_PROXY"].startswith("http://127.0.0.1")
