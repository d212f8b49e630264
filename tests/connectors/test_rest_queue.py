"""Pull style ``queue`` of REST sources: messages are acknowledged once they are stored, and only then."""

import threading
from typing import Any

import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.errors import OutcomeUnknown, Refused
from connectors.rest.queue import Outstanding

OPTIONS: dict[str, Any] = {
    "request": {"path": "/ds", "params": {"unit_code": "000.00.00.H12"}},
    "answer": {"records": "thu", "key": "id"},
    "detail": {"request": {"path": "/ct", "params": {"id": "{id}"}}, "record": "thu"},
    "acknowledge": {"method": "POST", "path": "/nhan", "params": {"id": "{id}", "status": "done"}},
}


class Mailbox:
    """Hands out its messages, at most ``batch`` at once, until each is acknowledged."""

    def __init__(self, count: int, batch: int = 1000) -> None:
        self.waiting = list(range(7000, 7000 + count))
        self.batch = batch
        self.acknowledged: list[int] = []
        self.broken: set[int] = set()
        self.refused: set[int] = set()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/ds":
            return json_reply({"thu": [{"id": number} for number in self.waiting[: self.batch]]})
        number = int(asked.query["id"])
        if asked.path == "/ct":
            return json_reply({"loi": 1}, 410) if number in self.broken else json_reply({"thu": {"so": number}})
        if number in self.refused:
            return json_reply({}, 409)
        self.acknowledged.append(number)
        self.waiting = [one for one in self.waiting if one != number]
        return Reply(200)


@pytest.fixture
def mailbox(serve, tmp_path):
    def start(count, batch=1000, options=OPTIONS, **pull):
        system = Mailbox(count, batch)
        server = serve(system)
        return system, server, source_of(rest_entry(tmp_path, {"style": "queue", **pull}, options), server)

    return start


def pull(source):
    return source.pull(window=None, cursor=None, open_codes=(), now=NOW)


def stored(source):
    """Read as a pull does: each page is stored, then acknowledged."""
    pages = []
    for page in pull(source):
        pages.append(page)
        if page.after_store:
            page.after_store()
    return pages


def test_every_message_is_read_with_its_detail_and_acknowledged_after_it_was_stored(mailbox):
    system, server, source = mailbox(25)
    pages = []
    for page in pull(source):
        assert len(system.acknowledged) == sum(len(one.records) for one in pages)
        pages.append(page)
        page.after_store()
    assert [len(page.records) for page in pages] == [10, 10, 5]
    assert records(pages)[0] == {"list": {"id": 7000}, "detail": {"so": 7000}}
    assert system.acknowledged == list(range(7000, 7025))
    assert next(asked.query for asked in server.asked if asked.path == "/nhan") == {"id": "7000", "status": "done"}


def test_what_is_handed_out_again_before_it_is_acknowledged_is_passed_over(mailbox):
    system, server, source = mailbox(3)
    pages = list(pull(source))
    assert [len(page.records) for page in pages] == [3]
    assert system.acknowledged == []
    assert len([asked for asked in server.asked if asked.path == "/ds"]) == 1
    assert [len(page.records) for page in pull(source)] == [3]  # the next run gets it again


def test_a_queue_that_hands_out_batches_is_read_until_it_is_empty(mailbox):
    system, _, source = mailbox(25, batch=10)
    assert len(records(stored(source))) == 25
    assert system.waiting == []


def test_a_queue_that_goes_on_listing_what_was_acknowledged_is_not_read_for_ever(serve, tmp_path):
    system = Mailbox(10)
    frozen = list(system.waiting)

    def forgetful(asked: Asked) -> Reply:
        return json_reply({"thu": [{"id": number} for number in frozen]}) if asked.path == "/ds" else system(asked)

    server = serve(forgetful)
    source = source_of(rest_entry(tmp_path, {"style": "queue"}, OPTIONS), server)
    assert len(records(stored(source))) == 10
    assert len(system.acknowledged) == 10
    assert len([asked for asked in server.asked if asked.path == "/ds"]) == 2


def test_a_reader_ahead_of_the_store_waits_for_the_acknowledgements(mailbox):
    system, _, source = mailbox(25, batch=10)
    pages: list[Any] = []
    arrived = threading.Semaphore(0)

    def read() -> None:
        for page in pull(source):
            pages.append(page)
            arrived.release()
        arrived.release()

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(3):
        assert arrived.acquire(timeout=20)
        pages[number].after_store()
    thread.join(20)
    assert len(records(pages)) == 25
    assert len(system.acknowledged) == 25


def test_when_nobody_acknowledges_the_rest_is_left_for_the_next_run():
    outstanding = Outstanding(patience_s=0.01)
    assert outstanding.wait()
    outstanding.add()
    assert not outstanding.wait()
    outstanding.done()
    assert outstanding.wait()


def test_when_one_cannot_be_acknowledged_nobody_waits_for_the_others():
    outstanding = Outstanding(patience_s=3600)
    outstanding.add()
    outstanding.give_up()
    assert not outstanding.wait()


def test_an_empty_queue_gives_one_empty_page(mailbox):
    _, _, source = mailbox(0)
    pages = stored(source)
    assert [list(page.records) for page in pages] == [[]]


def test_a_message_whose_detail_is_refused_is_stored_without_it_and_stays_in_the_queue(mailbox):
    system, _, source = mailbox(3)
    system.broken.add(7001)
    assert [record["detail"] for record in records(stored(source))] == [{"so": 7000}, None, {"so": 7002}]
    assert system.waiting == [7001]
    system.broken.clear()
    assert [record["detail"] for record in records(stored(source))] == [{"so": 7001}]
    assert system.waiting == []


def test_an_acknowledgement_that_is_refused_fails_the_run_after_the_others_were_sent(mailbox):
    system, _, source = mailbox(5)
    system.refused.add(7001)
    (page,) = list(pull(source))
    with pytest.raises(Refused):
        page.after_store()
    assert system.waiting == [7001]


def test_an_acknowledgement_is_sent_again_after_an_unclear_outcome(serve, tmp_path):
    system = Mailbox(1)
    outcomes = iter([502, 200])

    def applies_and_fails(asked: Asked) -> Reply:
        reply = system(asked)
        return Reply(next(outcomes)) if asked.path == "/nhan" else reply

    stored(source_of(rest_entry(tmp_path, {"style": "queue"}, OPTIONS), serve(applies_and_fails)))
    assert system.acknowledged == [7000, 7000]


def test_an_acknowledgement_must_say_success_where_the_entry_asks_for_it(serve, tmp_path):
    def answer(asked: Asked) -> Reply:
        return json_reply({"thu": [{"id": 1}]}) if asked.path == "/ds" else json_reply({"ma": "loi"})

    options = {key: OPTIONS[key] for key in ("request", "answer")}
    options["acknowledge"] = {**OPTIONS["acknowledge"], "success": {"at": "ma", "is": ["ok"]}}
    source = source_of(rest_entry(tmp_path, {"style": "queue"}, options), serve(answer))
    (page,) = list(pull(source))
    with pytest.raises(Refused, match="ma: loi"):
        page.after_store()


def test_a_queue_that_cannot_be_reached_raises_and_acknowledges_nothing(serve, tmp_path):
    source = source_of(rest_entry(tmp_path, {"style": "queue"}, OPTIONS), serve(Reply(502)))
    with pytest.raises(OutcomeUnknown):
        list(pull(source))
