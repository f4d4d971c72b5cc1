from __future__ import annotations

import pytest

from karrots.spec.git_url import flux_url, known_as, over_https, over_ssh


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("git@github.com:team/fleet.git", "ssh://git@github.com/team/fleet.git"),
        ("github.com:team/fleet.git", "ssh://git@github.com/team/fleet.git"),
        ("ada@git.example.com:/srv/fleet.git", "ssh://ada@git.example.com/srv/fleet.git"),
        ("git@ssh.dev.azure.com:v3/team/shop/fleet", "ssh://git@ssh.dev.azure.com/v3/team/shop/fleet"),
        ("git@[::1]:fleet.git", "ssh://git@[::1]/fleet.git"),
        ("ssh://github.com/team/fleet.git", "ssh://git@github.com/team/fleet.git"),
        ("ssh://git@git.example.com:2222/fleet.git", "ssh://git@git.example.com:2222/fleet.git"),
        ("https://github.com/team/fleet.git", "https://github.com/team/fleet.git"),
        ("https://git.example.com:8443/fleet", "https://git.example.com:8443/fleet"),
        ("http://127.0.0.1:3000/fleet.git", "http://127.0.0.1:3000/fleet.git"),
    ],
)
def test_what_flux_takes(given: str, url: str) -> None:
    assert flux_url(given) == url
    assert flux_url(url) == url


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("https://ada:secret@github.com/team/fleet.git", "holds a log-in"),
        ("https://token@github.com/team/fleet.git", "holds a log-in"),
        ("ssh://git:secret@github.com/team/fleet.git", "holds a password"),
        ("http://git.example.com/fleet.git", "must be https://"),
        ("/srv/fleet.git", "a cluster cannot read a folder of this computer"),
        ("../fleet", "a cluster cannot read a folder of this computer"),
        ("file:///srv/fleet.git", "a cluster cannot read a folder of this computer"),
        ("ext::sh -c whoami", "must be an https:// or ssh:// address"),
        ("git://github.com/team/fleet.git", "must be an https:// or ssh:// address"),
        ("https://github.com", "must name a host and a repository"),
        ("https:///fleet.git", "must name a host and a repository"),
        ("https://-oProxyCommand=x/fleet", "must name a host and a repository"),
        ("ssh://git@github.com/fleet.git\nx", "must name a host and a repository"),
        ("https://github.com/fleet.git?x=y", "must name a host and a repository"),
        ("https://github.com:port/fleet.git", "is no address"),
        ("https://[::1/fleet.git", "is no address"),
        ("", "must be an https:// or ssh:// address"),
    ],
)
def test_what_it_cannot_read(given: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        flux_url(given)


def test_hosts_as_known_hosts_names_them() -> None:
    assert known_as("ssh://git@github.com/team/fleet.git") == "github.com"
    assert known_as("ssh://git@github.com:22/team/fleet.git") == "github.com"
    assert known_as("ssh://git@ssh.github.com:443/team/fleet.git") == "[ssh.github.com]:443"


def test_the_other_way_in() -> None:
    assert over_https("ssh://git@github.com/team/fleet.git") == "https://github.com/team/fleet.git"
    assert over_ssh("https://github.com/team/fleet.git") == "ssh://git@github.com/team/fleet.git"
