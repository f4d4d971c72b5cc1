"""The base of the models for cluster.yaml and karrots.yaml, and the types of their values.

Scalars arrive as text (yaml_file.load_text, `--set`), so the types here say which texts are a number or a truth value.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


@dataclass(frozen=True)
class Form:
    """A text that matches `pattern` as a whole; `says` completes the sentence 'must be …'."""

    pattern: str
    says: str

    def check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"must be {self.says}, not '{shorten(value)}'")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, written in decimal digits."""

    low: int
    high: int

    def check(self, value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,9}", value):
            raise ValueError(f"must be a whole number, not '{shorten(value)}'")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        number = core_schema.int_schema(ge=self.low, le=self.high)
        return core_schema.no_info_before_validator_function(self.check, number)


@dataclass(frozen=True)
class Truth:
    """`true` or `false` as YAML 1.2 writes them; `yes` and `on` of 1.1 are texts."""

    def check(self, value: Any) -> Any:
        if isinstance(value, str) and value not in {"true", "false"}:
            raise ValueError(f"must be true or false, not '{shorten(value)}'")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))


def shorten(text: str, width: int = 40) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= width else f"{one_line[: width - 1]}…"


def address_range(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"must be an address range such as 203.0.113.0/24: {error}") from error
    return value


Flag = Annotated[bool, Truth()]
Interval = Annotated[str, Form(r"([0-9]+(ms|s|m|h))+", "a time such as 30s, 1m or 1h30m")]
Age = Annotated[str, Form(r"[1-9][0-9]{0,3}[hdw]", "an age such as 8h, 7d or 2w")]
Label = Annotated[str, Form(r"[a-z]([a-z0-9-]{0,26}[a-z0-9])?", "lower-case letters, digits and '-', at most 28")]
DnsName = Annotated[
    str,
    Form(
        r"(?=.{1,190}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "a DNS name in lower case such as dev.example.com",
    ),
]
