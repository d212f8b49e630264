"""WS-Security: user names with text or digest passwords, X.509 signatures, and the check of signed answers.

zeep writes the tokens and signatures. Every message gets a token of its own (nonce, time, time stamp), made after the
rest of it is there. Key files are read when the source is made.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from lxml import etree
from zeep import ns
from zeep.wsse import utils
from zeep.wsse.signature import BinarySignature
from zeep.wsse.username import UsernameToken

from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, CertificateProblem
from connectors.options.soap import SoapAuth, WsseSignature, WsseUsername

Apply = Callable[[etree._Element], None]
"""Adds tokens to the header of an envelope, and signs it; or checks them."""

xmlsec: Any = import_module("xmlsec")  # its stubs know little of it

_WSU_ID = f"{{{ns.WSU}}}Id"


def applier(settings: ConnectionSettings, auth: SoapAuth) -> Apply | None:
    """What ``auth`` adds to every message; ``None`` for nothing. Raises ``CertificateProblem`` for unusable keys."""
    if isinstance(auth, WsseUsername):
        style, life_s = auth.password, auth.timestamp_s
        return lambda envelope: _add_tokens(envelope, settings, style, life_s)
    if isinstance(auth, WsseSignature):
        signature = _signature(settings)
        username, lasting_s = auth.username, auth.timestamp_s

        def apply(envelope: etree._Element) -> None:
            _add_tokens(envelope, settings, username, lasting_s)
            signature.apply(envelope, {})

        return apply
    return None


def verifier(system: str, settings: ConnectionSettings) -> Apply:
    """The check of a signed answer: raises ``BrokenAnswer`` unless its body is signed by ``server_sign_cert``."""
    path = settings.required("server_sign_cert", "to verify the signatures of answers")
    certificate = _content(settings, path)
    _usable(settings, path, lambda: xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_PEM, None))

    def verify(envelope: etree._Element) -> None:
        key = xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_PEM, None)
        problem = _signature_problem(envelope, key)
        if problem:
            raise BrokenAnswer(
                system,
                f"the answer cannot be trusted: {problem}",
                f"Check 'server_sign_cert' in the extra of connection '{settings.conn_id}' with the owner",
            )

    return verify


def _add_tokens(envelope: etree._Element, settings: ConnectionSettings, username: str, life_s: int | None) -> None:
    stamp = _timestamp(life_s) if life_s is not None else None
    if username == "none":
        security = utils.get_security_header(envelope)  # type: ignore[no-untyped-call]  # zeep has no types
        if stamp is not None:
            security.append(stamp)
        return
    token: Any = UsernameToken  # untyped
    token(
        settings.login,
        settings.password,
        use_digest=username == "digest",
        timestamp_token=stamp,
        zulu_timestamp=True,
    ).apply(envelope, {})


def _timestamp(life_s: int) -> etree._Element:
    now = datetime.now(UTC).replace(microsecond=0)
    stamp = etree.Element(f"{{{ns.WSU}}}Timestamp", nsmap={"wsu": ns.WSU})
    for name, moment in (("Created", now), ("Expires", now + timedelta(seconds=life_s))):
        etree.SubElement(stamp, f"{{{ns.WSU}}}{name}").text = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return stamp


def _signature(settings: ConnectionSettings) -> Any:
    paths = [settings.required(name, "to sign messages") for name in ("sign_key", "sign_cert")]
    for path in paths:
        _content(settings, path)
    binary: Any = BinarySignature  # untyped
    signature = binary(
        *paths,
        settings.text("sign_key_password") or None,
        signature_method=xmlsec.Transform.RSA_SHA256,
        digest_method=xmlsec.Transform.SHA256,
    )
    trial = etree.Element(f"{{{ns.SOAP_ENV_11}}}Envelope")
    etree.SubElement(trial, f"{{{ns.SOAP_ENV_11}}}Body")
    _usable(settings, "sign_key and sign_cert", lambda: signature.apply(trial, {}))
    return signature


def _signature_problem(envelope: etree._Element, key: Any) -> str:
    """Why the signature of an envelope proves nothing; empty when it is good.

    What is signed must be the body that is read: the element itself, not another one that bears its id somewhere else.
    """
    namespace = etree.QName(envelope).namespace
    body = envelope.find(f"{{{namespace}}}Body")
    signature = envelope.find(f"{{{namespace}}}Header/{{{ns.WSSE}}}Security/{{{ns.DS}}}Signature")
    if body is None or signature is None:
        return "it is not signed"
    named: dict[str, list[etree._Element]] = {}
    for element in envelope.iter(etree.Element):
        for attribute in (_WSU_ID, "Id", "ID", "id"):
            if attribute in element.attrib:
                named.setdefault(element.get(attribute, ""), []).append(element)
    references = [
        (each.get("URI") or "").removeprefix("#")
        for each in signature.iterfind(f"{{{ns.DS}}}SignedInfo/{{{ns.DS}}}Reference")
    ]
    if any(len(named.get(name, ())) != 1 for name in references):
        return "its signature refers to elements that are not there, or there twice"
    if not any(named[name][0] is body for name in references):
        return "its signature does not cover the body"
    context = xmlsec.SignatureContext()
    context.key = key
    for name in references:
        if _WSU_ID in named[name][0].attrib:
            context.register_id(named[name][0], "Id", ns.WSU)
    try:
        context.verify(signature)
    except xmlsec.Error:
        return "its signature is not good"
    return ""


def _content(settings: ConnectionSettings, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise CertificateProblem(
            settings.conn_id, f"file {path}: {reason}", "Correct the connection's extra"
        ) from error


def _usable(settings: ConnectionSettings, what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except (xmlsec.Error, ValueError, TypeError):
        problem = f"{what}: not a usable key or certificate (PEM), or the password of the key is wrong"
    else:
        return
    raise CertificateProblem(settings.conn_id, problem, "Correct the connection's extra")
