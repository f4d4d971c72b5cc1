"""cluster.yaml to a root: which folder, which backend."""

from __future__ import annotations

import pytest

from karrots import places
from karrots.errors import UsageError
from karrots.render import terraform
from tests.support.variants import VARIANTS


def test_a_provider_without_templates_is_said() -> None:
    with pytest.raises(UsageError, match="no Terraform templates for the provider 'fleet'"):
        terraform.render(VARIANTS["eks-main"].spec, places.templates() / "fleet")


@pytest.mark.parametrize("backend", ["http", "s3"])
def test_the_backend_is_a_block_without_settings(backend: str) -> None:
    files = terraform.render(VARIANTS["eks-main"].spec, places.templates() / "eks", backend)
    assert f'  backend "{backend}" {{}}\n' in files["versions.tf"]


def test_local_always_keeps_its_state_with_karrots() -> None:
    files = terraform.render(VARIANTS["eks-shared"].spec, places.templates() / "local", "s3")
    assert 'backend "http" {}' in files["versions.tf"]
