"""`karrots flux pin`, from each place a manifest may come from."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from karrots.adapters.download import DownloadFailed, fetch
from karrots.errors import KarrotsError, Refused, ToolFailed, UsageError
from karrots.ops.flux import Pinned, pin
from karrots.ops.settings import Settings
from karrots.report.reporters import QuietReporter
from karrots.spec import flux_components
from tests.support import repositories
from tests.support.flux_manifest import VERSION, small

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLUSTER = """\
# The newest of everything.
apiVersion: karrots.dev/v1
kind: Cluster
provider: eks
kubernetes: "1.36"
nodes: {default: {count: 2}}
flux:
  # Every branch gets it.
  version: "2.8"
"""
NOWHERE = "http://127.0.0.1:9/releases"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    repositories.repository(tmp_path / "fleet", {"karrots.yaml": "x: y\n", "clusters/qa/cluster.yaml": CLUSTER})
    return tmp_path / "fleet/clusters/qa"


@pytest.fixture(autouse=True)
def no_flux_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of git alone; a flux put into this folder is found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    return folder


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[str]:
    """The address of a release of VERSION on loopback, with the files that a release has."""
    folder = tmp_path / "releases" / f"v{VERSION}"
    folder.mkdir(parents=True)
    manifest = small(labelled=False).encode()
    (folder / "install.yaml").write_bytes(manifest)
    lines = [f"{'0' * 64}  flux_{VERSION}_linux_amd64.tar.gz", f"{hashlib.sha256(manifest).hexdigest()}  install.yaml"]
    (folder / f"flux_{VERSION}_checksums.txt").write_text("\n".join(lines) + "\n")
    handler = functools.partial(Silent, directory=str(tmp_path / "releases"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Says nothing."""


def run(directory: Path, version: str = VERSION, **more: object) -> Pinned:
    settings = Settings(directory, QuietReporter(sys.stderr), ask=lambda _: False)
    return pin(settings, version, **{"releases": NOWHERE, **more})  # type: ignore[arg-type]


def files(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}


def test_from_a_file(directory: Path, tmp_path: Path) -> None:
    given = tmp_path / "gotk.yaml"
    given.write_text(small())
    done = run(directory, file=given)
    assert done.files == {"cluster.yaml": "changed", flux_components.FILE: "created"}
    assert done.images == ("ghcr.io/fluxcd/kustomize-controller:v1.9.4", "ghcr.io/fluxcd/source-controller:v1.9.4")
    written = (directory / flux_components.FILE).read_text()
    assert written.endswith(small())
    assert flux_components.stated_version(written.encode()) == VERSION
    assert str(tmp_path) not in written, "a path of this computer is no content"
    assert (directory / "cluster.yaml").read_text() == CLUSTER.replace('"2.8"', f'"{VERSION}"')
    assert run(directory, file=given).files == {"cluster.yaml": "same", flux_components.FILE: "same"}


def test_a_v_may_stand_before_the_version(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "gotk.yaml").write_text(small())
    assert run(directory, f"v{VERSION}", file=tmp_path / "gotk.yaml").version == VERSION


def test_from_a_release_with_its_published_checksum(directory: Path, releases: str) -> None:
    done = run(directory, releases=releases)
    assert done.source == f"{releases}/v{VERSION}/install.yaml"
    assert done.sha256 == hashlib.sha256(small(labelled=False).encode()).hexdigest()
    assert flux_components.read((directory / flux_components.FILE).read_bytes(), "x").version == VERSION


def test_from_a_release_with_a_checksum_of_our_own(directory: Path, releases: str, no_flux_program: Path) -> None:
    """It has been looked at, so the flux program is not asked for another one."""
    stand_in(no_flux_program, small())
    wanted = hashlib.sha256(small(labelled=False).encode()).hexdigest()
    assert run(directory, releases=releases, sha256=wanted).sha256 == wanted


