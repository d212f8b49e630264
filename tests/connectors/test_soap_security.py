"""Signing in to SOAP systems: tokens and signatures as the other side checks them, and signed answers as we do."""

import base64
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
import xmlsec
from loopback import Asked, Reply, serving
from lxml import etree
from services import ENV11, answer, envelope, ho_so, keys, listing, pull, source_of, wsdl
from zeep.wsse.signature import sign_envelope

from connectors.errors import BrokenAnswer, CertificateProblem, ConnectionMissing, SignInFailed

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
TOKENS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
NAMES = {"wsse": WSSE, "wsu": WSU, "ds": "http://www.w3.org/2000/09/xmldsig#", "s": ENV11}
LOGIN, PASSWORD = "người-dùng", "mật khẩu: «%+»"
ACCOUNT = {"login": LOGIN, "password": PASSWORD}
GOOD = answer(listing([ho_so("A")]))
DENIED = "<s:Fault><faultcode>wsse:FailedAuthentication</faultcode><faultstring>x</faultstring></s:Fault>"


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


@pytest.fixture(scope="module")
def pems(tmp_path_factory) -> dict[str, str]:
    """Paths of certificates and keys: ours, theirs, and a stranger's."""
    folder, paths = tmp_path_factory.mktemp("pem"), {}
    for name in ("our", "their", "stranger"):
        issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert(f"{name}.invalid", key_type=trustme.KeyType.RSA)
        for kind, blob in (("cert", issued.cert_chain_pems[0]), ("key", issued.private_key_pem)):
            paths[f"{name}_{kind}"] = str(folder / f"{name}_{kind}.pem")
            blob.write_to_path(paths[f"{name}_{kind}"])
    return paths


def security(asked: Asked) -> etree._Element:
    (found,) = etree.fromstring(asked.body).iterfind("s:Header/wsse:Security", NAMES)
    return found


def digest_of(token: etree._Element, password: str) -> str:
    """The password digest, computed as the profile says."""
    nonce = base64.b64decode(token.findtext("wsse:Nonce", namespaces=NAMES))
    created = token.findtext("wsu:Created", namespaces=NAMES)
    assert datetime.now(UTC) - datetime.fromisoformat(created) < timedelta(minutes=1)
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()


def test_a_digest_proves_the_password_without_sending_it(serve, contract):
    def check(asked: Asked) -> Reply:
        token = security(asked).find("wsse:UsernameToken", NAMES)
        password = token.find("wsse:Password", NAMES)
        assert password.get("Type") == f"{TOKENS}#PasswordDigest"
        assert token.findtext("wsse:Username", namespaces=NAMES) == LOGIN
        assert PASSWORD.encode() not in asked.body
        return GOOD if password.text == digest_of(token, PASSWORD) else answer(DENIED, status=500)

    server = serve(check)
    auth = {"auth": {"kind": "wsse-username"}}
    assert keys(pull(source_of(server, contract, auth, settings=ACCOUNT))) == ["A"]
    with pytest.raises(SignInFailed, match="Check login, password and keys of connection 'loop', and our clock"):
        pull(source_of(server, contract, auth, settings={"login": LOGIN, "password": "khác"}))


def test_every_message_has_a_nonce_and_a_time_of_its_own(serve, contract):
    replies = [Reply(502), GOOD]
    server = serve(lambda _: replies.pop(0))
    pull(source_of(server, contract, {"auth": {"kind": "wsse-username", "timestamp_s": 60}}, settings=ACCOUNT))
    nonces = {security(asked).findtext(".//wsse:Nonce", namespaces=NAMES) for asked in server.asked}
    assert len(nonces) == 2
    stamp = security(server.asked[1]).find("wsu:Timestamp", NAMES)
    created, expires = (datetime.fromisoformat(stamp.findtext(f"wsu:{name}", namespaces=NAMES))
                        for name in ("Created", "Expires"))  # fmt: skip
    assert expires - created == timedelta(seconds=60)


def test_a_message_that_has_grown_old_on_its_way_is_sent_once_more(serve, contract):
    expired = DENIED.replace("FailedAuthentication", "MessageExpired")
    replies = [answer(expired, status=500), GOOD]
    server = serve(lambda _: replies.pop(0))
    assert keys(pull(source_of(server, contract, {"auth": {"kind": "wsse-username"}}, settings=ACCOUNT))) == ["A"]


