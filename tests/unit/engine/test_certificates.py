from __future__ import annotations

import datetime as dt
import socket
import ssl
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from karrots.engine import certificates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    certificates.make(tmp_path / "pki")
    return tmp_path / "pki"


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def name(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    return str(certificate.subject.get_attributes_for_oid(oid)[0].value)


def test_every_file_is_for_the_owner_only(pki: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in pki.iterdir()} == {0o600}
    assert stat.S_IMODE(pki.stat().st_mode) == 0o700
    assert [path.name for path in pki.parent.iterdir()] == ["pki"]


def test_a_complete_set_is_kept(pki: Path) -> None:
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    certificates.make(pki)
    assert {path.name: path.read_bytes() for path in pki.iterdir()} == before


def test_what_a_killed_run_left_half_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "pki.new").mkdir()
    (tmp_path / "pki.new" / "ca.key").write_text("half")
    certificates.make(tmp_path / "pki")
    assert (tmp_path / "pki" / "admin.crt").exists()
    assert not (tmp_path / "pki.new").exists()


def test_the_authority_signed_both_and_the_admin_is_a_master(pki: Path) -> None:
    authority = read(pki / "ca.crt")
    for file in ("apiserver.crt", "admin.crt"):
        read(pki / file).verify_directly_issued_by(authority)
    assert name(read(pki / "admin.crt"), NameOID.ORGANIZATION_NAME) == "system:masters"


def test_a_clock_set_back_by_a_day_locks_nobody_out(pki: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    for path in pki.glob("*.crt"):
        assert read(path).not_valid_before_utc < now - dt.timedelta(days=1)
        assert read(path).not_valid_after_utc > now + dt.timedelta(days=3000)


def test_both_ends_accept_each_other_in_a_strict_handshake(pki: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    serving.load_verify_locations(pki / "ca.crt")
    serving.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    asking.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    seen: list[object] = []

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with serving.wrap_socket(accepted, server_side=True) as secured:
            seen.append(secured.getpeercert())
            secured.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        with (
            socket.create_connection(listener.getsockname()) as plain,
            asking.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            assert secured.recv(1) == b"x"
        server.join()
    assert "kubernetes-admin" in str(seen)
