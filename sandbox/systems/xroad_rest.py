"""X-Road's REST side (message protocol for REST 1): calls to ``/r1/INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE/path?query``.

``X-Road-Client`` says who asks, ``X-Road-Id`` is made if it is missing. Method, path, query, body and headers go to the
service but for the hop-by-hop ones, ``Host`` and ``User-Agent``; status, headers and body come back as they are, with
``X-Road-Client``, ``X-Road-Service``, ``X-Road-Id``, ``X-Road-Request-Id`` and ``X-Road-Request-Hash``. What the
security server itself has to say is ``{"type", "message", "detail"}`` with the type in ``X-Road-Error`` too: HTTP 500
for codes that begin with ``Server.``, else 400.

Assumed: which bytes the hash of the headers is taken over. Nobody outside checks it.
"""

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import requests
from starlette.responses import Response

from sandbox.http import json_response
from sandbox.systems.xroad_messages import FaultError

PREFIX = "/r1/"
_SERVICE_PARTS = 5
_CLIENT_PARTS = (3, 4)
_PROVIDER_TIMEOUT_S = 300
_NOT_PASSED_ON = frozenset(
    {
        "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "server",
        "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A client's request. ``path`` is as it came, still percent-encoded; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class RestSide:
    """Passes calls on. ``admit(client, service)`` raises :class:`FaultError`; ``services`` are base URLs by identifier.

    May be used from several threads.
    """

    def __init__(self, admit: Callable[[str, str], None], services: Mapping[str, str]) -> None:
        self._admit = admit
        self._services = services
        self._local = threading.local()

    def exchange(self, call: Call) -> Response:
        """The service's answer; raises :class:`FaultError` for what the security server refuses or cannot do."""
        parts = call.path.removeprefix(PREFIX).split("/", _SERVICE_PARTS)
        if len(parts) < _SERVICE_PARTS or not all(parts[:_SERVICE_PARTS]):
            raise FaultError("Client.BadRequest", "The path does not name a service")
        client, service = call.headers.get("x-road-client", ""), "/".join(parts[:_SERVICE_PARTS])
        if len(client.split("/")) not in _CLIENT_PARTS:
            raise FaultError("Client.BadRequest", "X-Road-Client is missing or names no client")
        self._admit(client, service)
        answer = self._pass_on(call, self._services[service], "/".join(["", *parts[_SERVICE_PARTS:]]))
        own = {
            "X-Road-Client": client,
            "X-Road-Service": service,
            "X-Road-Id": call.headers.get("x-road-id") or str(uuid.uuid4()),
            "X-Road-Request-Id": str(uuid.uuid4()),
            "X-Road-Request-Hash": _hash_of(call),
        }
        return Response(answer.content, answer.status_code, {**_passed_on(answer.headers), **own})

    def _pass_on(self, call: Call, base_url: str, path: str) -> requests.Response:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        try:
            answer: requests.Response = session.request(
                call.method,
                f"{base_url}{path}{'?' if call.query else ''}{call.query}",
                data=call.body,
                headers={"Accept-Encoding": "identity", **_passed_on(call.headers)},
                timeout=_PROVIDER_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise FaultError("Server.ServerProxy.NetworkError", type(error).__name__) from None
        return answer


def error_answer(code: str, message: str) -> Response:
    """What the security server itself has to say; ``detail`` is an id for its operators."""
    status = 500 if code.lower().startswith("server.") else 400
    answer = json_response({"type": code, "message": message, "detail": str(uuid.uuid4())}, status)
    answer.headers["X-Road-Error"] = code
    return answer


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}


def _hash_of(call: Call) -> str:
    """SHA-512 over the hashes of headers and body; without a body, over the headers."""
    lines = [f"{call.method} {call.path}", *(f"{name}:{value}" for name, value in call.headers.items())]
    headers = hashlib.sha512("\r\n".join(lines).encode("utf-8", "surrogateescape")).digest()
    whole = hashlib.sha512(headers + hashlib.sha512(call.body).digest()).digest() if call.body else headers
    return base64.b64encode(whole).decode()
