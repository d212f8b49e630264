"""The endpoints under ``/_sandbox/`` that every source has besides health and faults.

``GET truth``      JSON lines: what each dossier is by the system's clock (see :func:`truth`)
``GET clock``      ``{"as_of", "dossiers"}``
``POST clock``     ``{"as_of": ISO}`` moves the clock forward
``POST break``     ``{"codes": [...], "how": "unknown-status" | "bad-date" | "missing-code"}`` tells wrongly of these
``DELETE break``   tells rightly of all again
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.http import json_lines, json_response, read_json
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.systems.register import How, Register, Snapshot

SourceId = Callable[[Reading], str]
Sees = Callable[[Reading], bool]


def control_routes(register: Register, *, source_id: SourceId, sees: Sees = lambda _: True) -> list[Route]:
    """The routes. ``source_id`` is the system's own id of a dossier; ``sees``, whether the system shows it at all."""

    def show_truth(_request: Request) -> Response:
        return json_lines(truth(register, source_id, sees))

    def show_clock(_request: Request) -> Response:
        return _clock(register.now)

    async def move_clock(request: Request) -> Response:
        try:
            as_of = datetime.fromisoformat(str((await read_json(request)).get("as_of")))
            return _clock(await run_in_threadpool(register.move_to, as_of))
        except ValueError as error:
            return json_response({"error": str(error)}, 422)

    async def break_records(request: Request) -> Response:
        try:
            codes, how = _parse_break(await read_json(request))
        except ValueError as error:
            return json_response({"error": str(error)}, 422)
        found = {code: register.now.find(code) for code in codes}
        unknown = [code for code, number in found.items() if number is None]
        if unknown:
            return json_response({"error": f"no such dossier here by now: {unknown[0]}"}, 422)
        register.break_records((number for number in found.values() if number is not None), how)
        return json_response({"broken": len(register.broken)})

    async def mend(_request: Request) -> Response:
        register.mend_all()
        return json_response({"broken": 0})

    return [
        Route("/truth", show_truth, methods=["GET"]),
        Route("/clock", show_clock, methods=["GET"]),
        Route("/clock", move_clock, methods=["POST"]),
        Route("/break", break_records, methods=["POST"]),
        Route("/break", mend, methods=["DELETE"]),
    ]


def truth(register: Register, source_id: SourceId, sees: Sees) -> Iterator[dict[str, Any]]:
    """One row per dossier of the system, by time of filing. Times are ISO with zone, or None; enums are numbers.

    ``state`` is the national code, as this system knows it; ``merged_state`` what it is by all systems that know the
    dossier by now, whose names are in ``systems``, its home first. ``steps`` counts what happened here so far,
    ``broken`` is how the record is told wrongly.
    """
    now, broken = register.now, register.broken
    for number in now.numbers():
        one = now.reading(number)
        if sees(one):
            systems = now.systems(number)
            whole = one if len(systems) == 1 else now.whole(number)
            yield {
                "code": one.code,
                "source_id": source_id(one),
                "national_code": one.national_code,
                "state": one.state,
                "procedure_code": one.procedure.code,
                "field_code": one.procedure.sector.field_code,
                "agency_code": one.agency.code,
                "channel": one.channel,
                "submitted_at": _iso(one.submitted),
                "received_at": _iso(one.received),
                "due_at": _iso(one.due),
                "finished_at": _iso(one.finished),
                "returned_at": _iso(one.returned),
                "state_at": _iso(one.state_since),
                "systems": systems,
                "merged_state": whole.state,
                "merged_state_at": _iso(whole.state_since),
                "changed_at": _iso(one.changed),
                "steps": len(one.happenings),
                "broken": broken.get(number),
            }


def _iso(epoch: int | None) -> str | None:
    return None if epoch is None else f"{wall_time(epoch)}+07:00"


def _clock(now: Snapshot) -> Response:
    return json_response({"as_of": now.as_of.isoformat(), "dossiers": sum(1 for _ in now.numbers())})


def _parse_break(body: dict[str, Any]) -> tuple[list[str], How]:
    codes = body.get("codes")
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise ValueError("codes must be a list of dossier codes")
    try:
        return codes, How(str(body.get("how")))
    except ValueError:
        raise ValueError(f"how must be one of {', '.join(How)}") from None
