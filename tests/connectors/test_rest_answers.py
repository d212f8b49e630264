"""What REST sources make of answers: success, embedded documents, cutting, and answers that cannot be believed."""

import gzip
import json
from typing import Any

import orjson
import pytest
from entries import NOW, records
from loopback import Reply, gzipped, json_reply
from rest_entries import rest_entry, source_of

from connectors.errors import BrokenAnswer, OutcomeUnknown, Redirected, Refused, SignInFailed, Throttled


def pull(serve, folder, reply, answer, *, detail=None, **keys):
    options: dict[str, Any] = {"request": {"path": "/ds"}, "answer": answer}
    if detail:
        options["detail"] = detail
    source = source_of(rest_entry(folder, {"style": "snapshot"}, options, **keys), serve(reply))
    return list(source.pull(window=None, cursor=None, open_codes=(), now=NOW))


# --- where the records are ---


@pytest.mark.parametrize(
    ("body", "answer", "expected"),
    [
        ([{"a": 1}], {}, [{"a": 1}]),
        ({"a": 1}, {}, [{"a": 1}]),
        ({"d": {"muc": [{"a": 1}]}}, {"records": "d.muc"}, [{"a": 1}]),
        ({"d": {"muc": {"a": 1}}}, {"records": "d.muc"}, [{"a": 1}]),
        ({"d": []}, {"records": "d"}, []),
        ({"d": None, "ma": 0}, {"records": "d", "success": {"at": "ma", "is": [0]}}, []),
        ({"tong": 0}, {"records": "d", "total": "tong"}, []),
    ],
)
def test_records_stand_where_the_entry_says(serve, tmp_path, body, answer, expected):
    assert records(pull(serve, tmp_path, json_reply(body), answer)) == expected


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"x": []}, {"records": "d"}),
        ({"d": None}, {"records": "d"}),
        ({"d": [1]}, {"records": "d"}),
        ({"d": "khong"}, {"records": "d"}),
        ({"d": [{"a": 1}, None]}, {"records": "d"}),
        ({"ma": 0}, {"records": "d", "success": {"at": "ma", "is": [0]}}),
        (None, {}),
        (3, {}),
        ("ok", {}),
        ([[]], {"records": ""}),
    ],
)
def test_an_answer_without_its_list_is_broken_not_empty(serve, tmp_path, body, answer):
    with pytest.raises(BrokenAnswer):
        pull(serve, tmp_path, json_reply(body), answer)


# --- success ---


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ({"ma": 0}, True),
        ({"ma": 0.0}, True),
        ({"ma": "00"}, True),
        ({"ma": True}, False),
        ({"ma": False}, False),
        ({"ma": "0"}, False),
        ({"ma": 1}, False),
        ({"ma": None}, False),
        ({}, False),
    ],
)
def test_http_200_is_not_success(serve, tmp_path, said, good):
    answer = {"records": "d", "success": {"at": "ma", "is": [0, "00"]}}
    reply = json_reply({**said, "d": [{"a": 1}]})
    if good:
        assert records(pull(serve, tmp_path, reply, answer)) == [{"a": 1}]
    else:
        with pytest.raises(Refused):
            pull(serve, tmp_path, reply, answer)


def test_a_missing_code_counts_as_null(serve, tmp_path):
    answer = {"records": "d", "success": {"at": "error_code", "is": [None]}}
    assert records(pull(serve, tmp_path, json_reply({"d": [{"a": 1}]}), answer)) == [{"a": 1}]
    with pytest.raises(Refused, match="error_code: -302"):
        pull(serve, tmp_path, json_reply({"error_code": -302, "message": "Sai ApiKey"}), answer)


def test_the_words_of_a_refusal_are_not_repeated(serve, tmp_path):
    answer = {"records": "d", "success": {"at": "ma", "is": [0], "message": "loi"}}
    for code in (7, "Nguyễn Văn Mẫu không tồn tại", {"ten": "Nguyễn Văn Mẫu"}):
        with pytest.raises(Refused) as caught:
            pull(serve, tmp_path, json_reply({"ma": code, "loi": "Nguyễn Văn Mẫu"}), answer)
        assert "Nguyễn" not in f"{caught.value} {caught.value!r}"