def test_a_text_password_is_sent_as_it_is(serve, contract):
    server = serve(GOOD)
    pull(source_of(server, contract, {"auth": {"kind": "wsse-username", "password": "text"}}, settings=ACCOUNT))
    password = security(server.asked[0]).find("wsse:UsernameToken/wsse:Password", NAMES)
    assert (password.get("Type"), password.text) == (f"{TOKENS}#PasswordText", PASSWORD)


def signed_by(body: bytes, certificate: str) -> list[str]:
    """The local names of the elements that a message's signature covers; raises when it is not good."""
    root = etree.fromstring(body)
    signature = root.find("s:Header/wsse:Security/ds:Signature", NAMES)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_file(certificate, xmlsec.KeyFormat.CERT_PEM)
    covered = []
    for reference in signature.iterfind("ds:SignedInfo/ds:Reference", NAMES):
        (element,) = root.xpath("//*[@wsu:Id=$id]", id=reference.get("URI")[1:], namespaces=NAMES)
        context.register_id(element, "Id", WSU)
        covered.append(etree.QName(element).localname)
    context.verify(signature)
    return covered


def signing(pems: dict[str, str], **extra: str) -> dict[str, object]:
    return {**ACCOUNT, "extra": {"sign_cert": pems["our_cert"], "sign_key": pems["our_key"], **extra}}


def test_body_and_time_stamp_are_signed(serve, contract, pems):
    server = serve(GOOD)
    auth = {"auth": {"kind": "wsse-signature", "username": "digest"}}
    pull(source_of(server, contract, auth, settings=signing(pems)))
    assert signed_by(server.asked[0].body, pems["our_cert"]) == ["Body", "Timestamp"]
    header = security(server.asked[0])
    assert header.find("wsse:BinarySecurityToken", NAMES) is not None
    method = header.find("ds:Signature/ds:SignedInfo/ds:SignatureMethod", NAMES).get("Algorithm")
    assert method.endswith("rsa-sha256")
    token = header.find("wsse:UsernameToken", NAMES)
    assert token.findtext("wsse:Password", namespaces=NAMES) == digest_of(token, PASSWORD)
    for other in ("their_cert", "stranger_cert"):
        with pytest.raises(xmlsec.Error):
            signed_by(server.asked[0].body, pems[other])
    with pytest.raises(xmlsec.Error):
        signed_by(server.asked[0].body.replace(b"2025-08-01T", b"2025-08-02T"), pems["our_cert"])


def test_keys_that_cannot_be_used_are_told_before_anything_is_sent(serve, contract, pems, tmp_path):
    server = serve(GOOD)
    auth = {"auth": {"kind": "wsse-signature", "verify_answer": True}}
    broken = tmp_path / "x.pem"
    broken.write_text("không phải khóa")
    with pytest.raises(ConnectionMissing, match="'sign_key', needed to sign messages"):
        source_of(server, contract, auth, settings={})
    with pytest.raises(CertificateProblem, match="No such file"):
        source_of(server, contract, auth, settings=signing(pems, sign_key="/nothing.pem"))
    with pytest.raises(CertificateProblem, match="not a usable key or certificate"):
        source_of(server, contract, auth, settings=signing(pems, sign_key=str(broken)))
    with pytest.raises(ConnectionMissing, match="'server_sign_cert', needed to verify"):
        source_of(server, contract, auth, settings=signing(pems))
    with pytest.raises(CertificateProblem, match="not a usable key or certificate"):
        source_of(server, contract, auth, settings=signing(pems, server_sign_cert=str(broken)))
    assert server.asked == []


def signed(body: bytes, pems: dict[str, str], who: str = "their") -> bytes:
    root = etree.fromstring(body)
    sign_envelope(root, pems[f"{who}_key"], pems[f"{who}_cert"])
    return etree.tostring(root)


TRUSTING = {"auth": {"kind": "wsse-signature", "verify_answer": True}}
RECORDS = envelope(listing(ho_so(f"A{number}") for number in range(25)), header="<h/>")


def test_a_signed_answer_is_read_when_the_signature_is_theirs(serve, contract, pems):
    settings = signing(pems, server_sign_cert=pems["their_cert"])
    server = serve(Reply(200, signed(RECORDS, pems), "text/xml"))
    pages = pull(source_of(server, contract, TRUSTING, settings=settings))
    assert [len(page.records) for page in pages] == [10, 10, 5]


