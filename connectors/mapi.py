"""The dispatch protocol ("mapi") of the national portal's adapter and of the systems built after it.

Everything is a POST of one JSON object: one URL signs in and answers ``{"session", "error_code", "message"}``, the
other takes ``{"session", "service", …}`` for every service. HTTP 200 says nothing: ``error_code`` decides, and it comes
as ``0``, ``"0"`` or ``"00"``. A session ends without notice; the call that hits the end just fails, so a failed call
with a session that was used before is made once more with a fresh one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.auth import Keeper, Token, refusals_as_sign_in, sign_in_failed, signed_in
from connectors.errors import BrokenAnswer, NotSignedIn, Refused
from connectors.http import Answer, HttpClient

SESSION_LIFETIME_S = 600.0
"""Seconds before a session is renewed unasked. Nobody publishes a lifetime; known clients use ten minutes."""


@dataclass(frozen=True, slots=True)
class MapiAnswer:
    """One answer. ``code`` is normalized: ``"0"`` is success, whatever way it was written; ``""`` when absent."""

    code: str
    message: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    http: Answer = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the error code says success. Some services want more than that: see the message."""
        return self.code == "0"


def error_code(value: Any) -> str:
    """``0``, ``"0"``, ``"00"``, ``0.0`` give ``"0"``; other codes keep their sign and lose leading zeros."""
    if value is None or isinstance(value, bool):
        return ""
    text = str(value).strip().removesuffix(".0")
    sign = "-" if text.startswith("-") else ""
    digits = text.lstrip("-+")
    return sign * (digits.strip("0") != "") + (digits.lstrip("0") or "0") if digits.isdigit() else text


class MapiClient:
    """Signs in once and calls services. ``keeper`` may be shared between threads, the client may not."""

    def __init__(
        self,
        http: HttpClient,
        *,
        login_path: str,
        call_path: str,
        headers: Mapping[str, str] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        """``headers`` go with every call, sign-in included (the national portal wants ``dstcode``)."""
        self._http = http
        self._login_path = login_path
        self._call_path = call_path
        self._headers = {"Charset": "utf-8", **(headers or {})}
        self._keeper = keeper or Keeper(self.sign_in, default_lifetime_s=SESSION_LIFETIME_S)

    def sign_in(self) -> Token:
        """A fresh session; raises ``SignInFailed`` when the account is refused."""
        http = self._http
        body = {"username": http.settings.login, "password": http.settings.password}
        answer = refusals_as_sign_in(
            http, lambda: http.request("POST", self._login_path, json=body, headers=self._headers).json_object()
        )
        session, code = answer.get("session"), error_code(answer.get("error_code"))
        if not isinstance(session, str) or not session or code != "0":
            raise sign_in_failed(http.system, http.settings, f"the answer has error_code {code or 'missing'}")
        return Token(session)

    def check_session(self) -> None:
        """Sign in if needed; raises what signing in raises."""
        self._keeper.value()

    def call(self, service: str, parameters: Mapping[str, Any]) -> MapiAnswer:
        """One call of a service that only reads; a failure is tried once more with a fresh session.

        Returns failures of the service as answers with their code; raises for transport and sign-in.
        """
        failed = False

        def attempt(session: str) -> MapiAnswer:
            nonlocal failed
            answer = self._post(service, parameters, session)
            if not answer.ok and not failed:
                failed = True
                raise NotSignedIn(self._http.system, f"service {service} failed, perhaps because the session is over")
            return answer

        return signed_in(self._keeper, attempt)

    def rows(self, service: str, parameters: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bytes]:
        """The list under ``data`` of a read service, and the raw answer; raises ``Refused`` for an error code."""
        answer = self.call(service, parameters)
        if not answer.ok:
            raise Refused(
                self._http.system,
                f"service {service} answered error_code {answer.code or 'missing'}",
                "Ask the owner of the system what the code means",
                code=answer.code,
            )
        return rows_of(self._http.system, f"service {service}", answer.document), answer.http.body

    def _post(self, service: str, parameters: Mapping[str, Any], session: str) -> MapiAnswer:
        body = {"session": session, "service": service, **parameters}
        http = self._http.request("POST", self._call_path, json=body, headers=self._headers)
        document = http.json_object()
        return MapiAnswer(
            code=error_code(document.get("error_code")),
            message=str(document.get("message") or ""),
            document=document,
            http=http,
        )


def rows_of(system: str, where: str, document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects under ``data``. ``null`` is an empty list, since the error code has vouched for the answer."""
    if "data" not in document:
        raise BrokenAnswer(system, f"{where}: the answer has no 'data'")
    rows = document["data"]
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrokenAnswer(system, f"{where}: 'data' is not a list of objects")
    return rows
