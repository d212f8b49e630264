"""The source for systems that call us: reads the inbox in order, and announces dossiers where that is wanted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from entries import AT_ONCE, NOW, source_entry
from loopback import Asked, Reply, Server, json_reply

from connectors.api import CheckStatus, Page, Window
from connectors.connections import ConnectionSettings
from connectors.errors import ContractBroken, OutcomeUnknown, SignInFailed
from connectors.sources.inbound import InboundSource

BODY = '{ "SoBienNhan" : "000.00.11.H12-250812-0001", "GhiChu": "Đã nhận" }'.encode()
SECRET = "bi-mat-mau-0123456789"
CODES = ["H12.11-250812-0001", "H12.11-250812-0002", "H12.11-250812-0003"]


@dataclass(frozen=True)
class Stored:
    position: int
    kind: str = "ChuyenHoSo"
    received_at: datetime = NOW
    body: bytes = BODY


@dataclass
class Waiting:
    """An inbox in memory, which notes what it was asked."""

    calls: list[Stored] = field(default_factory=list)
    told: dict[str, bool] = field(default_factory=dict)
    forgotten: list[datetime] = field(default_factory=list)

    def after(self, position: int, limit: int) -> Sequence[Stored]:
        return [call for call in self.calls if call.position > position][:limit]

    def received(self, start: datetime, end: datetime, *, position: int, limit: int) -> Sequence[Stored]:
        return [call for call in self.after(position, len(self.calls)) if start <= call.received_at < end][:limit]

    def forget(self, before: datetime) -> int:
        self.forgotten.append(before)
        return 0

    def to_announce(self, codes: Sequence[str]) -> Sequence[str]:
        return [code for code in codes if code not in self.told]

    def note_announced(self, code: str, *, accepted: bool) -> None:
        self.told[code] = accepted


def _source(inbox: Waiting | None, name: str = "vbdlis", server: Server | None = None, **pull: Any) -> InboundSource:
    extra = {"client_id": "hosync", "client_secret": "s", "inbound_secret": SECRET}
    fields = {"login": "hosync-mau", "password": SECRET, "extra": extra}
    port = server.port if server else 9
    settings = ConnectionSettings(**{"conn_id": name, "host": "127.0.0.1", "port": port, **fields})
    return InboundSource(source_entry(name, **pull), settings, inbox=inbox, retry=AT_ONCE)


def _pull(source: InboundSource, **asked: Any) -> list[Page]:
    return list(source.pull(**{"window": None, "cursor": None, "open_codes": (), "now": NOW, **asked}))


def test_calls_become_records_in_order_and_the_cursor_follows_the_pages() -> None:
    inbox = Waiting([Stored(number, kind=f"K{number}") for number in (3, 4, 7, 8, 9)])
    pages = _pull(_source(inbox, page_size=2))
    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.cursor for page in pages] == ["4", "8", "9"]
    assert [record["kind"] for page in pages for record in page.records] == ["K3", "K4", "K7", "K8", "K9"]
    assert pages[0].records[0] == {"kind": "K3", "received_at": NOW.isoformat(), "body": orjson.loads(BODY)}


def test_the_raw_page_holds_each_body_as_it_came() -> None:
    (page,) = _pull(_source(Waiting([Stored(1), Stored(2, kind="NhanBoSungHoSo")])))
    assert page.raw.count(BODY) == 2
    assert orjson.loads(page.raw) == page.records
    assert page.media_type == "application/json"


def test_a_pull_goes_on_behind_the_cursor_and_an_empty_inbox_gives_no_page() -> None:
    inbox = Waiting([Stored(number) for number in range(1, 5)])
    assert [page.cursor for page in _pull(_source(inbox), cursor="3")] == ["4"]
    assert _pull(_source(inbox), cursor="4") == []
    assert _pull(_source(Waiting())) == []


def test_a_window_reads_what_came_in_it_again_and_leaves_the_cursor() -> None:
    hour = timedelta(hours=1)
    inbox = Waiting([Stored(number, received_at=NOW + number * hour) for number in range(6)])
    pages = _pull(_source(inbox, page_size=2), window=Window(NOW + hour, NOW + 4 * hour), cursor="5")
    assert [(len(page.records), page.cursor) for page in pages] == [(2, None), (1, None)]


def test_old_calls_are_forgotten_only_once_the_page_is_stored() -> None:
    inbox = Waiting([Stored(1)])
    (page,) = _pull(_source(inbox))
    assert inbox.forgotten == []
    assert page.after_store is not None
    page.after_store()
    assert inbox.forgotten == [NOW - timedelta(days=30)]


def test_a_cursor_of_another_kind_is_a_clear_error() -> None:
    with pytest.raises(ContractBroken, match="no position in the inbox"):
        _pull(_source(Waiting()), cursor="2025-08-12T00:00:00+07:00")


class Ilis:
    """Takes announcements: ``known`` ones exist already, ``wrong`` ones are refused."""

    def __init__(self, *, known: Sequence[str] = (), wrong: Sequence[str] = ()) -> None:
        self.known, self.wrong = known, wrong
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/oauth2/token":
            right = asked.form["grant_type"] == "password" and asked.form["password"] == SECRET
            return json_reply(
                {"access_token": "t", "expires_in": 300} if right else {"error": "x"}, 200 if right else 401
            )
        if asked.method == "GET":
            return json_reply({}, 404)
        assert asked.headers["authorization"] == "Bearer t"
        self.bodies.append(asked.json)
        code = asked.json["SoBienNhan"]
        if code in self.known:
            return _told(success=False, message="Hồ sơ ĐÃ TỒN TẠI trong hệ thống")
        return _told(success=False, message="Sai quy trình") if code in self.wrong else _told(success=True, message="")


def _told(*, success: bool, message: str) -> Reply:
    return json_reply({"data": int(success), "status": {"success": success, "code": 200, "message": message}})


Serve = Callable[[Any], Server]


def test_dossiers_are_announced_once_by_their_long_code(serve: Serve) -> None:
    ilis, inbox = Ilis(), Waiting([Stored(1)])
    source = _source(inbox, "ilis", serve(ilis))
    assert len(_pull(source, open_codes=CODES)) == 1
    assert [body["SoBienNhan"] for body in ilis.bodies] == [f"000.00.11.H12-250812-000{n}" for n in (1, 2, 3)]
    assert ilis.bodies[0]["MaHoSoMotCua"] == "000.00.11.H12-250812-0001"
    assert ilis.bodies[0]["TinhId"] == "96"
    assert inbox.told == dict.fromkeys(CODES, True)
    _pull(source, open_codes=CODES)
    assert len(ilis.bodies) == 3


def test_a_dossier_that_is_known_there_already_counts_as_announced_and_a_refused_one_not(serve: Serve) -> None:
    ilis = Ilis(known=["000.00.11.H12-250812-0001"], wrong=["000.00.11.H12-250812-0002"])
    inbox = Waiting()
    _pull(_source(inbox, "ilis", serve(ilis)), open_codes=CODES)
    assert inbox.told == {CODES[0]: True, CODES[1]: False, CODES[2]: True}


def test_a_lost_answer_is_asked_for_again_because_an_announcement_may_be_repeated(serve: Serve) -> None:
    ilis, lost = Ilis(), [json_reply({}, 500), json_reply({}, 502)]

    def shaky(asked: Asked) -> Reply:
        answer = ilis(asked)
        return lost.pop() if asked.path != "/oauth2/token" and lost else answer

    inbox = Waiting()
    _pull(_source(inbox, "ilis", serve(shaky)), open_codes=CODES[:1])
    assert (len(ilis.bodies), inbox.told) == (3, {CODES[0]: True})


def test_when_the_system_is_down_the_calls_are_pulled_all_the_same_and_the_run_fails(serve: Serve) -> None:
    inbox = Waiting([Stored(1)])
    source = _source(inbox, "ilis", serve(json_reply({}, 500)))
    pages = source.pull(window=None, cursor=None, open_codes=CODES, now=NOW)
    assert next(pages).cursor == "1"
    with pytest.raises(OutcomeUnknown):
        next(pages)
    assert inbox.told == {}


def test_wrong_credentials_stop_the_announcing_and_refuse_no_dossier(serve: Serve) -> None:
    inbox = Waiting()
    source = _source(inbox, "ilis", serve(json_reply({"error": "invalid_grant"}, 401)))
    with pytest.raises(SignInFailed):
        _pull(source, open_codes=CODES)
    assert inbox.told == {}


def test_nothing_is_announced_in_a_window(serve: Serve) -> None:
    ilis = Ilis()
    day = Window(datetime(2025, 8, 1, tzinfo=UTC), datetime(2025, 8, 2, tzinfo=UTC))
    _pull(_source(Waiting(), "ilis", serve(ilis)), window=day, open_codes=CODES)
    assert ilis.bodies == []


def test_the_check_looks_at_contract_and_secret_and_signs_in_where_dossiers_are_announced(serve: Serve) -> None:
    alone = _source(None).check()
    assert [(line.name, line.status) for line in alone] == [("contract", CheckStatus.OK), ("secret", CheckStatus.OK)]
    announcing = _source(None, "ilis", serve(Ilis())).check()
    assert [line.name for line in announcing] == ["contract", "secret", "connection", "sign-in"]
    assert all(line.status is CheckStatus.OK for line in announcing)
    assert SECRET not in repr([*alone, *announcing])
