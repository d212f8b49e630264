"""Whoever knows a dossier's code and has a key hears where it stands, and nothing about whom it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from delivery_world import World, shipped, world
from dossiers import code, dossier
from jsonschema import Draft202012Validator
from serving import serving
from sqlalchemy import Engine, text

from connectors.connections import ConnectionSettings
from connectors.errors import ConnectionMissing
from ledger.errors import LedgerUnavailable
from ledger.sealing import Sealer
from sync.feed import FeedDesk, digest, new_key, read_callers
from sync.feed_app import PREFIX, create_server_app

KEY, SLOW_KEY = "hosync_khoa-cua-kiosk", "hosync_khoa-cua-tong-dai"
KEYS = {"kiosk": digest(KEY), "tong-dai": {"sha256": digest(SLOW_KEY), "per_minute": 3}}
NATIONAL = "G22.99.99-260302-0001"
Get = Callable[..., requests.Response]


def settings(_connection: str = "", keys: Any = KEYS) -> ConnectionSettings:
    return ConnectionSettings(conn_id="hosync_feed", host="", extra={"keys": keys})


@pytest.fixture
def small(own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("feed")) as opened:
        steps = [
            {
                "at": "2026-03-02T08:00:00+07:00",
                "state": 2,
                "officer": "Lê Văn Kiểm",
                "content": "Tiếp nhận của ông Mẫu",
            },
            {"at": "2026-03-02T09:30:00+07:00", "state": 4, "unit": "Phòng của bà Thử"},
        ]
        opened.tell(dossier(1, national_code=NATIONAL, steps=steps, note="Gọi 0900000000"), dossier(2))
        yield opened


@pytest.fixture
def get(small: World) -> Iterator[Get]:
    desk = FeedDesk(open_ledger=lambda: small.context.engine, resolve=settings)
    with serving(create_server_app(lambda: desk)) as url:

        def ask(path: str, key: str | None = KEY, **more: Any) -> requests.Response:
            headers = {**({"X-Api-Key": key} if key else {}), **more.pop("headers", {})}
            return requests.get(url + path, headers=headers, timeout=30, **more)

        yield ask


def _dossier(found: requests.Response) -> Any:
    assert found.status_code == 200, found.text
    return found.json()


def test_a_dossier_is_told_with_its_steps_in_words_and_without_persons(get: Get) -> None:
    found = get(f"{PREFIX}/dossiers/{code(1)}")
    told = _dossier(found)
    assert {name: told[name] for name in ("code", "state", "state_vi", "state_en", "due_at", "national_code")} == {
        "code": code(1),
        "state": 4,
        "state_vi": "Đang xử lý",
        "state_en": "being processed",
        "due_at": "2026-03-09T08:00:00+07:00",
        "national_code": NATIONAL,
    }
    assert told["steps"] == [
        {
            "step": 1,
            "at": "2026-03-02T08:00:00+07:00",
            "state": 2,
            "state_vi": "Được tiếp nhận",
            "state_en": "accepted",
        },
        {
            "step": 2,
            "at": "2026-03-02T09:30:00+07:00",
            "state": 4,
            "state_vi": "Đang xử lý",
            "state_en": "being processed",
        },
    ]
    for personal in ("Mẫu", "Kiểm", "Thử", "0900000000", "000099000001"):
        assert personal not in found.text.replace("Sở Mẫu tỉnh Thử Nghiệm", "")


@pytest.mark.parametrize(
    "path",
    [
        f"/dossiers/{code(1)}",
        f"/dossiers/{code(1).replace('H12.12', '000.00.12.H12')}",
        f"/dossiers/{NATIONAL}",
        f"/dossiers/{NATIONAL.replace('G22.99.99', '000.99.99.G22')}",
        "/dossiers/1?system=gplx",
    ],
)
def test_a_dossier_is_found_by_every_code_it_has(get: Get, path: str) -> None:
    assert _dossier(get(PREFIX + path))["code"] == code(1)


@pytest.mark.parametrize(
    "path", ["H12.12-260302-9999", "1", "1?system=igate", "x" * 500, "%00", "'%20OR%20'1'='1", "1?system=%00"]
)
def test_what_is_not_there_cannot_be_told_from_what_cannot_be(get: Get, path: str) -> None:
    found = get(f"{PREFIX}/dossiers/{path}")
    assert (found.status_code, found.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("key", [None, "", "hosync_khoa-doan-mo", digest(KEY)])
def test_without_a_known_key_nothing_is_told_and_nothing_is_counted(small: World, get: Get, key: str | None) -> None:
    for asked in (code(1), "H12.12-260302-9999"):
        found = get(f"{PREFIX}/dossiers/{asked}", key)
        assert (found.status_code, found.json()) == (401, {"detail": "Unauthorized"})
    with small.context.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM feed_calls")).scalar() == 0


def test_what_has_not_changed_is_not_sent_again(small: World, get: Get) -> None:
    path = f"{PREFIX}/dossiers/{code(2)}"
    first = get(path)
    etag = first.headers["ETag"]
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = get(path, headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    small.tell(dossier(2, state=9, hours=1))
    changed = get(path, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["state_vi"]) == (200, "Đã xử lý xong")


def test_each_caller_has_its_own_number_of_calls_a_minute_over_all_processes(small: World, get: Get) -> None:
    path = f"{PREFIX}/dossiers/{code(1)}"
    assert get(path, SLOW_KEY).status_code == 200
    with small.context.engine.begin() as connection:
        # As if another process had answered it, in this minute and in the next: the minute may turn meanwhile.
        connection.execute(
            text("""
                INSERT INTO feed_calls (caller, minute, calls)
                SELECT 'tong-dai', date_trunc('minute', now()) + later * interval '1 minute', 3
                FROM generate_series(0, 1) later
                ON CONFLICT (caller, minute) DO UPDATE SET calls = 3
            """)
        )
    refused = get(path, SLOW_KEY)
    assert (refused.status_code, refused.json()) == (429, {"detail": "Too Many Requests"})
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert get(path, KEY).status_code == 200


def test_what_was_counted_is_dropped_after_a_day(small: World, get: Get) -> None:
    with small.context.engine.begin() as connection:
        connection.execute(text("INSERT INTO feed_calls VALUES ('kiosk', now() - interval '25 hours', 7)"))
    get(f"{PREFIX}/dossiers/{code(1)}")
    with small.context.engine.connect() as connection:
        assert connection.execute(text("SELECT sum(calls) FROM feed_calls")).scalar() == 1


def test_a_key_that_is_taken_away_is_good_for_a_minute_at_most(small: World) -> None:
    now, keys = 0.0, dict(KEYS)
    desk = FeedDesk(
        open_ledger=lambda: small.context.engine, resolve=lambda _: settings(keys=keys), monotonic=lambda: now
    )
    assert desk.dossier(KEY, code(1)).status == 200
    del keys["kiosk"]
    now = 61.0
    assert desk.dossier(KEY, code(1)).status == 401


def test_while_the_ledger_or_the_connection_is_away_callers_are_asked_to_wait() -> None:
    def away(*_: Any) -> Any:
        raise LedgerUnavailable("The ledger does not answer")

    def missing(_: str) -> Any:
        raise ConnectionMissing("hosync_feed", "there is no connection")

    for desk in (FeedDesk(open_ledger=away, resolve=settings), FeedDesk(open_ledger=away, resolve=missing)):
        found = desk.dossier(KEY, code(1))
        assert (found.status, json.loads(found.body)) == (503, {"detail": "Service Unavailable"})
        assert found.headers["Retry-After"]
        assert not desk.is_ready()


@pytest.mark.parametrize(
    "keys", [None, ["a"], {"a": KEY}, {"a": {"per_minute": 5}}, {"a": {"sha256": digest(KEY), "per_minute": 0}}]
)
def test_a_connection_that_is_wrong_says_so_and_repeats_no_key(keys: Any) -> None:
    with pytest.raises(ConnectionMissing, match="--new-key") as wrong:
        read_callers(settings(keys=keys))
    assert KEY not in str(wrong.value)


def test_the_answer_is_what_the_published_description_promises(get: Get) -> None:
    described = get(f"{PREFIX}/openapi.json").json()
    reference = Path(__file__).parents[2] / "docs" / "reference" / "feed.openapi.json"
    assert described["paths"].keys() == json.loads(reference.read_text())["paths"].keys()
    schema = {"$ref": "#/components/schemas/DossierStatus", "components": described["components"]}
    assert list(Draft202012Validator(schema).iter_errors(_dossier(get(f"{PREFIX}/dossiers/{code(1)}")))) == []
    allowed = described["components"]["schemas"]["DossierStatus"]["properties"].keys()
    assert _dossier(get(f"{PREFIX}/dossiers/{code(1)}")).keys() <= allowed


def test_only_reading_is_possible_and_a_watcher_sees_whether_it_is(get: Get) -> None:
    assert get("/health").json() == {"status": "ok"}
    url = get("/health").url.replace("/health", f"{PREFIX}/dossiers/{code(1)}")
    assert requests.post(url, headers={"X-Api-Key": KEY}, timeout=30).status_code == 405


@pytest.mark.usefixtures("small")
def test_the_command_serves_alone_and_makes_keys(own_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hosync = Path(sys.executable).with_name("hosync")
    monkeypatch.setenv("HOSYNC_LANG", "en")
    made = subprocess.run([hosync, "feed", "--new-key", "kiosk-2"], capture_output=True, text=True, check=True).stdout
    key = re.search(r"hosync_[\w-]+", made.replace("hosync_feed", ""))
    assert key
    extra = {"keys": json.loads("{" + made.strip().splitlines()[-1] + "}")}
    assert read_callers(settings(keys=extra["keys"]))[digest(key.group())].name == "kiosk-2"
    assert len(new_key()) > 40
    monkeypatch.setenv("AIRFLOW_CONN_HOSYNC_FEED", json.dumps({"conn_type": "generic", "extra": extra}))
    monkeypatch.setenv("HOSYNC_DATABASE_URL", own_database_url)
    with subprocess.Popen([hosync, "feed", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            found = re.search(r"http://[^ ]+", process.stdout.readline())
            assert found
            url = f"{found.group().strip()}/dossiers/{code(1)}"
            answer = requests.get(url, headers={"X-Api-Key": key.group()}, timeout=30)
            assert _dossier(answer)["code"] == code(1)
        finally:
            process.terminate()
