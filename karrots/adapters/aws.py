"""The one door to AWS: boto3, imported when it is used (the extra `aws`).

Each call is one effect. Retries are botocore's (adaptive: it slows down by itself), and a Retry-After is waited for;
both have an end. Other modules named aws_… say in plain dataclasses what the answers mean.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from karrots.adapters.aws_errors import AwsExtraMissing, AwsGarbled, AwsRejected, told_apart
from karrots.effects import effect

if TYPE_CHECKING:
    from collections.abc import Iterator

Answer = dict[str, Any]

ATTEMPTS = 6
CONNECT_SECONDS = 5
READ_SECONDS = 30
# A server that asks for a longer pause than this is not waited for: the command says so and ends.
PATIENCE_SECONDS = 30.0
MOST_PAGES = 1000
QUESTIONS = ("describe", "get", "list", "head")
BUSY = (429, 503)
DOMAIN = "amazonaws.com"
DOMAINS = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}


class Aws:
    """The log-in of one person in one region. Shared between threads."""

    def __init__(self, region: str, profile: str | None = None) -> None:
        """Raises AwsExtraMissing. Nobody is asked yet."""
        self.region = region
        self.profile = profile
        self._session = _session(region, profile)
        self._clients: dict[tuple[str, str], Any] = {}
        self._one = threading.Lock()
        self._asking = threading.local()

    def call(self, service: str, operation: str, *, region: str = "", **parameters: Any) -> Answer:
        """One call: `operation` in the SDK's Python form. Raises the kinds of aws_errors."""
        name = _model_name(operation)
        try:
            client = self._client(service, region or self.region)
            name = client.meta.method_to_api_mapping.get(operation, name)
            with effect("aws", f"{service} {name}", whole=not operation.startswith(QUESTIONS)) as asking:
                self._asking.effect = asking
                answer = getattr(client, operation)(**parameters)
        except Exception as error:
            raise told_apart(error, service, name) from error
        if not isinstance(answer, dict):
            raise AwsGarbled(f"AWS {service} {name} was answered with what is no answer", why=str(answer)[:200])
        return answer

    def pages(self, service: str, operation: str, key: str, *, region: str = "", **parameters: Any) -> Iterator[Answer]:
        """The items below `key` of every page. One effect for each page."""
        more: Answer = {}
        for _ in range(MOST_PAGES):
            answer = self.call(service, operation, region=region, **parameters, **more)
            yield from items(answer, key)
            more = _following(answer)
            if not more:
                return
        raise AwsGarbled(f"AWS {service} {_model_name(operation)} has no end", why=f"more than {MOST_PAGES} pages")

    def credentials(self) -> Any:
        """The SDK's own; None when there are none. Raises when their source fails."""
        try:
            with effect("aws", "credentials", whole=False):
                return self._session.get_credentials()
        except Exception as error:
            raise told_apart(error, "credentials", "load") from error

    def host(self, service: str) -> str:
        """The public name of a service in the region, whatever address the environment sets for calls."""
        return f"{service}.{self.region}.{DOMAINS.get(self.partition, DOMAIN)}"

    @property
    def partition(self) -> str:
        """Raises AwsRegionUnusable for what is no name of a region."""
        try:
            return str(self._session.get_partition_for_region(self.region))
        except Exception as error:
            raise told_apart(error, "session", "partition") from error

    def _client(self, service: str, region: str) -> Any:
        """Made one at a time: a session is not shared between threads, clients are."""
        with self._one:
            found = self._clients.get((service, region))
            if found is None:
                found = self._clients[service, region] = self._session.client(
                    service, region_name=region, config=_config()
                )
                found.meta.events.register("before-parse", self._garble)
                name = found.meta.service_model.service_id.hyphenize()
                found.meta.events.register_first(f"needs-retry.{name}", pause)  # the SDK's own is for the service too
            return found

    def _garble(self, response_dict: Answer, **_: Any) -> None:
        """As a fault plan wants the answer to look."""
        response_dict["body"] = self._asking.effect.garbled(response_dict["body"])


def _session(region: str, profile: str | None) -> Any:
    try:
        import boto3
    except ImportError as error:
        raise AwsExtraMissing from error
    from botocore.session import get_session

    try:
        core = get_session()
        core.register_component("data_loader", _loader())
        made = boto3.Session(botocore_session=core, region_name=region, profile_name=profile)
        core.get_scoped_config()  # a profile that is not there is told now
        return made
    except Exception as error:
        raise told_apart(error, "session", "open") from error


@cache
def _loader() -> Any:
    """Reads the SDK's models, of which EC2's takes a third of a second: once for all doors of the process."""
    from botocore.loaders import create_loader

    return create_loader()


def _config() -> Any:
    from botocore.config import Config

    return Config(
        retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=16,
        user_agent_extra="karrots",
    )


def pause(response: Any, attempts: int, **_: Any) -> float | bool | None:
    """Botocore's question whether, and after how many seconds, it shall try again; None leaves it to botocore.

    It knows x-amz-retry-after only.
    """
    if response is None or response[0].status_code not in BUSY:
        return None
    asked = response[0].headers.get("Retry-After", "")
    if not asked.isdecimal():
        return None
    seconds = float(asked)
    return seconds if attempts < ATTEMPTS and seconds <= PATIENCE_SECONDS else False


def items(answer: Answer, key: str) -> list[Answer]:
    """The list of objects below `key`. Raises AwsGarbled for anything else."""
    found = answer.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise AwsGarbled("AWS answered with something else than a list of objects", why=f"{key}: {str(found)[:200]}")
    return found


def strings(answer: Answer, key: str) -> list[str]:
    found = answer.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise AwsGarbled("AWS answered with something else than a list of texts", why=f"{key}: {str(found)[:200]}")
    return found


def tags_of(found: Answer, key: str = "Tags") -> dict[str, str]:
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in items(found, key) if "Key" in tag}


@contextmanager
def understood(what: str) -> Iterator[None]:
    """What lacks in an answer is an error of the answer, not of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise AwsGarbled(
            f"AWS {what} was answered with what is no answer", why=f"{type(error).__name__}: {error}"
        ) from error


@contextmanager
def unless(*reasons: str) -> Iterator[None]:
    """Passes over what AWS says no to for these reasons, as `NotFound` is no failure of a deletion."""
    try:
        yield
    except AwsRejected as error:
        if error.reason not in reasons:
            raise


NEXT = {
    "NextToken": "NextToken", "nextToken": "nextToken", "NextMarker": "Marker", "Marker": "Marker",
    "PaginationToken": "PaginationToken",
}  # fmt: skip


def _following(answer: Answer) -> Answer:
    """The parameters that ask for the next page, empty after the last one."""
    if answer.get("IsTruncated") and "NextRecordName" in answer:  # Route 53's records
        names = {"NextRecordName": "StartRecordName", "NextRecordType": "StartRecordType",
                 "NextRecordIdentifier": "StartRecordIdentifier"}  # fmt: skip
        return {start: answer[key] for key, start in names.items() if answer.get(key)}
    if answer.get("IsTruncated") is False:
        return {}
    return next(({parameter: answer[key]} for key, parameter in NEXT.items() if answer.get(key)), {})


def _model_name(operation: str) -> str:
    """`describe_cluster` is DescribeCluster; only the SDK's models know of names such as DescribeDBInstances."""
    return "".join(word.capitalize() for word in operation.split("_"))
