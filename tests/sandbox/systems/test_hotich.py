"""The ministry's civil-status system over HTTP."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests
from lxml.etree import fromstring

DAYS = {"LTKS": r"\d\d/\d\d/\d{4}", "KH": r"\d\d\.\d\d\.\d{4}", "TL": r"\d{4}-\d\d-\d\d"}
CERTIFICATES = {"LTKS": "giayKhaiSinh", "KH": "giayChungNhanKetHon", "TL": "banSaoTrichLuc"}


class Client:
    """A client behind the provincial platform."""

    def __init__(self, server: Any) -> None:
        self.server = server
        extra = server.options.extra
        self.header = self.sealed(
            AccessKey=server.options.login,
            SecretKey=server.options.password,
            AppName=extra["app_name"],
            PartnerCode=extra["partner_code"],
            PartnerCodeCus=extra["partner_code_cus"],
        )
        self.sign_in()

    @staticmethod
    def sealed(**keys: str) -> str:
        return b64encode(orjson.dumps(keys)).decode()

    def sign_in(self) -> None:
        self.token = self.grant(self.header).json()["access_token"]

    def grant(self, header: str) -> requests.Response:
        form = {"grant_type": "client_credentials"}
        url = self.server.url + self.server.options.extra["token_path"]
        return requests.post(url, form, headers={"lgspaccesstoken": header}, timeout=10)

    def post(self, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
        known = {"Authorization": f"Bearer {self.token}", "lgspaccesstoken": self.header}
        url = self.server.url + self.server.options.extra["result_path"]
        return requests.post(url, json=body, headers=known if headers is None else headers, timeout=10)

    def ask(self, codes: list[str], *modules: str) -> list[dict[str, Any]]:
        """What is told in these modules, in all of them when none is named."""
        told: list[dict[str, Any]] = []
        for module in modules or DAYS:
            answer = self.post({"maTinh": "96", "module": module, "maDinhDanhHoSo": codes}).json()
            assert answer["status"] == "1"
            told += answer["value"]
        return told

    def all(self) -> list[dict[str, Any]]:
        codes = [row["source_id"] for row in self.server.truth()]
        return [one for start in range(0, len(codes), 3) for one in self.ask(codes[start : start + 3])]


@pytest.fixture(scope="module")
def hotich(start: Any) -> Client:
    return Client(start("hotich"))


@pytest.fixture
def mended(hotich: Client) -> Iterator[Client]:
    yield hotich
    hotich.server.control("DELETE", "break")
    hotich.sign_in()


def test_three_dossiers_are_told_in_one_call_and_unknown_ones_are_left_out(hotich: Client) -> None:
    births = [row["source_id"] for row in hotich.server.truth() if row["procedure_code"] == "1.990401"]
    told = hotich.ask([births[1], "000.00.101.H12-260105-9999", births[0]], "LTKS")
    assert [one["maHoSoMCDT"] for one in told] == [births[1], births[0]]
    assert hotich.ask(["000.00.101.H12-260105-9999"]) == hotich.ask([]) == []


def test_the_short_form_of_a_code_is_understood_and_answered_in_the_long_one(hotich: Client) -> None:
    row = hotich.server.truth()[0]
    assert hotich.ask([row["code"]])[0]["maHoSoMCDT"] == row["source_id"]


def test_states_are_the_ministrys_own_mostly_as_text_and_sometimes_as_numbers(hotich: Client) -> None:
    states = {row["source_id"]: row["state"] for row in hotich.server.truth()}
    told = {one["maHoSoMCDT"]: one["trangThai"] for one in hotich.all()}
    assert {type(code) for code in told.values()} == {int, str}
    assert {key: {"2": 5, "3": 4, "4": 9}[str(code)] for key, code in told.items()} == states


def test_the_moment_is_when_the_state_was_set(hotich: Client) -> None:
    row = hotich.server.truth()[0]
    iso = row["state_at"]
    assert hotich.ask([row["code"]])[0]["thoiGianThucHien"] == (f"{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:19]}")


def test_what_was_registered_is_text_in_two_formats_with_three_kinds_of_days(hotich: Client) -> None:
    registered = [one for one in hotich.all() if str(one["trangThai"]) == "4"]
    assert {one["module"] for one in registered} == set(DAYS)
    for one in registered:
        module, outcome = one["module"], one["ketQuaXuLy"]
        assert outcome.keys() == {"data", CERTIFICATES[module]}
        assert b64decode(outcome[CERTIFICATES[module]], validate=True)
        if module == "LTKS":
            day = orjson.loads(outcome["data"])["ngayDangKy"]
        else:
            root = fromstring(outcome["data"])
            assert (root.tag, root[0].tag) == ("hotich", "hoso")
            day = root.findtext("hoso/ngayDangKy")
        assert re.fullmatch(DAYS[module], day)
    assert all(one["ketQuaXuLy"] is None for one in hotich.all() if str(one["trangThai"]) != "4")


def test_a_named_module_tells_only_its_own(hotich: Client) -> None:
    one = hotich.all()[0]
    assert hotich.ask([one["maHoSoMCDT"]], one["module"]) == [one]
    assert hotich.ask([one["maHoSoMCDT"]], "LTKT") == []


@pytest.mark.parametrize(
    "body",
    [
        {"maTinh": "96", "module": "KH", "maDinhDanhHoSo": ["a", "b", "c", "d"]},
        {"maTinh": "01", "module": "KH", "maDinhDanhHoSo": []},
        {"maTinh": "96", "module": "", "maDinhDanhHoSo": []},
        {"maTinh": "96", "module": "KH"},
        [],
    ],
)
def test_a_call_with_errors_says_so_in_an_envelope_of_its_own(hotich: Client, body: Any) -> None:
    answer = hotich.post(body)
    assert answer.status_code == 200
    assert answer.json().keys() == {"title", "status", "errors"}
    assert answer.json()["status"] == 500


def test_both_the_token_and_the_header_are_wanted_on_every_call(hotich: Client) -> None:
    body = {"maTinh": "96", "module": "KH", "maDinhDanhHoSo": []}
    bearer = {"Authorization": f"Bearer {hotich.token}"}
    stranger = {"lgspaccesstoken": hotich.sealed(AccessKey="sai")}
    assert hotich.post(body, bearer).status_code == 401
    assert hotich.post(body, {"lgspaccesstoken": hotich.header}).status_code == 401
    assert hotich.post(body, {**bearer, **stranger}).json()["fault"]["code"] == 900901
    assert hotich.grant("").status_code == hotich.grant(stranger["lgspaccesstoken"]).status_code == 401


def test_an_expired_token_needs_a_new_one(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "expire-sessions"})
    assert mended.post({}).status_code == 401
    mended.sign_in()
    assert mended.ask([]) == []


@pytest.mark.parametrize(
    ("how", "key", "value"),
    [
        ("unknown-status", "trangThai", "9"),
        ("bad-date", "thoiGianThucHien", "31/02/2026 25:61:00"),
        ("missing-code", "maHoSoMCDT", None),
        ("extra-field", "coQuanXuLy", "Cơ quan mẫu"),
        ("renamed-field", "trangThai", None),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, key: str, value: str | None) -> None:
    code = mended.server.truth()[2]["code"]
    mended.server.control("POST", "break", {"codes": [code], "how": how})
    assert mended.ask([code])[0].get(key) == value
