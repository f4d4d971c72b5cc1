"""The door to Google Cloud against servers that speak its protocols."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from karrots import clock, effects, faults
from karrots.adapters import google as door
from karrots.adapters import google_account, google_gke
from karrots.adapters.google import Google
from karrots.adapters.google_errors import (
    GoogleApiOff,
    GoogleDenied,
    GoogleExpired,
    GoogleExtraMissing,
    GoogleGarbled,
    GoogleLoginNeeded,
    GoogleThrottled,
    GoogleUnreachable,
    GoogleWrongProject,
)
from karrots.adapters.google_state import GcsBucket
from karrots.errors import ExitCode, Failed
from tests.support.gke_account.account import PROJECT, REGION, ZONES, Account, Asked, Said, refused, said, switched_off
from tests.support.gke_account.planted import CA_DATA
from tests.support.gke_account.server import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[Google], object]


def of_sdk(google: Google) -> object:
    return google_gke.clusters(google, "qa", REGION)


def of_rest(google: Google) -> object:
    return google_account.regions(google)


both = pytest.mark.parametrize("ask", [of_sdk, of_rest], ids=["sdk", "rest"])


def logged_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")


def except_login(answer: Said) -> Callable[[Asked], Said | None]:
    return lambda asked: None if asked.service == "oauth2" else answer


def test_it_says_who_is_logged_in(google: Google) -> None:
    assert google_account.who(google) == EMAIL
    google_account.active(google)


def test_another_project_is_told_with_its_name(account: Account) -> None:
    with pytest.raises(GoogleWrongProject, match="someone-elses") as caught:
        google_account.active(Google("someone-elses"))
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert "karrots.yaml" in caught.value.hint


def test_a_project_that_is_being_deleted_is_told(google: Google, account: Account) -> None:
    account.state = "DELETE_REQUESTED"
    with pytest.raises(GoogleWrongProject) as caught:
        google_account.active(google)
    assert "DELETE_REQUESTED" in caught.value.why


@both
def test_nobody_logged_in_is_told_so(account: Account, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    logged_out(monkeypatch)
    with pytest.raises(GoogleLoginNeeded, match="not logged in") as caught:
        ask(Google(PROJECT))
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert "gcloud auth application-default login" in caught.value.hint
    assert account.asked == []


def test_making_a_door_needs_no_log_in(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    logged_out(monkeypatch)
    tokens = google_gke.tokens(Google(PROJECT))
    with pytest.raises(GoogleLoginNeeded):
        tokens.now()


@pytest.mark.parametrize("missing", ["google.auth", "google.cloud.container_v1"])
def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(GoogleExtraMissing) as caught:
        Google(PROJECT)
    assert caught.value.hint == "pip install 'karrots[gcp]'"
    assert caught.value.code == ExitCode.PREFLIGHT_FAILED


@both
def test_a_key_that_google_does_not_take_any_more(account: Account, google: Google, ask: Ask) -> None:
    account.script = lambda asked: (
        said({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        if asked.service == "oauth2"
        else None
    )
    with pytest.raises(GoogleExpired, match="has ended") as caught:
        ask(google)
    assert "Invalid JWT Signature" in caught.value.why
    assert caught.value.code == ExitCode.LOGIN_NEEDED


@both
def test_a_token_that_is_refused_is_made_anew(account: Account, google: Google, ask: Ask) -> None:
    ask(google)
    account.tokens.clear()
    ask(google)


@both
def test_a_log_in_that_is_refused_for_good(account: Account, google: Google, ask: Ask) -> None:
    account.script = except_login(refused(401, "Request had invalid authentication credentials.", "authError"))
    with pytest.raises(GoogleExpired) as caught:
        ask(google)
    assert caught.value.hint


@both
def test_an_access_token_alone_cannot_be_renewed(account: Account, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.old")
    with pytest.raises(GoogleExpired):
        ask(Google(PROJECT))


@pytest.mark.parametrize(
    ("ask", "permission"), [(of_sdk, "container.clusters.list"), (of_rest, "compute.regions.list")], ids=["sdk", "rest"]
)
def test_a_denial_names_the_right_that_is_missing(account: Account, google: Google, ask: Ask, permission: str) -> None:
    account.script = except_login(refused(403, f"Required '{permission}' permission for 'projects/x'", "forbidden"))
    with pytest.raises(GoogleDenied) as caught:
        ask(google)
    assert caught.value.permission == permission
    assert permission in caught.value.hint
    assert caught.value.code == ExitCode.FAILED


@both
def test_an_api_that_is_not_switched_on_is_told(account: Account, google: Google, ask: Ask) -> None:
    account.script = except_login(switched_off("compute"))
    with pytest.raises(GoogleApiOff) as caught:
        ask(google)
    assert caught.value.hint.startswith(f"gcloud services enable compute.googleapis.com --project {PROJECT}")


def busy(status: int = 429, **headers: str) -> Said:
    return refused(status, "slow down", "rateLimitExceeded", **headers)


@both
@pytest.mark.parametrize("status", [429, 403, 503])
def test_throttling_is_waited_for_as_long_as_google_asks(
    account: Account, google: Google, pauses: list[float], ask: Ask, status: int
) -> None:
    answers = [busy(status, Retry_After="7"), busy(status, Retry_After="7")]
    account.script = lambda asked: answers.pop(0) if answers and asked.service != "oauth2" else None
    ask(google)
    assert pauses == [7.0, 7.0]


@both
def test_throttling_that_does_not_end_is_given_up(
    account: Account, google: Google, pauses: list[float], ask: Ask
) -> None:
    account.script = except_login(busy())
    with pytest.raises(GoogleThrottled) as caught:
        ask(google)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert len([it for it in account.asked if it.service != "oauth2"]) == door.ATTEMPTS
    assert caught.value.hint


@both
def test_a_pause_that_is_too_long_is_not_waited_for(
    account: Account, google: Google, pauses: list[float], ask: Ask
) -> None:
    account.script = except_login(busy(Retry_After="3600"))
    with pytest.raises(GoogleThrottled):
        ask(google)
    assert pauses == []


@both
@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>log in here</html>", "text/html"),
        Said(200, b"{"),
        Said(200, b"[]"),
        Said(404, b"<html>no such page</html>", "text/html"),
        Said(418, b"teapot", "text/plain"),
        Said(200, b'{"clusters": 7, "items": 7}'),
        Said(200, b'{"clusters": [7], "items": [{"zones": []}]}'),
    ],
    ids=lambda it: f"{it.status} {it.body[:12].decode()}",
)
def test_what_is_not_google_is_told_apart(account: Account, google: Google, ask: Ask, answer: Said) -> None:
    account.script = except_login(answer)
    with pytest.raises(GoogleGarbled) as caught:
        ask(google)
    assert caught.value.code == ExitCode.FAILED


@both
def test_a_log_in_is_not_taken_along_to_somewhere_else(account: Account, google: Google, ask: Ask) -> None:
    away = (("Location", "http://127.0.0.1:9/elsewhere"),)
    account.script = except_login(Said(307, b"{}", headers=away))
    with pytest.raises(GoogleGarbled) as caught:
        ask(google)
    assert "127.0.0.1:9" in caught.value.why


def test_a_list_that_has_no_end_is_given_up(account: Account, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_PAGES", 3)
    account.script = except_login(said({"items": [], "nextPageToken": "again"}))
    with pytest.raises(GoogleGarbled, match="no end"):
        google_account.regions(google)


@both
def test_nobody_there_is_unreachable(account: Account, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    for service in ("COMPUTE", "CONTAINER"):
        monkeypatch.setenv(f"GOOGLE_{service}_CUSTOM_ENDPOINT", "http://127.0.0.1:9/v1/")
    with pytest.raises(GoogleUnreachable):
        ask(Google(PROJECT))


@both
def test_a_token_goes_over_https_only(account: Account, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    for service in ("COMPUTE", "CONTAINER"):
        monkeypatch.setenv(f"GOOGLE_{service}_CUSTOM_ENDPOINT", "http://google.example.com/v1/")
    with pytest.raises(Failed, match="by https only"):
        ask(Google(PROJECT))


@both
@pytest.mark.parametrize("kind", ["error", "timeout", "garbage", "died"])
def test_fault_plans_reach_it(account: Account, google: Google, ask: Ask, kind: str) -> None:
    when = "during" if kind in {"garbage", "died"} else "before"
    effects.arm(faults.parsed(f"at=1 kind={kind} when={when} match='google co*' seed=3"))
    try:
        with pytest.raises((GoogleUnreachable, GoogleGarbled)):
            ask(google)
    finally:
        effects.arm(None)


def test_regions_tell_zones_and_quotas(google: Google) -> None:
    found = google_account.regions(google)
    assert found[REGION].zones == ZONES
    assert found[REGION].is_up
    assert not found["europe-west4"].is_up
    assert found[REGION].quotas["CPUS"] == google_account.Quota(72, 0)


def test_machines_are_asked_of_each_zone(google: Google) -> None:
    found = google_account.machines(google, ["e2-standard-4", "n2-standard-8", "x9-huge-1"], ZONES[:2])
    assert found["e2-standard-4"] == google_account.Machine("e2-standard-4", 4, frozenset(ZONES[:2]))
    assert found["n2-standard-8"].zones == {ZONES[0]}
    assert found["n2-standard-8"].quota == "N2_CPUS"
    assert found["x9-huge-1"].cores == 0


def test_a_cluster_of_the_name_is_looked_for_in_the_region_and_its_zones(account: Account, google: Google) -> None:
    for location in (REGION, ZONES[1], "us-central1", "europe-west30"):
        account.cluster("qa", location)
    account.cluster("qa-two", ZONES[0])
    assert {it.location for it in google_gke.clusters(google, "qa", REGION)} == {REGION, ZONES[1]}


def test_versions_of_a_channel(google: Google) -> None:
    assert google_gke.versions(google, REGION, "REGULAR") == ["1.36.2-gke.1004000", "1.35.6-gke.1020000"]
    with pytest.raises(GoogleGarbled):
        google_gke.versions(google, REGION, "EXTENDED")


def test_where_a_cluster_is_reached(account: Account, google: Google) -> None:
    name = "gke-1a2b.europe-west3.gke.goog"
    by_name = {"dns_endpoint_config": {"endpoint": name, "allow_external_traffic": True}}
    closed = {"dns_endpoint_config": {"endpoint": name, "allow_external_traffic": False}}
    about = {"endpoint": "203.0.113.7", "master_auth": {"cluster_ca_certificate": CA_DATA}}
    account.cluster("by-name", REGION, control_plane_endpoints_config=by_name, **about)
    account.cluster("by-address", REGION, control_plane_endpoints_config=closed, **about)
    (first,) = google_gke.clusters(google, "by-name", REGION)
    (second,) = google_gke.clusters(google, "by-address", REGION)
    assert (first.server, first.ca) == (f"https://{name}", "")
    assert (second.server, second.ca) == ("https://203.0.113.7", "-----BEGIN CERTIFICATE-----\n")


def test_a_token_is_the_log_ins_own_and_says_when_it_ends(account: Account, google: Google) -> None:
    account.lasts = 1800
    made = google_gke.token(google)
    assert made.text in account.tokens
    assert 1700 < made.expires - clock.seconds() <= 1800
    assert google_gke.token(google).text != made.text


def test_a_token_that_was_given_is_handed_on(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.given")
    assert google_gke.token(Google(PROJECT)).text == "ya29.given"
    assert account.asked == []


def test_the_states_bucket_is_asked_with_the_same_log_in(account: Account) -> None:
    assert GcsBucket("states", PROJECT, REGION)._token in account.tokens


def test_how_long_a_log_in_lasts(account: Account, google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    assert google_account.lifetime(google).renewed
    account.tokens.add("ya29.given")
    account.lasts = 1200
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "ya29.given")
    found = google_account.lifetime(Google(PROJECT))
    assert (found.seconds, found.renewed) == (1200, False)
    assert [it.method for it in account.asked] == ["POST"], "a token has no place in an address"


def test_apis_that_are_off(account: Account, google: Google) -> None:
    assert google_account.switched_off(google) == []
    account.apis -= {"dns", "compute"}
    assert google_account.switched_off(google) == ["compute", "dns"]
