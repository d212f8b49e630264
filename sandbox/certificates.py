"""Certificates of the sandbox: an authority of its own, and what it vouches for. Nobody else trusts any of it.

They are made below the sandbox's home on the first start and stay there: a province that lives on is known to its
clients by the same ones. A connection hands them out as paths (``extra_files`` in ``sandbox.connections``).

``authority.pem``   whom clients and servers trust
``server.pem``      what servers with TLS show (for 127.0.0.1), its key in the same file
``client.*``        what a client shows to servers that demand a certificate
``signer.*``        what a client signs messages with (WS-Security)
"""

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_FOLDER = "certificates"
AUTHORITY = f"{_FOLDER}/authority.pem"
CLIENT_CERT = f"{_FOLDER}/client.pem"
CLIENT_KEY = f"{_FOLDER}/client.key"
SIGNER_CERT = f"{_FOLDER}/signer.pem"
SIGNER_KEY = f"{_FOLDER}/signer.key"
_SERVER = f"{_FOLDER}/server.pem"

_HOST = ipaddress.ip_address("127.0.0.1")
_VALID = timedelta(days=3650)
_SLACK = timedelta(days=1)  # a clock that is a little slow is no reason to distrust


def ensure(home: Path) -> None:
    """Make the certificates of this sandbox if it has none; safe to call at the same time from several processes."""
    folder = home / _FOLDER
    if folder.exists():
        return
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".certificates-") as scratch:
        fresh = Path(scratch) / _FOLDER
        fresh.mkdir(mode=0o700)
        _make_all(fresh)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.exists():  # another process was quicker, and its certificates are as good
                raise


def server_context(home: Path) -> ssl.SSLContext:
    """TLS of a server that demands a certificate of its clients."""
    ensure(home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / _SERVER)
    context.load_verify_locations(home / AUTHORITY)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _make_all(folder: Path) -> None:
    authority = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = _named("Cơ quan chứng thực của tỉnh Thử Nghiệm")
    certificate = _certificate(issuer, authority.public_key(), issuer, authority, is_authority=True)
    (folder / Path(AUTHORITY).name).write_bytes(_pem(certificate))
    for name, usages in (
        ("server", [ExtendedKeyUsageOID.SERVER_AUTH]),
        ("client", [ExtendedKeyUsageOID.CLIENT_AUTH]),
        ("signer", []),
    ):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _certificate(_named(f"hosync-mau {name}"), key.public_key(), issuer, authority, usages=usages)
        secret = _key_pem(key)
        _write_secret(folder / f"{name}.key", secret)
        (folder / f"{name}.pem").write_bytes(_pem(certificate))
        if name == "server":
            _write_secret(folder / f"{name}.pem", _pem(certificate) + secret)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name,
    public: rsa.RSAPublicKey,
    issuer: x509.Name,
    signer: rsa.RSAPrivateKey,
    *,
    usages: Sequence[ObjectIdentifier] = (),
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(_key_usage(is_authority=is_authority), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if ExtendedKeyUsageOID.SERVER_AUTH in usages:
        names = x509.SubjectAlternativeName([x509.IPAddress(_HOST), x509.DNSName("localhost")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_secret(path: Path, secret: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(secret)
