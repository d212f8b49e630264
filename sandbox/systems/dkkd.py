"""The business-registration system: SOAP 1.1, document/literal wrapped, "what has changed since".

One operation, ``danhSachHoSoThayDoi(tuThoiDiem, trang, soDongMoiTrang)``: the dossiers changed at or after a moment,
longest unchanged first, with their whole history; pages count from 1 and hold at most 1000 dossiers. An answer always
carries ``tongSo`` and ``thoiDiem``, so "nothing changed" can be told from a silent failure. X-Road headers of a request
are copied to the answer, unchanged and in order. ``?wsdl`` gives the contract, and ``python -m sandbox.systems.dkkd``
prints it as the snapshot in ``schemas/wire/dkkd`` keeps it.

This is a *template*: no public contract of such a service exists, and a real one will differ. It is there to have one
system of the kind that government platforms ask for. It is built with spyne, so that server and client share no code.
"""

import sys
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from lxml import etree

# spyne has no types: that is why its imports, and the classes made from its own below, are not checked.
from spyne import (  # type: ignore[import-untyped]
    Application,
    Array,
    ComplexModel,
    DateTime,
    Fault,
    Integer32,
    ServiceBase,
    Unicode,
    rpc,
)
from spyne.interface.wsdl import Wsdl11  # type: ignore[import-untyped]
from spyne.protocol.soap import Soap11  # type: ignore[import-untyped]
from spyne.server.wsgi import WsgiApplication  # type: ignore[import-untyped]
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, with_controls
from sandbox.province.calendar import moment
from sandbox.province.reading import Happening, Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register, Snapshot
from schemas.identifiers import agency_long
from schemas.states import State
from schemas.times import with_zone

NAMESPACE = "http://dkkd.mau.invalid/hoso/v1"
OPERATION = "danhSachHoSoThayDoi"
SNAPSHOT_ADDRESS = "http://example.org/xroad-endpoint"
"""What a security server puts in place of the address when it hands out a WSDL."""

STATUS_CODES: Mapping[State, str] = MappingProxyType(
    {
        State.REGISTERED: "MOI",
        State.ACCEPTED: "TIEP_NHAN",
        State.REJECTED: "TU_CHOI",
        State.PROCESSING: "DANG_XU_LY",
        State.SUPPLEMENT_REQUESTED: "BO_SUNG",
        State.PAYMENT_REQUESTED: "NGHIA_VU_TAI_CHINH",
        State.WITHDRAWN: "RUT",
        State.STOPPED: "DUNG",
        State.COMPLETED: "CO_KET_QUA",
        State.RETURNED: "DA_TRA",
    }
)
"""National state to ``trangThai``, the service's own words."""

_LARGEST_PAGE = 1000
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"

_Text = Unicode(min_occurs=1, nillable=False)
_OptionalText = Unicode(min_occurs=0, nillable=False)
_Time = DateTime(min_occurs=1, nillable=False)
_OptionalTime = DateTime(min_occurs=0, nillable=False)
_Number = Integer32(min_occurs=1, nillable=False)


class _Record(ComplexModel):  # type: ignore[misc]
    __namespace__ = NAMESPACE


class NguoiNop(_Record):
    """Who filed the dossier."""

    _type_info = (
        ("hoTen", _Text),
        ("soDinhDanh", _Text),
        ("dienThoai", _OptionalText),
        ("thuDienTu", _OptionalText),
        ("diaChi", _OptionalText),
    )


class BuocXuLy(_Record):
    """One step of the history: at this time the dossier entered, or stayed in, this state."""

    _type_info = (
        ("thoiDiem", _Time),
        ("trangThai", _Text),
        ("noiDung", _Text),
        ("donVi", _Text),
        ("canBo", _OptionalText),
    )


class HoSo(_Record):
    """One dossier as it is now."""

    _type_info = (
        ("maHoSo", _Text),
        ("soBienNhan", _Text),
        ("maThuTuc", _Text),
        ("tenThuTuc", _Text),
        ("maLinhVuc", _Text),
        ("tenLinhVuc", _Text),
        ("maCoQuan", _Text),
        ("tenCoQuan", _Text),
        ("kenhNop", _Text),
        ("trangThai", _Text),
        ("ngayNop", _Time),
        ("ngayTiepNhan", _OptionalTime),
        ("ngayHenTra", _OptionalTime),
        ("ngayHoanThanh", _OptionalTime),
        ("ngayTraKetQua", _OptionalTime),
        ("capNhatLuc", _Time),
        ("tenDoanhNghiep", _Text),
        ("maSoThue", _Text),
        ("nguoiNop", NguoiNop.customize(min_occurs=1, nillable=False)),
        ("hinhThucNhanKetQua", _Text),
        ("quaTrinh", BuocXuLy.customize(min_occurs=1, max_occurs="unbounded", nillable=False)),
    )


_DanhSachHoSo = Array(HoSo.customize(nillable=False), member_name="hoSo", min_occurs=1, nillable=False)


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server. It knows no log-in: only a security server can reach the real one."""
    register = Register(System.DKKD, home, options, ordered=True)
    # a2wsgi types ASGI more narrowly than Starlette does; at run time they are the same.
    app = cast(ASGIApp, WSGIMiddleware(WsgiApplication(_application(register))))
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_id(one.number)),
        operation_of=lambda _path, _body: OPERATION,
    )


def dossier_id(number: int) -> str:
    """The system's own id."""
    return f"DK{number:08d}"


