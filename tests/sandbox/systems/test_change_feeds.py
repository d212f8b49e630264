"""The two feeds of changed records, construction (Link header) and electricity (next page in the body), over HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.systems import dienluc, xaydung
from sandbox.systems.change_feed import Place

BEGINNING = "2025-01-01T00:00:00+07:00"


@dataclass(frozen=True)
class Dialect:
    """Where one system says what."""

    path: str
    token_path: str
    secret_in_form: bool
    since: str
    size: str
    records: str
    id: str
    code: str
    status: str
    updated: str
    states: dict[Any, int]
    next: Callable[[requests.Response], str | None]


DIALECTS = {
    "xaydung": Dialect(
        path="/api/v1/ho-so",
        token_path="/oauth2/token",
        secret_in_form=False,
        since="cap_nhat_tu",
        size="so_luong",
        records="ho_so",
        id="id",
        code="so_ho_so",
        status="trang_thai",
        updated="cap_nhat_luc",
        states={code: int(state) for state, code in xaydung.STATUS_CODES.items()},
        next=lambda answer: answer.links.get("next", {}).get("url"),
    ),
    "dienluc": Dialect(
        path="/api/service-requests",
        token_path="/auth/token",
        secret_in_form=True,
        since="updatedSince",
        size="limit",
        records="items",
        id="requestId",
        code="dossierCode",
        status="status",
        updated="updatedAt",
        states={code: int(state) for state, code in dienluc.STATUS_CODES.items()},
        next=lambda answer: answer.json()["next"],
    ),
}


class Client:
    """A client of one of the feeds."""

    def __init__(self, server: Any, dialect: Dialect) -> None:
        self.server, self.dialect = server, dialect
        self.token = self.ask_token(in_form=dialect.secret_in_form).json()["access_token"]

    def ask_token(self, *, in_form: bool) -> requests.Response:
        options = self.server.options
        account = (options.login, options.password)
        form = {"grant_type": "client_credentials"}
        if in_form:
            form |= {"client_id": account[0], "client_secret": account[1]}
        url = self.server.url + self.dialect.token_path
        return requests.post(url, data=form, auth=None if in_form else account, timeout=10)

    def get(self, path: str | None = None, **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = path or self.dialect.path
        url = url if "://" in url else self.server.url + url
        return requests.get(url, params=query or None, headers=headers, timeout=30)

    def first(self, since: str = BEGINNING, size: int = 100) -> requests.Response:
        return self.get(**{self.dialect.since: since, self.dialect.size: size})

    def pages(self, since: str = BEGINNING, size: int = 100) -> Iterator[list[dict[str, Any]]]:
        answer: requests.Response | None = self.first(since, size)
        while answer is not None:
            assert answer.status_code == 200, answer.text
            yield answer.json()[self.dialect.records]
            onward = self.dialect.next(answer)
            answer = self.get(onward) if onward else None

    def records(self, since: str = BEGINNING, size: int = 100) -> list[dict[str, Any]]:
        return [record for page in self.pages(since, size) for record in page]


@pytest.fixture(scope="module", params=DIALECTS)
def feed(request: pytest.FixtureRequest, start: Any) -> Client:
    return Client(start(request.param), DIALECTS[request.param])


@pytest.fixture
def mended(feed: Client) -> Iterator[Client]:
    yield feed
    feed.server.control("DELETE", "break")
    feed.token = feed.ask_token(in_form=feed.dialect.secret_in_form).json()["access_token"]


def test_the_secret_belongs_where_the_system_wants_it(feed: Client) -> None:
    assert feed.ask_token(in_form=feed.dialect.secret_in_form).status_code == 200
    assert feed.ask_token(in_form=not feed.dialect.secret_in_form).json() == {"error": "invalid_client"}


def test_nothing_is_told_without_a_good_token(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "expire-sessions"})
    answer = mended.first()
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_all_pages_together_are_the_truth_longest_unchanged_first(feed: Client) -> None:
    dialect, truth = feed.dialect, {row["source_id"]: row for row in feed.server.truth()}
    pages = list(feed.pages(size=10))
    records = [record for page in pages for record in page]
    assert [len(page) for page in pages[:-1]] == [10] * (len(pages) - 1)
    assert len(pages) > 3
    assert len(records) == len(truth)
    for record in records:
        row = truth[record[dialect.id]]
        assert record[dialect.code] == row["code"]
        assert dialect.states[record[dialect.status]] == row["state"]
        assert datetime.fromisoformat(record[dialect.updated]) == datetime.fromisoformat(row["changed_at"])
    assert [record[dialect.updated] for record in records] == sorted(record[dialect.updated] for record in records)


def test_since_is_inclusive_and_may_have_any_offset(feed: Client) -> None:
    every = feed.records()
    middle = every[len(every) // 2][feed.dialect.updated]
    expected = [record for record in every if record[feed.dialect.updated] >= middle]
    moment = datetime.fromisoformat(middle)
    utc = (moment - (moment.utcoffset() or timedelta())).replace(tzinfo=None).isoformat() + "Z"
    assert feed.records(since=middle) == feed.records(since=utc) == expected
    assert feed.records(since=(moment - timedelta(milliseconds=1)).isoformat()) == expected
    assert feed.records(since="2027-01-01T00:00:00Z") == []


def test_a_clock_that_moves_between_two_pages_leaves_no_gap(start: Any, feed: Client) -> None:
    moving = Client(start(feed.server.options.name), feed.dialect)
    seen = {}
    for number, page in enumerate(moving.pages(size=20)):
        seen.update((record[moving.dialect.id], record[moving.dialect.updated]) for record in page)
        if number == 1:
            moving.server.control("POST", "clock", {"as_of": "2026-07-03T10:00:00+07:00"})
    now = {record[moving.dialect.id]: record[moving.dialect.updated] for record in moving.records()}
    assert seen == now


@pytest.mark.parametrize("wrong", [{"since": "31/12/2025"}, {"since": ""}, {"size": 0}, {"size": 1001}])
def test_what_cannot_be_read_is_a_bad_request(feed: Client, wrong: dict[str, Any]) -> None:
    assert feed.first(**wrong).status_code == 400


@pytest.mark.parametrize("how", ["unknown-status", "bad-date", "missing-code", "extra-field", "renamed-field"])
def test_a_broken_record_is_told_wrongly(mended: Client, how: str) -> None:
    before = {record[mended.dialect.id]: record for record in mended.records()}
    row = mended.server.truth()[3]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    after = {record[mended.dialect.id]: record for record in mended.records()}
    differing = [key for key in before if after[key] != before[key]]
    assert differing == [row["source_id"]]
    good, bad = before[row["source_id"]], after[row["source_id"]]
    match how:
        case "unknown-status":
            assert bad[mended.dialect.status] not in mended.dialect.states
        case "missing-code":
            assert not bad.get(mended.dialect.code)
        case "extra-field":
            assert len(bad.keys() - good.keys()) == 1
        case "renamed-field":
            assert good.keys() - bad.keys() == {mended.dialect.status}
        case "bad-date":
            assert any("02-31" in str(value) for value in bad.values())


def test_a_place_survives_being_written_down() -> None:
    place = Place(1_767_225_600, 42)
    assert Place.read(str(place)) == place


@pytest.mark.parametrize("nonsense", ["", "x", "12"])
def test_what_is_no_place_is_a_bad_request(feed: Client, nonsense: str) -> None:
    name = {"xaydung": "tiep", "dienluc": "after"}[feed.server.options.name]
    assert feed.get(**{name: nonsense}).status_code == 400
