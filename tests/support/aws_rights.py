"""Which right a request to AWS needs, by the models of the SDK; and AWS without some of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from karrots.adapters.aws_errors import action_of
from tests.support.aws import Asked, Said, refused, refused_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Whose requests do not name the operation.
BY_PATH = ("eks", "route53", "s3")
IN_XML = ("ec2", "elasticloadbalancing", "iam", "route53", "s3", "sts")


def right_of(asked: Asked) -> str:
    if asked.service not in BY_PATH:
        return action_of(asked.service, asked.action)
    method, _, path = asked.action.partition(" ")
    names = {it.partition("=")[0] for it in asked.query.split("&")}
    if asked.service == "s3" and method == "DELETE" and "versionId" in names:
        return "s3:DeleteObjectVersion"
    return action_of(asked.service, next(name for name, fits in _paths(asked.service) if fits(method, path, names)))


@cache
def _paths(service: str) -> list[tuple[str, Callable[[str, str, Collection[str]], bool]]]:
    """Those that ask for more in their query first, then those with fewer places for names."""
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    found = [_Path.of(model.operation_model(name)) for name in model.operation_names]
    found.sort(key=lambda it: (-len(it.query), it.path.count("{"), -len(it.path)))
    return [(it.name, it.fits) for it in found if not it.has_header]


@dataclass(frozen=True)
class _Path:
    """`query` are the names that must be there; what also needs a header, none of ours does."""

    name: str
    method: str
    path: str
    query: frozenset[str]
    has_header: bool

    @classmethod
    def of(cls, operation: Any) -> _Path:
        path, _, query = str(operation.http["requestUri"]).partition("?")
        shape = operation.input_shape
        needed = [shape.members[name].serialization for name in shape.required_members] if shape else []
        asked = {it["name"] for it in needed if it.get("location") == "querystring"}
        named = {it.partition("=")[0] for it in query.split("&") if it} | asked
        header = any(it.get("location") == "header" for it in needed)
        return cls(operation.name, str(operation.http["method"]), path, frozenset(named), header)

    def fits(self, method: str, path: str, query: Collection[str]) -> bool:
        greedy = re.sub(r"\\\{[^}]*\\\+\\\}", ".+", re.escape(self.path))
        known = re.sub(r"\\\{[^}]*\\\}", "[^/]+", greedy) + "/?"
        return method == self.method and self.query <= set(query) and re.fullmatch(known, path) is not None


def without(rights: Collection[str], others: Callable[[Asked], Said | None] = lambda _: None) -> Any:
    """A script for the front: these are denied, as each service denies, and `others` answers first what is allowed."""

    def answer(asked: Asked) -> Said | None:
        if right_of(asked) not in rights:
            return others(asked)
        if asked.service in IN_XML:
            return refused_xml("AccessDenied", "not allowed", 403)
        return refused("AccessDeniedException", "not allowed", 403 if asked.service in BY_PATH else 400)

    return answer
