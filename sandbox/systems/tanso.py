"""The ministry's mailbox for radio licences on the LGSP: messages wait in it until they are acknowledged.

=====================================================  ==========================================================
``POST /token``                                         an access token for Basic credentials
``GET /getListDossier?unit_code=``                      ``profileReceivers``: all messages to a unit, oldest first
``GET /getDetailDossier?profile_id=``                   ``profileOutmodel``: one message in full
``POST /updateStatusReceiver?profile_id=&status=done``  acknowledges one; it is not listed any more
=====================================================  ==========================================================

A message is one thing that happened to a dossier, told as the dossier was then. It stays in the list until it is
acknowledged, over restarts too, and its detail can be read afterwards as well.

Seen in public implementations: the parameters, the keys, the six kinds of message in ``status``, ``status_profile`` as
the national code in text, times as ``yyyy/MM/dd HH:mm:ss``.
Assumed: the last parts of the paths, an unpaged list, ``client_credentials`` as the grant, the form of the answer to an
acknowledgement and of errors, that ``status=fail`` leaves a message in the list, that acknowledging twice is no error,
that a time not known yet is "", and which kind tells which state (:data:`KINDS`: a dossier that is being worked on, or
was stopped, is an update).

``GET /_sandbox/messages`` counts ``{"sent", "acknowledged"}``; ``DELETE`` hands out everything again.

Connection: login and password; extra ``unit_code`` (the only unit with a mailbox here), ``token_s`` (default 1800).
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, server_home, with_controls
from sandbox.province.calendar import moment, wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.bearer import Credentials, Issuer
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register, Snapshot
from schemas.identifiers import dossier_long
from schemas.states import State

KINDS: Mapping[State, str] = MappingProxyType(
    {
        State.REGISTERED: "TIEPNHAN",
        State.ACCEPTED: "TIEPNHAN",
        State.REJECTED: "TUCHOI",
        State.PROCESSING: "CAPNHAT",
        State.SUPPLEMENT_REQUESTED: "CAPNHAT",
        State.PAYMENT_REQUESTED: "THANHTOAN",
        State.WITHDRAWN: "RUT",
        State.STOPPED: "CAPNHAT",
        State.COMPLETED: "KETQUA",
        State.RETURNED: "KETQUA",
    }
)
"""The kind of message that tells of a state."""

_MINISTRY = "000.00.01.G99"
_STEP_BITS = 6
_FEE = 500_000


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """The ``step``-th thing that happened to a dossier, at an epoch second."""

    at: int
    number: int
    step: int

    @property
    def id(self) -> int:
        """``profileId``."""
        return (self.number + 1 << _STEP_BITS) + self.step


class Mailbox:
    """All messages by the system's clock, and which of them have been acknowledged. May be used by several threads."""

    def __init__(self, register: Register, folder: Path) -> None:
        self._register = register
        self._file = folder / "done"
        self._lock = threading.Lock()
        self._done = set(map(int, self._file.read_text().split())) if self._file.exists() else set[int]()
        self._sent: tuple[Snapshot, Mapping[int, Message]] | None = None

    def waiting(self) -> list[Message]:
        """What has not been acknowledged, oldest first."""
        return [message for message in self._messages().values() if message.id not in self._done]

    def find(self, profile_id: str | None) -> Message | None:
        """A message that has been sent, acknowledged or not."""
        try:
            return self._messages().get(int(profile_id or ""))
        except ValueError:
            return None

    def acknowledge(self, message: Message) -> None:
        """Take the message off the list for good."""
        with self._lock:
            if message.id not in self._done:
                with self._file.open("a") as done:
                    done.write(f"{message.id}\n")
                self._done.add(message.id)

    def hand_out_again(self) -> None:
        """Forget all acknowledgements."""
        with self._lock:
            self._file.unlink(missing_ok=True)
            self._done.clear()

    def counts(self) -> dict[str, int]:
        """How many messages there are, and how many of them have been acknowledged."""
        return {"sent": len(self._messages()), "acknowledged": len(self._done)}

    def _messages(self) -> Mapping[int, Message]:
        """All messages by id, in order of time; found again only when the clock has moved."""
        with self._lock:
            now = self._register.now
            if self._sent is None or self._sent[0] is not now:
                messages = sorted(
                    Message(happening.at, number, step)
                    for number in now.numbers()
                    for step, happening in enumerate(now.reading(number).happenings)
                )
                self._sent = now, {message.id: message for message in messages}
            return self._sent[1]


