"""A stand-in for the X-Road security server: SOAP to the business-registration system, REST to the road-transport one.

It checks what a security server checks of a SOAP message (message protocol 4.0): the request is one XML envelope with
``client``, ``service``, ``id`` and ``protocolVersion`` 4.0 in its header and one body element named as the service; the
client is a member, the service exists, the client may use it. Then it passes the message on with ``Content-Type``
and ``SOAPAction`` alone, checks that the answer repeats the headers, and adds ``requestHash`` (SHA-512 of the request).

Its own errors are SOAP faults **with HTTP 200**, their codes those of the X-Road sources and their spelling that of
releases up to 7.7 (``Server.ServerProxy.AccessDenied``) or from 7.8 on (``server.serverproxy.access_denied``). A fault
of the provider is passed on as it is, with HTTP 200 too. What it does for REST is told in ``xroad_rest``.

``POST /_sandbox/xroad`` takes ``{"code", "times"}`` to make the next requests fail with any code, and ``{"spelling":
"7.7" | "7.8"}``. Not imitated: signatures, message log, attachments, meta-services.

Connection: extra ``client`` and ``service``, X-Road identifiers with slashes. Besides that client one more is a member
and may use nothing: the same with the subsystem ``khach``. The REST service is :data:`REST_SERVICE`.
"""

import base64
import hashlib
import re
import threading
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, last_segment, read_json, with_controls
from sandbox.systems.xroad_messages import (
    FaultError,
    add_request_hash,
    check_answer,
    fault,
    is_fault,
    parse_request,
    parse_xml,
)
from sandbox.systems.xroad_rest import PREFIX, Call, RestSide, error_answer

REST_SERVICE = "VN-TEST/GOV/000.00.00.G99/van-tai-duong-bo/hoSo"
"""The road-transport system by its X-Road name."""

_CALM = "7.7"
_SPELLINGS = (_CALM, "7.8")
_PROVIDER_TIMEOUT_S = 300
_SERVICE_CODE = re.compile(rb"serviceCode>\s*([^<\s]+)\s*<")
_XML = {"text/xml"}


@dataclass(slots=True)
class Disposition:
    """How the server is to behave besides the rules. Faults that are ordered come before everything else."""

    spelling: str = _CALM
    code: str = ""
    times: int = 0

    def ordered_fault(self) -> str:
        """The code to fail with now; empty for an honest answer."""
        if self.times <= 0:
            return ""
        self.times -= 1
        return self.code

    def spelled(self, code: str) -> str:
        """A fault code as this release of the security server writes it."""
        return code if self.spelling == _CALM else spelled_anew(code)


