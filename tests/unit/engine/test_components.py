from __future__ import annotations

import sys
from pathlib import Path

import pytest

from karrots import places
from karrots.engine import components, folder
from karrots.engine.components import ALL, PORT_NAMES, Layout


@pytest.fixture
def layout() -> Layout:
    numbered = {name: 15000 + number for number, name in enumerate(PORT_NAMES)}
    return Layout(folder.of("01a"), numbered, Path("/engine/stages.yaml"), "/fleet/.git")


@pytest.mark.parametrize("name", ALL)
def test_every_address_is_on_loopback(name: str, layout: Layout) -> None:
    for word in components.argv(name, layout):
        assert "0.0.0.0" not in word
        assert not word.endswith("-addr=")
    flags = dict(word[2:].split("=", 1) for word in components.argv(name, layout)[1:] if "=" in word)
    addresses = {flag: value for flag, value in flags.items() if "addr" in flag.lower()}
    assert all(value.removeprefix("http://").startswith("127.0.0.1") for value in addresses.values())


@pytest.mark.parametrize("name", ALL)
def test_each_of_its_ports_is_on_its_command_line(name: str, layout: Layout) -> None:
    line = " ".join(components.argv(name, layout))
    assert all(str(layout.ports[port]) in line for port in components.PORTS[name])


@pytest.mark.parametrize("name", ALL)
def test_the_command_line_tells_whose_it_is(name: str, layout: Layout) -> None:
    command = list(components.argv(name, layout))
    assert components.owner(command, places.engine_clusters()) == layout.folder.path
    assert components.owner(command, Path("/elsewhere")) is None


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_on_a_command_line_or_in_an_environment(name: str, layout: Layout) -> None:
    layout.folder.prepare()
    token = layout.folder.token.read_text()
    told = [*components.argv(name, layout), *components.environment(name, layout).values()]
    assert not any(token in word for word in told)


@pytest.mark.parametrize("name", ALL)
def test_nothing_of_the_users_home_is_used(name: str, layout: Layout) -> None:
    environment = components.environment(name, layout)
    assert environment["HOME"] == str(layout.folder.path / "home")
    assert environment["TMPDIR"] == str(layout.folder.path / "tmp")
    assert "KUBECONFIG" not in environment or environment["KUBECONFIG"] == str(layout.folder.kubeconfig)


@pytest.mark.parametrize(
    "reader",
    [
        [],
        ["tail", "-f", "{home}/01a/logs/etcd.log"],
        ["vim", "{home}/01a/kubeconfig"],
        ["{home}/01a"],
        [sys.executable, "-m", "karrots.engine", "down", "--id", "01a"],
        [sys.executable, "-m", "karrots.engine.gitserver"],
        ["/usr/bin/etcd", "--data-dir={home}/01a/etcd"],
    ],
)
def test_who_only_reads_a_clusters_files_is_no_part_of_it(reader: list[str]) -> None:
    home = places.engine_clusters()
    assert components.owner([word.format(home=home) for word in reader], home) is None
