"""The National Public Service Portal: sessions, dossiers and steps through its adapter, look-up by code.

What the answers mean stands in ``npsp_answers.py``, what becomes of a batch in ``batches.py``; here is the talking.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.api import CheckResult, Held, Item, Verdict
from connectors.auth import Keeper, signed_in
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError, NotSignedIn, Refused
from connectors.http import Answer, HttpClient
from connectors.mapi import MapiClient, error_code
from connectors.retry import repeat
from connectors.targets.answers import OWN_WORDS_STATUS, Kind, Reply, of_error, raised
from connectors.targets.batches import Sequences, Upserts
from connectors.targets.checks import checked, sign_in_as_precondition
from connectors.targets.held import canonical_code, national_state, readable_fields, written_forms
from connectors.targets.npsp_answers import classify_answer
from connectors.targets.options import NpspOptions

_DOSSIERS = "DongBoHoSoMC"
_STEPS = "CapNhatTienDoHoSoMC"
_LOOKUP = "TraCuuHoSo"
_FIELDS = {"NgayTiepNhan": "received_at", "NgayHenTra": "due_at", "MaTTHC": "procedure_code"}
_NOBODYS_CODE = "000101-0000"


@dataclass(frozen=True, slots=True)
class _Called:
    reply: Reply
    answer: Answer


class NpspTarget:
    """Pushes to the portal and asks it what it holds. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``NpspOptions``; connection extra: ``madonvi`` and ``dstcode`` override the options."""
        options: NpspOptions = entry.options
        self._system = entry.system
        self._options = options
        self._batch = entry.batch
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        self._unit = settings.text("madonvi", options.unit)
        dstcode = settings.text("dstcode", options.dstcode)
        self._headers = {"Charset": "utf-8", **({"dstcode": dstcode} if dstcode else {})}
        fetch = MapiClient(
            self._http, login_path=options.login_path, call_path=options.call_path, headers=self._headers
        ).sign_in
        self._keeper = Keeper(sign_in_as_precondition(fetch), default_lifetime_s=options.session_s)

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """Insert or update; a refused batch is halved down to what is refused. One verdict per item."""
        return Upserts(self._push_dossiers).send(items, self._batch.dossiers)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """Processing steps in chunks, each dossier's in order. One verdict per item."""
        return Sequences(self._push_steps).send(items, self._batch.steps)

    def lookup(self, code: str) -> Held | None:
        """The dossier as the portal holds it, under either written form of its code; ``None`` when it does not."""
        forms = written_forms(code, self._options.code_form)
        return next((found for form in forms if (found := self._find(form, code))), None)

    def listing(self) -> Iterator[Held]:
        """The portal has no listing: raises ``Refused``."""
        raise Refused(self._system, "the portal cannot list what it holds", "Set reconcile.method to lookup")

    def counts(self) -> Mapping[str, int]:
        """The portal tells no counts: raises ``Refused``."""
        raise Refused(self._system, "the portal tells no counts", "Set reconcile.method to lookup")

    def check(self) -> list[CheckResult]:
        """Sign in, then look up a code that nobody has."""
        return checked(
            ("sign-in", self._first_session),
            ("read", self._harmless_read),
        )

    def close(self) -> None:
        """Close the connections; the session simply ends."""
        self._http.close()

    def _push_dossiers(self, items: Sequence[Item], update: bool) -> Reply:
        data = [item.payload for item in items]
        return self._reply(lambda: self._call(_DOSSIERS, {"isUpdating": "True" if update else "False", "data": data}))

    def _push_steps(self, items: Sequence[Item]) -> Reply:
        data = [item.payload for item in items]
        return self._reply(lambda: self._call(_STEPS, {"data": data}, plain_text=True))

    def _reply(self, call: Callable[[], _Called]) -> Reply:
        try:
            return call().reply
        except ConnectorError as error:
            return of_error(error)

    def _call(self, service: str, arguments: Mapping[str, Any], *, plain_text: bool = False) -> _Called:
        """One call of a service, and once more with a fresh session when the portal says that ours is over.

        The portal refuses such a call before it looks at the data, so nothing has been applied. Raises
        ``ConnectorError``.
        """

        def once(session: str) -> _Called:
            envelope = {"session": session, "madonvi": self._unit, "service": service, **arguments}
            answer = self._http.request(
                "POST",
                self._options.call_path,
                json=envelope,
                headers=self._headers,
                accept_status=OWN_WORDS_STATUS,
            )
            reply = classify_answer(answer, self._options, plain_text=plain_text)
            if reply.kind is Kind.SIGN_IN:
                raise NotSignedIn(self._system, f"{service}: {reply.reason}")
            return _Called(reply, answer)

        return signed_in(self._keeper, once)

    def _find(self, form: str, code: str) -> Held | None:
        for record in self._records(repeat(lambda: self._look_up(form))):
            if isinstance(record, Mapping) and _is_about(record, code):
                state = national_state(record.get("TrangThaiHoSo"))
                return Held(code=canonical_code(code), state=state, fields=readable_fields(record, _FIELDS))
        return None

    def _look_up(self, form: str) -> _Called:
        called = self._call(_LOOKUP, {"mahoso": form})
        if called.reply.kind in (Kind.NOT_NOW, Kind.UNCLEAR):
            raise raised(self._system, _LOOKUP, called.reply)
        return called

    def _records(self, called: _Called) -> list[Any]:
        """What a look-up found. A zero and the list are enough: the list itself says that it went well."""
        if called.reply.kind is Kind.MISSING:
            return []
        body = called.answer.json_object()
        if called.reply.kind is not Kind.DONE and not (error_code(body.get("error_code")) == "0" and "result" in body):
            raise raised(self._system, _LOOKUP, called.reply)
        result = body.get("result", {})
        if not isinstance(result, list | None):
            raise BrokenAnswer(self._system, f"{_LOOKUP}: the answer has no list 'result'")
        return result or []

    def _first_session(self) -> str:
        self._keeper.value()
        return "connected, and a session was given"

    def _harmless_read(self) -> str:
        self._records(self._look_up(f"{self._unit}-{_NOBODYS_CODE}"))
        return "a look-up was answered"


def _is_about(record: Mapping[str, Any], code: str) -> bool:
    """Whether a record found is the dossier asked for; one without a code can only be that."""
    held = record.get("MaHoSo")
    if not isinstance(held, str) or not held:
        return held is None
    return canonical_code(held) == canonical_code(code)
