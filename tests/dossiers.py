"""Invented dossiers for tests that need some, and do not mind which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.dossier import Dossier

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 08:00 in Vietnam


def code(number: int) -> str:
    """An invented dossier code."""
    return f"H12.12-260302-{number:04d}"


def dossier(number: int = 1, state: int = 4, hours: float = 0, **changes: Any) -> Dossier:
    """A dossier that entered ``state`` some ``hours`` after ``T0``."""
    at = T0 + timedelta(hours=hours)
    record = {
        "code": code(number),
        "source_id": str(number),
        "procedure_code": "1.990101",
        "procedure_name": "Đổi giấy phép lái xe",
        "agency_code": "H12.12",
        "agency_name": "Sở Mẫu tỉnh Thử Nghiệm",
        "channel": 2,
        "subject_kind": 1,
        "level": 4,
        "submitted_at": T0 - timedelta(hours=1),
        "received_at": T0,
        "due_at": T0 + timedelta(days=7),
        "state": state,
        "state_at": at,
        "changed_at": at,
        "applicant": {"name": "Nguyễn Văn Mẫu", "identity_kind": 1, "identity_number": "000099000001"},
    }
    return Dossier.model_validate(record | changes)
