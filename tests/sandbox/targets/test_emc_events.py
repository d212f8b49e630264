"""What EMC makes of an event, and how its dashboard writes the counts."""

import csv
from io import StringIO
from urllib.parse import urlencode

import orjson
import pytest

from sandbox.targets.emc.dashboard import as_csv, as_page
from sandbox.targets.emc.events import EventStatus, parse_event
from sandbox.targets.emc.store import Count

JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
EVENT = {
    "codeProfile": "000.00.07.H12-250812-0001",
    "siteId": 99999,
    "codeTTHC": "1.990101",
    "nameTTHC": "Đổi giấy phép lái xe",
    "status": "2",
    "data": "",
}


def test_json_and_form_say_the_same() -> None:
    told = parse_event(JSON, orjson.dumps(EVENT))
    assert (told.code, told.procedure, told.status, told.site_id) == (
        "000.00.07.H12-250812-0001",
        "1.990101",
        EventStatus.PROCESSING,
        99999,
    )
    form = parse_event(FORM, urlencode(EVENT).encode())
    assert (form.code, form.procedure, form.status, form.site_id) == (told.code, told.procedure, told.status, 99999)


def test_a_form_with_unescaped_vietnamese_letters_is_read() -> None:
    raw = "&".join(f"{name}={value}" for name, value in EVENT.items()).encode()
    assert parse_event(FORM, raw).body["nameTTHC"] == "Đổi giấy phép lái xe"


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", *(orjson.dumps(EVENT | change) for change in (
        {"codeProfile": ""}, {"codeTTHC": None}, {"status": "5"}, {"status": True}, {"siteId": "x"},
    ))],
)  # fmt: skip
def test_what_cannot_be_counted_is_told_apart(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_event(JSON, content)


COUNTS = [
    Count(procedure="1.990101", status=1, events=3),
    Count(procedure="1.990101", status=3, events=2),
    Count(procedure="2<b>", status=0, events=1),
]


def test_the_export_is_what_a_spreadsheet_writes() -> None:
    content = as_csv(COUNTS, 4)
    assert content.startswith(b"\xef\xbb\xbfcodeTTHC,status,events\r\n")
    rows = list(csv.reader(StringIO(content.decode("utf-8-sig"))))
    assert rows[1:] == [["1.990101", "1", "3"], ["1.990101", "3", "2"], ["2<b>", "0", "1"], ["Tổng số hồ sơ", "", "4"]]


def test_the_page_has_a_row_per_procedure_and_escapes_what_senders_wrote() -> None:
    page = as_page(COUNTS, 4)
    row = "<tr><td>1.990101</td><td>0</td><td>3</td><td>0</td><td>2</td><td>0</td><td>5</td></tr>"
    assert row in page
    assert "2&lt;b&gt;" in page
    assert '<strong id="total">4</strong>' in page