def wsdl(address: str = SNAPSHOT_ADDRESS) -> bytes:
    """The contract of the service at ``address``, indented; the snapshot in ``schemas/wire`` is this."""
    service = WsgiApplication(_application(None))  # the binding's transport is written by the server, not the service
    document = Wsdl11(service.app.interface)
    document.build_interface_document(address)
    root = etree.fromstring(document.get_interface_document())
    return etree.tostring(root, pretty_print=True, encoding="UTF-8", xml_declaration=True)


def _application(register: Register | None) -> Any:
    """The service; without a register it only serves to describe itself."""

    class HoSoDangKyKinhDoanh(ServiceBase):  # type: ignore[misc]
        @rpc(
            _Time,
            _Number,
            _Number,
            _returns=[_Number, _Number, _Time, _DanhSachHoSo],
            _out_variable_names=["tongSo", "trang", "thoiDiem", "danhSachHoSo"],
        )
        def danhSachHoSoThayDoi(_context, tuThoiDiem, trang, soDongMoiTrang):  # type: ignore[no-untyped-def]  # noqa: N802, N803, N805
            if register is None:
                raise Fault("Server", "no register")
            return _changed_since(register.now, tuThoiDiem, trang, soDongMoiTrang)

    asked, soap = Soap11(validator="lxml"), Soap11()
    if register is not None:
        soap.event_manager.add_listener("after_serialize", lambda context: _finish(context, register.broken))
    return Application([HoSoDangKyKinhDoanh], NAMESPACE, name="HoSoDKKD", in_protocol=asked, out_protocol=soap)


def _changed_since(now: Snapshot, since: datetime, page: int, size: int) -> tuple[int, int, datetime, list[HoSo]]:
    if page < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise Fault("Client.ThamSo", f"trang phải từ 1, soDongMoiTrang từ 1 đến {_LARGEST_PAGE}")
    first = now.changes.position_of(int(-(-with_zone(since).timestamp() // 1)))
    begin = first + (page - 1) * size
    dossiers = [_dossier(now.reading(number)) for number in now.changes.numbers(begin, begin + size)]
    return len(now.changes) - first, page, now.as_of, dossiers


def _dossier(one: Reading) -> HoSo:
    assert one.enterprise is not None  # all procedures of this system are for enterprises
    return HoSo(
        maHoSo=dossier_id(one.number),
        soBienNhan=one.code,
        maThuTuc=one.procedure.code,
        tenThuTuc=one.procedure.name,
        maLinhVuc=one.procedure.sector.field_code,
        tenLinhVuc=one.procedure.sector.field_name,
        maCoQuan=agency_long(one.agency.code),
        tenCoQuan=one.agency.name,
        kenhNop=str(one.channel.value),
        trangThai=STATUS_CODES[one.state],
        ngayNop=moment(one.submitted),
        ngayTiepNhan=_time(one.received),
        ngayHenTra=_time(one.due),
        ngayHoanThanh=_time(one.finished),
        ngayTraKetQua=_time(one.returned),
        capNhatLuc=moment(one.changed),
        tenDoanhNghiep=one.enterprise.name,
        maSoThue=one.enterprise.tax_code,
        nguoiNop=NguoiNop(
            hoTen=one.person.name,
            soDinhDanh=one.person.citizen_id,
            dienThoai=one.person.phone,
            thuDienTu=one.person.email,
            diaChi=one.person.address,
        ),
        hinhThucNhanKetQua=str(one.delivery.value),
        quaTrinh=[_step(step, one.agency.name) for step in one.happenings],
    )


def _step(step: Happening, agency: str) -> BuocXuLy:
    return BuocXuLy(
        thoiDiem=moment(step.at),
        trangThai=STATUS_CODES[step.state],
        noiDung=step.content,
        donVi=agency,
        canBo=step.officer,
    )


def _time(epoch: int | None) -> datetime | None:
    return None if epoch is None else moment(epoch)


def _finish(context: Any, broken: Mapping[int, How]) -> None:
    """Copy the request's headers to the answer, and spoil what is to be told wrongly."""
    envelope = context.out_document
    if context.in_header_doc:
        header = etree.Element(f"{_SOAP}Header")
        header.extend(deepcopy(one) for one in context.in_header_doc)
        envelope.insert(0, header)
    if broken:
        by_id = {dossier_id(number): how for number, how in broken.items()}
        for dossier in list(envelope.iter(f"{{{NAMESPACE}}}hoSo")):
            how = by_id.get(dossier.findtext(f"{{{NAMESPACE}}}maHoSo", ""))
            if how is not None:
                _spoil(dossier, how)


def _spoil(dossier: Any, how: How) -> None:
    if how is How.EXTRA_FIELD:
        etree.SubElement(dossier, f"{{{NAMESPACE}}}truongMoi").text = "giá trị mới"
        return
    if how is How.RENAMED_FIELD:
        dossier.find(f"{{{NAMESPACE}}}trangThai").tag = f"{{{NAMESPACE}}}trangThaiMoi"
        return
    name, wrong = {
        How.UNKNOWN_STATUS: ("trangThai", "LA"),
        How.BAD_DATE: ("ngayNop", "31/02/2026"),
        How.MISSING_CODE: ("soBienNhan", None),
    }[how]
    element = dossier.find(f"{{{NAMESPACE}}}{name}")
    if wrong is None:
        dossier.remove(element)
    else:
        element.text = wrong


if __name__ == "__main__":
    sys.stdout.buffer.write(wsdl())
