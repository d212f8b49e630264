"""The portal over HTTP: sessions, insert and update, steps, look-ups, faults, damage."""

from typing import Any

import pytest
import requests

from sandbox.targets.npsp import build

HEADERS = {"dstcode": "VN:GOV:mau"}
ACCOUNT = {"username": "tai-khoan-mau", "password": "mat-khau-mau"}


def record(code: str = "H12.07-250812-0001", **changes: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code,
        "MaTTHC": "1.990101",
        "TenTTHC": "Đổi giấy phép lái xe",
        "MaLinhVuc": "G99-GT02",
        "TenLinhVuc": "Giấy phép lái xe",
        "LoaiDoiTuong": "1",
        "NgayTiepNhan": "20250812081500",
        "TrangThaiHoSo": "2",
        "HinhThuc": "0",
        "DonViXuLy": "Trung tâm mẫu",
    } | changes


def step(code: str = "H12.07-250812-0001", **changes: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code,
        "NguoiXuLy": "Trần Thị Thử",
        "ThoiDiemXuLy": "20250812081500",
        "NoiDungXuLy": "Tiếp nhận hồ sơ",
        "TrangThai": "2",
    } | changes


class Client:
    """A portal client as simple as can be."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.login()

    def login(self) -> None:
        answer = self.server.post("/mapi/login", json=ACCOUNT, headers=HEADERS).json()
        assert answer["error_code"] == 0
        self.session = answer["session"]

    def call(self, service: str, **more: Any) -> dict[str, Any]:
        body = {"session": self.session, "madonvi": "000.00.00.H12", "service": service, **more}
        response = self.server.post("/mapi/g", json=body, headers=HEADERS)
        assert response.status_code == 200
        return dict(response.json())

    def insert(self, *records: dict[str, Any]) -> dict[str, Any]:
        return self.call("DongBoHoSoMC", isUpdating="False", data=list(records))

    def update(self, *records: dict[str, Any]) -> dict[str, Any]:
        return self.call("DongBoHoSoMC", isUpdating="True", data=list(records))

    def steps(self, *records: dict[str, Any]) -> dict[str, Any]:
        return self.call("CapNhatTienDoHoSoMC", data=list(records))

    def state(self, code: str = "H12.07-250812-0001") -> str | None:
        result = self.call("TraCuuHoSo", mahoso=code)["result"]
        return result[0]["TrangThaiHoSo"] if result else None


@pytest.fixture
def client(start: Any) -> Client:
    return Client(start(build, "npsp", session_s=600))


def succeeded(answer: dict[str, Any]) -> bool:
    return str(answer["error_code"]).strip("0") == "" and "thành công" in answer["message"].lower()


def effects(client: Client) -> list[tuple[str, str]]:
    return [(write["operation"], write["effect"]) for write in client.server.lines("writes")]


def test_a_wrong_password_gives_no_session(client: Client) -> None:
    answer = client.server.post("/mapi/login", json=ACCOUNT | {"password": "sai"}, headers=HEADERS).json()
    assert answer["session"] is None
    assert answer["error_code"] == "-1"


def test_a_call_without_dstcode_is_not_routed(client: Client) -> None:
    answer = client.server.post("/mapi/login", json=ACCOUNT).json()
    assert answer["error_code"] == "-1"
    assert "dstcode" in answer["message"]


def test_another_dstcode_than_the_configured_one_is_not_routed(start: Any) -> None:
    server = start(build, "npsp", dstcode="VN:GOV:khac")
    assert "dstcode" in server.post("/mapi/login", json=ACCOUNT, headers=HEADERS).json()["message"]


def test_a_session_ends_after_its_lifetime_with_http_200_and_a_message(client: Client) -> None:
    client.server.clock.forward(seconds=599)
    assert succeeded(client.insert(record()))
    client.server.clock.forward(seconds=1)
    answer = client.update(record(TrangThaiHoSo="4"))
    assert answer["error_code"] == "-1"
    assert "session" in answer["message"]
    client.login()
    assert client.state() == "2"


def test_sessions_can_be_expired_on_demand(client: Client) -> None:
    client.server.fault("expire-sessions")
    assert "session" in client.call("TraCuuHoSo", mahoso="x")["message"]


def test_insert_then_update_then_the_same_again(client: Client) -> None:
    assert succeeded(client.insert(record()))
    assert succeeded(client.update(record(TrangThaiHoSo="4")))
    assert succeeded(client.update(record(TrangThaiHoSo="4")))
    assert client.state() == "4"
    assert [effect for _, effect in effects(client)] == ["inserted", "updated", "noop"]


def test_success_is_spelled_three_ways_in_turn(client: Client) -> None:
    answers = [client.insert(record(f"H12.07-250812-000{n}")) for n in range(4)]
    assert [answer["error_code"] for answer in answers] == [0, "0", "00", 0]
    assert all(map(succeeded, answers))


def test_inserting_what_is_there_is_refused_in_two_spellings(client: Client) -> None:
    client.insert(record())
    answers = [client.insert(record(TrangThaiHoSo="9")) for _ in range(2)]
    assert [answer["error_code"] for answer in answers] == ["3", "-3"]
    assert all("đã tồn tại" in answer["message"] for answer in answers)
    assert client.state() == "2"


def test_updating_what_is_not_there_is_refused(client: Client) -> None:
    answer = client.update(record())
    assert not succeeded(answer)
    assert "không tồn tại" in answer["message"]
    assert client.state() is None


def test_one_clash_refuses_the_whole_batch(client: Client) -> None:
    client.insert(record("H12.07-250812-0002"))
    assert not succeeded(client.insert(record("H12.07-250812-0001"), record("H12.07-250812-0002")))
    assert not succeeded(client.update(record("H12.07-250812-0002", TrangThaiHoSo="4"), record("H12.07-250812-0003")))
    assert [client.state(f"H12.07-250812-000{n}") for n in (1, 2, 3)] == [None, "2", None]
    assert len(client.server.lines("writes")) == 1


def test_one_bad_record_refuses_the_whole_batch(client: Client) -> None:
    answer = client.insert(record("H12.07-250812-0001"), record("H12.07-250812-0002", MaLinhVuc=""))
    assert answer == {"error_code": "0", "message": "Dữ liệu không hợp lệ: thiếu MaLinhVuc"}
    assert client.server.lines("dossiers") == []


def test_is_updating_must_be_a_capitalised_string(client: Client) -> None:
    for flag in (True, "true", None):
        assert "isUpdating" in client.call("DongBoHoSoMC", isUpdating=flag, data=[record()])["message"]


def test_the_code_is_kept_as_sent(client: Client) -> None:
    assert succeeded(client.insert(record("000.00.07.H12-250812-0001"), record("H12.07-250812-0001")))
    assert [held["code"] for held in client.server.lines("dossiers")] == [
        "000.00.07.H12-250812-0001",
        "H12.07-250812-0001",
    ]


def test_steps_need_their_dossier(client: Client) -> None:
    answer = client.steps(step())
    assert not succeeded(answer)
    assert "không tồn tại" in answer["message"]


def test_the_same_step_is_stored_once_and_steps_do_not_move_the_dossier(client: Client) -> None:
    client.insert(record())
    later = step(ThoiDiemXuLy="20250813092500", TrangThai="4", NoiDungXuLy="Chuyển xử lý")
    assert succeeded(client.steps(step(), later))
    assert succeeded(client.steps(later))
    assert [held["state"] for held in client.server.lines("steps")] == [2, 4]
    assert [effect for _, effect in effects(client)] == ["inserted", "inserted", "inserted", "noop"]
    assert client.state() == "2"


def test_steps_differ_by_moment_state_and_content(client: Client) -> None:
    client.insert(record())
    changed = [step(ThoiDiemXuLy="20250812081501"), step(TrangThai="4"), step(NoiDungXuLy="Khác")]
    client.steps(step(), *changed, step(NguoiXuLy="Người khác"))
    assert len(client.server.lines("steps?code=H12.07-250812-0001")) == 4


def test_the_catalogues_are_answered(client: Client) -> None:
    procedures = client.call("LayDanhSachTTHC")["result"]
    detail = client.call("LayThuTuc", maTTHC=f"{procedures[0]['MATTHC']}.000.00.00.H12")["result"]
    assert detail[0]["TENTTHC"] == procedures[0]["TENTTHC"]
    assert client.call("LayThuTuc", maTTHC="9.999999")["result"] == []
    fields = {one["MALINHVUC"] for one in client.call("LayDanhMucLinhVuc")["result"]}
    assert detail[0]["LINHVUCTHUCHIEN"][0]["MALINHVUC"] in fields
    agencies = {one["MADONVI"] for one in client.call("LayDanhMucCoQuan")["result"]}
    assert {one["MADONVI"] for one in detail[0]["COQUANTHUCHIEN"]} <= agencies


@pytest.mark.parametrize(
    ("service", "more", "word"),
    [("KhongCo", {}, "service"), ("TraCuuHoSo", {}, "mahoso"), ("LayThuTuc", {}, "maTTHC")],
)
def test_a_call_that_cannot_be_served_says_why(client: Client, service: str, more: Any, word: str) -> None:
    answer = client.call(service, **more)
    assert word in answer["message"]
    assert not succeeded(answer)


def test_what_is_not_json_is_refused(client: Client) -> None:
    answer = client.server.post("/mapi/g", data=b"<html>", headers=HEADERS).json()
    assert "JSON" in answer["message"]


@pytest.mark.parametrize("mode", ["apply-then-500", "apply-then-drop", "apply-then-hang"])
def test_a_fault_after_the_work_loses_the_answer_and_not_the_write(client: Client, mode: str) -> None:
    client.server.fault(mode, operation="DongBoHoSoMC", seconds=0.1)
    if mode == "apply-then-500":
        body = {"session": client.session, "madonvi": "000.00.00.H12", "service": "DongBoHoSoMC"}
        body |= {"isUpdating": "False", "data": [record()]}
        assert client.server.post("/mapi/g", json=body, headers=HEADERS).status_code == 500
    else:
        with pytest.raises(requests.ConnectionError):
            client.insert(record())
    assert client.state() == "2"
    assert effects(client) == [("DongBoHoSoMC", "inserted")]


def test_a_fault_names_one_service(client: Client) -> None:
    client.server.fault("drop-before", operation="CapNhatTienDoHoSoMC")
    assert succeeded(client.insert(record()))
    with pytest.raises(requests.ConnectionError):
        client.steps(step())
    assert client.server.lines("steps") == []


def test_damage_changes_what_is_held_and_not_the_ledger(client: Client) -> None:
    client.insert(record("H12.07-250812-0001"), record("H12.07-250812-0002"))
    client.steps(step("H12.07-250812-0001"))
    before = client.server.lines("writes")
    answer = client.server.damage(
        delete=["H12.07-250812-0001", "H12.07-250812-0009"],
        set_state={"H12.07-250812-0002": 10},
        add=[{"code": "H12.07-250812-0007", "state": 5, "fields": {"MaTTHC": "1.990102"}}],
    )
    assert answer.json() == {"deleted": 1, "set": 1, "added": 1}
    assert [client.state(f"H12.07-250812-000{n}") for n in (1, 2, 7)] == [None, "10", "5"]
    assert client.server.lines("writes") == before
    stats = client.server.stats()
    assert stats["dossiers"] == 2
    assert stats["steps"] == 0
    assert {state: n for state, n in stats["state"].items() if n} == {"10": 1, "5": 1}


def test_a_damaged_dossier_can_be_put_right_by_sending_it_again(client: Client) -> None:
    client.insert(record())
    client.server.damage(set_state={"H12.07-250812-0001": "9"})
    assert succeeded(client.update(record()))
    assert client.state() == "2"
    assert effects(client)[-1] == ("DongBoHoSoMC", "updated")


@pytest.mark.parametrize(
    "wanted", [{"set_state": {"H12": 11}}, {"add": [{"state": 1}]}, {"remove": []}, {"delete": "H12"}]
)
def test_damage_that_makes_no_sense_is_refused(client: Client, wanted: Any) -> None:
    assert client.server.damage(**wanted).status_code == 422


def test_the_ledger_of_writes_says_what_and_when(client: Client) -> None:
    client.insert(record())
    (write,) = client.server.lines("writes")
    assert write | {"body_hash": ""} == {
        "seq": 1,
        "at": "2025-08-12T01:15:00.000+00:00",
        "operation": "DongBoHoSoMC",
        "code": "H12.07-250812-0001",
        "key": "H12.07-250812-0001",
        "effect": "inserted",
        "state": 2,
        "body_hash": "",
    }
    assert client.server.lines("writes?after=1") == []


def test_refusals_are_counted(client: Client) -> None:
    client.update(record())
    client.insert(record(MaLinhVuc=""))
    assert client.server.stats()["refused"] == {"DongBoHoSoMC": {"-1": 1, "0": 1}}


def test_what_was_taken_outlives_a_restart_and_sessions_do_not(running: Any) -> None:
    with running(build, "npsp") as server:
        first = Client(server)
        first.insert(record())
        first.steps(step())
    with running(build, "npsp") as server:
        first.server = server
        assert "session" in first.call("TraCuuHoSo", mahoso="H12.07-250812-0001")["message"]
        first.login()
        assert first.state() == "2"
        assert succeeded(first.steps(step()))
        assert [write["effect"] for write in server.lines("writes")] == ["inserted", "inserted", "noop"]


NATIONAL = "G22.99.99-250812-0001"


def notice(code: str = NATIONAL, **changes: Any) -> dict[str, Any]:
    return {
        "MaHoSo": code,
        "MaHoSoDonVi": "H12.07-250812-0001",
        "NoiDung": "Đã tiếp nhận",
        "NgayXuLy": "20250812083000",
        "TrangThai": "2",
    } | changes


@pytest.fixture
def birthplace(start: Any) -> Client:
    return Client(start(build, "npsp", own_agency="G22.99.99", notice_codes=["2", "5"]))


def test_a_dossier_that_was_filed_here_is_there_before_anybody_tells_of_it(birthplace: Client) -> None:
    assert birthplace.state(NATIONAL) == "1"
    assert not succeeded(birthplace.insert(record(NATIONAL)))
    assert succeeded(birthplace.update(record(NATIONAL, TrangThaiHoSo="4")))
    assert birthplace.state(NATIONAL) == "4"
    assert effects(birthplace) == [("DongBoHoSoMC", "updated")]


def test_a_notice_tells_the_senders_code_and_is_stored_once(birthplace: Client) -> None:
    birthplace.update(record(NATIONAL))
    for _ in range(2):
        assert succeeded(birthplace.call("DongBoTrangThaiHoSo", type="2", data=notice()))
    (found,) = birthplace.call("TraCuuHoSo", mahoso="H12.07-250812-0001")["result"]
    assert found == {"MaHoSo": NATIONAL, "MaHoSoDonVi": "H12.07-250812-0001", "TrangThaiHoSo": "2"}
    assert [row["state"] for row in birthplace.server.lines("notices")] == [2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "H12.07-250812-0001"}, "không tồn tại"),
        ({"TrangThai": "9"}, "TrangThai"),
        ({"NgayXuLy": ""}, "NgayXuLy"),
    ],
)
def test_a_notice_about_another_dossier_or_with_another_code_is_refused(
    birthplace: Client, changes: dict[str, str], said: str
) -> None:
    assert said in birthplace.call("DongBoTrangThaiHoSo", type="2", data=notice(**changes))["message"]


def test_codes_of_other_provinces_are_replaced_where_the_portal_does_that(start: Any) -> None:
    client = Client(start(build, "npsp", gives_codes=True))
    (given,) = client.insert(record("H26.14-250812-0001"), record("H12.07-250812-0001"))["result"]
    assert given == {"MaHoSo": "000.00.00.H12-250812-00001", "MaHoSoDonVi": "H26.14-250812-0001"}
    assert not succeeded(client.update(record("H26.14-250812-0001")))
    assert client.call("TraCuuHoSo", mahoso="H26.14-250812-0001")["result"][0]["MaHoSo"] == given["MaHoSo"]


def test_the_other_styles_of_adapter_lead_to_the_same_dossiers(client: Client) -> None:
    post = client.server.post
    services = "/api/SynsTTHCC/DongBoHoSoMC?MaDinhDanhDV=000.00.00.H12&isUpdating="
    assert succeeded(post(services + "False", json=[record()]).json())
    assert post("/HoSo/ThemMoi", json=[record()]).json()["error_code"] in ("3", "-3")
    assert succeeded(post("/HoSo/CapNhat", json=[record(TrangThaiHoSo="4")]).json())
    assert "thành công" in post("/HoSo/DongBoTienTrinh", json=[step()]).text.lower()
    assert post("/HoSo/DongBoTienTrinh", json=[step(TrangThai="77")]).text.startswith("Dữ liệu không hợp lệ")
    assert client.state() == "4"
    assert post("/api/SynsTTHCC/DongBoHoSoMC?isUpdating=True", json=[record()]).json()["error_code"] == "-1"
