"""Every kind of paging of REST sources, against servers that page rightly, and against others."""

from typing import Any

import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.errors import BrokenAnswer, Repeated

NUMBERS = [f"H{number:02d}" for number in range(25)]
REQUEST = {"path": "/ds", "headers": {"X-Tu": "{since:%Y-%m-%d}"}}
ANSWER = {"records": "muc", "key": "ma"}
PAGED = {"trang": "{page}", "so": "{size}"}


def rows(codes: list[str]) -> list[dict[str, str]]:
    return [{"ma": code} for code in codes]


def read(serve, folder, script, paging, params, *, answer=ANSWER, **settings):
    options = {"request": {**REQUEST, "params": params}, "paging": paging, "answer": answer}
    # A window over receptions does not move, so every kind of paging may be used with it.
    entry = rest_entry(folder, {"style": "window", "window_days": 100}, options)
    server = serve(script)
    source = source_of(entry, server, **settings)
    pages = list(source.pull(window=None, cursor=None, open_codes=(), now=NOW))
    return [record["ma"] for record in records(pages)], server


def cut(asked: Asked, first: int, **more: Any) -> Reply:
    return json_reply({"muc": rows(NUMBERS[first : first + int(asked.query.get("so", 10))]), **more})


def test_page_numbers_count_up_until_a_page_is_short(serve, tmp_path):
    for start in (0, 1):
        got, server = read(
            serve,
            tmp_path,
            lambda asked, start=start: cut(asked, (int(asked.query["trang"]) - start) * 10),
            {"kind": "page", "first": start},
            PAGED,
        )
        assert got == NUMBERS
        assert [int(asked.query["trang"]) for asked in server.asked] == [start, start + 1, start + 2]


def test_page_numbers_end_when_the_system_says_so(serve, tmp_path):
    def answer(asked: Asked) -> Reply:
        page = int(asked.query["trang"])
        return cut(asked, (page - 1) * 10, cuoi=page == 3)

    got, server = read(serve, tmp_path, answer, {"kind": "page", "last": "cuoi"}, PAGED)
    assert got == NUMBERS
    assert len(server.asked) == 3


@pytest.mark.parametrize("total", [25, "25"])
def test_a_total_ends_page_numbers_without_one_call_too_many(serve, tmp_path, total):
    got, server = read(
        serve,
        tmp_path,
        lambda asked: json_reply({"muc": rows(NUMBERS[(int(asked.query["trang"]) - 1) * 5 :][:5]), "tong": total}),
        {"kind": "page"},
        PAGED,
        answer={**ANSWER, "total": "tong"},
    )
    # The system gives five records where ten were asked for; with a total that is no end.
    assert got == NUMBERS
    assert len(server.asked) == 5


@pytest.mark.parametrize("start", [0, 1])
def test_offsets_count_by_what_came(serve, tmp_path, start):
    def answer(asked: Asked) -> Reply:
        first = int(asked.query["start"]) - start
        assert int(asked.query["end"]) - int(asked.query["start"]) == 10
        return json_reply({"muc": rows(NUMBERS[first : first + 7]), "tong": 25})

    got, server = read(
        serve,
        tmp_path,
        answer,
        {"kind": "offset", "first": start},
        {"start": "{offset}", "end": "{end}"},
        answer={**ANSWER, "total": "tong"},
    )
    assert got == NUMBERS
    assert [int(asked.query["start"]) - start for asked in server.asked] == [0, 7, 14, 21]


@pytest.mark.parametrize(
    ("paging", "end"),
    [
        ({"kind": "cursor", "at": "tiep"}, {"tiep": None}),
        ({"kind": "cursor", "at": "tiep"}, {"tiep": ""}),
        ({"kind": "cursor", "at": "tiep"}, {}),
        ({"kind": "cursor", "at": "tiep", "more": "con"}, {"tiep": "thua", "con": False}),
    ],
)
def test_cursor_tokens_lead_on_until_there_is_none(serve, tmp_path, paging, end):
    def answer(asked: Asked) -> Reply:
        first = int(asked.query.get("sau", "t-0").removeprefix("t-"))
        more = {"tiep": f"t-{first + 10}", "con": True} if first + 10 < len(NUMBERS) else end
        return cut(asked, first, **more)

    got, server = read(serve, tmp_path, answer, paging, {"sau": "{cursor}"})
    assert got == NUMBERS
    assert "sau" not in server.asked[0].query


