"""Makes tests/data/schemas again: `make schemas` (docs/rehearsal.md).

From npm packages, which need a network, and from each provider that lies in a filesystem mirror of this computer
(`--mirror FOLDER`). A recording whose source is not at hand stays as it is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from karrots.adapters import process
from tests.schemas import npm, trim

TARGET = Path(__file__).parent.parent / "data" / "schemas"
# The last ones: their makers archived the project in December 2025.
PACKAGES = {"aws": "21.22.1", "google": "16.12.1", "azurerm": "14.23.1"}
NPM_SECONDS = 600.0
SCHEMA_SECONDS = 300.0


def main() -> int:
    arguments = _arguments()
    TARGET.mkdir(parents=True, exist_ok=True)
    for provider, version in PACKAGES.items():
        if arguments.npm:
            from_npm(provider, version)
        else:
            say(f"{provider} of npm {version}: left as it is (--npm)")
    mirrored = sorted(arguments.mirror.glob("registry.terraform.io/hashicorp/*/*/")) if arguments.mirror else []
    for folder in mirrored:
        if folder.parent.name in PACKAGES:
            from_provider(arguments.mirror, folder.parent.name, folder.name)
    if not mirrored:
        say("no provider is at hand: recordings of providers that ran are left as they are (--mirror FOLDER)")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.schemas", description=__doc__)
    parser.add_argument("--npm", action="store_true", help="fetch the npm packages")
    parser.add_argument("--mirror", type=Path, help="a filesystem mirror with unpacked providers")
    return parser.parse_args()


def from_npm(provider: str, version: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        name = f"@cdktf/provider-{provider}@{version}"
        process.run(["npm", "pack", "--silent", name], cwd=Path(scratch), timeout=NPM_SECONDS)
        package = npm.Package(next(Path(scratch).glob("*.tgz")), provider)
        record(provider, package.version, package.schema(), package.label)


def from_provider(mirror: Path, provider: str, version: str) -> None:
    """What the provider itself says: `terraform providers schema`."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        needed = {provider: {"source": f"hashicorp/{provider}", "version": version}}
        (folder / "main.tf.json").write_text(json.dumps({"terraform": {"required_providers": needed}}))
        settings = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror.absolute()}"\n  }}\n}}\n'
        (folder / "terraform.rc").write_text(settings)
        env = process.environment({"TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"), "CHECKPOINT_DISABLE": "1"})
        process.run(["terraform", "init", "-input=false"], cwd=folder, env=env, timeout=SCHEMA_SECONDS)
        command = ["terraform", "providers", "schema", "-json"]
        answer: dict[str, Any] = json.loads(process.run(command, cwd=folder, env=env, timeout=SCHEMA_SECONDS).text)
        full = answer["provider_schemas"][f"registry.terraform.io/hashicorp/{provider}"]
        record(provider, version, trim.provider(full), "terraform providers schema")


def record(provider: str, version: str, schema: dict[str, Any], source: str) -> None:
    document = {
        "format_version": "1.0",
        "x_provider_version": version,
        "x_source": source,
        "provider_schemas": {f"registry.terraform.io/hashicorp/{provider}": schema},
    }
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    file = TARGET / f"{provider}-{version}.json.gz"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
    counts = ", ".join(f"{len(schema.get(part, {}))} {part.partition('_')[0]}" for part in trim.PARTS)
    say(f"{file.name}: {counts} schemas, {len(text)} bytes, {file.stat().st_size} packed, from {source}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
