"""From git.access in karrots.yaml to the Secret that Flux logs in with."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from karrots.adapters import flux
from karrots.errors import KarrotsError, LoginNeeded, UsageError
from karrots.fleet.git_access import PINNED, Wanted, access, public_key
from karrots.spec.fleet import load_fleet
from tests.support import git_host, ssh_host

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.adapters.flux import GitAccess

HEAD = "apiVersion: karrots.dev/v1\nkind: Fleet\ndomain: dev.example.com\n"
HTTPS = "https://git.example.com/team/fleet.git"
GITHUB = "git@github.com:team/fleet.git"

# As the hosts publish them, at the addresses that stand in the file.
FINGERPRINTS = {
    ("github.com", "ssh-ed25519"): "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    ("github.com", "ecdsa-sha2-nistp256"): "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
    ("github.com", "ssh-rsa"): "uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
    ("gitlab.com", "ssh-ed25519"): "eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
    ("gitlab.com", "ecdsa-sha2-nistp256"): "HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
    ("gitlab.com", "ssh-rsa"): "ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
    ("bitbucket.org", "ssh-ed25519"): "ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
    ("bitbucket.org", "ecdsa-sha2-nistp256"): "FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
    ("bitbucket.org", "ssh-rsa"): "46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
    ("ssh.dev.azure.com", "ssh-rsa"): "ohD8VZEXGWo6Ez8GSEJQ9WpafgLFsOfLOtGGQCQo6Og",
}


def given(spec: str, remote: str | None, root: Path) -> GitAccess:
    return access(Wanted(load_fleet(f"{HEAD}git: {{access: {spec}}}\n", "karrots.yaml").git.access, remote, root))


def test_the_pinned_host_keys_are_the_published_ones() -> None:
    lines = [line.split() for line in PINNED.read_text().splitlines() if line and not line.startswith("#")]
    found = {
        (hosts.split(",")[0], kind): base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest())
        .decode()
        .rstrip("=")
        for hosts, kind, key in lines
    }
    assert found == FINGERPRINTS


def test_a_public_repository_needs_no_secret(tmp_path: Path) -> None:
    found = given("{}", HTTPS, tmp_path)
    assert (found.url, found.secret) == (HTTPS, {})


def test_a_token_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_TOKEN", "s3cret")
    found = given("{token: {env: FLEET_TOKEN}}", HTTPS, tmp_path)
    assert (found.url, found.secret) == (HTTPS, {"username": "git", "password": "s3cret"})


def test_a_token_that_a_program_prints(tmp_path: Path) -> None:
    """Its words are words: no shell reads them."""
    spec = "{url: 'https://git.example.com/x', token: {command: [printf, '%s\\n', '$HOME;x'], username: oauth2}}"
    found = given(spec, GITHUB, tmp_path)
    assert found.secret == {"username": "oauth2", "password": "$HOME;x"}
    assert found.url == "https://git.example.com/x"


@pytest.mark.parametrize("kind", ["file", "env", "command"])
def test_a_key_and_the_host_keys_that_are_known(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ssh_host.private_key()
    (tmp_path / "key").write_text(key)
    monkeypatch.setenv("FLEET_KEY", key)
    place = {"file": f"{tmp_path}/key", "env": "FLEET_KEY", "command": f"[cat, '{tmp_path}/key']"}[kind]
    found = given(f"{{ssh: {{{kind}: {place}}}}}", GITHUB, tmp_path)
    assert found.url == "ssh://git@github.com/team/fleet.git"
    assert found.secret["identity"] == key.strip() + "\n"
    assert found.secret["identity.pub"].split() == ssh_host.public_key(key).split()
    lines = found.secret["known_hosts"].splitlines()
    assert len(lines) == 3
    assert all(line.startswith("github.com,") for line in lines)


@pytest.mark.parametrize(
    "remote", ["git@gitlab.com:x/y.git", "git@bitbucket.org:x/y", "git@ssh.dev.azure.com:v3/x/y/z"]
)
def test_the_other_large_hosts(remote: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ssh_host.private_key())
    found = given(f"{{ssh: {{file: {tmp_path}/key}}}}", remote, tmp_path)
    assert found.secret["known_hosts"].startswith(remote.split("@")[1].split(":", maxsplit=1)[0])


def test_host_keys_from_a_file_of_the_repository_or_in_place(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ssh_host.private_key())
    (tmp_path / "hosts").write_text("git.example.com ssh-ed25519 AAAA\n")
    remote = "git@git.example.com:fleet.git"
    for hosts in ("hosts", f"{tmp_path}/hosts", "git.example.com ssh-ed25519 AAAA"):
        found = given(f"{{ssh: {{file: {tmp_path}/key, known_hosts: '{hosts}'}}}}", remote, tmp_path)
        assert found.secret["known_hosts"] == "git.example.com ssh-ed25519 AAAA\n"


def test_keys_of_other_kinds() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        for form in (forms.PrivateFormat.PKCS8, forms.PrivateFormat.TraditionalOpenSSL, forms.PrivateFormat.OpenSSH):
            text = key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption()).decode()
            assert public_key(text).startswith(("ecdsa-sha2-nistp384 ", "ssh-rsa "))


def test_an_app_is_flux_own_to_log_in_as(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    form = forms.PrivateFormat.TraditionalOpenSSL
    text = key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption()).decode()
    (tmp_path / "key").write_text(text)
    with git_host.git_host("github") as host:
        host.app_key = key.public_key()
        named = f"id: '{git_host.APP}', installation: '{git_host.INSTALLATION}', key: {{file: {tmp_path}/key}}"
        found = given(f"{{app: {{{named}, api: '{host.api}'}}}}", HTTPS, tmp_path)
        assert found.provider == "github"
        assert found.secret == {
            "githubAppID": git_host.APP,
            "githubAppInstallationID": git_host.INSTALLATION,
            "githubAppPrivateKey": text.strip() + "\n",
            "githubAppBaseURL": host.api,
        }
        assert found.tried == {"username": "x-access-token", "password": git_host.APP_TOKEN}
        spec = flux.source(flux.Sync(found, "main", "clusters/qa/flux"))["spec"]
        assert (spec["provider"], spec["secretRef"]) == ("github", {"name": flux.GIT_SECRET})


REFUSED = {
    "an App over ssh": (
        "{app: {id: '1', installation: '2', key: {env: T}}}",
        GITHUB,
        UsageError,
        "does not fit ssh://",
    ),
    "no remote": ("{}", None, UsageError, "no address that Flux could read"),
    "a folder": ("{}", "/srv/fleet.git", UsageError, "Flux cannot read the repository at the remote's address"),
    "a log-in": ("{}", "https://ada:s3cret@github.com/x", UsageError, "at the remote's address"),
    "ssh without a key": ("{}", GITHUB, UsageError, "without a key"),
    "token over ssh": ("{token: {env: T}}", GITHUB, UsageError, "does not fit ssh://"),
    "key over https": ("{ssh: {env: T}}", HTTPS, UsageError, "does not fit https://"),
    "no variable": ("{token: {env: NOT_SET}}", HTTPS, LoginNeeded, "is not there"),
    "empty": ("{token: {command: ['true']}}", HTTPS, LoginNeeded, "is empty"),
    "lines": ("{token: {command: [printf, 'a\\nb']}}", HTTPS, LoginNeeded, "is no token"),
    "a program that fails": ("{token: {command: ['false']}}", HTTPS, LoginNeeded, "could not be had"),
    "no such program": ("{token: {command: [no-such-program]}}", HTTPS, KarrotsError, "no-such-program"),
    "no file": ("{ssh: {file: /nonexistent/key}}", GITHUB, LoginNeeded, "the key for Flux's git access cannot be read"),
    "no key": ("{ssh: {command: [printf, hello]}}", GITHUB, LoginNeeded, "cannot be used"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_said_before_anything_is_made(case: str, tmp_path: Path) -> None:
    spec, remote, kind, says = REFUSED[case]
    with pytest.raises(kind, match=says) as caught:
        given(spec, remote, tmp_path)
    assert "s3cret" not in f"{caught.value.message}{caught.value.why}{caught.value.hint}"


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    words = ("-q", "-t", "ed25519", "-N", "opensesame", "-f", str(tmp_path / "key"))
    subprocess.run(["ssh-keygen", *words], check=True)
    with pytest.raises(LoginNeeded, match="cannot be used") as caught:
        given(f"{{ssh: {{file: {tmp_path}/key}}}}", GITHUB, tmp_path)
    assert caught.value.why == "it has a passphrase"


def test_a_host_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(ssh_host.private_key())
    with pytest.raises(UsageError, match="does not know the SSH host keys of") as caught:
        given(f"{{ssh: {{file: {tmp_path}/key}}}}", "ssh://git@git.example.com:2222/x.git", tmp_path)
    assert "ssh-keyscan -p 2222 git.example.com" in caught.value.hint


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{token: {}}", "needs exactly one of 'env', 'command'"),
        ("{token: {env: A, command: [b]}}", "needs exactly one of 'env', 'command'"),
        ("{ssh: {file: /a, env: B}}", "needs exactly one of 'file', 'env', 'command'"),
        ("{ssh: {env: A}, token: {env: B}}", "needs 'token' or 'ssh', not both"),
        ("{ssh: {file: keys/fleet}}", "must be an absolute path, or one below ~/"),
        ("{token: {env: ghp_abc-def}}", "must be the name of an environment variable"),
        ("{token: {value: x}}", "unknown key 'value'"),
        ("{url: 'https://a:b@github.com/x'}", "holds a log-in"),
        ("{url: /srv/fleet.git}", "a cluster cannot read a folder of this computer"),
    ],
)
def test_what_karrots_yaml_may_say(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        load_fleet(f"{HEAD}git: {{access: {spec}}}\n", "karrots.yaml")