def wrapped(body: bytes) -> bytes:
    """The signed body hidden in the header, and another one in its place."""
    root = etree.fromstring(body)
    old = root.find("s:Body", NAMES)
    new = etree.fromstring(RECORDS.replace(b">A1<", b">GIA<")).find("s:Body", NAMES)
    root.replace(old, new)
    etree.SubElement(root.find("s:Header", NAMES), "hidden").append(old)
    return etree.tostring(root)


def doubled(body: bytes) -> bytes:
    """The signed body hidden in the header, and another one in its place that bears the same id."""
    root = etree.fromstring(wrapped(body))
    hidden = root.find("s:Header/hidden/s:Body", NAMES)
    root.find("s:Body", NAMES).set(f"{{{WSU}}}Id", hidden.get(f"{{{WSU}}}Id"))
    return etree.tostring(root)


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        (lambda _: RECORDS, "is not signed"),
        (lambda pems: signed(RECORDS, pems, "stranger"), "is not good"),
        (lambda pems: signed(RECORDS, pems).replace(b">A1<", b">GIA<"), "is not good"),
        (lambda pems: wrapped(signed(RECORDS, pems)), "does not cover the body"),
        (lambda pems: doubled(signed(RECORDS, pems)), "not there, or there twice"),
    ],
    ids=["unsigned", "a stranger's", "changed", "another body", "another body of the same id"],
)
def test_an_answer_that_is_not_signed_by_them_is_not_believed(serve, contract, pems, forge, problem):
    server = serve(Reply(200, forge(pems), "text/xml"))
    source = source_of(server, contract, TRUSTING, settings=signing(pems, server_sign_cert=pems["their_cert"]))
    with pytest.raises(BrokenAnswer, match=problem):
        pull(source)


def test_a_fault_needs_no_signature(serve, contract, pems):
    source = source_of(
        serve(answer(DENIED)), contract, TRUSTING, settings=signing(pems, server_sign_cert=pems["their_cert"])
    )
    with pytest.raises(SignInFailed):
        pull(source)


def test_a_header_element_may_hold_the_officer_s_password(serve, contract):
    server = serve(GOOD)
    element = {"namespace": "urn:bca", "name": "AuthHash", "value": "{extra.officer}:{password}", "base64": True}
    nested = {"namespace": "urn:bca", "name": "CanBo", "value": {"Ten": "{login}", "DonVi": {"Ma": "H12"}}}
    settings = {**ACCOUNT, "extra": {"officer": "canbo.mẫu"}}
    pull(source_of(server, contract, {"header": [element, nested]}, settings=settings))
    header = etree.fromstring(server.asked[0].body).find("s:Header", NAMES)
    assert base64.b64decode(header.findtext("{urn:bca}AuthHash")).decode() == f"canbo.mẫu:{PASSWORD}"
    assert header.findtext("{urn:bca}CanBo/{urn:bca}DonVi/{urn:bca}Ma") == "H12"
    assert header.findtext("{urn:bca}CanBo/{urn:bca}Ten") == LOGIN
    with pytest.raises(ConnectionMissing, match="'officer'"):
        pull(source_of(server, contract, {"header": [element]}, settings=ACCOUNT))


def test_basic_bearer_and_headers_of_http(serve, contract):
    server = serve(GOOD)
    pull(source_of(server, contract, {"auth": {"kind": "basic"}}, settings=ACCOUNT))
    pull(source_of(server, contract, {"auth": {"kind": "bearer"}}, settings={"password": "token"}))
    pull(source_of(server, contract, {"http_headers": {"X-Khoa": "{extra.khoa}"}}, settings={"extra": {"khoa": "k1"}}))
    basic, bearer, keyed = (asked.headers for asked in server.asked)
    assert base64.b64decode(basic["authorization"].split()[1]).decode() == f"{LOGIN}:{PASSWORD}"
    assert bearer["authorization"] == "Bearer token"
    assert keyed["x-khoa"] == "k1"


def test_a_client_certificate_goes_with_every_call(contract, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("client.invalid").private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(lambda _: GOOD, context) as server:
        extra = {"ca_bundle": str(tmp_path / "ca.pem"), "client_cert": str(tmp_path / "client.pem")}
        assert keys(pull(source_of(server, contract, settings={"scheme": "https", "extra": extra}))) == ["A"]
