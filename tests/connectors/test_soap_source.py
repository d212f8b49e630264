"""The SOAP source: what it asks, in which order it reads, where its cursor goes."""

from datetime import date, timedelta

import pytest
from entries import NOW, source_entry
from hypothesis import example, given
from hypothesis import strategies as st
from loopback import Asked, Reply
from lxml import etree
from registry import GOOD, NAMES, START, Registry, fault, hourly, keys, pull, reader, xml

from connectors import windows
from connectors.api import CheckStatus, Window
from connectors.soap.listing import Question, following
from connectors.sources.soap import SoapSource


@pytest.fixture
def registry(serve):
    """Start a service with these records (or so many), and give it with a source that reads it."""

    def start(changed, **pull):
        system = Registry(hourly(changed) if isinstance(changed, int) else changed)
        return system, reader(serve(system), **pull)

    return start


def test_everything_is_read_and_the_cursor_moves_with_every_page(registry):
    system, source = registry(25)
    pages = pull(source)
    assert set(keys(pages)) == set(system.changed)
    assert [page.cursor for page in pages] == [
        windows.to_text(START + timedelta(hours=number)) for number in (9, 18, 24)
    ]


def test_the_request_is_what_the_contract_and_the_security_server_want(registry, serve):
    seen: list[Asked] = []
    system, _ = registry(1)

    def note(asked: Asked) -> Reply:
        seen.append(asked)
        return system(asked)

    settings = serve(note).settings(extra={"client": "VN-TEST/GOV/H12/other"})
    pull(SoapSource(source_entry("dkkd", start=date(2025, 8, 1)), settings))
    tree = etree.fromstring(seen[0].body)
    header = tree.find("s:Header", NAMES)
    assert [etree.QName(part).localname for part in header] == ["client", "service", "id", "protocolVersion"]
    assert [part.text for part in header[0]] == ["VN-TEST", "GOV", "H12", "other"]
    assert [etree.QName(part).localname for part in header[1]][-2:] == ["serviceCode", "serviceVersion"]
    assert header[0].get("{http://x-road.eu/xsd/identifiers}objectType") == "SUBSYSTEM"
    assert header.findtext("x:protocolVersion", namespaces=NAMES) == "4.0"
    assert seen[0].headers["content-type"] == "text/xml; charset=utf-8"
    assert tree.findtext(".//m:tuThoiDiem", namespaces=NAMES) == "2025-08-01T00:00:00+07:00"


def test_every_message_has_an_id_of_its_own(registry):
    system, source = registry(25)
    system.answers = [xml(fault("Server.ClientProxy.NetworkError"))]
    pull(source)
    assert len(set(system.ids)) == len(system.ids) == 4


def test_the_next_pull_begins_the_overlap_before_the_cursor_and_never_moves_it_back(registry):
    system, source = registry(25, overlap=timedelta(hours=12))
    cursor = windows.to_text(START + timedelta(hours=24))
    pages = pull(source, cursor=cursor)
    assert system.asked[0][0] == START + timedelta(hours=12)
    assert [page.cursor for page in pages] == [None, None]


def test_the_cursor_stays_behind_now(registry):
    system, source = registry({"A": NOW - timedelta(hours=1), "B": NOW + timedelta(days=1)})
    assert keys(pull(source)) == ["A", "B"]
    assert pull(source)[-1].cursor == windows.to_text(NOW - timedelta(minutes=5))
    assert system.asked


def test_a_record_that_changes_meanwhile_does_not_hide_another_one(registry):
    system, source = registry(25)

    def change(request: int) -> None:
        if request == 2:
            system.changed["DK000"] = START + timedelta(hours=30)

    system.meanwhile = change
    assert set(keys(pull(source))) == set(system.changed)


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("ties", [9, 10, 11, 25, 30])
def test_many_changes_at_one_moment_are_all_read(registry, before, ties):
    earlier = {f"A{number}": START + timedelta(minutes=number) for number in range(before)}
    changed = {**earlier, **{f"T{number}": START + timedelta(hours=1) for number in range(ties)}, "Z": NOW}
    _, source = registry(changed)
    assert set(keys(pull(source))) == set(changed)


@given(
    st.lists(st.integers(0, 12), max_size=40),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 39)), max_size=5),
)
@example([1, *[0] * 9, 1, 1, 1, 1, 1, 2], 3, [(6, 0)])  # who leaves a moment of many pages pulls others up past them
def test_reading_on_from_the_last_change_misses_nothing_that_stays(minutes, size, moves):
    """The paging rule alone, against a listing in which records move to the end while it is read."""
    changed = {number: START + timedelta(minutes=minute) for number, minute in enumerate(minutes)}
    question, seen, later = Question(START), set(), START + timedelta(hours=1)
    for request in range(1000):
        for when, who in moves:
            if when == request and who in changed:
                changed[who] = later = later + timedelta(minutes=1)
        found = sorted((moment, key) for key, moment in changed.items() if moment >= question.since)
        page = found[question.page * size : (question.page + 1) * size]
        seen.update(key for _, key in page)
        done = question.page * size + len(page) >= len(found)
        if done and not question.page:
            break
        question = following(question, [] if done else [moment for moment, _ in page])
    else:
        pytest.fail("the pass has no end")
    # Only a page number above 1 can be overtaken, and then only by records of the same moment.
    tied = {moment for moment in changed.values() if list(changed.values()).count(moment) >= size}
    assert all(key in seen for key, moment in changed.items() if moment not in tied or not moves)


def test_a_window_ends_with_its_end_and_leaves_the_cursor(registry):
    system, source = registry(100)
    window = Window(START + timedelta(hours=20), START + timedelta(hours=30))
    pages = pull(source, window=window)
    assert set(keys(pages)) >= {f"DK{number:03d}" for number in range(20, 30)}
    assert {page.cursor for page in pages} == {None}
    assert len(system.asked) == 2


def test_a_short_failure_is_overcome(registry):
    system, source = registry(5)
    system.answers = [Reply(502), xml(GOOD[:-30])]
    assert len(keys(pull(source))) == 5


def test_check_goes_through_the_security_server(registry):
    _, source = registry(5)
    results = source.check()
    assert [result.name for result in results] == ["contract", "operation", "connection", "sign-in", "read"]
    assert {result.status for result in results} == {CheckStatus.OK}


def test_check_names_an_operation_that_the_contract_does_not_have(serve):
    entry = source_entry("dkkd")
    wrong = entry.model_copy(update={"options": entry.options.model_copy(update={"operation": "danhSach"})})
    results = SoapSource(wrong, serve(Reply()).settings()).check()
    assert results[-1].status is CheckStatus.FAILED
    assert "danhSachHoSoThayDoi" in results[-1].detail
    near = entry.model_copy(update={"options": entry.options.model_copy(update={"operation": "danhSachHoSoThaiDoi"})})
    assert "Did you mean 'danhSachHoSoThayDoi'?" in SoapSource(near, serve(Reply()).settings()).check()[-1].fix