class SecurityServer:
    """Checks messages and passes them on. May be used from several threads."""

    def __init__(self, options: ServerOptions) -> None:
        self._client = str(options.extra["client"])
        self._guest = self._client.rpartition("/")[0] + "/khach"
        self._services = {str(options.extra["service"])}
        self._provider = options.peers["dkkd"] + "/"
        self._local = threading.local()
        behind = {REST_SERVICE: options.peers["gtvt"]} if "gtvt" in options.peers else {}
        self.rest = RestSide(lambda client, service: self._admit(client, service, set(behind)), behind)

    def exchange(self, content_type: str, soap_action: str | None, body: bytes) -> bytes:
        """The answer's envelope: the provider's, hash added, or the provider's fault. Raises :class:`FaultError`."""
        if content_type.partition(";")[0].strip().lower() not in _XML:
            raise FaultError("Client.InvalidContentType", "Invalid content type")
        message = parse_request(body)
        self._admit(message.client, message.service, self._services)
        headers = {"Content-Type": content_type, "SOAPAction": soap_action or '""'}
        status, answer = self._pass_on(body, headers)
        if status not in (200, 500):  # 500 is how SOAP 1.1 sends faults
            raise FaultError("Server.ServerProxy.ServiceFailed.HttpError", f"Server responded with error {status}")
        try:
            envelope = parse_xml(answer)
        except ValueError:
            raise FaultError("Server.ServerProxy.ServiceFailed.InvalidXml", "Service's answer is not XML") from None
        if is_fault(envelope):
            return answer
        check_answer(message, envelope)
        return add_request_hash(envelope, base64.b64encode(hashlib.sha512(body).digest()).decode())

    def _admit(self, client: str, service: str, known: Set[str]) -> None:
        if client not in (self._client, self._guest):
            raise FaultError("Server.ClientProxy.UnknownMember", f"Client '{client}' not found")
        if _subsystem(service) not in map(_subsystem, known):
            raise FaultError(
                "Server.ClientProxy.UnknownMember", f"Could not find addresses for service provider '{service}'"
            )
        if service not in known:
            raise FaultError("Server.ServerProxy.UnknownService", f"Unknown service: {service}")
        if client == self._guest:
            raise FaultError("Server.ServerProxy.AccessDenied", f"Request is not allowed: {service}")

    def _pass_on(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        try:
            answer = session.post(
                self._provider, data=body, headers=headers, timeout=_PROVIDER_TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise FaultError("Server.ServerProxy.ServiceFailed.NetworkError", type(error).__name__) from None
        return answer.status_code, answer.content


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server. It keeps nothing in ``home``."""
    del home
    server, disposition = SecurityServer(options), Disposition()

    async def take(request: Request) -> Response:
        path = request.scope.get("raw_path", b"").decode("latin-1")
        if path.startswith(PREFIX):
            return await take_rest(request, path)
        try:
            if request.method != "POST":
                raise FaultError("Client.InvalidHttpMethod", "Must use POST request method")
            if ordered := disposition.ordered_fault():
                raise FaultError(ordered, "Ordered by the sandbox")
            body = await request.body()
            content_type, action = request.headers.get("content-type", ""), request.headers.get("soapaction")
            answer = await run_in_threadpool(server.exchange, content_type, action, body)
        except FaultError as error:
            answer = fault(disposition.spelled(error.code), error.message)
        return Response(answer, media_type="text/xml")

    async def take_rest(request: Request, path: str) -> Response:
        try:
            if ordered := disposition.ordered_fault():
                raise FaultError(ordered, "Ordered by the sandbox")
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.method, path, request.url.query, headers, await request.body())
            return await run_in_threadpool(server.rest.exchange, call)
        except FaultError as error:
            return error_answer(disposition.spelled(error.code), error.message)

    async def dispose(request: Request) -> Response:
        try:
            _dispose(disposition, await read_json(request))
        except ValueError as error:
            return json_response({"error": str(error)}, 422)
        return json_response({"spelling": disposition.spelling, "code": disposition.code, "times": disposition.times})

    app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST", "PUT", "DELETE"])])
    return with_controls(
        app,
        name=options.name,
        controls=[Route("/xroad", dispose, methods=["POST"])],
        operation_of=_operation,
    )


def spelled_anew(code: str) -> str:
    """A fault code in the spelling of X-Road 7.8: ``Server.ServerProxy.AccessDenied`` becomes
    ``server.serverproxy.access_denied``."""
    first, *rest = code.split(".")
    proxies = ("ClientProxy", "ServerProxy")
    spelled = [part.lower() if part in proxies else _snake(part) for part in rest]
    return ".".join([first.lower(), *spelled])


def _snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()


def _subsystem(service: str) -> list[str]:
    return service.split("/")[:4]


def _operation(path: str, body: bytes) -> str:
    if path.startswith(PREFIX):
        return last_segment(path, body)
    found = _SERVICE_CODE.search(body)
    return found.group(1).decode("utf-8", "replace") if found else ""


def _dispose(disposition: Disposition, body: dict[str, object]) -> None:
    unknown = body.keys() - {"code", "times", "spelling"}
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}; known are code, times, spelling")
    spelling = str(body.get("spelling", disposition.spelling))
    if spelling not in _SPELLINGS:
        raise ValueError(f"spelling must be one of {', '.join(_SPELLINGS)}")
    disposition.spelling = spelling
    if "code" in body:
        disposition.code, disposition.times = str(body["code"]), int(str(body.get("times", 1)))
