from __future__ import annotations

import json
from typing import Any

import pytest

from karrots.adapters.terraform_values import COVER, Output, cover, masked, outline, outputs, provisioned
from karrots.errors import Failed


def test_marks_cover_the_same_places() -> None:
    value = {"open": 1, "secret": "x", "list": ["a", "b", "c"], "deep": {"key": "y", "name": "z"}}
    marks = {"secret": True, "list": [False, True], "deep": {"key": True}}
    assert cover(value, marks) == {
        "open": 1, "secret": COVER, "list": ["a", COVER, "c"], "deep": {"key": COVER, "name": "z"},
    }  # fmt: skip


def test_a_mark_above_covers_all_below() -> None:
    assert cover({"a": {"b": "c"}}, marks=True) == COVER


def test_marks_of_another_shape_cover_the_whole() -> None:
    assert cover("text", {"a": True}) == COVER
    assert cover([1], {"a": True}) == COVER
    assert cover({"a": 1}, "true") == COVER


def test_no_marks_cover_nothing() -> None:
    nothing: tuple[Any, ...] = (False, None, {}, [])
    assert [cover("text", marks) for marks in nothing] == ["text"] * 4


@pytest.mark.parametrize(
    "broken",
    [
        {"resource_changes": [{}]},
        {"resource_changes": ["text"]},
        {"output_changes": None},
        {"output_changes": {"a": "text"}},
        {"values": "text"},
        {"planned_values": {"outputs": {"a": 1}}},
        {"planned_values": {"root_module": {"resources": [None]}}},
    ],
    ids=str,
)
def test_a_document_of_another_form_is_refused_and_not_shown(broken: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="what Terraform shows cannot be read"):
        masked(broken)


@pytest.mark.parametrize("broken", [[], {"a": 1}, {"a": [None]}], ids=str)
def test_outputs_of_another_form_are_refused(broken: Any) -> None:
    with pytest.raises(Failed, match="outputs of the Terraform state"):
        outputs(broken)


def test_a_mark_that_is_no_truth_value_covers() -> None:
    assert COVER in repr(outputs({"a": {"value": "hush", "sensitive": "yes"}}))


def document() -> dict[str, Any]:
    change = {
        "actions": ["update"],
        "before": {"password": "hush-1"}, "before_sensitive": {"password": True},
        "after": {"password": "hush-2"}, "after_sensitive": {"password": True},
    }  # fmt: skip
    resource = {"address": "a.b", "values": {"password": "hush-3"}, "sensitive_values": {"password": True}}
    module = {"resources": [resource], "child_modules": [{"address": "module.m", "resources": [resource]}]}
    shown_outputs = {"open": {"value": 1, "sensitive": False}, "key": {"value": "hush-4", "sensitive": True}}
    return {
        "format_version": "1.2",
        "variables": {"password": {"value": "hush-5"}},
        "configuration": {"root_module": {"anything": "hush-6"}},
        "prior_state": {"values": {"outputs": {"key": {"value": "hush-7"}}}},
        "unheard_of": "hush-8",
        "resource_changes": [{"address": "a.b", "change": change}],
        "resource_drift": [{"address": "a.b", "change": change}],
        "output_changes": {"key": {"actions": ["create"], "before": None, "after": "hush-9", "after_sensitive": True}},
        "planned_values": {"outputs": shown_outputs, "root_module": module},
        "values": {"outputs": shown_outputs, "root_module": module},
    }


def test_no_secret_is_left_in_a_plan_or_state() -> None:
    assert "hush" not in json.dumps(masked(document()))


def test_what_is_no_secret_stays() -> None:
    shown = masked(document())
    assert shown["format_version"] == "1.2"
    assert shown["resource_changes"][0]["address"] == "a.b"
    assert shown["output_changes"]["key"]["actions"] == ["create"]
    assert shown["values"]["outputs"]["open"]["value"] == 1
    assert shown["planned_values"]["root_module"]["child_modules"][0]["address"] == "module.m"


def test_the_document_itself_is_left_as_it_was() -> None:
    given = document()
    masked(given)
    assert given == document()