def test_an_empty_page_in_the_middle_is_no_end_for_a_cursor(serve, tmp_path):
    script = {
        "": {"muc": rows(["H1"]), "tiep": "a"},
        "a": {"muc": [], "tiep": "b"},
        "b": {"muc": rows(["H2"]), "tiep": None},
    }
    got, _ = read(
        serve,
        tmp_path,
        lambda asked: json_reply(script[asked.query.get("sau", "")]),
        {"kind": "cursor", "at": "tiep"},
        {"sau": "{cursor}"},
    )
    assert got == ["H1", "H2"]


def linking(write) -> Any:
    """A script whose pages lead on by what ``write`` makes of the next offset and the request."""

    def answer(asked: Asked) -> Reply:
        first = int(asked.query.get("tu", 0))
        following = first + 10 if first + 10 < len(NUMBERS) else None
        url = None if following is None else write(following, asked)
        body = {"muc": rows(NUMBERS[first : first + 10]), "sau": url}
        links = {} if url is None else {"Link": f'<{url}>; rel="next", </ds?tu=0>; rel="first"'}
        return json_reply(body, **links)

    return answer


@pytest.mark.parametrize("paging", [{"kind": "link-header"}, {"kind": "next-url", "at": "sau"}], ids=["header", "body"])
@pytest.mark.parametrize(
    "write",
    [
        lambda first, asked: f"http://{asked.headers['host']}/ds?tu={first}&x=a%2Bb",
        lambda first, _: f"/ds?tu={first}&x=a%2Bb",
        lambda first, _: f"?tu={first}&x=a%2Bb",
    ],
    ids=["whole", "from the path on", "query only"],
)
def test_links_lead_on_with_their_own_query(serve, tmp_path, paging, write):
    got, server = read(serve, tmp_path, linking(write), paging, {"loai": "moi"})
    assert got == NUMBERS
    assert [asked.query for asked in server.asked] == [
        {"loai": "moi"},
        {"tu": "10", "x": "a+b"},
        {"tu": "20", "x": "a+b"},
    ]


@pytest.mark.parametrize("paging", [{"kind": "link-header"}, {"kind": "next-url", "at": "sau"}], ids=["header", "body"])
@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example.invalid/ds?tu=10",
        "//evil.example.invalid/ds",
        "https://127.0.0.1/ds",
        "http://127.0.0.1:1/ds",
        "http://nguoi@evil.example.invalid/ds",
        "http://[::1/ds",
        "file:///etc/passwd",
    ],
)
def test_a_link_to_another_host_is_not_followed(serve, tmp_path, paging, url):
    with pytest.raises(BrokenAnswer, match="link to the next page"):
        read(serve, tmp_path, linking(lambda *_: url), paging, {})


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "127.0.0.1."])
def test_another_name_of_the_same_host_is_another_host(serve, tmp_path, host):
    asked_for = []

    def write(first: int, asked: Asked) -> str:
        asked_for.append(asked.query.get("tu"))
        return f"http://{host}:{asked.headers['host'].split(':')[1]}/ds?tu={first}"

    with pytest.raises(BrokenAnswer, match="link to the next page"):
        read(serve, tmp_path, linking(write), {"kind": "next-url", "at": "sau"}, {})
    assert asked_for == [None]


def test_behind_a_gateway_only_the_query_of_a_link_may_be_taken(serve, tmp_path):
    paging = {"kind": "link-header", "query_only": True}
    got, server = read(serve, tmp_path, linking(lambda first, _: f"http://noi-bo:81/goc/ds?tu={first}"), paging, {})
    assert got == NUMBERS
    assert {asked.path for asked in server.asked} == {"/ds"}


def test_a_connection_that_begins_with_a_path_keeps_it_for_links(serve, tmp_path):
    script = linking(lambda first, asked: f"http://{asked.headers['host']}/goc/ds?tu={first}")
    server = serve(script)
    options = {"request": REQUEST, "paging": {"kind": "link-header"}, "answer": ANSWER}
    entry = rest_entry(tmp_path, {"style": "window", "window_days": 100}, options)
    source = source_of(entry, server, host=f"http://127.0.0.1:{server.port}/goc", port=None)
    pages = list(source.pull(window=None, cursor=None, open_codes=(), now=NOW))
    assert len(records(pages)) == 25
    assert {asked.path for asked in server.asked} == {"/goc/ds"}


