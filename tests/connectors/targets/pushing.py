"""What the target tests share: catalog entries with short limits, invented payloads, and sandbox targets that run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving import LOGIN, PASSWORD, Served, served
from starlette.types import ASGIApp

from connectors.api import Item, Outcome, Verdict
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import TargetEntry, Timeouts
from connectors.connections import ConnectionSettings
from sandbox.http import ServerOptions

QUICK = Timeouts(connect_s=2, read_s=0.5, total_s=2)


def entry(system: str, *, options: Mapping[str, Any] | None = None, **changes: Any) -> TargetEntry:
    """The catalog's own entry, with time limits fit for tests; ``options`` replaces single options."""
    found = load_entry(FOLDER / f"{system}.yaml")
    assert isinstance(found, TargetEntry)
    own = found.options.model_copy(update=dict(options or {}))
    return found.model_copy(update={"timeouts": QUICK, "options": own, **changes})


class Running(Served):
    """A sandbox target, with its settings for a connector."""

    @property
    def settings(self) -> ConnectionSettings:
        found = settings("127.0.0.1", int(self.url.rpartition(":")[2]), **self.extra)
        return replace(found, password=self.password)


@contextmanager
def running(build: Callable[[Path, ServerOptions], ASGIApp], home: Path, **extra: Any) -> Iterator[Running]:
    """Run a sandbox target on the loopback for the length of the block."""
    with served(build, home, **extra) as server:
        yield Running(server.url, server.extra, server.password)


def settings(host: str, port: int, **extra: Any) -> ConnectionSettings:
    return ConnectionSettings(conn_id="target", host=host, port=port, login=LOGIN, password=PASSWORD, extra=extra)


def code(number: int) -> str:
    return f"H12.12-250812-{number:04d}"


def long_code(number: int) -> str:
    return f"000.00.12.{code(number).replace('H12.12', 'H12')}"


def outcomes(verdicts: Sequence[Verdict]) -> dict[str, Outcome]:
    """Outcome by key; fails when an item got more than one verdict."""
    found = {verdict.key: verdict.outcome for verdict in verdicts}
    assert len(found) == len(verdicts)
    return found


def npsp_dossier(number: int, *, known: bool = False, **changes: Any) -> Item:
    payload = {
        "MaHoSo": long_code(number),
        "MaTTHC": "1.001612",
        "TenTTHC": "Thủ tục mẫu",
        "MaLinhVuc": "G99-XX01",
        "TenLinhVuc": "Lĩnh vực mẫu",
        "ChuHoSo": "Nguyễn Văn Mẫu",
        "LoaiDoiTuong": "1",
        "NgayTiepNhan": "20250812081500",
        "NgayHenTra": "20250819170000",
        "TrangThaiHoSo": "4",
        "HinhThuc": "0",
        "DonViXuLy": "Sở Mẫu",
        **changes,
    }
    return Item(key=f"d{number}", code=code(number), payload=payload, known=known)


def npsp_step(number: int, step: int, **changes: Any) -> Item:
    payload = {
        "MaHoSo": long_code(number),
        "NguoiXuLy": "Lê Văn Kiểm",
        "ThoiDiemXuLy": f"2025081208{step:02d}00",
        "NoiDungXuLy": f"Bước {step}",
        "TrangThai": "4",
        **changes,
    }
    return Item(key=f"d{number}s{step}", code=code(number), payload=payload, known=True)


def document(number: int, **changes: Any) -> Item:
    payload = {
        "DocTypeCode": "1.001612",
        "DocTypeName": "Thủ tục mẫu",
        "DocCode": code(number),
        "CitizenName": "Nguyễn Văn Mẫu",
        "ApplicantsId": "000099000001",
        "ApplicantsType": 1,
        "Phone": "0900000000",
        "DateReceived": "2025-08-12T08:15:00.000Z",
        "DateAppointed": "2025-08-19T17:00:00.000Z",
        "IsSuccess": False,
        "SuccessDate": "0000-00-00T00:00:00.000+0700",
        "IsReturned": False,
        "ReturnedDate": "0000-00-00T00:00:00.000+0700",
        "ReturnedType": 0,
        "Status": 1,
        "ProcessingOrganName": "Sở Mẫu",
        "OrganInchargeIdLevel1": "H12",
        "OrganInchargeName": "UBND tỉnh Thử Nghiệm",
        **changes,
    }
    return Item(key=f"d{number}", code=code(number), payload=payload)


def trace(number: int, step: int, **changes: Any) -> Item:
    payload = {
        "DocumentId": 0,
        "DocCode": code(number),
        "UserName": "Lê Văn Kiểm",
        "UserPosition": "Chuyên viên",
        "DateCreated": f"2025-08-12T09:{step:02d}:00.000Z",
        "Comment": f"Bước {step}",
        "Status": 4,
        "OrganizationInchargeIdLevel1": "H12",
        "OrganizationInchargeName": "UBND tỉnh Thử Nghiệm",
        **changes,
    }
    return Item(key=f"d{number}s{step}", code=code(number), payload=payload, known=True)


def event(number: int, step: int, **changes: Any) -> Item:
    payload = {
        "codeProfile": long_code(number),
        "maHoSo": long_code(number),
        "codeTTHC": "1.001612",
        "nameTTHC": "Thủ tục mẫu dùng cho kiểm thử",
        "status": "2",
        "formsReception": "1",
        "formsPayments": "1",
        "level": "4",
        "isFromDVCQG": "0",
        "isDVCBC": "0",
        "data": "",
        **changes,
    }
    return Item(key=f"d{number}s{step}", code=code(number), payload=payload, known=True)
