"""`hosync reports` and `hosync statistics` as people read them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from rich.console import Console
from sqlalchemy import Engine

from cli.commands import reports as command
from cli.commands import statistics
from cli.errors import ExitCode, UserError
from cli.messages import Language, Texts
from cli.output import Output
from connectors.catalog import load_catalog
from ledger import reports
from ledger.reports import Counted
from ledger.sealing import Sealer
from ledger.types import Settled
from schemas.report import Levels, ReportKind, Votes, month_after, month_of
from sync.context import Context

LAST = month_after(month_of(datetime.now(UTC)), -1)
WHEN = {"month": None, "since": None, "agency": None}
Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(engine: Engine, sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs a command's work in Vietnamese; gives its exit code and what it printed."""

    @contextmanager
    def context() -> Iterator[Context]:
        yield Context(engine=engine, sealer=sealer, catalog=load_catalog())

    monkeypatch.setattr(Context, "from_env", context)

    def said(work: Callable[[Output], ExitCode], *, as_json: bool = False) -> tuple[int, str]:
        text = io.StringIO()
        console = Console(file=text, width=160)
        output = Output(out=console, err=console, texts=Texts(Language.VI), as_json=as_json)
        return int(work(output)), text.getvalue()

    return said


@pytest.fixture(scope="module")
def _one_given_up(engine: Engine) -> None:
    """A month of the portal's that nobody knows about, and one that has changed since."""
    votes = Votes(raters=1, by_criterion={"Thái độ": Levels(very=1)})
    for months, outcome in ((0, Settled.GIVEN_UP), (-1, Settled.ACCEPTED)):
        row = Counted(month=month_after(LAST, months), agency_code="H12", agency_name=None, figures=votes)
        reports.keep(engine, "npsp", ReportKind.SATISFACTION, [row], replaces=False)
        (claimed,) = reports.claim(engine, "npsp", owner=uuid4(), limit=1, lease_s=60)
        reports.settle(engine, "npsp", claimed, outcome, reason="?", replaces=False)
    more = Votes(raters=2, by_criterion={"Thái độ": Levels(very=2)})
    row = Counted(month=month_after(LAST, -1), agency_code="H12", agency_name=None, figures=more)
    reports.keep(engine, "npsp", ReportKind.SATISFACTION, [row], replaces=False)


@pytest.mark.usefixtures("_one_given_up")
def test_a_report_that_was_given_up_is_named_and_makes_the_exit_code_1(say: Say) -> None:
    code, text = say(lambda output: command.run(output, ["npsp"], send=False, again=False, failed=False, **WHEN))
    assert code == ExitCode.FAILED
    assert "mức độ hài lòng" in text
    assert f"{LAST:%m/%Y}" in text
    assert "không rõ kết quả, không gửi lại" in text
    assert "số liệu đã đổi sau khi gửi" in text


@pytest.mark.usefixtures("_one_given_up")
def test_machines_get_the_same(say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    run = command.run
    code, text = say(lambda o: run(o, ["npsp"], send=False, again=False, failed=False, **WHEN), as_json=True)
    told = json.loads(text or capsys.readouterr().out)
    assert code == ExitCode.FAILED
    assert [each["standing"] for each in told["reports"]] == ["given_up", "sent"]
    assert [each["changed_since"] for each in told["reports"]] == [False, True]


def test_again_without_a_month_is_a_wrong_call(say: Say) -> None:
    with pytest.raises(UserError, match="--again needs"):
        say(lambda output: command.run(output, ["npsp"], send=False, again=True, failed=False, **WHEN))
    wrong = {**WHEN, "month": "tháng ba"}
    with pytest.raises(UserError, match="is not a month"):
        say(lambda output: command.run(output, ["npsp"], send=False, again=True, failed=False, **wrong))


@pytest.mark.parametrize("agency", [None, "H12.12"])
def test_statistics_of_a_month_without_dossiers_are_zeros(say: Say, agency: str | None) -> None:
    code, text = say(lambda output: statistics.run(output, None, agency=agency))
    assert code == ExitCode.OK
    assert "Tổng cộng" in text
