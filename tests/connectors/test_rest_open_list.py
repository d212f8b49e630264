"""Pull style ``open-list`` of REST sources: the system is asked about the dossiers that we hold."""

from typing import Any

import orjson
import pytest
from entries import NOW, records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Asked, Reply, json_reply, serving
from rest_entries import rest_entry, source_of

from connectors.api import Window
from connectors.errors import Refused
from schemas.times import VN

SOME: dict[str, Any] = {
    "request": {"method": "POST", "path": "/hoi", "body": {"maTinh": "96", "ma": "{ids}"}},
    "answer": {"records": "value", "success": {"at": "status", "is": ["1"], "message": "moTa", "absent": ["Không có"]}},
}
ONE: dict[str, Any] = {**SOME, "request": {"method": "POST", "path": "/hoi", "body": {"ma": "{id}"}}}


def ministry(known: set[str], *, says: str = "Không có") -> Any:
    """Tells of what it knows; when it knows nothing of a question it says so by an error code."""

    def answer(asked: Asked) -> Reply:
        codes = asked.json["ma"]
        value = [
            {"ma": code, "trangThai": 3} for code in ([codes] if isinstance(codes, str) else codes) if code in known
        ]
        return json_reply({"status": "1" if value else "0", "moTa": "" if value else says, "value": value})

    return answer


def source(folder, server, options=SOME, *, per_call=3, **pull):
    pull = {"style": "open-list", "open_list": {"per_call": per_call}, **pull}
    return source_of(rest_entry(folder, pull, options), server)


def pull(source, codes, window=None):
    return list(source.pull(window=window, cursor=None, open_codes=codes, now=NOW))


def told(pages):
    return [record["ma"] for record in records(pages)]


def test_so_many_dossiers_go_into_one_call_and_a_page_holds_several_calls(serve, tmp_path):
    server = serve(ministry({f"H{number}" for number in range(12)}))
    codes = [f"H{number}" for number in range(12)]
    pages = pull(source(tmp_path, server), codes)
    assert told(pages) == codes
    assert [asked.json["ma"] for asked in server.asked] == [codes[:3], codes[3:6], codes[6:9], codes[9:10], codes[10:]]
    assert [len(page.records) for page in pages] == [10, 2]
    assert not any(page.cursor for page in pages)
    assert len(orjson.loads(pages[0].raw)["listed"]) == 4


def test_a_dossier_that_the_system_does_not_mention_is_no_error(serve, tmp_path):
    assert told(pull(source(tmp_path, serve(ministry({"H2"}))), ["H1", "H2", "H3"])) == ["H2"]


def test_a_dossier_that_the_system_says_it_does_not_know_is_no_error(serve, tmp_path):
    server = serve(ministry(set()))
    assert told(pull(source(tmp_path, server, ONE, per_call=1), ["H1", "H2"])) == []
    assert [asked.json["ma"] for asked in server.asked] == ["H1", "H2"]


def test_a_refusal_of_one_does_not_hold_up_the_others_but_of_all_is_an_error(serve, tmp_path):
    refusing = source(tmp_path, serve(ministry({"H2"}, says="Sai khóa")), ONE, per_call=1)
    assert told(pull(refusing, ["H1", "H2"])) == ["H2"]
    with pytest.raises(Refused, match="status: 0"):
        pull(refusing, ["H1", "H3"])


def test_without_open_dossiers_nothing_is_asked(serve, tmp_path):
    server = serve(ministry(set()))
    asking = source(tmp_path, server)
    assert pull(asking, []) == []
    assert pull(asking, [], Window(NOW.astimezone(VN), NOW)) == []
    assert server.asked == []


def test_details_are_asked_for_what_the_system_mentions(serve, tmp_path):
    listing = ministry({"H1", "H3"})

    def answer(asked: Asked) -> Reply:
        return json_reply({"ten": asked.query["ma"]}) if asked.path == "/ct" else listing(asked)

    options = {
        **SOME,
        "answer": {**SOME["answer"], "key": "ma"},
        "detail": {"request": {"path": "/ct", "params": {"ma": "{id}"}}},
    }
    pages = pull(source(tmp_path, serve(answer), options), ["H1", "H2", "H3"])
    assert [record["detail"] for record in records(pages)] == [{"ten": "H1"}, {"ten": "H3"}]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 40),
    per_call=st.integers(1, 7),
    page_size=st.integers(1, 15),
    twice=st.lists(st.integers(0, 39)),
)
def test_each_dossier_is_asked_about_exactly_once(tmp_path, count, per_call, page_size, twice):
    codes = [f"H{number}" for number in range(count)]
    with serving(ministry(set(codes))) as server:
        asking = source(tmp_path, server, per_call=per_call, page_size=page_size)
        pages = pull(asking, [*codes, *(code for code in codes if int(code[1:]) in twice)])
        asking.close()
    assert [code for asked in server.asked for code in asked.json["ma"]] == codes
    assert told(pages) == codes
    assert max((len(asked.json["ma"]) for asked in server.asked), default=0) <= per_call