def test_the_key_goes_with_links_once(serve, tmp_path):
    options = {
        "auth": {"kind": "api-key", "params": {"key": "{password}"}},
        "request": REQUEST,
        "paging": {"kind": "link-header"},
        "answer": ANSWER,
    }
    server = serve(linking(lambda first, _: f"/ds?tu={first}" + ("&key=mat-khau" if first == 20 else "")))
    source = source_of(rest_entry(tmp_path, {"style": "window", "window_days": 100}, options), server)
    assert len(records(list(source.pull(window=None, cursor=None, open_codes=(), now=NOW)))) == 25
    assert [asked.query.get("key") for asked in server.asked] == ["mat-khau"] * 3


PAGE = ({"kind": "page"}, PAGED)
TOTAL = {**ANSWER, "total": "tong"}
FULL = rows(NUMBERS[:10])


@pytest.mark.parametrize(
    ("paging", "params", "answer", "reply", "error"),
    [
        (*PAGE, ANSWER, {"muc": FULL}, Repeated),
        (*PAGE, TOTAL, {"muc": [], "tong": 5}, BrokenAnswer),
        (*PAGE, TOTAL, {"muc": FULL}, BrokenAnswer),
        (*PAGE, TOTAL, {"muc": FULL, "tong": -1}, BrokenAnswer),
        (*PAGE, TOTAL, {"muc": FULL, "tong": True}, BrokenAnswer),
        (*PAGE, TOTAL, {"muc": FULL, "tong": 1.5}, BrokenAnswer),
        (*PAGE, TOTAL, {"muc": FULL, "tong": 10**9}, Repeated),
        ({"kind": "none"}, {}, TOTAL, {"muc": FULL, "tong": 11}, BrokenAnswer),
        ({"kind": "page", "last": "cuoi"}, PAGED, ANSWER, {"muc": FULL, "cuoi": "co"}, BrokenAnswer),
        ({"kind": "page", "last": "cuoi"}, PAGED, ANSWER, {"muc": [], "cuoi": False}, BrokenAnswer),
        ({"kind": "cursor", "at": "t"}, {"c": "{cursor}"}, ANSWER, {"muc": FULL, "t": "x"}, Repeated),
        ({"kind": "cursor", "at": "t"}, {"c": "{cursor}"}, ANSWER, {"muc": [], "t": "x"}, Repeated),
        ({"kind": "cursor", "at": "t"}, {"c": "{cursor}"}, ANSWER, {"muc": FULL, "t": {}}, BrokenAnswer),
        ({"kind": "cursor", "at": "t", "more": "m"}, {"c": "{cursor}"}, ANSWER, {"muc": FULL, "m": True}, BrokenAnswer),
        ({"kind": "cursor", "at": "t", "more": "m"}, {"c": "{cursor}"}, ANSWER, {"muc": FULL, "m": 1}, BrokenAnswer),
        ({"kind": "next-url", "at": "t"}, {}, ANSWER, {"muc": FULL, "t": "/ds"}, Repeated),
        ({"kind": "next-url", "at": "t"}, {}, ANSWER, {"muc": FULL, "t": 5}, BrokenAnswer),
    ],
    ids=[
        "page number ignored",
        "empty page before the total",
        "no total",
        "negative total",
        "true as total",
        "fraction as total",
        "absurd total and the same page for ever",
        "one call that brings less than announced",
        "last is no boolean",
        "empty yet not the last",
        "token repeated",
        "token repeated on empty pages",
        "token is an object",
        "more without a token",
        "more is no boolean",
        "link leads to itself",
        "link is a number",
    ],
)
def test_a_listing_that_cannot_be_trusted_is_an_error(serve, tmp_path, paging, params, answer, reply, error):
    with pytest.raises(error):
        read(serve, tmp_path, json_reply(reply), paging, params, answer=answer)


def test_pages_without_keys_are_known_by_their_content(serve, tmp_path):
    with pytest.raises(Repeated):
        read(serve, tmp_path, json_reply({"muc": FULL}), *PAGE, answer={"records": "muc"})


def test_pages_that_come_in_a_circle_are_noticed(serve, tmp_path):
    def circle(asked: Asked) -> Reply:
        return cut(asked, int(asked.query["trang"]) % 2 * 10)

    with pytest.raises(Repeated):
        read(serve, tmp_path, circle, *PAGE)
