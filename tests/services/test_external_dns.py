"""external-dns with its AWS provider, in two clusters of one directory and one zone: each keeps its own records.

The chart is the published one, installed by Flux with the values the catalogue renders; the process is started with
what the Deployment in the cluster says.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.services import programs, published
from tests.support import charts
from tests.support.engine import eventually
from tests.support.services import cluster, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import World
    from tests.services.running import Controllers
    from tests.services.zone import Zone

pytestmark = [pytest.mark.engine, pytest.mark.services]

RECIPE = programs.EXTERNAL_DNS
PROGRAM = "external-dns"
RELEASE = "flux/services/external-dns/install/external-dns.yaml"
STORY, COPY = "feature/names", "qa-names"
BOTH = ("qa", COPY)
# Of how fast it is to be, which the chart leaves as it is.
HERE = ["--min-event-sync-interval=100ms"]
DOOR = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}}
INGRESS = "flux/apps/front/ingress.yaml"


@pytest.fixture(scope="module", autouse=True)
def clusters(world: World) -> Iterator[None]:
    """As karrots renders the service for EKS; the address of the chart's repository alone is another one."""
    text = rendered(cluster("eks", [PROGRAM]))[RELEASE]
    chart = published.folder("sigs.k8s.io/external-dns") / "charts/external-dns"
    with charts.served(world.root / "charts", chart) as address:
        world.karrots("services", "enable", PROGRAM)
        (world.directory / RELEASE).write_text(text.replace("https://kubernetes-sigs.github.io/external-dns/", address))
        world.git("add", ".")
        world.git("commit", "-qm", "Names in DNS")
        world.karrots("create")
        world.karrots("branch", STORY, COPY)
        for name in BOTH:
            open_door(world, name)
        yield


def open_door(world: World, name: str) -> None:
    """Where the host is reached, as an ingress controller would say."""
    words = ("-n", "shop", "patch", "ingress", "front", "--subresource=status", "--type=merge", "-p", json.dumps(DOOR))
    world.kubectl(name, *words)


def owner(world: World, name: str) -> str:
    return str(world.karrots("show", name, "-o", "json").document["record"]["id"])


def start(controllers: Controllers, zone: Zone, name: str, *without: str, also: tuple[str, ...] = ()) -> None:
    told = controllers.arguments(name, "external-dns", PROGRAM)
    kept = [each for each in told if not each.startswith(without)]
    assert len(kept) == len(told) - len(without)
    reached = f"--kubeconfig={controllers.kubeconfig(name)}"
    controllers.start(PROGRAM, name, [*kept, *also, *HERE, reached], zone.environment)


def written(controllers: Controllers, zone: Zone, *names: str) -> bool:
    """Each has its host in the zone."""
    return controllers.is_well() and {f"A shop.{name}.example.com" for name in names} <= set(zone.records())


def test_the_deployment_is_told_by_the_catalogue_whose_it_is(world: World, controllers: Controllers) -> None:
    told = {name: controllers.arguments(name, "external-dns", PROGRAM) for name in BOTH}
    for name, arguments in told.items():
        assert f"--txt-owner-id={owner(world, name)}" in arguments
        assert f"--domain-filter={name}.example.com" in arguments
        assert {"--provider=aws", "--policy=sync", "--registry=txt", "--events"} <= set(arguments)
    assert len({tuple(sorted(each)) for each in told.values()}) == len(told)
    assert world.karrots("fence", COPY, "-o", "json").document["items"] == [], "it is kept to its own names"


def test_each_writes_its_own_records(world: World, controllers: Controllers, zone: Zone) -> None:
    for name in BOTH:
        start(controllers, zone, name)
    eventually(lambda: written(controllers, zone, *BOTH))
    for name in BOTH:
        assert zone.records()[f"A shop.{name}.example.com"] == ["192.0.2.10"]
        assert {each.title for each in zone.of(owner(world, name))} == set(zone.under(f"{name}.example.com"))
    assert len(zone.records()) == 2 * len(BOTH), "each host, and who owns it"


def test_a_host_that_goes_takes_its_own_record_alone(world: World, controllers: Controllers, zone: Zone) -> None:
    before = zone.under("qa.example.com")
    world.git("switch", "-q", STORY)
    world.commit(INGRESS, "shop.${cluster_domain}", "front.${cluster_domain}")
    world.karrots("sync", COPY)
    eventually(lambda: controllers.is_well() and f"A front.{COPY}.example.com" in zone.records())
    eventually(lambda: f"A shop.{COPY}.example.com" not in zone.records())
    assert zone.under("qa.example.com") == before


def test_with_the_default_owner_a_copy_deletes_its_parents_records(
    world: World, controllers: Controllers, zone: Zone
) -> None:
    """The control: what the catalogue keeps two clusters of one zone from."""
    told = ("--txt-owner-id", "--domain-filter")
    for name in BOTH:
        controllers.stop(PROGRAM, name)
    zone.remove(zone.entries())
    start(controllers, zone, "qa", *told, also=("--domain-filter=example.com",))
    eventually(lambda: written(controllers, zone, "qa"))
    controllers.stop(PROGRAM, "qa")
    start(controllers, zone, COPY, *told, also=("--domain-filter=example.com",))
    eventually(lambda: controllers.is_well() and zone.under("qa.example.com") == {})
    eventually(lambda: controllers.is_well() and f"A front.{COPY}.example.com" in zone.records())
    controllers.stop(PROGRAM, COPY)
    zone.remove(zone.entries())
