"""What the two land systems say when they call: one call for everything that happens to a dossier there.

Both call in the way of VBDLIS; they differ in how they write times, in the name of the call about taxes, and in whether
they tell of the reception. Which call belongs to what:

=============================  ====================================================================================
``TiepNhanHoSoChoMotCua``      the first call, about the filing: the dossier is known there (where the dialect has it)
``ChuyenHoSo``                 it arrived, went to another desk, or came back for another result; names the state
``YeuCauCapNhatHoSo``          it went to another desk, and something that was entered wrongly is to be corrected
``YeuCauBoSungHoSo``           papers are wanted; ``NhanBoSungHoSo``: they have come
the dialect's ``tax`` call     something is to be paid
``KetThucHoSo``                the result is ready (``TrangThaiKetThuc`` 0)
=============================  ====================================================================================

A dossier that is withdrawn or stopped is so at its home, so ``TrangThaiKetThuc`` 1 and 2 are known and never told.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sandbox.province.events import What
from sandbox.province.reading import Happening, Reading
from sandbox.systems.register import How
from schemas.identifiers import dossier_long
from schemas.states import State

_CORRECTED = 5  # one dossier in so many has something to be corrected
_WORDS = {
    State.SUPPLEMENT_REQUESTED: "Bổ sung trích lục bản đồ địa chính",
    State.PAYMENT_REQUESTED: "Đã có thông báo thuế",
    State.COMPLETED: "Đã ký giấy chứng nhận",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one of the systems calls. ``time`` writes an epoch second; ``tax`` is the name of its call about taxes."""

    time: Callable[[int], str]
    bad_time: str
    tax: str
    tells_reception: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: when what it tells happened (epoch second), its name, and its body. ``when`` is the key of its time."""

    at: int
    kind: str
    when: str
    body: dict[str, Any]


def calls(one: Reading, dialect: Dialect) -> list[Call]:
    """Everything there is to tell of a dossier by now; later there is more behind it, and never anything else."""
    told = [_call(one, position, dialect) for position in range(len(one.happenings))]
    if not dialect.tells_reception:
        return told
    kind, when = "TiepNhanHoSoChoMotCua", "NgayTiepNhan"
    body = {"MaCanBoXuLy": _desk(one.number), when: dialect.time(one.submitted), "GhiChu": ""}
    return [Call(at=one.submitted, kind=kind, when=when, body=_about(one, body)), *told]


def broken(call: Call, how: How | None, dialect: Dialect) -> Call:
    """The same call, told wrongly."""
    match how:
        case How.UNKNOWN_STATUS:
            call = _with_status(call)
            return replace(call, body={key: _unknown(key, value) for key, value in call.body.items()})
        case How.BAD_DATE:
            return replace(call, body={**call.body, call.when: dialect.bad_time})
        case How.MISSING_CODE:
            return replace(call, body={key: value for key, value in call.body.items() if key != "SoBienNhan"})
        case How.EXTRA_FIELD:
            return replace(call, body={**call.body, "PhienBanGiaoTiep": "2"})
        case How.RENAMED_FIELD:
            call = _with_status(call)
            return replace(call, body={_RENAMED.get(key, key): value for key, value in call.body.items()})
        case None:
            return call


def said_again(call: Call, times: int) -> Call:
    """The same call, told once more as a correction: its words say so, so that it is no mere repetition."""
    words = next(key for key in ("NoiDungXuLy", "GhiChu") if key in call.body)
    return replace(call, body={**call.body, words: f"{call.body[words]} (đính chính lần {times})".strip()})


_RENAMED = {"MaTrangThai": "MaTinhTrang", "TrangThaiKetThuc": "MaKetThuc"}


def _unknown(key: str, value: Any) -> Any:
    return {"MaTrangThai": "77", "TrangThaiKetThuc": 77}.get(key, value)


def _with_status(call: Call) -> Call:
    """The call itself when it names a state, else a hand-over in its place: its name alone cannot be wrong."""
    if _RENAMED.keys() & call.body.keys():
        return call
    code, at = call.body["SoBienNhan"], call.body[call.when]
    body = {"SoBienNhan": code, **_hand_over(0, State.PROCESSING, "Chuyển xử lý", at, is_back=False)}
    return Call(at=call.at, kind="ChuyenHoSo", when="NgayChuyen", body=body)


def _call(one: Reading, position: int, dialect: Dialect) -> Call:
    event = one.happenings[position]
    before = one.happenings[position - 1].state if position else None
    at = dialect.time(event.at)
    kind, when, body = _told(one.number, position, event, before, at, dialect)
    return Call(at=event.at, kind=kind, when=when, body=_about(one, body))


def _told(
    number: int, position: int, event: Happening, before: State | None, at: str, dialect: Dialect
) -> tuple[str, str, dict[str, Any]]:
    """Name of the call, key of its time, and what it holds besides the dossier."""
    desk, words = _desk(position), _WORDS.get(event.state, event.content)
    if event.state is State.SUPPLEMENT_REQUESTED:
        return _asking("YeuCauBoSungHoSo", "NgayYeuCau", desk, words, at)
    if event.state is State.PAYMENT_REQUESTED:
        when = "NgayCoKetQuaThue"
        notices = [_tax_notice(number)]
        return dialect.tax, when, {"NguoiXuLy": desk, when: at, "GhiChu": words, "DanhSachThongBaoThue": notices}
    if event.state is State.COMPLETED:
        paper = _paper("Giấy chứng nhận quyền sử dụng đất", f"/tep/{number}/ket-qua")
        ended = {"NgayKetThuc": at, "MaCanBoXuLy": desk, "TrangThaiKetThuc": 0, "GhiChu": words}
        return "KetThucHoSo", "NgayKetThuc", {**ended, "DanhSachGiayToKetQua": [paper]}
    if before is State.SUPPLEMENT_REQUESTED:
        return _asking("NhanBoSungHoSo", "NgayNhanBoSung", desk, "Đã nhận giấy tờ bổ sung", at)
    if event.what is What.HANDED_ON and number % _CORRECTED == 0:
        return _asking("YeuCauCapNhatHoSo", "NgayYeuCau", desk, "Cập nhật số thửa, số tờ bản đồ", at)
    body = _hand_over(position, event.state, event.content, at, is_back=before is State.COMPLETED)
    return "ChuyenHoSo", "NgayChuyen", body


def _asking(kind: str, when: str, desk: str, words: str, at: str) -> tuple[str, str, dict[str, Any]]:
    return kind, when, {"MaCanBoXuLy": desk, "NoiDungXuLy": words, when: at}


def _hand_over(position: int, state: State, words: str, at: str, *, is_back: bool) -> dict[str, Any]:
    return {
        "MaCanBoChuyen": _desk(position),
        "MaCanBoNhan": _desk(position + 1),
        "MaTrangThai": str(state.value),
        "LaTrangThaiChuyenLai": is_back,
        "NoiDungXuLy": words,
        "NgayChuyen": at,
        "HanXuLy": 2.5,
        "DanhSachTapTin": [_paper("Phiếu kiểm soát quá trình", "/tep/phieu")] if position % 2 else [],
    }


def _about(one: Reading, body: dict[str, Any]) -> dict[str, Any]:
    return {"SoBienNhan": dossier_long(one.code), **body}


def _desk(position: int) -> str:
    return f"canbo.{position % 4 + 1:02d}"


def _paper(name: str, link: str) -> dict[str, Any]:
    return {"TenGiayTo": name, "KieuFile": "pdf", "LinkFile": link, "SoBanSao": 0, "SoBanChinh": 1}


def _tax_notice(number: int) -> dict[str, Any]:
    return {
        "HoVaChu": "Nguyễn Văn Mẫu",
        "LoaiThue": "Lệ phí trước bạ",
        "SoThongBaoThue": f"TB-MAU-{number}",
        "DuongDanTBT": f"https://thue.invalid/tbt/{number}",
    }
