"""What a cloud says through Terraform when it takes a log-in no more, or is asked too often.

Providers and backends hand on the words of their SDK: AWS' as `api error CODE: …`, Google's as `googleapi: Error
STATUS: …, REASON`, Azure's as `unexpected status STATUS … with error: CODE: …`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.adapters import aws_errors, azure_errors, google_errors, process
from karrots.errors import ExitCode, LoginNeeded, ToolFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from karrots.adapters.process import Completed
    from karrots.errors import Diagnostic


def _any(words: Iterable[str], *patterns: str) -> re.Pattern[str]:
    return re.compile("|".join((*(rf"\b{re.escape(word)}\b" for word in sorted(words)), *patterns)))


LOGINS = (
    (_any(aws_errors.EXPIRED | aws_errors.UNKNOWN_LOGIN, "No valid credential sources"), aws_errors.LOGIN_HINT),
    (_any(azure_errors.EXPIRED, r"InvalidAuthenticationToken\b", r"AADSTS\d+", "unable to build authorizer"),
     azure_errors.LOGIN_HINT),
    (_any({"invalid_grant", "ACCESS_TOKEN_EXPIRED"}, "could not find default credentials", r"googleapi: Error 401\b"),
     google_errors.LOGIN_HINT),
)  # fmt: skip
# A service uses it for quotas too.
QUOTA = {"LimitExceededException"}
BUSY = _any(
    {word for word in aws_errors.THROTTLED - QUOTA if not word.isdigit()} | google_errors.BUSY,
    r"googleapi: Error 429\b", r"unexpected status 429\b",
)  # fmt: skip
WAIT = "the cloud is asked too often, by whomever; wait some minutes, then run the same command again"


class ToolLoginNeeded(ToolFailed, LoginNeeded):
    """Terraform ended, as the cloud took its log-in no more."""

    code = ExitCode.LOGIN_NEEDED


def login_hint(said: str) -> str:
    """What to type; '' when it was not the log-in."""
    return next((hint for pattern, hint in LOGINS if pattern.search(said)), "")


def hint(said: str) -> str:
    return login_hint(said) or (WAIT if BUSY.search(said) else "")


def kind(said: str) -> type[ToolFailed]:
    return ToolLoginNeeded if login_hint(said) else ToolFailed


def cause_first(errors: Sequence[Diagnostic]) -> list[Diagnostic]:
    """One that explains the others before those: a log-in that ends shows in many resources, and in other words."""
    return sorted(errors, key=lambda each: not login_hint(words(each)))


def words(error: Diagnostic) -> str:
    return f"{error.summary}\n{error.detail}".strip()


def failed(done: Completed) -> ToolFailed:
    """As an error, for a verb whose own words are all that there is."""
    error = process.failed(done)
    return kind(error.why)(error.message, argv=error.argv, status=done.status, why=error.why, hint=hint(error.why))
