"""Jobs: ordered for a window, asked about with growing pauses, fetched, deleted, never taken over by another run."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from entries import NOW
from loopback import Asked, Reply
from services import SPACE, answer, asked, ho_so, jobs_of, keys, listing, operation_of, pull, wsdl

from connectors import windows
from connectors.api import CheckStatus, Window
from connectors.catalog_models import PullStyle
from connectors.errors import BrokenAnswer, ContractBroken, NotSent, OutcomeUnknown, Refused
from schemas.times import VN

OPTIONS: dict[str, Any] = {
    "path": "/ws",
    "order": {"operation": "datLenh", "request": {"tu": "{since:%Y%m%d%H%M%S}", "den": "{until:%Y%m%d%H%M%S}"},
              "job": "lenh"},
    "status": {"operation": "hoiLenh", "request": {"lenh": "{job}"}, "state": "tinhTrang",
               "running": ["CHO", "DANG_LAM"], "done": ["XONG"], "failed": ["LOI"]},
    "result": {"operation": "layKetQua", "request": {"lenh": "{job}", "trang": "{page}", "soDong": "{size}"},
               "paging": {"kind": "page"}, "answer": {"records": "danhSach.hoSo", "total": "tongSo", "key": "ma"}},
    "delete": {"operation": "xoaLenh", "request": {"lenh": "{job}"}},
    "poll": {"first": "1s", "longest": "4s", "deadline": "1m"},
}  # fmt: skip

FORGOTTEN = {"faults": {"rules": [{"code": "Client.KhongCo", "means": "absent"}]}}
NO_JOB = answer("<s:Fault><faultcode>s:Client.KhongCo</faultcode></s:Fault>", status=500)


class Jobs:
    """A service that makes lists as jobs; ``states`` are told one after the other."""

    def __init__(self, records: int = 25, states: tuple[str, ...] = ("CHO", "DANG_LAM", "XONG")) -> None:
        self.records = [ho_so(f"A{number:02d}", "2025-08-20T08:00:00") for number in range(records)]
        self.states = states
        self.asked: list[tuple[str, str | None]] = []
        self.ordered: list[tuple[str, str]] = []
        self.waiting: dict[str, list[str]] = {}
        self.replies: dict[str, Reply] = {}
        self.forget_before: str | None = None

    def __call__(self, request: Asked) -> Reply:
        if request.method == "GET":
            return Reply(404)
        operation = operation_of(request)
        job = asked(request, "lenh")
        self.asked.append((operation, job))
        if operation in self.replies:
            return self.replies[operation]
        if self.forget_before == operation:
            self.forget_before = None
            self.waiting.clear()
        if job is not None and job not in self.waiting:
            return NO_JOB
        return getattr(self, operation)(request, job)

    def datLenh(self, request: Asked, _: str | None) -> Reply:  # noqa: N802
        self.ordered.append((asked(request, "tu"), asked(request, "den")))
        job = f"J{len(self.ordered)}"
        self.waiting[job] = list(self.states)
        return answer(f'<datLenhResponse xmlns="{SPACE}"><lenh>{job}</lenh></datLenhResponse>')

    def hoiLenh(self, _: Asked, job: str) -> Reply:  # noqa: N802
        states = self.waiting[job]
        state = states.pop(0) if len(states) > 1 else states[0]
        return answer(f'<hoiLenhResponse xmlns="{SPACE}"><tinhTrang>{state}</tinhTrang></hoiLenhResponse>')

    def layKetQua(self, request: Asked, job: str) -> Reply:  # noqa: N802
        assert self.waiting[job] == ["XONG"]
        page, size = int(asked(request, "trang")), int(asked(request, "soDong"))
        return answer(listing(self.records[(page - 1) * size : page * size], len(self.records), "layKetQua"))

    def xoaLenh(self, _: Asked, job: str) -> Reply:  # noqa: N802
        del self.waiting[job]
        return answer(f'<xoaLenhResponse xmlns="{SPACE}"/>')


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


class Clock:
    """Time that passes only in pauses."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def monotonic(self) -> float:
        return sum(self.pauses)


@pytest.fixture
def source(serve, contract):
    def start(service: Jobs, clock: Clock | None = None, entry: dict[str, Any] | None = None, **options: Any):
        clock = clock or Clock()
        return jobs_of(
            serve(service),
            contract,
            {**OPTIONS, **options},
            sleep=clock.sleep,
            monotonic=clock.monotonic,
            entry={"window_days": 366, **(entry or {})},
        )

    return start


def test_a_list_is_ordered_waited_for_fetched_and_deleted(source):
    service = Jobs()
    pages = pull(source(service))
    assert keys(pages) == [f"A{number:02d}" for number in range(25)]
    assert service.asked == [
        ("datLenh", None),
        *[("hoiLenh", "J1")] * 3,
        *[("layKetQua", "J1")] * 3,
        ("xoaLenh", "J1"),
    ]
    assert service.ordered == [("20250801000000", "20250901120000")]
    assert [page.cursor for page in pages] == [None, None, windows.to_text(NOW - timedelta(minutes=5))]


def test_each_window_has_a_job_of_its_own_and_moves_the_cursor(source):
    service = Jobs(records=1)
    pages = pull(source(service, entry={"window_days": 10}))
    assert [begin for begin, _ in service.ordered] == [f"202508{day}000000" for day in ("01", "11", "21", "31")]
    assert service.waiting == {}
    ends = [datetime(2025, 8, day, tzinfo=VN) for day in (11, 21, 31)]
    assert [page.cursor for page in pages] == [*map(windows.to_text, ends), windows.to_text(NOW - timedelta(minutes=5))]


