"""Values out of Terraform, with the sensitive ones covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COVER = "(sensitive)"
# What Terraform shows instead of what a provisioner says whose settings hold a secret. When that provisioner fails, it
# shows all of it, and the command, in the error all the same.
SUPPRESSED = "(output suppressed due to sensitive value in config)"

# `terraform show -json` has everything in clear. What is not listed here is dropped: `variables` and `configuration`
# have no marks that say which values are secret (https://developer.hashicorp.com/terraform/internals/json-format).
SHOWN = ("format_version", "terraform_version", "timestamp", "applyable", "complete", "errored")

# Where a value and its marks stand beside each other: changes, resources, outputs.
_PAIRS = (
    ("before", "before_sensitive"),
    ("after", "after_sensitive"),
    ("values", "sensitive_values"),
    ("value", "sensitive"),
)
# "a" or "no" being a secret somewhere must not cover half of a document.
SHORTEST_SECRET = 6


@dataclass(frozen=True)
class Output:
    """An output of the root; a sensitive one keeps its value out of logs and tracebacks."""

    value: Any
    sensitive: bool = False

    def __repr__(self) -> str:
        return f"Output({COVER if self.sensitive else repr(self.value)})"


def outputs(document: Mapping[str, Any]) -> dict[str, Output]:
    """The `outputs` of a state, which have the shape `terraform output -json` prints. Raises Failed for another."""
    try:
        return {name: Output(output.get("value"), sensitive=_is_secret(output)) for name, output in document.items()}
    except AttributeError as error:
        raise Failed("the outputs of the Terraform state cannot be read", why=str(error)) from error


def _is_secret(output: Mapping[str, Any]) -> bool:
    """Anything but a plain no is a yes."""
    return output.get("sensitive", False) is not False


def provisioned(module: Mapping[str, Any]) -> Iterator[str]:
    """Addresses of the resources with provisioners, in the `configuration` of a plan; a module's as `module.name.…`."""
    for resource in module.get("resources", []):
        if resource.get("provisioners"):
            yield str(resource["address"])
    for name, call in module.get("module_calls", {}).items():
        yield from (f"module.{name}.{address}" for address in provisioned(call.get("module", {})))


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """`terraform show -json` of a plan or a state, fit to be shown. Raises Failed when it has another form."""
    try:
        return _masked(document)
    except (AttributeError, TypeError, LookupError, ValueError, RecursionError) as error:
        raise Failed("what Terraform shows cannot be read", why=f"{type(error).__name__}: {error}") from error


def _masked(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: document[key] for key in SHOWN if key in document}
    for key in ("resource_changes", "resource_drift"):
        if key in document:
            kept[key] = [_masked_change_of(resource) for resource in document[key]]
    if "output_changes" in document:
        kept["output_changes"] = {name: _masked_change(change) for name, change in document["output_changes"].items()}
    for key in ("values", "planned_values"):
        if key in document:
            kept[key] = _masked_values(document[key])
    secrets = frozenset(_marked(document))
    return {key: _without(secrets, value) for key, value in kept.items()}


# In a plan's `configuration`: what is a name and never a value, and what holds values.
_NAMES = ("address", "mode", "type", "name", "provider_config_key", "references")
_VALUES = ("constant_value", "default", "variables", "outputs", "provisioners")


def outline(configuration: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Of a plan's `configuration` what there is and what refers to what; of its values the providers' regions alone.

    `region` is that of a provider which has it from a variable.
    """
    providers = configuration.get("provider_config") or {}
    modules = _outlined(configuration.get("root_module") or {})
    return {"provider_config": {key: _in(each, region) for key, each in providers.items()}, "root_module": modules}


def _in(provider: Mapping[str, Any], region: str) -> dict[str, Any]:
    own = (provider.get("expressions") or {}).get("region") or {}
    said = str(own.get("constant_value") or region)
    return {"name": str(provider.get("name", "")), "expressions": {"region": {"constant_value": said}}}


def _outlined(node: Any) -> Any:
    if isinstance(node, list):
        return [_outlined(item) for item in node if isinstance(item, (dict, list))]
    found = {key: item for key, item in node.items() if key not in _VALUES}
    inner = {key: _outlined(item) for key, item in found.items() if isinstance(item, (dict, list))}
    return {**inner, **{key: item for key, item in found.items() if key in _NAMES and _is_name(item)}}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def cover(value: Any, marks: Any) -> Any:
    """`value` with its secrets covered; `marks` is Terraform's tree of the same shape, with true at secrets."""
    if marks is False or marks is None or marks in ({}, []):
        return value
    if isinstance(marks, dict) and isinstance(value, dict):
        return {key: cover(item, marks.get(key, False)) for key, item in value.items()}
    if isinstance(marks, list) and isinstance(value, list):
        padded = [*marks, *[False] * (len(value) - len(marks))]
        return [cover(item, mark) for item, mark in zip(value, padded, strict=False)]
    return COVER  # marked as a whole, or by marks of another shape: something in it is secret


def _marked(node: Any) -> Iterator[str]:
    """Every text that is marked as a secret somewhere in a document.

    Terraform's marks do not follow a value everywhere: `terraform_data` gives back a secret input as an output without
    one, so a text that is a secret in one place is taken for one in all.
    """
    if isinstance(node, list):
        for item in node:
            yield from _marked(item)
    if not isinstance(node, dict):
        return
    for value, marks in _PAIRS:
        yield from _texts(node.get(value), node.get(marks, False))
    for item in node.values():
        yield from _marked(item)


def _texts(value: Any, marks: Any) -> Iterator[str]:
    if isinstance(value, str) and marks is True and len(value) >= SHORTEST_SECRET:
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, marks if marks is True else _below(marks, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(item, marks if marks is True else _below(marks, place))


def _below(marks: Any, key: Any) -> Any:
    if isinstance(marks, dict):
        return marks.get(key, False)
    return marks[key] if isinstance(marks, list) and isinstance(key, int) and key < len(marks) else False


def _without(secrets: frozenset[str], node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without(secrets, item) for key, item in node.items()}
    if isinstance(node, list):
        return [_without(secrets, item) for item in node]
    return COVER if isinstance(node, str) and any(secret in node for secret in secrets) else node


def _masked_change_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {**resource, "change": _masked_change(resource["change"])}


def _masked_change(change: Mapping[str, Any]) -> dict[str, Any]:
    sides = {
        side: cover(change[side], change.get(f"{side}_sensitive", False))
        for side in ("before", "after")
        if side in change
    }
    return {**change, **sides}


def _masked_values(values: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(values)
    if "outputs" in values:
        shown["outputs"] = {
            name: {**output, "value": COVER} if _is_secret(output) else output
            for name, output in values["outputs"].items()
        }
    if "root_module" in values:
        shown["root_module"] = _masked_module(values["root_module"])
    return shown


def _masked_module(module: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(module)
    if "resources" in module:
        shown["resources"] = [_masked_resource(resource) for resource in module["resources"]]
    if "child_modules" in module:
        shown["child_modules"] = [_masked_module(child) for child in module["child_modules"]]
    return shown


def _masked_resource(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **resource,
        "values": cover(resource.get("values"), resource.get("sensitive_values", False)),
    }
