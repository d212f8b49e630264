"""A judged reading as the rows of ``dossier`` and ``dossier_step``, personal data sealed, ready for COPY."""

from functools import lru_cache
from typing import Any

import orjson

from ledger.judging import DossierAfter, StepRow, SystemReading
from ledger.sealing import Sealer
from schemas.dossier import Dossier
from schemas.identifiers import procedure_stem

HOME_COLUMNS = (
    "home_system",
    "home_precedence",
    "source_id",
    "content_hash",
    "source_at",
    "observed_at",
    "home_state",
    "home_event_at",
    "home_dated",
    "home_mapping_no",
    "national_code",
    "procedure_code",
    "procedure_stem",
    "agency_code",
    "channel",
    "subject_kind",
    "level",
    "submitted_at",
    "received_at",
    "due_at",
    "finished_at",
    "returned_at",
    "result_delivery",
    "online_payment",
    "attributes",
    "personal",
    "identity_digest",
)
STATE_COLUMNS = tuple(DossierAfter._fields)
NEW_COLUMNS = ("id", "code", *HOME_COLUMNS, *STATE_COLUMNS, "first_step_at", "version", "change_no")
STEP_COLUMNS = ("dossier_id", "at", "state", "system", "step_no", "illegal", "unit", "personal")

_ABSENT = dict.fromkeys(("procedure_name", "field_code", "field_name", "agency_name", "native_state"))
_stem = lru_cache(maxsize=20_000)(procedure_stem)


def home_row(kept: SystemReading, dossier: Dossier, sealer: Sealer) -> tuple[Any, ...]:
    """The values of ``HOME_COLUMNS``."""
    identity = dossier.applicant.identity_number
    return (
        *kept,
        dossier.national_code,
        dossier.procedure_code,
        _stem(dossier.procedure_code),
        dossier.agency_code,
        int(dossier.channel),
        int(dossier.subject_kind),
        dossier.level,
        dossier.submitted_at,
        dossier.received_at,
        dossier.due_at,
        dossier.finished_at,
        dossier.returned_at,
        int(dossier.result_delivery),
        int(dossier.online_payment),
        _attributes(dossier),
        sealer.seal(_personal(dossier)),
        sealer.digest(identity) if identity else None,
    )


def opened(attributes: str, personal: bytes, sealer: Sealer) -> dict[str, Any]:
    """What ``home_row`` put into these two columns (``attributes`` as text): everything by its name, ``None`` where
    nothing is."""
    return {**_ABSENT, "results": [], **orjson.loads(attributes), **orjson.loads(sealer.open(personal))}


def step_row(dossier_id: int, step: StepRow, sealer: Sealer) -> tuple[Any, ...]:
    """The values of ``STEP_COLUMNS``."""
    personal = None
    if step.officer is not None or step.content is not None:
        personal = sealer.seal(orjson.dumps([step.officer, step.content]))
    return dossier_id, step.at, step.state, step.system, step.step_no, step.illegal, step.unit, personal


def open_step_personal(sealed: bytes | None, sealer: Sealer) -> tuple[str | None, str | None]:
    """Officer and content of a stored step."""
    if sealed is None:
        return None, None
    officer, content = orjson.loads(sealer.open(sealed))
    return officer, content


def _attributes(dossier: Dossier) -> str:
    held: dict[str, Any] = {
        "procedure_name": dossier.procedure_name,
        "field_code": dossier.field_code,
        "field_name": dossier.field_name,
        "agency_name": dossier.agency_name,
        "native_state": dossier.native_state,
    }
    if dossier.results:
        held["results"] = [vars(result) for result in dossier.results]
    return orjson.dumps({name: value for name, value in held.items() if value is not None}).decode()


def _personal(dossier: Dossier) -> bytes:
    held = {"applicant": vars(dossier.applicant), "summary": dossier.summary, "note": dossier.note}
    return orjson.dumps(held)