class Profiles:
    """The endpoints, over one mailbox."""

    def __init__(self, register: Register, mailbox: Mailbox, issuer: Issuer, unit: str) -> None:
        self._register = register
        self._mailbox = mailbox
        self._issuer = issuer
        self._unit = unit

    async def listing(self, request: Request) -> Response:
        """``GET /getListDossier``"""
        if refused := self._issuer.refusal(request):
            return refused
        unit = request.query_params.get("unit_code")
        if not unit:
            return _problem(400, "unit_code is required")
        waiting = await run_in_threadpool(self._mailbox.waiting) if unit == self._unit else []
        return json_response({"profileReceivers": await run_in_threadpool(self._told, waiting)})

    async def detail(self, request: Request) -> Response:
        """``GET /getDetailDossier``"""
        if refused := self._issuer.refusal(request):
            return refused
        message = await run_in_threadpool(self._mailbox.find, request.query_params.get("profile_id"))
        if message is None:
            return _problem(404, "profile not found")
        profile = _profile(_then(self._register.now, message), message, self._unit)
        return json_response({"profileOutmodel": _broken(profile, self._register.broken.get(message.number))})

    async def acknowledge(self, request: Request) -> Response:
        """``POST /updateStatusReceiver``"""
        if refused := self._issuer.refusal(request):
            return refused
        status = request.query_params.get("status")
        if status not in ("done", "fail"):
            return _problem(400, "status must be done or fail")
        message = await run_in_threadpool(self._mailbox.find, request.query_params.get("profile_id"))
        if message is None:
            return _problem(404, "profile not found")
        if status == "done":
            await run_in_threadpool(self._mailbox.acknowledge, message)
        return json_response({"status": status, "message": "success"})

    def _told(self, messages: list[Message]) -> list[dict[str, Any]]:
        now, broken = self._register.now, self._register.broken
        states = {number: [step.state for step in now.reading(number).happenings] for number in _numbers(messages)}
        return [
            _broken(_receiver(message, states[message.number][message.step], self._unit), broken.get(message.number))
            for message in messages
        ]


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.TANSO, home, options)
    mailbox = Mailbox(register, server_home(home, options))
    lifetime_s = float(options.extra.get("token_s", 1800))
    issuer = Issuer((options.login, options.password), Credentials.BASIC, lifetime_s=lifetime_s)
    profiles = Profiles(register, mailbox, issuer, str(options.extra["unit_code"]))

    def count(_request: Request) -> Response:
        return json_response(mailbox.counts())

    def hand_out_again(_request: Request) -> Response:
        mailbox.hand_out_again()
        return json_response(mailbox.counts())

    app = Starlette(
        routes=[
            Route("/token", issuer.token, methods=["POST"]),
            Route("/getListDossier", profiles.listing, methods=["GET"]),
            Route("/getDetailDossier", profiles.detail, methods=["GET"]),
            Route("/updateStatusReceiver", profiles.acknowledge, methods=["POST"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=[
            *control_routes(register, source_id=lambda one: source_id(one.number)),
            Route("/messages", count, methods=["GET"]),
            Route("/messages", hand_out_again, methods=["DELETE"]),
        ],
        expire_sessions=issuer.tokens.expire_all,
    )


def source_id(number: int) -> str:
    """The ministry's own id of a dossier."""
    return f"BM-{number:06d}"


def _numbers(messages: list[Message]) -> set[int]:
    return {message.number for message in messages}


def _then(now: Snapshot, message: Message) -> Reading:
    """The dossier as it was when the message was sent."""
    return replace(now, tick=now.province.tick(moment(message.at))).reading(message.number)


def _receiver(message: Message, state: State, unit: str) -> dict[str, Any]:
    return {
        "profileId": message.id,
        "fromUnitCode": _MINISTRY,
        "toUnitCode": unit,
        "createTime": _time(message.at),
        "status": KINDS[state],
        "status_profile": str(state.value),
        "type": "1",
    }


def _profile(one: Reading, message: Message, unit: str) -> dict[str, Any]:
    assert one.enterprise is not None  # all procedures of this system are for enterprises
    happening = one.happenings[message.step]
    asks_for_money = happening.state is State.PAYMENT_REQUESTED
    return {
        "source_id": source_id(one.number),
        "ref_code": dossier_long(one.code),
        "procedures_code": one.procedure.code,
        "from_unit_code": _MINISTRY,
        "to_unit_code": [unit],
        "status": KINDS[happening.state],
        "status_profile": str(happening.state.value),
        "profileOwner": {"name": one.enterprise.name},
        "profileApplicant": {"name": one.person.name, "phone": one.person.phone},
        "profileAttachments": [],
        "profileDocFees": [],
        "creation_date": _time(one.submitted),
        "accept_date": _time(one.received),
        "appointment_date": _time(one.due),
        "process_officials": happening.officer,
        "time_of_process": _time(happening.at),
        "content_process": happening.content,
        "is_request_payment": asks_for_money,
        "total_amount": _FEE if asks_for_money else 0,
    }


def _time(epoch: int | None) -> str:
    return "" if epoch is None else wall_time(epoch).replace("-", "/").replace("T", " ")


def _broken(told: dict[str, Any], how: How | None) -> dict[str, Any]:
    """A message, or its line in the list, as it is told wrongly."""
    match how:
        case None:
            return told
        case How.UNKNOWN_STATUS:
            return {**told, "status": "KHAC", "status_profile": "77"}
        case How.BAD_DATE:
            name = "creation_date" if "creation_date" in told else "createTime"
            return {**told, name: "2026/02/31 25:61:00"}
        case How.MISSING_CODE:
            return {key: value for key, value in told.items() if key != "ref_code"}
        case How.EXTRA_FIELD:
            return {**told, "priority": 1}
        case How.RENAMED_FIELD:
            return {("statusProfile" if key == "status_profile" else key): value for key, value in told.items()}


def _problem(status: int, message: str) -> Response:
    return json_response({"status": "error", "message": message}, status)