def test_a_secret_in_one_place_is_one_in_all() -> None:
    """A provider gives a secret back in another attribute, without the mark."""
    values = {"input": {"list": ["swordfish"]}, "output": ["swordfish"], "link": "https://ada:swordfish@example.com"}
    resource = {"address": "a.b", "values": values, "sensitive_values": {"input": {"list": [True]}}}
    shown = masked({"values": {"root_module": {"resources": [resource]}}})
    assert "swordfish" not in json.dumps(shown)
    assert shown["values"]["root_module"]["resources"][0]["address"] == "a.b"


def test_a_short_secret_does_not_cover_everything_alike() -> None:
    found = {"flag": {"value": "no", "sensitive": True}, "answer": {"value": "no"}}
    shown = masked({"values": {"outputs": found}})["values"]["outputs"]
    assert (shown["flag"]["value"], shown["answer"]["value"]) == (COVER, "no")


def test_an_empty_document() -> None:
    assert masked({}) == {}
    assert masked({"values": {}}) == {"values": {}}


def test_a_sensitive_output_does_not_show_itself() -> None:
    found = outputs({"key": {"value": "hush", "sensitive": True, "type": "string"}, "n": {"value": 3}})
    assert "hush" not in repr(found)
    assert found == {"key": Output("hush", sensitive=True), "n": Output(3)}


def test_what_has_commands_to_run() -> None:
    quiet = {"address": "terraform_data.quiet"}
    loud = {"address": "terraform_data.loud", "provisioners": [{"type": "local-exec"}]}
    below = {"resources": [loud], "module_calls": {"deep": {"module": {"resources": [loud]}}}}
    root = {"resources": [quiet, loud], "module_calls": {"one": {"module": below}, "empty": {}}}
    assert list(provisioned(root)) == [
        "terraform_data.loud",
        "module.one.terraform_data.loud",
        "module.one.module.deep.terraform_data.loud",
    ]
    assert list(provisioned({})) == []


CONFIGURATION: dict[str, Any] = {
    "provider_config": {
        "aws": {"name": "aws", "expressions": {"region": {"references": ["var.region"]}}},
        "aws.old": {"name": "aws", "alias": "old", "expressions": {
            "region": {"constant_value": "us-east-1"}, "secret_key": {"constant_value": "hush"}}},
    },
    "root_module": {
        "variables": {"password": {"default": {"name": "hush"}}},
        "outputs": {"x": {"expression": {"constant_value": "hush"}}},
        "resources": [{
            "address": "aws_eks_node_group.fixed", "mode": "managed", "type": "aws_eks_node_group", "name": "fixed",
            "provider_config_key": "aws", "schema_version": 0,
            "expressions": {
                "launch_template": [{"id": {"references": ["aws_launch_template.nodes", "each.key"]},
                                     "name": {"constant_value": "hush"}}],
                "tags": {"constant_value": {"name": "hush", "references": ["hush"]}},
            },
            "provisioners": [{"type": "local-exec", "expressions": {"command": {"constant_value": "hush"}}}],
        }],
        "module_calls": {"net": {"source": "./hush", "module": {"resources": [{"address": "aws_vpc.x"}]}}},
    },
}  # fmt: skip


def test_an_outline_has_what_refers_to_what_and_no_value() -> None:
    told = outline(CONFIGURATION, "eu-central-1")
    assert "hush" not in json.dumps(told)
    (found,) = told["root_module"]["resources"]
    assert found["provider_config_key"] == "aws"
    assert found["expressions"]["launch_template"] == [
        {"id": {"references": ["aws_launch_template.nodes", "each.key"]}, "name": {}}
    ]
    inside = told["root_module"]["module_calls"]["net"]["module"]["resources"]
    assert inside == [{"address": "aws_vpc.x"}]


def test_an_outline_says_where_each_provider_is() -> None:
    told = outline(CONFIGURATION, "eu-central-1")["provider_config"]
    regions = {key: each["expressions"]["region"]["constant_value"] for key, each in told.items()}
    assert regions == {"aws": "eu-central-1", "aws.old": "us-east-1"}
    assert outline({}, "x") == {"provider_config": {}, "root_module": {}}
