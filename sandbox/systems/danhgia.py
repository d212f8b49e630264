"""The kiosks of the one-stop centre: CSV files with what citizens answer when they are handed their results.

Everything here is assumed, since no public contract exists: a template of what such kiosks export. A citizen is asked
up to three questions about the dossier that is handed over; ``DG_<time>_<number>.csv`` is UTF-8 with semicolons, an
answer a row, the answers to one question in a file of their own. Some write a remark, with their name and telephone in
it.

Files are dropped into ``danhgia/gui-di`` below the sandbox's home: its connection is that folder. Rated are dossiers of
the one-stop system (``igate``), whose truth the control endpoint tells; ``GET ratings`` tells the answers: source_id,
code, criterion, level (1 to 3), rated_at, agency_code, remark.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.connections import publish
from sandbox.http import ServerOptions, json_lines, server_home, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.draws import Draws, Wheel, unit
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import papers, written
from sandbox.systems.controls import control_routes
from sandbox.systems.drops import Drops, Line, Paper, drop_routes
from schemas.codes import Satisfaction
from schemas.identifiers import agency_long, dossier_long

CRITERIA = ("Thái độ phục vụ", "Thời gian giải quyết", "Thủ tục, giấy tờ")
LEVELS = {
    Satisfaction.VERY: "Rất hài lòng",
    Satisfaction.SATISFIED: "Hài lòng",
    Satisfaction.NOT_YET: "Chưa hài lòng",
}
_RATED = 0.6  # of those who are handed a result
_ANSWERED = 0.9  # of the questions, by each of them
_REMARKED = 0.05
_LEVEL_WHEEL = Wheel([75, 20, 5])


class Answers:
    """What citizens answer: nothing but a seed and a dossier's number says so."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, "danhgia")

    def answer(self, one: Reading, question: int) -> Satisfaction | None:
        """The answer to a question when the result is handed over; ``None`` when there is none, or not yet."""
        drawn = self._draws.of(one.number)
        if one.returned is None or unit(drawn[0]) >= _RATED or unit(drawn[1 + question]) >= _ANSWERED:
            return None
        return list(LEVELS)[_LEVEL_WHEEL.pick(drawn[5 + question])]

    def remark(self, one: Reading, question: int) -> str:
        """What the citizen writes beside it: mostly nothing."""
        if unit(self._draws.of(one.number)[9 + question]) >= _REMARKED:
            return ""
        return f"Đề nghị gọi lại cho {one.person.name}, {one.person.phone}"


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    folder = server_home(home, options).absolute() / "gui-di"
    answers = Answers(options.seed)
    sheets = tuple(_sheet(answers, question) for question in range(len(CRITERIA)))
    register = Drops(System.IGATE, home, options, folder=folder, papers=sheets)
    publish(
        home, options.name, {"conn_type": "fs", "host": "", "port": None, "schema": "", "extra": {"path": str(folder)}}
    )

    def ratings(_request: Request) -> Response:
        return json_lines(_told(register, answers))

    controls = [
        *control_routes(register, source_id=lambda one: one.code),
        *drop_routes(register),
        Route("/ratings", ratings, methods=["GET"]),
    ]
    return with_controls(Starlette(), name=options.name, controls=controls)


def _told(register: Drops, answers: Answers) -> Iterator[dict[str, Any]]:
    now = register.now
    for one in map(now.reading, now.numbers()):
        for question, criterion in enumerate(CRITERIA):
            level = answers.answer(one, question)
            if level is not None and one.returned is not None:
                yield {
                    "source_id": _slip(one, question),
                    "code": one.code,
                    "criterion": criterion,
                    "level": int(level),
                    "rated_at": f"{wall_time(one.returned)}+07:00",
                    "agency_code": one.agency.code,
                    "remark": answers.remark(one, question),
                }


def _sheet(answers: Answers, question: int) -> Paper:
    return Paper(
        code="Mã hồ sơ",
        due="Thời điểm",
        status="Mức độ",
        name=_name,
        tells=lambda one: answers.answer(one, question) is not None,
        line=partial(_line, answers, question),
        write=lambda lines: papers.csv_file(lines, encode=lambda text: text.encode("utf-8"), delimiter=";"),
    )


def _line(answers: Answers, question: int, one: Reading) -> Line:
    level = answers.answer(one, question)
    assert level is not None, "only what was answered has a row"
    assert one.returned is not None, "it is answered when the result is handed over"
    return {
        "Số phiếu": _slip(one, question),
        "Mã hồ sơ": dossier_long(one.code),
        "Mã đơn vị": agency_long(one.agency.code),
        "Nội dung đánh giá": CRITERIA[question],
        "Mức độ": LEVELS[level],
        "Thời điểm": written.moment(one.returned),
        "Ý kiến": answers.remark(one, question),
    }


def _slip(one: Reading, question: int) -> str:
    return f"DG{one.number:08d}-{question + 1}"


def _name(now: datetime, number: int) -> str:
    return f"DG_{now:%Y%m%d_%H%M%S}_{number:04d}.csv"