def test_the_last_window_reaches_as_far_as_the_changes_seen(source):
    answers = {**OPTIONS["result"], "answer": {**OPTIONS["result"]["answer"], "changed": "luc"}}
    pages = pull(source(Jobs(), result=answers))
    assert pages[-1].cursor == windows.to_text(datetime(2025, 8, 20, 8, tzinfo=VN))
    pages = pull(source(Jobs(), result=answers, entry={"style": PullStyle.WINDOW}))
    assert pages[-1].cursor == windows.to_text(NOW - timedelta(minutes=5))


def test_an_explicit_window_moves_nothing(source):
    service = Jobs()
    window = Window(datetime(2025, 8, 3, tzinfo=VN), datetime(2025, 8, 5, tzinfo=VN))
    pages = pull(source(service), window=window)
    assert service.ordered == [("20250803000000", "20250805000000")]
    assert {page.cursor for page in pages} == {None}


def test_pauses_grow_up_to_the_longest(source):
    clock = Clock()
    pull(source(Jobs(states=("CHO",) * 6 + ("XONG",)), clock))
    assert clock.pauses == [1, 2, 4, 4, 4, 4]


def test_a_job_that_is_never_done_is_given_up_and_deleted(source):
    service = Jobs(states=("CHO",))
    with pytest.raises(OutcomeUnknown, match="not done within 60 s"):
        pull(source(service))
    assert service.asked[-1] == ("xoaLenh", "J1")


@pytest.mark.parametrize(("state", "kind"), [("LOI", NotSent), ("xong", ContractBroken), ("", ContractBroken)])
def test_a_job_that_fails_or_is_in_an_unknown_state_is_deleted(source, state, kind):
    service = Jobs(states=("CHO", state))
    with pytest.raises(kind):
        pull(source(service))
    assert service.asked[-1] == ("xoaLenh", "J1")
    assert ("layKetQua", "J1") not in service.asked


def test_a_result_that_breaks_leaves_no_job_behind(source):
    service = Jobs()
    service.replies["layKetQua"] = answer(listing([], total=3, operation="layKetQua"))
    with pytest.raises(BrokenAnswer):
        pull(source(service))
    assert service.waiting == {}


def test_a_pull_that_is_left_deletes_its_job(source):
    service = Jobs()
    pages = source(service).pull(window=None, cursor=None, open_codes=(), now=NOW)
    next(pages)
    pages.close()
    assert service.waiting == {}


def test_that_a_job_cannot_be_deleted_is_only_a_warning(source, caplog):
    service = Jobs()
    service.replies["xoaLenh"] = answer("<s:Fault><faultcode>s:Client</faultcode></s:Fault>", status=500)
    assert len(keys(pull(source(service)))) == 25
    assert "a job is left behind" in caplog.text


def test_the_next_run_orders_anew(source):
    service = Jobs()
    service.replies["hoiLenh"] = answer("<s:Fault><faultcode>s:Client</faultcode></s:Fault>", status=500)
    with pytest.raises(Refused):
        pull(source(service))
    service.replies.clear()
    pull(source(service))
    assert {job for operation, job in service.asked if operation == "layKetQua"} == {"J2"}


@pytest.mark.parametrize("operation", ["hoiLenh", "layKetQua"])
def test_a_job_that_a_restart_over_there_forgets_is_ordered_anew(source, caplog, operation):
    service = Jobs()
    pages = source(service, **FORGOTTEN).pull(window=None, cursor=None, open_codes=(), now=NOW)
    read = [next(pages)] if operation == "layKetQua" else []
    service.forget_before = operation
    read += pages
    assert sorted(set(keys(read))) == [f"A{number:02d}" for number in range(25)]
    assert [job for asked_for, job in service.asked if asked_for == "layKetQua"][-3:] == ["J2"] * 3
    assert service.waiting == {}
    assert "ordered anew" in caplog.text
    assert "left behind" not in caplog.text


def test_jobs_that_are_forgotten_again_and_again_end_the_run(source):
    service = Jobs()
    service.replies["hoiLenh"] = NO_JOB
    with pytest.raises(NotSent, match="3 jobs"):
        pull(source(service, **FORGOTTEN))
    assert service.waiting == {}


@pytest.mark.parametrize("told", ["", "<lenh/>", f"<lenh>{'x' * 201}</lenh>"])
def test_an_order_that_names_no_job_is_broken(source, told):
    service = Jobs()
    service.replies["datLenh"] = answer(f'<datLenhResponse xmlns="{SPACE}">{told}</datLenhResponse>')
    with pytest.raises(BrokenAnswer, match="names no job at lenh"):
        pull(source(service))


def test_check_runs_a_small_job_to_its_end(source):
    service = Jobs(records=0)
    results = source(service, live_wsdl="/none").check()
    assert {result.name: result.status for result in results} == {
        "contract": CheckStatus.OK,
        "operation": CheckStatus.OK,
        "connection": CheckStatus.OK,
        "drift": CheckStatus.WARNING,
        "sign-in": CheckStatus.OK,
        "read": CheckStatus.OK,
    }
    assert service.waiting == {}