def stand_in(folder: Path, says: str, status: int = 0) -> None:
    """In the place of the flux program: answers the one call that is made of it."""
    (folder / "manifest").write_text(says)
    program = folder / "flux"
    expected = f"install --export --version=v{VERSION}"
    program.write_text(f'#!/bin/sh\ntest "$*" = "{expected}" || exit 64\n/bin/cat {folder}/manifest\nexit {status}\n')
    program.chmod(0o755)


def test_from_the_flux_program(directory: Path, no_flux_program: Path) -> None:
    stand_in(no_flux_program, small())
    done = run(directory)
    assert done.source == f"flux install --export --version=v{VERSION}"
    assert (directory / flux_components.FILE).read_text().endswith(small())


def refusals(tmp_path: Path, releases: str) -> dict[str, tuple[dict[str, object], type[KarrotsError], str]]:
    manifest = tmp_path / "gotk.yaml"
    manifest.write_text(small("2.8.1"))
    other = tmp_path / "other.yaml"
    other.write_text("kind: ConfigMap\n")
    zero = "0" * 64
    return {
        "version": ({"version": "2.9"}, UsageError, "'2.9' is not a release of Flux"),
        "words": ({"version": "newest"}, UsageError, "'newest' is not a release of Flux"),
        "sum": ({"sha256": "abc"}, UsageError, "'abc' is no sha256"),
        "no file": ({"file": tmp_path / "none"}, UsageError, "there is no file"),
        "other version": ({"file": manifest}, UsageError, f"is Flux 2.8.1, not {VERSION}"),
        "no manifest": ({"file": other}, UsageError, "is not Flux's components"),
        "other sum": ({"file": manifest, "sha256": zero}, Refused, "is not what was promised"),
        "release's sum": ({"releases": releases, "sha256": zero}, Refused, "is not what was promised"),
        "no such release": ({"releases": releases, "version": "2.9.9"}, DownloadFailed, "could not be fetched"),
        "nobody there": ({}, DownloadFailed, "could not be fetched"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "version", "words", "sum", "no file", "other version", "no manifest", "other sum", "release's sum",
        "no such release", "nobody there",
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(case: str, directory: Path, tmp_path: Path, releases: str) -> None:
    asked, kind, says = refusals(tmp_path, releases)[case]
    before = files(directory)
    with pytest.raises(kind, match=says):
        run(directory, **asked)  # type: ignore[arg-type]
    assert files(directory) == before


def test_a_release_whose_manifest_was_changed_on_its_way(directory: Path, releases: str, tmp_path: Path) -> None:
    manifest = tmp_path / f"releases/v{VERSION}/install.yaml"
    manifest.write_text(manifest.read_text().replace("ghcr.io/fluxcd", "evil.example.com"))
    with pytest.raises(Refused, match="is not what was promised"):
        run(directory, releases=releases)
    assert not (directory / flux_components.FILE).exists()


def test_checksums_that_do_not_name_it(directory: Path, releases: str, tmp_path: Path) -> None:
    (tmp_path / f"releases/v{VERSION}/flux_{VERSION}_checksums.txt").write_text(f"{'0' * 64}  other.yaml\n")
    with pytest.raises(UsageError, match=r"do not name install\.yaml") as caught:
        run(directory, releases=releases)
    assert f"karrots flux pin {VERSION} --sha256 SUM" in caught.value.hint


def test_a_flux_program_that_fails(directory: Path, no_flux_program: Path) -> None:
    stand_in(no_flux_program, "", status=1)
    with pytest.raises(ToolFailed, match="flux install ended with status 1"):
        run(directory)


def test_only_https_and_never_without_end(releases: str) -> None:
    with pytest.raises(DownloadFailed, match="is not fetched"):
        fetch("http://example.com/install.yaml")
    with pytest.raises(DownloadFailed, match="is not fetched"):
        fetch("file:///etc/passwd")
    with pytest.raises(DownloadFailed, match="is not taken"):
        fetch(f"{releases}/v{VERSION}/install.yaml", largest=100)