def test_a_listing_that_says_there_is_nothing_is_empty(serve, tmp_path):
    answer = {"records": "d", "success": {"at": "ma", "is": [0], "absent": [4]}}
    assert records(pull(serve, tmp_path, json_reply({"ma": 4}), answer)) == []


def test_an_answer_without_the_records_is_told_by_the_names_that_it_has(serve, tmp_path):
    told = {"tong": 1, "trang": {"hoSo": [], "Nguyễn": 1, "099": 2}}
    with pytest.raises(BrokenAnswer, match=r"no 'trang\.hoSoo'; there is in 'trang': hoSo") as caught:
        pull(serve, tmp_path, json_reply(told), {"records": "trang.hoSoo"})
    assert "options.answer.records" in caught.value.next_step
    assert "Nguyễn" not in str(caught.value)
    with pytest.raises(BrokenAnswer, match="no 'd'; there is: tong, trang"):
        pull(serve, tmp_path, json_reply(told), {"records": "d"})


@pytest.mark.parametrize(
    ("status", "key"), [(404, "options.request.path"), (400, "its parameters"), (403, "what the account may read")]
)
def test_a_refused_read_says_what_to_compare(serve, tmp_path, status, key):
    with pytest.raises(Refused) as caught:
        pull(serve, tmp_path, Reply(status), {"records": "d"})
    assert key in caught.value.next_step


# --- embedded documents ---

XML = (
    '<?xml version="1.0" encoding="utf-8"?><hotich xmlns="urn:h"><hoso loai="KS"><con>A</con><con>B</con>'
    '<rong/><khong xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    "<ten ngon='vi'>Nguyễn <!-- bỏ --> Mẫu</ten></hoso></hotich>"
)
EMBEDDED = {"records": "d", "embedded": [{"at": "x.data", "format": "json"}, {"at": "x.data", "format": "xml"}]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"ten": "Mẫu", "so": [1]}', {"ten": "Mẫu", "so": [1]}),
        ("[1, 2]", [1, 2]),
        (
            XML,
            {
                "hoso": {
                    "@loai": "KS",
                    "con": ["A", "B"],
                    "rong": "",
                    "khong": None,
                    "ten": {"@ngon": "vi", "#text": "Nguyễn  Mẫu"},
                }
            },
        ),
        ("chỉ là chữ", "chỉ là chữ"),
        ("17", "17"),
        ("", ""),
        ("{hỏng", "{hỏng"),
        ("<a><b></a>", "<a><b></a>"),
    ],
)
def test_texts_that_are_documents_are_replaced_by_what_they_say(serve, tmp_path, text, value):
    body = {"d": [{"x": {"data": text}}, {"x": [{"data": text}]}, {"x": None}, {}]}
    got = records(pull(serve, tmp_path, json_reply(body), EMBEDDED))
    assert got == [{"x": {"data": value}}, {"x": [{"data": value}]}, {"x": None}, {}]


def test_a_document_that_must_be_one_and_is_not_leaves_its_place_empty(serve, tmp_path):
    answer = {"records": "d", "embedded": [{"at": "data", "format": "xml", "optional": False}]}
    assert records(pull(serve, tmp_path, json_reply({"d": [{"data": "{}"}]}), answer)) == [{"data": None}]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><r>&e;</r>',
        "<!DOCTYPE r [<!ENTITY a 'xxxxxxxxxx'><!ENTITY b '&a;&a;&a;&a;'>]><r>&b;</r>",
        '<!DOCTYPE r SYSTEM "http://evil.example.invalid/r.dtd"><r/>',
        "<r>" * 300 + "</r>" * 300,
        f"<r>{'x' * 11_000_000}</r>",
    ],
    ids=["file", "bomb", "external", "deep", "huge text"],
)
def test_hostile_xml_is_not_opened(serve, tmp_path, text):
    answer = {"records": "d", "embedded": [{"at": "data", "format": "xml", "optional": False}]}
    assert records(pull(serve, tmp_path, json_reply({"d": [{"data": text}]}), answer)) == [{"data": None}]


