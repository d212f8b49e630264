"""Systems call us: success means durable, a stranger learns nothing, what is wrong is said, a repeat counts once."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import psycopg
import pytest
import requests
from inbound_endpoint import BODY, CODE_GET, SECRET, Endpoint, body, reception, serving
from sqlalchemy import Engine, text

from connectors.connections import ConnectionSettings
from connectors.errors import ConnectionMissing
from ledger.errors import LedgerUnavailable
from ledger.inbox import Inbox, Received
from ledger.sealing import Sealer
from sync.inbound_app import PREFIX

DONE = {"Result": 1, "Message": "Thành công"}


@pytest.fixture(scope="module")
def endpoint(engine: Engine, sealer: Sealer) -> Iterator[Endpoint]:
    with serving(reception(engine, sealer)) as running:
        yield running


@pytest.fixture
def inbox(engine: Engine, sealer: Sealer) -> Inbox:
    with engine.begin() as connection:
        for table in ("inbox", "inbox_tally"):
            connection.execute(text(f"DELETE FROM {table}"))
    return Inbox(engine, sealer, "vbdlis")


def test_a_call_is_answered_with_success_and_then_lies_in_the_inbox(endpoint: Endpoint, inbox: Inbox) -> None:
    answer = endpoint.call()
    assert (answer.status_code, answer.json()) == (200, DONE)
    (call,) = inbox.after(0, 10)
    assert (call.kind, orjson.loads(call.body)) == ("ChuyenHoSo", BODY)


def test_p5_a_replayed_call_is_answered_like_the_first_and_stored_once(endpoint: Endpoint, inbox: Inbox) -> None:
    spaced = orjson.dumps(BODY, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    answers = [endpoint.call(), endpoint.call(), endpoint.call(json=None, data=spaced)]
    assert [answer.json() for answer in answers] == [DONE, DONE, DONE]
    assert inbox.tally() == {Received.STORED: 1, Received.REPEATED: 2}


def test_p5_many_callers_at_once_store_each_call_once(endpoint: Endpoint, inbox: Inbox) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: endpoint.call(content=body(number % 40)), range(120)))
    assert {answer.status_code for answer in answers} == {200}
    codes = [orjson.loads(call.body)["SoBienNhan"] for call in inbox.after(0, 1000)]
    assert sorted(codes) == [body(number)["SoBienNhan"] for number in range(40)]


@pytest.mark.parametrize("path", ["/ilis/ChuyenHoSo", "/ilis/ChuyenHoSo/"])
def test_a_system_may_show_its_secret_in_the_query(endpoint: Endpoint, inbox: Inbox, path: str) -> None:
    del inbox
    assert endpoint.request("POST", path, params={"CodeGet": CODE_GET}, json=BODY).json() == DONE
    assert endpoint.request("POST", path, params={"CodeGet": SECRET}, json=BODY).status_code == 404


def test_a_call_without_its_dossier_is_refused_by_name_and_only_counted(endpoint: Endpoint, inbox: Inbox) -> None:
    answer = endpoint.call(content={"NgayChuyen": "2025-08-12T02:00:00Z"})
    assert answer.json() == {"Result": 0, "Message": "Thiếu thông tin bắt buộc: SoBienNhan"}
    assert inbox.after(0, 1) == []
    assert inbox.tally() == {Received.REFUSED: 1}


def test_who_does_not_know_the_secret_learns_nothing(endpoint: Endpoint, inbox: Inbox) -> None:
    answers = [
        endpoint.call(secret="sai-bi-mat-0123456789"),
        endpoint.call(kind="KhongCo", secret="sai-bi-mat-0123456789"),
        endpoint.request("POST", "/vbdlis/ChuyenHoSo", json=BODY),
        endpoint.request("POST", f"/khongco/ChuyenHoSo/{SECRET}", json=BODY),
        endpoint.request("GET", "/gplx/ChuyenHoSo/x"),
        endpoint.request("GET", "/vbdlis"),
        endpoint.request("GET", "/"),
        endpoint.request("DELETE", "/vbdlis/GetDanhMucThuTuc/x"),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, '{"detail":"Not Found"}')}
    assert inbox.after(0, 1) == []


def test_who_knows_it_is_told_what_is_wrong(endpoint: Endpoint) -> None:
    unknown = endpoint.call(kind="KhongCo")
    assert (unknown.status_code, unknown.json()["Result"]) == (404, 0)
    method = endpoint.request("GET", f"/vbdlis/ChuyenHoSo/{SECRET}")
    assert (method.status_code, method.json()["Message"]) == (405, "Chỉ nhận phương thức POST")


def test_the_catalogues_are_served_to_who_knows_the_secret(endpoint: Endpoint) -> None:
    answer = endpoint.request("GET", f"/vbdlis/GetDanhMucTrangThai/{SECRET}")
    assert {"MaTrangThai": "4", "TenTrangThai": "Đang xử lý"} in answer.json()
    assert endpoint.request("GET", "/vbdlis/GetDanhMucTrangThai/x").status_code == 404
    assert endpoint.request("POST", f"/vbdlis/GetDanhMucTrangThai/{SECRET}").status_code == 405


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end(
    endpoint: Endpoint, inbox: Inbox, announced: bool
) -> None:
    huge = b'{"a": "' + b"x" * (600 << 10) + b'"}'
    answer = endpoint.call(json=None, data=huge if announced else iter([huge[: 300 << 10], huge[300 << 10 :]]))
    assert (answer.status_code, answer.json()["Message"]) == (413, "Nội dung lớn hơn 512 KB")
    assert inbox.tally() == {Received.REFUSED: 1}


def test_a_compressed_body_is_refused(endpoint: Endpoint, inbox: Inbox) -> None:
    del inbox
    assert endpoint.call(headers={"Content-Encoding": "gzip"}).status_code == 415


def test_health_says_whether_calls_can_be_stored(endpoint: Endpoint) -> None:
    assert requests.get(f"{endpoint.url}/health", timeout=10).json() == {"status": "ok"}


# --- when the ledger is not there -------------------------------------------------------------------------------


def test_p1_without_the_ledger_nobody_hears_success_and_with_it_again_calls_are_taken(
    engine: Engine, sealer: Sealer, inbox: Inbox
) -> None:
    is_there = False

    def open_ledger() -> tuple[Engine, Sealer]:
        if not is_there:
            raise LedgerUnavailable("The ledger does not answer.")
        return engine, sealer

    with serving(reception(engine, sealer, open_ledger=open_ledger)) as endpoint:
        answer = endpoint.call()
        assert (answer.status_code, answer.json()["Result"]) == (503, 0)
        assert int(answer.headers["Retry-After"]) > 0
        assert requests.get(f"{endpoint.url}/health", timeout=10).status_code == 503
        assert endpoint.call(content={}).status_code == 200, "a refusal stores nothing, so it needs no ledger"
        is_there = True
        assert endpoint.call().json() == DONE
        assert len(inbox.after(0, 10)) == 1


def test_p1_a_call_whose_connection_to_the_database_breaks_is_not_confirmed(
    endpoint: Endpoint, inbox: Inbox, database_url: str
) -> None:
    plain = database_url.replace("+psycopg", "")
    with (
        psycopg.connect(plain) as holder,
        psycopg.connect(plain, autocommit=True) as killer,
        ThreadPoolExecutor(1) as pool,
    ):
        holder.execute("LOCK TABLE inbox IN SHARE MODE")
        calling = pool.submit(endpoint.call)
        blocked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while (row := killer.execute(blocked).fetchone()) is None:
            assert not calling.done()
        killer.execute("SELECT pg_terminate_backend(%s)", row)
        assert calling.result().status_code == 503
        holder.rollback()
    assert inbox.after(0, 10) == []
    assert endpoint.call().json() == DONE


@pytest.mark.parametrize("broken", ["no connection", "secret too short"])
def test_a_system_whose_secret_is_not_set_is_asked_to_call_again(
    engine: Engine, sealer: Sealer, inbox: Inbox, broken: str
) -> None:
    def resolve(connection: str) -> ConnectionSettings:
        if broken == "no connection":
            raise ConnectionMissing(connection, "there is no connection 'vbdlis'")
        return ConnectionSettings(conn_id=connection, host="x", password="ngan")

    with serving(reception(engine, sealer, resolve=resolve)) as endpoint:
        assert endpoint.call(secret="ngan").status_code == 503
    assert inbox.tally() == {}


def test_a_changed_secret_is_taken_up_without_a_restart(engine: Engine, sealer: Sealer, inbox: Inbox) -> None:
    del inbox
    now, secret = 0.0, SECRET

    def resolve(connection: str) -> ConnectionSettings:
        return ConnectionSettings(conn_id=connection, host="x", password=secret)

    with serving(reception(engine, sealer, resolve=resolve, monotonic=lambda: now)) as endpoint:
        assert endpoint.call().status_code == 200
        secret = "bi-mat-moi-0123456789"
        assert endpoint.call().status_code == 200, "the former one is still good for a minute"
        now = 61.0
        assert endpoint.call().status_code == 404
        assert endpoint.call(secret=secret).status_code == 200


# --- what is written down ---------------------------------------------------------------------------------------


def test_strangers_are_counted_and_logged_seldom_and_without_what_they_tried(
    engine: Engine, sealer: Sealer, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = 0.0
    desk = reception(engine, sealer, monotonic=lambda: now)
    with serving(desk) as endpoint:
        for _ in range(4):
            endpoint.call(secret="doan-mo-0123456789")
        assert inbox.tally() == {Received.NO_SECRET: 1}
        now = 61.0
        endpoint.call(secret="doan-mo-0123456789")
        assert inbox.tally() == {Received.NO_SECRET: 5}
        endpoint.call(secret="doan-mo-0123456789")
    assert inbox.tally() == {Received.NO_SECRET: 6}, "the rest is written down at the end"
    told = [record.getMessage() for record in caplog.records if record.name == "hosync.inbound"]
    assert len(told) == 2
    assert "vbdlis: 4 calls without the right secret, the last from 127.0.0.1" in told
    assert "doan-mo" not in caplog.text


def test_neither_secrets_nor_bodies_reach_a_log(
    endpoint: Endpoint, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    del inbox
    caplog.set_level(logging.DEBUG)
    endpoint.call()
    endpoint.call(content={"GhiChu": "Nguyễn Văn Mẫu"})
    endpoint.request("POST", "/ilis/ChuyenHoSo", params={"CodeGet": CODE_GET}, json=BODY)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]  # the caller's
    access = [message for message in ours if "POST" in message]
    assert any(f"{PREFIX}/vbdlis/hidden" in message for message in access), "else this proves nothing"
    for hidden in (SECRET, CODE_GET, "Nguyễn"):
        assert not [message for message in ours if hidden in message]
