"""What the provincial system makes of documents, traces and searches."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.targets.province.documents import InvalidMessageError, local_time, parse_document, parse_trace
from sandbox.targets.province.search import parse_search, shown
from sandbox.targets.province.statuses import (
    BY_NATIONAL,
    NATIONAL,
    NOT_RELEASED,
    TEXTS,
    Status,
    after_document,
    after_trace,
)
from schemas.states import State

NO_DATE = "0000-00-00T00:00:00.000+0700"
DOCUMENT = {
    "DocTypeCode": "1.990101",
    "DocTypeName": "Đổi giấy phép lái xe",
    "DocCode": "H12.07-250812-0002",
    "CitizenName": "Nguyễn Văn Mẫu",
    "ApplicantsId": "000099000001",
    "ApplicantsType": 1,
    "Phone": "0900000000",
    "DateReceived": "2025-08-12T08:15:00.000Z",
    "DateAppointed": "2025-08-19T17:00:00.000Z",
    "IsSuccess": False,
    "SuccessDate": NO_DATE,
    "IsReturned": False,
    "ReturnedDate": NO_DATE,
    "ReturnedType": 0,
    "Status": 1,
    "ProcessingOrganName": "Trung tâm mẫu",
    "OrganInchargeIdLevel1": "H12",
    "OrganInchargeName": "UBND tỉnh Thử Nghiệm",
}
TRACE = {
    "DocumentId": 0,
    "DocCode": "H12.07-250812-0002",
    "UserName": "Trần Thị Thử",
    "UserPosition": "",
    "DateCreated": "2025-08-12T09:00:00.000Z",
    "Comment": "Chuyển xử lý",
    "Status": 4,
    "OrganizationInchargeIdLevel1": "H12",
    "OrganizationInchargeName": "UBND tỉnh Thử Nghiệm",
}


def test_the_z_of_a_date_is_a_letter_after_local_time() -> None:
    assert local_time("2025-08-12T08:15:00.000Z") == "2025-08-12T08:15:00"
    assert local_time("2025-08-12T08:15:00.000+0700") == "2025-08-12T08:15:00"
    assert shown(local_time("2025-08-12T08:15:00.000Z")) == "12/08/2025 08:15:00"


@pytest.mark.parametrize("value", [None, "", NO_DATE])
def test_there_are_several_ways_to_say_no_date(value: object) -> None:
    assert local_time(value) is None
    assert shown(local_time(value)) == ""


@pytest.mark.parametrize("value", ["12/08/2025", "2025-08-12T08:15:00+00:00", "2025-02-30T08:15:00Z", 20250812, True])
def test_other_dates_are_not_understood(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        local_time(value)


def test_a_document_as_public_senders_write_it_is_taken() -> None:
    document = parse_document(DOCUMENT | {"IsReturned": "true", "Attachments": [{"Base64": "bWF1"}], "Address": None})
    assert (document.code, document.received, document.status) == ("H12.07-250812-0002", "2025-08-12T08:15:00", 1)
    assert document.returned


@pytest.mark.parametrize("name", sorted(DOCUMENT))
def test_no_required_field_of_a_document_may_be_absent(name: str) -> None:
    with pytest.raises(InvalidMessageError, match=f"Thiếu trường {name}"):
        parse_document({key: value for key, value in DOCUMENT.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DocCode", ""),
        ("Status", 3),
        ("Status", "1"),
        ("Status", True),
        ("IsSuccess", 1),
        ("ApplicantsType", 0),
        ("DateReceived", NO_DATE),
        ("DateAppointed", "19/08/2025"),
        ("FinishedDate", "18/08/2025"),
        ("Attachments", {}),
        ("Note", 5),
    ],
)
def test_a_malformed_field_of_a_document_is_named_without_its_value(name: str, value: object) -> None:
    with pytest.raises(InvalidMessageError, match=f"Trường {name} không hợp lệ$"):
        parse_document(DOCUMENT | {name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("Status", 11), ("Status", 0), ("UserName", " "), ("DateCreated", NO_DATE), ("DocumentId", "0")]
)
def test_a_malformed_field_of_a_trace_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidMessageError, match=name):
        parse_trace(TRACE | {name: value})


def test_a_trace_may_say_nothing_about_the_status() -> None:
    trace = parse_trace({key: value for key, value in TRACE.items() if key not in ("Status", "Comment")})
    assert trace.status is None
    assert trace.comment == ""


def test_every_national_state_has_a_status_of_its_own() -> None:
    assert set(BY_NATIONAL) == set(State)
    assert set(BY_NATIONAL.values()) == set(Status) == set(NATIONAL) == set(TEXTS)


@pytest.mark.parametrize("current", [None, *Status])
def test_a_document_in_process_leaves_alone_only_what_is_in_process(current: Status | None) -> None:
    after = after_document(current, 1, returned=False)
    assert after == (current if current in NOT_RELEASED else Status.PROCESSING)


@pytest.mark.parametrize("current", [None, *Status])
def test_a_document_that_is_releasing_or_returned_says_so_whatever_was_before(current: Status | None) -> None:
    assert after_document(current, 2, returned=False) is Status.RELEASING
    assert after_document(current, 1, returned=True) is Status.DONE
    assert after_document(current, 2, returned=True) is Status.DONE


@given(st.sampled_from(Status), st.sampled_from(State))
def test_a_trace_moves_the_status_to_what_it_names(current: Status, state: State) -> None:
    assert after_trace(current, int(state)) is BY_NATIONAL[state]
    assert after_trace(current, None) is current


def test_a_search_reads_offsets_and_filters() -> None:
    search = parse_search(
        {
            "start": "30",
            "end": "45",
            "fromReceiveDate": "01/08/2025",
            "toReceiveDate": "31/08/2025",
            "status": "processing,waiting",
            "order": "true",
            "agency": "không dùng",
        }
    )
    assert (search.start, search.end) == (30, 45)
    assert (search.received_from, search.received_before) == ("2025-08-01T00:00:00", "2025-09-01T00:00:00")
    assert search.statuses == {"processing", "waiting"}
    assert search.newest_first


def test_an_end_of_zero_means_one_default_page() -> None:
    search = parse_search({"start": "15", "end": "0"})
    assert (search.start, search.end) == (15, 30)
    assert not search.is_filtered


def test_a_filter_with_a_time_includes_that_second() -> None:
    search = parse_search({"toReceiveDate": "12/08/2025 08:15:00"})
    assert search.received_before == "2025-08-12T08:15:01"


@pytest.mark.parametrize("query", [{"start": "-1"}, {"end": "x"}, {"fromReceiveDate": "2025-08-01"}])
def test_a_parameter_that_cannot_be_read_is_named(query: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(query))):
        parse_search(query)