# --- cutting ---


def test_what_the_entry_cuts_is_gone_from_the_records_and_from_the_raw_bytes(serve, tmp_path):
    body = {"d": [{"so": 1, "an": "BI MAT", "data": json.dumps({"phieu": "BI MAT", "ten": "x"})}], "an": "con"}
    answer = {"records": "d", "embedded": [{"at": "data", "format": "json"}]}
    (page,) = pull(serve, tmp_path, json_reply(body), answer, cut=["d[].an", "d[].data.phieu"])
    assert page.records == [{"so": 1, "data": {"ten": "x"}}]
    assert orjson.loads(page.raw) == {"d": [{"so": 1, "data": '{"ten":"x"}'}], "an": "con"}


def test_what_is_cut_is_gone_from_details_too(serve, tmp_path):
    def answer(asked):
        return json_reply({"ct": {"phieu": "BI MAT", "x": 1}} if asked.path == "/ct" else {"d": [{"so": 1}]})

    detail = {"request": {"path": "/ct", "params": {"so": "{id}"}}, "record": "ct"}
    (page,) = pull(serve, tmp_path, answer, {"records": "d", "key": "so"}, detail=detail, cut=["ct.phieu"])
    assert page.records == [{"list": {"so": 1}, "detail": {"x": 1}}]
    assert b"BI MAT" not in page.raw


def test_without_cuts_the_raw_bytes_are_those_of_the_answer(serve, tmp_path):
    body = b'{ "d" : [ {"a": 1.50} ] }'
    (page,) = pull(serve, tmp_path, Reply(body=b"\xef\xbb\xbf" + body), {"records": "d"})
    assert page.raw == body


def test_an_answer_that_cannot_be_cut_is_not_kept(serve, tmp_path):
    body = b'{"d": [{"x": ' + b"[" * 400 + b"]" * 400 + b"}]}"
    with pytest.raises(BrokenAnswer, match="nested too deep"):
        pull(serve, tmp_path, Reply(body=body), {"records": "d"}, cut=["d[].an"])


# --- answers that cannot be believed ---

