"""The National Public Service Portal: dossiers, steps and reports through its adapter, look-up by code.

How the adapter is called stands in ``npsp_calls.py``, what the answers mean in ``npsp_answers.py``, what becomes of a
batch in ``batches.py``; here they are put together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from connectors.api import Catalogue, CatalogueEntry, CheckResult, Held, Item, Verdict
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError, Refused
from connectors.http import HttpClient
from connectors.mapi import error_code
from connectors.retry import repeat
from connectors.targets.answers import Kind, Reply, of_error, raised
from connectors.targets.batches import Sequences, Upserts
from connectors.targets.checks import checked
from connectors.targets.held import canonical_code, national_state, readable_fields, written_forms
from connectors.targets.npsp_calls import Called, Line, Service, calls_of
from connectors.targets.npsp_codes import given_codes, other_code
from connectors.targets.options import NpspOptions
from connectors.targets.reports import report_verdict
from schemas.report import ReportKind

_FIELDS = {"NgayTiepNhan": "received_at", "NgayHenTra": "due_at", "MaTTHC": "procedure_code"}
_CATALOGUES = {
    Catalogue.PROCEDURE: (Service.PROCEDURES, "MATTHC", "TENTTHC", ""),
    Catalogue.AGENCY: (Service.AGENCIES, "MADONVI", "TENDONVI", ""),
    Catalogue.FIELD: (Service.FIELDS, "MALINHVUC", "TENLINHVUC", "MANGANH"),
}
_NOBODYS_CODE = "000101-0000"
_SPLITTING_SHARE = 0.25  # of the lease: for halving refused batches; the last call may need as long as a call may


class NpspTarget:
    """Pushes to the portal and asks it what it holds. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``NpspOptions``; connection extra: ``madonvi`` and ``dstcode`` override the options."""
        options: NpspOptions = entry.options
        self._system = entry.system
        self._options = options
        self._batch = entry.batch
        self._lease_s = entry.lease_s
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        self._unit = settings.text("madonvi", options.unit)
        dstcode = settings.text("dstcode", options.dstcode)
        headers = {"Charset": "utf-8", **({"dstcode": dstcode} if dstcode else {})}
        self._calls, self._dispatch = calls_of(Line(self._http, options, self._unit, headers))

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """Insert or update; a refused batch is halved down to what is refused. One verdict per item."""
        return Upserts(self._push_dossiers, self._time_for_splitting()).send(items, self._batch.dossiers)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """Processing steps in chunks, each dossier's in order. One verdict per item.

        Of dossiers that were filed there also as notices, or only so: one by one, each after its step.
        """
        is_over = self._time_for_splitting()
        noticed = [item for item in items if self._has_notice(item)]
        others = [item for item in items if not self._has_notice(item)]
        return [
            *Sequences(self._push_steps, is_over).send(others, self._batch.steps),
            *Sequences(self._push_notice, is_over).send(noticed, 1),
        ]

    def send_report(self, kind: ReportKind, report: Item) -> Verdict:
        """A month's satisfaction, all its records in one call. That the portal holds it proves that it arrived."""
        assert kind is ReportKind.SATISFACTION, "the catalog admits no other"
        try:
            reply = self._calls.push(Service.RATINGS, report.payload["data"]).reply
        except ConnectorError as error:
            reply = of_error(error)
        return report_verdict(report, reply)

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """The dossier as the portal holds it; ``None`` when it does not, under no written form of any of its codes."""
        usual, *more = written_forms(code, self._options.code_form)
        forms = [usual, *more, *(form for other in others for form in written_forms(other, "short"))]
        for form in dict.fromkeys(forms):
            found = self._find(form, code)
            if found is not None:
                return found if found.held_as or form == usual else replace(found, held_as=form)
        return None

    def catalogue(self, kind: Catalogue) -> list[CatalogueEntry]:
        """All procedures, agencies or fields that the portal publishes; raises ``ConnectorError``."""
        service, code, name, parent = _CATALOGUES[kind]
        rows = self._records(repeat(lambda: self._ask(service, {})), service)
        if not all(isinstance(row, Mapping) and isinstance(row.get(code), str) for row in rows):
            raise BrokenAnswer(self._system, f"{service}: an entry has no {code}")
        return [CatalogueEntry(row[code], str(row.get(name) or ""), row.get(parent) or None) for row in rows]

    def listing(self) -> Iterator[Held]:
        """The portal has no listing: raises ``Refused``."""
        raise Refused(self._system, "the portal cannot list what it holds", "Set reconcile.method to lookup")

    def counts(self) -> Mapping[str, int]:
        """The portal tells no counts: raises ``Refused``."""
        raise Refused(self._system, "the portal tells no counts", "Set reconcile.method to lookup")

    def check(self) -> list[CheckResult]:
        """Sign in where we do, then look up a code that nobody has where that can be done."""
        trials = {"sign-in" if self._dispatch is self._calls else "connection": self._calls.try_out}
        if self._dispatch is not None:
            trials |= {"sign-in": self._dispatch.try_out, "read": self._harmless_read}
        return checked(*trials.items())

    def close(self) -> None:
        """Close the connections; the session simply ends."""
        self._http.close()

    def _time_for_splitting(self) -> Callable[[], bool]:
        # The lease was taken just now; what is still sent when it ends could come after another worker's newer record.
        until = monotonic() + self._lease_s * _SPLITTING_SHARE
        return lambda: monotonic() >= until

    def _push_dossiers(self, items: Sequence[Item], update: bool) -> Reply:
        return self._reply(Service.DOSSIERS, items, update)

    def _push_steps(self, items: Sequence[Item]) -> Reply:
        return self._reply(Service.STEPS, items)

    def _has_notice(self, item: Item) -> bool:
        told_by = self._options.filed_there.told_by
        return told_by != "steps" and item.notice is not None and bool(item.notice.get("TrangThai"))

    def _push_notice(self, items: Sequence[Item]) -> Reply:
        """One item's step, where it is told by both, and then its notice."""
        (item,) = items
        if self._options.filed_there.told_by == "both":
            reply = self._push_steps(items)
            if reply.kind not in (Kind.DONE, Kind.EXISTS):
                return reply
        assert item.notice is not None
        reply = self._reply(Service.NOTICE, [replace(item, payload=item.notice)])
        return replace(reply, reason=f"{Service.NOTICE}: {reply.reason}") if reply.reason else reply

    def _reply(self, service: Service, items: Sequence[Item], update: bool | None = None) -> Reply:
        records = [{**item.payload, "MaHoSo": item.held_as} if item.held_as else item.payload for item in items]
        try:
            called = self._calls.push(service, records, update)
        except ConnectorError as error:
            return of_error(error)
        if called.reply.kind is Kind.DONE and service is Service.DOSSIERS:
            return replace(called.reply, given=given_codes(called.answer))
        return called.reply

    def _find(self, form: str, code: str) -> Held | None:
        for record in self._records(repeat(lambda: self._look_up(form))):
            if isinstance(record, Mapping) and _is_about(record, form, code):
                state = national_state(record.get("TrangThaiHoSo"))
                fields = readable_fields(record, _FIELDS)
                return Held(code=canonical_code(code), state=state, fields=fields, held_as=other_code(record, form))
        return None

    def _look_up(self, form: str) -> Called:
        return self._ask(Service.LOOKUP, {"mahoso": form})

    def _ask(self, service: Service, arguments: Mapping[str, str]) -> Called:
        if self._dispatch is None:
            style = self._options.calls.style
            raise Refused(
                self._system, f"style '{style}' answers no questions", "Add options.reads, if it can be asked"
            )
        called = self._dispatch.call(service, arguments)
        if called.reply.kind in (Kind.NOT_NOW, Kind.UNCLEAR):
            raise raised(self._system, service, called.reply)
        return called

    def _records(self, called: Called, service: Service = Service.LOOKUP) -> list[Any]:
        """What a question found. A zero and the list are enough: the list itself says that it went well."""
        if called.reply.kind is Kind.MISSING:
            return []
        body = called.answer.json_object()
        if called.reply.kind is not Kind.DONE and not (error_code(body.get("error_code")) == "0" and "result" in body):
            raise raised(self._system, service, called.reply)
        result = body.get("result", {})
        if not isinstance(result, list | None):
            raise BrokenAnswer(self._system, f"{service}: the answer has no list 'result'")
        return result or []

    def _harmless_read(self) -> str:
        self._records(self._look_up(f"{self._unit}-{_NOBODYS_CODE}"))
        return "a look-up was answered"


def _is_about(record: Mapping[str, Any], form: str, code: str) -> bool:
    """Whether a record found is the dossier asked for; one without a code can only be that."""
    held, ours = record.get("MaHoSo"), record.get("MaHoSoDonVi")
    if not isinstance(held, str) or not held:
        return held is None
    if isinstance(ours, str) and ours:
        return canonical_code(ours) == canonical_code(code)
    return canonical_code(held) == canonical_code(form)
