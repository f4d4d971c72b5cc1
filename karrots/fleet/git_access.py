"""How Flux in a cloud's cluster logs in to the git host: from karrots.yaml to the Secret as Flux wants it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.adapters import git_host, process
from karrots.adapters.flux import GitAccess
from karrots.adapters.git_names import quoted
from karrots.errors import LoginNeeded, ToolFailed, UsageError, redacted
from karrots.spec import git_url

if TYPE_CHECKING:
    from karrots.spec import fleet

LARGEST = 1 << 16  # bytes of a key or of known_hosts
COMMAND_SECONDS = 30.0
KEYS = "git.access in karrots.yaml"
GITHUB_API = "https://api.github.com"
PINNED = Path(git_url.__file__).with_name("known_hosts")


@dataclass(frozen=True)
class Wanted:
    """`remote` is the address of the remote, None when there is none; `root` is where relative files are found."""

    spec: fleet.GitAccess
    remote: str | None
    root: Path


def access(wanted: Wanted) -> GitAccess:
    """Reads the secret where karrots.yaml says it is. Raises UsageError and LoginNeeded."""
    spec, url = wanted.spec, address(wanted)
    scheme = git_url.scheme_of(url)
    if spec.token is not None:
        if scheme == "ssh":
            raise _mismatch(url, "a token logs in over https", git_url.over_https(url))
        return GitAccess(url, {"username": spec.token.username, "password": _line(_secret(spec.token, "token"))})
    if spec.app is not None:
        if scheme == "ssh":
            raise _mismatch(url, "an App logs in over https", git_url.over_https(url))
        return _as_app(spec.app, url)
    if spec.deploy_key is not None:
        raise UsageError("a deploy key is the cluster's own", why="it is made at its host before the first sync")
    if spec.ssh is not None:
        if scheme != "ssh":
            raise _mismatch(url, "a key logs in over ssh", git_url.over_ssh(url))
        return GitAccess(url, _identity(spec.ssh, url, wanted.root))
    if scheme == "ssh":
        hint = f"git.access.ssh in karrots.yaml, or for a public repository: git.access.url: {git_url.over_https(url)}"
        raise UsageError(f"Flux cannot read {url} without a key", why="ssh knows no public repositories", hint=hint)
    return GitAccess(url)


def _as_app(app: fleet.GitHubApp, url: str) -> GitAccess:
    """Flux makes the tokens itself; the one that we look with shows that it can."""
    key = _key_text(app.key)
    secret = {"githubAppID": app.id, "githubAppInstallationID": app.installation, "githubAppPrivateKey": key}
    secret |= {"githubAppBaseURL": app.api} if app.api else {}
    token = git_host.app_token(app.api or GITHUB_API, app.id, app.installation, key)
    return GitAccess(url, secret, "github", {"username": "x-access-token", "password": token})


def deploy_keys(wanted: Wanted, spec: fleet.DeployKey) -> git_host.Keys:
    """The keys of the repository at its host. Raises UsageError and LoginNeeded."""
    kind, api, repository = git_host.place_of(address(wanted), spec.host, spec.api)
    return git_host.Keys(kind, api, repository, _line(_secret(spec.token, "token")))


def with_key(wanted: Wanted, spec: fleet.DeployKey, private: str) -> GitAccess:
    url = address(wanted)
    url = url if git_url.scheme_of(url) == "ssh" else git_url.over_ssh(url)
    hosts = fleet_key(spec)
    identity = {"identity": private, "identity.pub": public_key(private)}
    return GitAccess(url, {**identity, "known_hosts": known_hosts(hosts, url, wanted.root)})


def fleet_key(spec: fleet.DeployKey) -> fleet.GitKey:
    """As the key of a user's own is described, for what both have."""
    from karrots.spec.fleet import GitKey

    return GitKey(env="NONE", known_hosts=spec.known_hosts)


