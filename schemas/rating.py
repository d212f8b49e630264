"""A citizen's rating: one answer to one question about how a dossier was handled.

It holds nothing personal: no name, and no free text. What a citizen writes beside the levels may say who he is, so it
is not part of the schema.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from schemas.codes import Satisfaction
from schemas.dossier import AgencyCode, Code, DossierCode, Moment, storable


class Rating(BaseModel):
    """One answer. Within a month the last one of a dossier to a question counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    code: DossierCode
    source_id: Code
    criterion: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(storable)]
    level: Satisfaction
    rated_at: Moment
    agency_code: AgencyCode | None = None


RATINGS: TypeAdapter[list[Rating]] = TypeAdapter(list[Rating], config=ConfigDict(hide_input_in_errors=True))
"""Validates a whole page in one call; an error's first location element is the record's index."""
