"""Calls through our X-Road security server (message protocol for REST 1.0).

A call goes to ``/r1/INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE`` and the path of the service behind it, says who we are in
``X-Road-Client``, and carries a fresh ``X-Road-Id`` on every attempt: both sides' logs and signed evidence are found by
it. The header ``X-Road-Error`` marks what the security server itself answered; all else is the service's own answer.
"""

import re
from typing import Any
from urllib.parse import quote

import orjson

from connectors import xroad
from connectors.catalog_models import Limits, Timeouts
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError
from connectors.http import Answer, HttpClient, new_message_id
from connectors.options.rest import XRoadRest

_UNSAFE = re.compile(r"[^\w.:\-]")


class XRoadRestClient(HttpClient):
    """An ``HttpClient`` whose paths are those of one service behind the security server of the connection."""

    def __init__(
        self,
        system: str,
        settings: ConnectionSettings,
        options: XRoadRest,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        """The connection's extra may name ``client``, ``service`` and ``user_id`` instead of the options."""
        super().__init__(system, settings, timeouts=timeouts, limits=limits)
        service = settings.text("service", options.service)
        self._prefix = "/r1/" + "/".join(quote(part, safe="") for part in service.split("/"))
        self._client = settings.text("client", options.client)
        self._user_id = settings.text("user_id", options.user_id or "")

    def request(self, method: str, path: str, **call: Any) -> Answer:
        """See ``HttpClient.request``; raises the security server's errors as ``connectors.xroad`` explains them."""
        message_id = new_message_id()
        own = {"X-Road-Client": self._client, "X-Road-Id": message_id}
        if self._user_id:
            own["X-Road-UserId"] = self._user_id
        call["where"] = f"{call.get('where') or f'{method} {path}'} (message {message_id})"
        call["headers"] = {**(call.get("headers") or {}), **own}
        answer = super().request(method, self._prefix + path, **call)
        if answer.headers.get("x-road-id", message_id) != message_id:
            raise BrokenAnswer(self.system, f"{answer.where}: the answer is to another message")
        return answer

    def problem(self, answer: Answer) -> ConnectorError | None:
        """What went wrong: at the security server when it says so, else at the service."""
        code = answer.headers.get("x-road-error")
        if code is None:
            return super().problem(answer)
        return xroad.of_gateway(self.system, answer.where, _UNSAFE.sub("?", code.strip())[:100], _detail_id(answer))


def _detail_id(answer: Answer) -> str | None:
    """The number of the error in the security server's log: ``{"type", "message", "detail"}``."""
    try:
        detail = orjson.loads(answer.body).get("detail")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return _UNSAFE.sub("?", detail.strip())[:64] if isinstance(detail, str) and detail.strip() else None
