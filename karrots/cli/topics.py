"""Texts of `karrots help`; docs/exit-codes.md is made from them."""

from __future__ import annotations

from karrots.errors import ExitCode

EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.DIFFERENCES: "differences (diff where that is asked, render --check), or what lint or rehearse found",
    ExitCode.USAGE: "usage: a wrong option, name or file",
    ExitCode.REFUSED: "refused by a guard, or an answer is needed",
    ExitCode.LOGIN_NEEDED: "a login is needed",
    ExitCode.PREFLIGHT_FAILED: "preflight failed: something is missing, nothing was made",
    ExitCode.LOCKED: "somebody else works on it, or was first",
    ExitCode.TIMED_OUT: "timed out; run it again to go on",
    ExitCode.FAILED: "failed; what exists is kept, run it again to go on",
    ExitCode.LEFTOVERS: "leftovers remain: after a destroy, or doctor --repair",
    ExitCode.NOT_FOUND: "there is no such thing",
    ExitCode.BUG: "a bug in karrots",
    ExitCode.INTERRUPTED: "interrupted; run it again to go on",
}

ENVIRONMENT: dict[str, str] = {
    "KARROTS_HOME": "one folder for all that karrots keeps, in place of the XDG folders",
    "KARROTS_ENGINE_BIN": "a folder with ready binaries of the engine",
    "KARROTS_TERRAFORM": "the terraform or tofu program to use",
    "TF_CLI_CONFIG_FILE": "passed on to Terraform when the file exists",
    "TF_PLUGIN_CACHE_DIR": "passed on to Terraform",
    "NO_COLOR": "no colour",
    "CI": "plain lines instead of the turning tree",
}
