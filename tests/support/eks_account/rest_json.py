"""Amazon's REST-JSON protocol, served from the SDK's own description of a service.

What a client sends is checked against the service model, and so is what we answer: a service that is imitated here can
be incomplete, but it cannot say what the real one has no word for. The protocol:
https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session
from botocore.model import ListShape, MapShape, StructureShape
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, Shape


class Handler(Protocol):
    def __call__(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Raises ServiceError."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]


class ServiceError(Exception):
    """`code` is one of the service's own exceptions."""

    def __init__(self, code: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.code, self.message, self.fields = code, message, fields


class RestJson:
    def __init__(self, service: str, handler: Handler) -> None:
        self._model = botocore.session.get_session().get_service_model(service)
        self._handler = handler
        operations = [self._model.operation_model(name) for name in self._model.operation_names]
        # The more of a path is literal, the sooner it is tried: /clusters/x/updates is no cluster's name.
        self._routes = sorted((_route(each) for each in operations), key=lambda route: -route.literal)

    def operation(self, method: str, target: str) -> str | None:
        found = self._find(method, target)
        return found[0].name if found else None

    def serve(self, method: str, target: str, body: bytes) -> Answer:
        found = self._find(method, target)
        if found is None:
            return _error(404, "UnknownOperationException", f"{method} {target}")
        operation, values = found
        try:
            params = _params(operation, values, target, body)
            _check(params, operation.input_shape)
            said = self._handler(operation.name, params)
            _check(said, operation.output_shape)
        except ServiceError as error:
            return self._refusal(error)
        return Answer(200, json.dumps(_plain(said, operation.output_shape)).encode(), {})

    def _find(self, method: str, target: str) -> tuple[OperationModel, dict[str, str]] | None:
        path = urlsplit(target).path
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match and route.operation.http["method"] == method:
                return route.operation, {key: unquote(value) for key, value in match.groupdict().items()}
        return None

    def _refusal(self, error: ServiceError) -> Answer:
        shapes = {shape.name: shape for shape in self._model.error_shapes}
        status = shapes[error.code].metadata.get("error", {}).get("httpStatusCode", 400)
        return _error(status, error.code, error.message, **error.fields)


@dataclass(frozen=True)
class _Route:
    operation: OperationModel
    pattern: re.Pattern[str]
    literal: int


def _route(operation: OperationModel) -> _Route:
    uri = operation.http["requestUri"].partition("?")[0]
    parts = re.split(r"\{([^}]+)\}", uri)
    text = "".join(_named(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return _Route(operation, re.compile(text), sum(map(len, parts[::2])))


def _named(name: str) -> str:
    return f"(?P<{name.rstrip('+')}>{'.+' if name.endswith('+') else '[^/]+'})"


def _error(status: int, code: str, message: str, **fields: Any) -> Answer:
    body = json.dumps({"__type": code, "message": message, **fields}).encode()
    return Answer(status, body, {"x-amzn-ErrorType": code})


def _params(operation: OperationModel, values: dict[str, str], target: str, body: bytes) -> dict[str, Any]:
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    sent = json.loads(body) if body.strip() else {}
    params: dict[str, Any] = {}
    shape = operation.input_shape
    for name, member in (shape.members if shape else {}).items():
        place, key = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri":
            params[name] = values[key]
        elif place == "querystring" and key in query:
            params[name] = _from_query(query[key], member)
        elif place is None and sent.get(key) is not None:
            params[name] = sent[key]
    return params


def _from_query(texts: list[str], member: Shape) -> Any:
    if member.type_name == "list":
        return texts
    if member.type_name == "boolean":
        return texts[0] == "true"
    return int(texts[0]) if member.type_name in ("integer", "long") else texts[0]


def _check(value: dict[str, Any], shape: StructureShape | None) -> None:
    if shape is not None:
        report = ParamValidator().validate(value, shape)
        if report.has_errors():
            raise ServiceError("InvalidParameterException", report.generate_report())


def _plain(value: Any, shape: Shape | None) -> Any:
    """As JSON has it: times are seconds since the epoch."""
    if isinstance(shape, StructureShape):
        return {
            member.serialization.get("name", name): _plain(value[name], member)
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_plain(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {key: _plain(item, shape.value) for key, item in value.items()}
    return value.timestamp() if isinstance(value, dt.datetime) else value
