"""What a dossier must be like, and that a page tells its bad records by index without repeating them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.dossier import DOSSIERS, Dossier
from schemas.states import State
from schemas.times import VN, with_zone

SECRET = "Nguyễn Thị Bí Mật"


def record(**changes: Any) -> dict[str, Any]:
    """The least a dossier needs, with changes."""
    least = {
        "code": "H12.12-250812-0001",
        "source_id": "1",
        "procedure_code": "1.001612",
        "agency_code": "H12.12",
        "channel": 2,
        "subject_kind": 1,
        "state": 4,
    }
    return {**least, **changes}


def test_the_least_record_is_a_dossier() -> None:
    dossier = Dossier.model_validate(record())
    assert dossier.state is State.PROCESSING
    assert dossier.applicant.name is None


def test_codes_come_to_their_short_form() -> None:
    dossier = Dossier.model_validate(
        record(code="000.00.12.H12-250812-0001", national_code="000.00.99.G22-1", agency_code="000.00.12.H12")
    )
    assert (dossier.code, dossier.national_code, dossier.agency_code) == ("H12.12-250812-0001", "G22.99-1", "H12.12")


@pytest.mark.parametrize("missing", sorted(record()))
def test_nothing_that_is_required_may_be_missing(missing: str) -> None:
    incomplete = {name: value for name, value in record().items() if name != missing}
    with pytest.raises(ValidationError, match=missing):
        Dossier.model_validate(incomplete)


@pytest.mark.parametrize(
    "changes",
    [
        {"state": 0},
        {"state": 11},
        {"channel": 4},
        {"level": 5},
        {"unknown": 1},
        {"due_at": datetime(2025, 8, 12)},
        {"due_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"due_at": datetime(9999, 12, 31, tzinfo=UTC)},
        {"summary": "a\x00b"},
        {"summary": "a\ud800b"},
        {"summary": "x" * 4001},
        {"source_id": ""},
        {"applicant": {"identity_kind": 1, "identity_number": "123"}},
        {"applicant": {"identity_kind": 3, "identity_number": "1234567890"}},
        {"steps": [{"at": datetime(2025, 8, 12, tzinfo=VN), "state": 12}]},
        {"steps": [{"state": 1}]},
    ],
    ids=str,
)
def test_a_record_that_breaks_a_rule_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dossier.model_validate(record(**changes))


def test_a_dossier_cannot_be_changed() -> None:
    dossier = Dossier.model_validate(record())
    with pytest.raises(ValidationError, match="frozen"):
        dossier.state = State.RETURNED  # type: ignore[misc]


def test_a_page_tells_each_bad_record_by_its_index() -> None:
    page = [record(), record(state=77), record(), record(code="")]
    with pytest.raises(ValidationError) as caught:
        DOSSIERS.validate_python(page)
    assert {error["loc"][0] for error in caught.value.errors()} == {1, 3}


@pytest.mark.parametrize(
    "changes",
    [
        {"applicant": {"name": SECRET, "identity_kind": 1, "identity_number": SECRET}},
        {"applicant": {"name": f"{SECRET}\x00"}},
        {"note": f"{SECRET}\ud800"},
        {"agency_code": SECRET},
        {"state": SECRET},
        {SECRET[:3]: SECRET},
    ],
    ids=str,
)
def test_no_error_repeats_a_value(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        DOSSIERS.validate_python([record(**changes)])
    assert SECRET not in str(caught.value)


def test_a_time_without_a_zone_means_vietnamese_time() -> None:
    naive = datetime(2025, 8, 12, 6, 30)
    assert with_zone(naive).astimezone(UTC) == datetime(2025, 8, 11, 23, 30, tzinfo=UTC)
    aware = datetime(2025, 8, 12, 6, 30, tzinfo=UTC)
    assert with_zone(aware) is aware
