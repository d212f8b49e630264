"""The canonical dossier: what every source is translated to and every target is told from.

``Dossier`` is one reading of a dossier by one source system. Personal data sits in ``applicant``, ``summary``,
``note`` and the officers and texts of ``steps``; everything else may be shown to people who run the system.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from schemas import identifiers
from schemas.codes import Channel, IdentityKind, OnlinePayment, ResultDelivery, SubjectKind
from schemas.states import State


def storable(value: str) -> str:
    """The text itself when PostgreSQL can store it; raises ``ValueError``."""
    # PostgreSQL refuses NUL and lone surrogates; a record with them must fail here, alone, and not with its page.
    if "\x00" in value:
        raise ValueError("the text holds a NUL character, which cannot be stored")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("the text holds half a surrogate pair, which cannot be stored") from None
    return value


Text = Annotated[str, Field(max_length=4000), AfterValidator(storable)]
Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]
DossierCode = Annotated[Code, AfterValidator(identifiers.dossier_short)]
AgencyCode = Annotated[Code, AfterValidator(identifiers.agency_short)]
ProcedureCode = Annotated[Code, AfterValidator(identifiers.procedure_code)]

# A date outside these years is a mistake of the source (year 0001, 9999 as "never"), not a date of a dossier.
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


def _plausible(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class _Record(BaseModel):
    # hide_input_in_errors: a validation error must never carry a citizen's data into a log.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Applicant(_Record):
    """Who filed the dossier. All of it is personal data."""

    name: Text | None = None
    identity_kind: IdentityKind | None = None
    identity_number: Code | None = None
    phone: Text | None = None
    email: Text | None = None
    address: Text | None = None

    @model_validator(mode="after")
    def _number_fits_kind(self) -> "Applicant":
        if self.identity_number is not None:
            if self.identity_kind is IdentityKind.CITIZEN_ID:
                identifiers.citizen_id(self.identity_number)
            elif self.identity_kind is IdentityKind.TAX_CODE:
                identifiers.tax_code(self.identity_number)
        return self


class Step(_Record):
    """One processing step that the source reports: at this time the dossier entered, or stayed in, this state."""

    at: Moment
    state: State
    unit: Text | None = None
    officer: Text | None = None
    content: Text | None = None


class ResultPaper(_Record):
    """A paper that came out of the procedure. Only its name, code and link travel, never the paper."""

    name: Text
    code: Code | None = None
    url: Text | None = None


class Dossier(_Record):
    """One dossier as one system describes it at one moment."""

    code: DossierCode
    source_id: Code
    national_code: DossierCode | None = None
    procedure_code: ProcedureCode
    procedure_name: Text | None = None
    field_code: Code | None = None
    field_name: Text | None = None
    agency_code: AgencyCode
    agency_name: Text | None = None
    channel: Channel
    subject_kind: SubjectKind
    level: Annotated[int, Field(ge=0, le=4)] | None = None
    applicant: Applicant = Applicant()
    summary: Text | None = None
    submitted_at: Moment | None = None
    received_at: Moment | None = None
    due_at: Moment | None = None
    finished_at: Moment | None = None
    returned_at: Moment | None = None
    state: State
    native_state: Code | None = None
    state_at: Moment | None = None
    changed_at: Moment | None = None
    result_delivery: ResultDelivery = ResultDelivery.DIRECT
    online_payment: OnlinePayment = OnlinePayment.NONE
    note: Text | None = None
    steps: tuple[Step, ...] = ()
    results: tuple[ResultPaper, ...] = ()


class Progress(_Record):
    """How far a dossier has come, told by a system that does not say what the dossier is about.

    Such systems work on dossiers that were filed elsewhere; ``code`` is all that binds the two.
    """

    code: DossierCode
    source_id: Code
    state: State
    native_state: Code | None = None
    state_at: Moment | None = None
    changed_at: Moment | None = None
    due_at: Moment | None = None
    finished_at: Moment | None = None
    returned_at: Moment | None = None
    note: Text | None = None
    steps: tuple[Step, ...] = ()
    results: tuple[ResultPaper, ...] = ()


DOSSIERS: TypeAdapter[list[Dossier]] = TypeAdapter(list[Dossier], config=ConfigDict(hide_input_in_errors=True))
"""Validates a whole page in one call; an error's first location element is the record's index."""

PROGRESS: TypeAdapter[list[Progress]] = TypeAdapter(list[Progress], config=ConfigDict(hide_input_in_errors=True))
"""The same for systems that tell only of progress."""