VN = "Nguyễn Thị Mẫu, phường Thử Nghiệm"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(body=f'{{"d": [{{"t": "{VN}"}}]}}'.encode("utf-16")), "UTF-16"),
        (Reply(body=f'{{"d": [{{"t": "{VN}"}}]}}'.encode("utf-16-le")), "UTF-16"),
        (Reply(body='{"d": [{"t": "Nguyên Thi Mâu"}]}'.encode("cp1258")), "not UTF-8"),
        (Reply(body=b'{"d": [{"t": NaN}]}'), "not valid JSON"),
        (Reply(body=b'{"d": [{"t": 1e999}]}'), "not valid JSON"),
        (Reply(body=b'{"d": [{"t": 1}]} {}'), "not valid JSON"),
        (Reply(body=b'{"d": [{"t": 1}'), "not valid JSON"),
        (Reply(body=b'{"d": ' + b"[" * 5000 + b"]" * 5000 + b"}"), "not valid JSON"),
        (Reply(body=b""), "it is empty"),
        (Reply(204), "it is empty"),
        (Reply(202, b"   "), "it is empty"),
        (Reply(body=b"<html>Dang nhap</html>"), "page of markup"),
        (Reply(body=b'{"d": []}', media_type="text/html"), "page of markup"),
        (Reply(body=b"OK", media_type="text/plain"), "not valid JSON"),
    ],
)
def test_an_answer_that_cannot_be_believed_is_broken_and_says_why(serve, tmp_path, reply, says):
    with pytest.raises(BrokenAnswer, match=says) as caught:
        pull(serve, tmp_path, reply, {"records": "d"})
    assert "GET /ds" in str(caught.value)
    assert "Nguy" not in f"{caught.value!r}{caught.value.__context__!r}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b'{"d": [{"t": "\xe1\xba\xbf"}]}', media_type="text/plain; charset=utf-8"),
        Reply(body=b'{"d": [{"t": "\xe1\xba\xbf"}]}', media_type=""),
        gzipped(b'{"d": [{"t": "\xe1\xba\xbf"}]}'),
    ],
    ids=["as text", "no type", "compressed"],
)
def test_json_is_taken_whatever_type_it_is_called(serve, tmp_path, reply):
    assert records(pull(serve, tmp_path, reply, {"records": "d"})) == [{"t": "ế"}]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"a\ud800", "a\ufffd"),
        (r"\uDFFFb", "\ufffdb"),
        (r"\ud83d\ude00\ud83d", "\U0001f600\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud800 \ud800", "\\ud800 \ufffd"),
        (r"\\\ud800\u0041", "\\\ufffdA"),
    ],
)
def test_half_of_a_surrogate_pair_spoils_its_text_and_not_the_page(serve, tmp_path, written, read):
    body = f'{{"d": [{{"t": "{written}"}}, {{"t": "{VN}"}}]}}'.encode()
    assert records(pull(serve, tmp_path, Reply(body=body), {"records": "d"})) == [{"t": read}, {"t": VN}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"d": [{"ma": "H1", "ma": "H2"}]}',
        b'{"d": [], "d": [{"ma": "H1"}]}',
        b'{"d": [{"so": 123456789012345678901}]}',
        b'{"d": [{"so": -9223372036854775809}]}',
    ],
    ids=["key twice in a record", "key twice above", "large", "largely negative"],
)
def test_a_strict_entry_refuses_what_would_lose_something(serve, tmp_path, body):
    with pytest.raises(BrokenAnswer, match=r"twice|64 bits"):
        pull(serve, tmp_path, Reply(body=body), {"records": "d", "strict": True})


def test_a_strict_entry_keeps_large_numbers_exact(serve, tmp_path):
    body = b'{"d": [{"a": 18446744073709551615, "b": -9223372036854775808, "c": 0.1}]}'
    found = records(pull(serve, tmp_path, Reply(body=body), {"records": "d", "strict": True}))
    assert found == [{"a": 2**64 - 1, "b": -(2**63), "c": 0.1}]


# --- what HTTP says ---


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(302, headers={"Location": "/dang-nhap"}), Redirected),
        (Reply(307, headers={"Location": "http://evil.example.invalid"}), Redirected),
        (Reply(403), Refused),
        (Reply(404), Refused),
        (Reply(500), OutcomeUnknown),
        (Reply(504, b"<html>"), OutcomeUnknown),
        (Reply(429, headers={"Retry-After": "3600"}), Throttled),
        (Reply(503, headers={"Retry-After": "3600"}), Throttled),
        (Reply(401), SignInFailed),
        (Reply(body=gzip.compress(b"0" * (3 << 20)), headers={"Content-Encoding": "gzip"}), BrokenAnswer),
        (Reply(body=b"x", headers={"Content-Encoding": "br"}), BrokenAnswer),
    ],
)
def test_what_goes_wrong_below_comes_out_as_what_it_means(serve, tmp_path, reply, error):
    with pytest.raises(error):
        pull(serve, tmp_path, reply, {"records": "d"}, limits={"max_response_mb": 1})


def test_a_broken_answer_is_asked_for_again(serve, tmp_path):
    replies = iter(
        [Reply(502), Reply(body=b'{"d": ['), Reply(429, headers={"Retry-After": "0"}), json_reply({"d": []})]
    )
    assert records(pull(serve, tmp_path, lambda _: next(replies), {"records": "d"})) == []