def new_key() -> str:
    """A private key for SSH, in the form Flux takes."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = Ed25519PrivateKey.generate()
    text = made.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption())
    return text.decode()


def address(wanted: Wanted) -> str:
    """Raises UsageError for a remote that a cluster in a cloud could not read."""
    if wanted.spec.url is not None:
        return wanted.spec.url
    if wanted.remote is None:
        raise UsageError(
            "there is no address that Flux could read the repository at",
            why="the repository has no remote, and git.access.url is not set",
            hint="git remote add origin URL && git push -u origin HEAD\nor set git.access.url in karrots.yaml",
        )
    try:
        return git_url.flux_url(wanted.remote)
    except ValueError as error:
        raise UsageError(
            "Flux cannot read the repository at the remote's address",
            why=f"{quoted(redacted(wanted.remote))} {error}",
            hint="set git.access.url in karrots.yaml",
        ) from error


def _mismatch(url: str, why: str, other: str) -> UsageError:
    return UsageError(f"{KEYS} does not fit {url}", why=why, hint=f"set git.access.url: {other}")


def _secret(place: fleet.Secret, what: str) -> str:
    found = _in_environment(place.env, what) if place.env is not None else _printed(place.command or [], what)
    if not found.strip() or "\0" in found:
        raise LoginNeeded(f"the {what} for Flux's git access is empty", why=f"{KEYS} says where it should be")
    return found


def _in_environment(name: str, what: str) -> str:
    if name not in os.environ:
        raise LoginNeeded(
            f"the {what} for Flux's git access is not there",
            why=f"{KEYS} says it is in the environment variable {name}",
            hint=f"export {name}=…",
        )
    return os.environ[name]


def _printed(argv: list[str], what: str) -> str:
    """All of our environment goes along: it is the user's own log-in tool."""
    try:
        return process.run(argv, env=dict(os.environ), timeout=COMMAND_SECONDS).text
    except ToolFailed as error:
        raise LoginNeeded(
            f"the {what} for Flux's git access could not be had",
            why=f"{process.shell_line(argv)}: {error.why}",
            hint=process.shell_line(argv),
        ) from error


def _line(text: str) -> str:
    """A token is one line; programs end theirs with a line break."""
    found = text.strip()
    if "\n" in found:
        raise LoginNeeded("the token for Flux's git access is no token", why="it has more than one line")
    return found


def _identity(spec: fleet.GitKey, url: str, root: Path) -> dict[str, str]:
    key = _key_text(spec)
    return {"identity": key, "identity.pub": public_key(key), "known_hosts": known_hosts(spec, url, root)}


def _key_text(spec: fleet.GitKey) -> str:
    return (_read(Path(spec.file).expanduser(), "key") if spec.file else _secret(spec, "key")).strip() + "\n"


def public_key(private: str) -> str:
    """Raises LoginNeeded for what is no private key, or one that needs a passphrase, which Flux is not given."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization as forms

    load = forms.load_ssh_private_key if "OPENSSH" in private else forms.load_pem_private_key
    try:
        found = load(private.encode(), password=None).public_key()
        public: bytes = found.public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    except TypeError as error:
        raise _bad_key("it has a passphrase") from error
    except (ValueError, UnsupportedAlgorithm, AttributeError) as error:
        raise _bad_key("it is not read as one (OpenSSH and PEM are)") from error
    return public.decode() + "\n"


def _bad_key(why: str) -> LoginNeeded:
    return LoginNeeded(
        "the key for Flux's git access cannot be used",
        why=why,
        hint="ssh-keygen -t ed25519 -N '' -f ~/.ssh/karrots-fleet   (and give its .pub to the git host, read-only)",
    )


def known_hosts(spec: fleet.GitKey, url: str, root: Path) -> str:
    """The lines that are given, or those karrots carries of this host; a host is never trusted unseen."""
    host = git_url.known_as(url)
    if spec.known_hosts is None:
        lines = [line for line in PINNED.read_text("utf-8").splitlines() if host in line.partition(" ")[0].split(",")]
        if not lines:
            raise UsageError(
                f"karrots does not know the SSH host keys of {host}",
                why="those of GitHub, GitLab, Bitbucket and Azure DevOps it knows",
                hint=f"ssh-keyscan {_scanned(host)} > known_hosts, compare it with what the host publishes, "
                "then: git.access.ssh.known_hosts: known_hosts",
            )
        return "\n".join(lines) + "\n"
    if " " in spec.known_hosts.strip():
        return spec.known_hosts.strip() + "\n"
    return _read(root / Path(spec.known_hosts).expanduser(), "known_hosts")


def _scanned(host: str) -> str:
    name, _, port = host.removeprefix("[").partition("]:")
    return f"-p {port} {name}" if port else name


def _read(file: Path, what: str) -> str:
    try:
        with file.open("rb") as source:
            return source.read(LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise LoginNeeded(f"the {what} for Flux's git access cannot be read", why=f"{file}: {why}") from error
