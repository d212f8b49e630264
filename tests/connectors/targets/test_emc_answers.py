"""EMC's answers and the export of its dashboard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.targets.answers import Kind, of_bare_status
from connectors.targets.emc_answers import parse_export

EXPORT = "﻿codeTTHC,status,events\r\n1.001612,1,3\r\n1.001612,3,2\r\n2.001610,1,1\r\nTổng số hồ sơ,,4\r\n"


def answer(body: str | bytes, status: int = 200, media_type: str = "text/csv") -> Answer:
    raw = body.encode() if isinstance(body, str) else body
    return Answer(system="emc", where="GET /dashboard", status=status, headers={"content-type": media_type}, body=raw)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_without_a_page_is_a_success(status: int) -> None:
    assert of_bare_status(answer("", status)).kind is Kind.DONE


def test_a_page_of_markup_is_nobody_s_success() -> None:
    assert of_bare_status(answer("<!DOCTYPE html>", media_type="text/html")).kind is Kind.UNCLEAR
    assert of_bare_status(answer("\n <html>", media_type="")).kind is Kind.UNCLEAR


@pytest.mark.parametrize(
    ("status", "meaning"), [(400, Kind.REFUSED), (404, Kind.NOT_NOW), (429, Kind.NOT_NOW), (500, Kind.UNCLEAR)]
)
def test_other_statuses_speak_for_themselves(status: int, meaning: Kind) -> None:
    assert of_bare_status(answer("", status)).kind is meaning


def test_the_export_gives_events_by_status_and_distinct_dossiers() -> None:
    assert parse_export(answer(EXPORT)) == {"status:1": 4, "status:3": 2, "dossiers": 4}


def test_an_empty_export_counts_nothing() -> None:
    assert parse_export(answer("codeTTHC,status,events\nTổng số hồ sơ,,0\n")) == {"dossiers": 0}


def test_columns_are_found_by_name() -> None:
    export = 'Tên,events,codeTTHC,status\r\n"Cấp, đổi",5,1.001612,2\r\nTổng,3,,\r\n'
    assert parse_export(answer(export)) == {"status:2": 5, "dossiers": 3}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html></html>",
        "procedure;status;events\r\n",
        "codeTTHC,status,events\r\n1.001612,1,3\r\n",
        "codeTTHC,status,events\r\n1.001612,1,many\r\nTổng,,1\r\n",
        "codeTTHC,status,events\r\n1.001612,new,3\r\nTổng,,1\r\n",
        "codeTTHC,status,events\r\n1.001612,1\r\nTổng,,1\r\n",
        "codeTTHC,status,events\r\n1.001612,1,3\r\n1.001612,1,2\r\nTổng,,1\r\n",
        "codeTTHC,status,events\r\nTổng,,1\r\n1.001612,1,3\r\n",
        "codeTTHC,status,events\r\n1.001612,1,3\r\nTổng,,9\r\n",
        b"codeTTHC,status,events\r\n\xff\xfe",
    ],
)
def test_an_export_that_cannot_be_whole_is_an_error(body: str | bytes) -> None:
    with pytest.raises(BrokenAnswer):
        parse_export(answer(body))


@given(st.integers(0, len(EXPORT.encode()) - 1))
def test_an_export_cut_anywhere_is_an_error_never_a_smaller_count(length: int) -> None:
    cut = EXPORT.encode()[:length]
    if not cut.decode("utf-8", "replace").rstrip().endswith(",,4"):
        with pytest.raises(BrokenAnswer):
            parse_export(answer(cut))
