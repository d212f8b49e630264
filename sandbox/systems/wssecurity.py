"""WS-Security as a service checks it: who sent a message (UsernameToken), and that it is what was sent (X.509).

Written against the OASIS texts (SOAP Message Security 1.0, UsernameToken and X.509 profiles) on top of libxmlsec.

A message is let in when its ``wsse:Security`` header has

- a ``UsernameToken`` with name and ``PasswordDigest``, whose nonce is new and whose ``Created`` is at most five minutes
  away from now;
- a signature (RSA-SHA256 over SHA-256 digests) by the key of the client's registered certificate, that covers the body
  as it stands in the envelope, and the ``Timestamp`` if there is one; the ``Timestamp`` must not have ended.
"""

import base64
import hashlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from types import MappingProxyType

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from sandbox.systems.soap import FaultError, Message
from sandbox.targets.passes import Passes
from schemas.times import with_zone

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
WSSE = f"{_OASIS}-wssecurity-secext-1.0.xsd"
WSU = f"{_OASIS}-wssecurity-utility-1.0.xsd"
_DIGEST = f"{_OASIS}-username-token-profile-1.0#PasswordDigest"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_ID = f"{{{WSU}}}Id"
_FRESH = timedelta(minutes=5)

_ALGORITHMS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "SignatureMethod": frozenset({"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}),
        "DigestMethod": frozenset({"http://www.w3.org/2001/04/xmlenc#sha256"}),
        "CanonicalizationMethod": frozenset({"http://www.w3.org/2001/10/xml-exc-c14n#"}),
        "Transform": frozenset({"http://www.w3.org/2001/10/xml-exc-c14n#"}),
    }
)


class Gatekeeper:
    """Knows one client; may be used from several threads."""

    def __init__(self, login: str, password: str, certificate: Path) -> None:
        self._login = login
        self._password = password
        self._certificate = certificate
        self._token = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        self._nonces = Passes(2 * _FRESH)
        self._lock = threading.Lock()

    def admit(self, message: Message) -> None:
        """Let the message in, or raise :class:`FaultError` with the subcode that WS-Security has for it."""
        headers = [] if message.header is None else message.header.findall(f"{{{WSSE}}}Security")
        if len(headers) != 1:
            raise _refused("InvalidSecurity", "Thông điệp phải có đúng một tiêu đề wsse:Security")
        now = datetime.now(UTC)
        timestamp = headers[0].find(f"{{{WSU}}}Timestamp")
        self._verify(message, headers[0], timestamp)
        if timestamp is not None and _moment(timestamp.findtext(f"{{{WSU}}}Expires")) < now:
            raise _refused("MessageExpired", "Thông điệp đã hết hạn", namespace=WSU)
        self._recognise(headers[0], now)

    def _recognise(self, security: etree._Element, now: datetime) -> None:
        token = security.find(f"{{{WSSE}}}UsernameToken")
        password = None if token is None else token.find(f"{{{WSSE}}}Password")
        if token is None or password is None or password.get("Type") != _DIGEST:
            raise _refused("UnsupportedSecurityToken", "Cần UsernameToken với PasswordDigest")
        nonce = token.findtext(f"{{{WSSE}}}Nonce") or ""
        created = token.findtext(f"{{{WSU}}}Created") or ""
        if abs(_moment(created) - now) > _FRESH:
            raise _refused("FailedAuthentication", "UsernameToken quá cũ hoặc chưa đến giờ")
        given = f"{token.findtext(f'{{{WSSE}}}Username')}\n{password.text}"
        if not compare_digest(given.encode(), f"{self._login}\n{digest(nonce, created, self._password)}".encode()):
            raise _refused("FailedAuthentication", "Sai tên đăng nhập hoặc mật khẩu")
        with self._lock:
            if self._nonces.is_good(nonce, now):
                raise _refused("FailedAuthentication", "Nonce đã được dùng")
            self._nonces.admit(nonce, now)

    def _verify(self, message: Message, security: etree._Element, timestamp: etree._Element | None) -> None:
        signature = security.find(f"{_DS}Signature")
        if signature is None:
            raise _refused("InvalidSecurity", "Thông điệp chưa được ký")
        token = security.findtext(f"{{{WSSE}}}BinarySecurityToken")
        if token is not None and _decoded(token) != self._token:
            raise _refused("InvalidSecurityToken", "Chứng thư không được đăng ký")
        for name, known in _ALGORITHMS.items():
            if any(one.get("Algorithm") not in known for one in signature.iter(f"{_DS}{name}")):
                raise _refused("UnsupportedAlgorithm", f"Thuật toán {name} không được chấp nhận")
        signed = {reference.get("URI") for reference in signature.iter(f"{_DS}Reference")}
        to_sign = [message.body] if timestamp is None else [message.body, timestamp]
        ids = [one.get(_ID) for one in message.envelope.iter() if one.get(_ID)]
        # A signature over an element elsewhere that bears the same id would vouch for a body it never saw.
        if len(set(ids)) != len(ids) or any(f"#{one.get(_ID)}" not in signed for one in to_sign):
            raise _refused("FailedCheck", "Chữ ký phải bao gồm thân thông điệp và Timestamp")
        context = xmlsec.SignatureContext()
        context.key = xmlsec.Key.from_file(str(self._certificate), xmlsec.constants.KeyDataFormatCertPem)
        for one in message.envelope.iter():
            if one.get(_ID):
                context.register_id(one, "Id", WSU)
        try:
            context.verify(signature)
        except xmlsec.Error:
            raise _refused("FailedCheck", "Chữ ký không đúng") from None


def digest(nonce: str, created: str, password: str) -> str:
    """PasswordDigest of the UsernameToken profile; ``nonce`` as it is written, in Base64."""
    return base64.b64encode(hashlib.sha1(_decoded(nonce) + created.encode() + password.encode()).digest()).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise _refused("InvalidSecurityToken", "Base64 không đúng") from None


def _moment(text: str | None) -> datetime:
    try:
        return with_zone(datetime.fromisoformat(text or ""))
    except ValueError:
        raise _refused("InvalidSecurity", "Thời điểm không đúng dạng") from None


def _refused(subcode: str, text: str, *, namespace: str = WSSE) -> FaultError:
    return FaultError(text, subcode=(namespace, subcode))
