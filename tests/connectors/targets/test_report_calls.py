"""A month's report on the wire, however the portal's adapter is called, and what an entry may say of reports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pushing import Running, entry

from connectors.api import Item, Outcome
from connectors.catalog import FOLDER, load_entry
from connectors.errors import CatalogError
from connectors.targets.npsp import NpspTarget
from connectors.targets.options import DispatchCalls, ServiceCalls, UrlCalls
from schemas.report import ReportKind

ADDRESSES = {"insert_path": "/HoSo/ThemMoi", "update_path": "/HoSo/CapNhat", "progress_path": "/HoSo/DongBoTienTrinh"}
STYLES = {
    "dispatch": DispatchCalls(),
    "services": ServiceCalls(style="services"),
    "urls": UrlCalls(style="urls", ratings_path="/DanhGia/DongBo", **ADDRESSES),
}
RECORD = {
    "NgayTongHop": "8-2025",
    "TongSoNguoiDanhGia": 40,
    "PhanTramDanhGiaRatHaiLong": "75%",
    "PhanTramDanhGiaHaiLong": "20%",
    "PhanTramDanhGiaChuaHaiLong": "5%",
    "NoiDung": "Thái độ phục vụ",
    "Madonvi": "000.00.00.H12",
    "TenDonVi": "UBND tỉnh Thử Nghiệm",
}


def report(*, known: bool = False, **changes: Any) -> Item:
    return Item(key="r", code="", payload={"data": [RECORD | changes]}, known=known)


@pytest.mark.parametrize("style", STYLES)
def test_a_month_of_ratings_arrives_whatever_the_style(portal: Running, style: str) -> None:
    target = NpspTarget(entry("npsp", options={"calls": STYLES[style]}), portal.settings)
    try:
        assert target.send_report(ReportKind.SATISFACTION, report()).outcome is Outcome.ACCEPTED
        refused = target.send_report(ReportKind.SATISFACTION, report(NgayTongHop="tháng tám"))
        assert refused.outcome is Outcome.REJECTED
        portal.control("faults", {"mode": "apply-then-drop"})
        assert target.send_report(ReportKind.SATISFACTION, report()).outcome is Outcome.IN_DOUBT
    finally:
        target.close()
    assert len(portal.control("reports")) == 2


def _written(folder: Path, system: str, reports: Mapping[str, Any] | None, **changes: Any) -> Path:
    whole = yaml.safe_load((FOLDER / f"{system}.yaml").read_text("utf-8"))
    path = folder / f"{system}.yaml"
    path.write_text(yaml.safe_dump({**whole, "reports": reports, **changes}, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize(
    ("system", "reports", "said"),
    [
        ("npsp", {"statistics": {"in_doubt": "resend"}}, "Protocol 'npsp' takes no such report"),
        ("emc", {"satisfaction": {"in_doubt": "resend"}}, "Protocol 'emc' takes no such report"),
        ("npsp", {"satisfaction": {"in_doubt": "ask"}}, "reports.satisfaction.in_doubt"),
        ("npsp", {"since": "2026-13"}, "A month is written with its year"),
        ("province", {"satisfaction": {"in_doubt": "resend", "per": []}}, "reports.satisfaction.per"),
    ],
)
def test_what_an_entry_may_not_say_is_told(tmp_path: Path, system: str, reports: Mapping[str, Any], said: str) -> None:
    with pytest.raises(CatalogError) as caught:
        load_entry(_written(tmp_path, system, {"unit": "H12", "since": "2026-01", **reports}))
    assert said in str(caught.value)


def test_addresses_without_one_for_reports_take_none(tmp_path: Path) -> None:
    reports = {"unit": "H12", "since": "2026-01", "satisfaction": {"in_doubt": "give_up"}}
    whole = yaml.safe_load((FOLDER / "npsp.yaml").read_text("utf-8"))
    calls = {"style": "urls", "notice_path": "/HoSo/ThongBao", **ADDRESSES}
    changes = {
        "options": {**whole["options"], "calls": calls},
        "catalogues": None,
        "operations": {"dossier": {"in_doubt": "resend"}, "step": {"in_doubt": "resend"}},
        "reconcile": {"method": "none"},
    }
    with pytest.raises(CatalogError, match="style 'urls' has no address for reports"):
        load_entry(_written(tmp_path, "npsp", reports, **changes))
    assert load_entry(_written(tmp_path, "npsp", None, **changes))
