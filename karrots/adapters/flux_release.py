"""Where a manifest of Flux's components comes from: the flux program, or the files of a release."""

from __future__ import annotations

import re
from dataclasses import dataclass

from karrots.adapters import download, process
from karrots.errors import Refused, UsageError

RELEASES = "https://github.com/fluxcd/flux2/releases/download"
MANIFEST = "install.yaml"
SECONDS = 120.0
SUM = re.compile(r"^([0-9a-f]{64})[ \t]+[ *]?(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Manifest:
    """`source` says where it came from: a command, an address or a file."""

    data: bytes
    source: str

    @property
    def sha256(self) -> str:
        return download.sha256(self.data)


def exported(version: str) -> Manifest | None:
    """What the flux program makes; None where there is none. It fetches what it does not carry itself."""
    program = process.find("flux")
    if program is None:
        return None
    argv = ["install", "--export", f"--version=v{version}"]
    done = process.run([program, *argv], timeout=SECONDS)
    return Manifest(done.stdout, process.shell_line(["flux", *argv]))


def released(version: str, *, sha256: str = "", releases: str = RELEASES) -> Manifest:
    """The release's own manifest, with the checksum that was given or that the release publishes.

    Raises DownloadFailed, Refused when the checksum is another, UsageError when there is none to compare with.
    """
    base = f"{releases}/v{version}"
    url = f"{base}/{MANIFEST}"
    expected = sha256 or _published(f"{base}/flux_{version}_checksums.txt", version)
    found = Manifest(download.fetch(url), url)
    check(found, expected)
    return found


def check(manifest: Manifest, expected: str) -> None:
    """Raises Refused."""
    if manifest.sha256 != expected:
        raise Refused(
            f"'{manifest.source}' is not what was promised",
            why=f"its sha256 is {manifest.sha256}, and {expected} was expected",
            hint="look who changed it before you go on",
        )


def _published(url: str, version: str) -> str:
    listed: dict[str, str] = {
        name: digest for digest, name in SUM.findall(download.fetch(url).decode("utf-8", "replace"))
    }
    if MANIFEST not in listed:
        raise UsageError(
            f"the checksums of Flux {version} do not name {MANIFEST}",
            why=url,
            hint=f"karrots flux pin {version} --sha256 SUM\nor with the flux program: "
            f"flux install --export --version=v{version} > FILE && karrots flux pin {version} --from FILE",
        )
    return listed[MANIFEST]
