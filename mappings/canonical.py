"""The names a mapping may write to and read from, taken from the models of the common schema."""

from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from schemas.dossier import Applicant, Dossier, ResultPaper, Step

_NESTED: dict[str, type[BaseModel]] = {"applicant": Applicant}
_LISTS: dict[str, type[BaseModel]] = {"steps": Step, "results": ResultPaper}


def _fields() -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for name, info in Dossier.model_fields.items():
        if name in _NESTED:
            found |= {f"{name}.{inner}": part for inner, part in _NESTED[name].model_fields.items()}
        else:
            found[name] = info
    return found


SOURCE_FIELDS: dict[str, FieldInfo] = _fields()
"""Every canonical field by the name a source mapping uses; those of the applicant have a dot."""

SOURCE_LISTS: dict[str, dict[str, FieldInfo]] = {name: dict(model.model_fields) for name, model in _LISTS.items()}
"""Fields of the items of each list field."""

REQUIRED = frozenset(name for name, info in Dossier.model_fields.items() if info.is_required())

DOSSIER_KEYS: frozenset[str] = frozenset({*SOURCE_FIELDS, "applicant", "version"})
"""What a target mapping may read of a dossier."""

STEP_KEYS: frozenset[str] = frozenset(
    {
        "code",
        "step_no",
        "at",
        "state",
        "unit",
        "officer",
        "content",
        "procedure_code",
        "procedure_name",
        "channel",
        "agency_code",
        "agency_name",
        "level",
        "due_at",
        "online_payment",
        "national_code",
    }
)
"""What a target mapping may read of a step."""


def adapter(info: FieldInfo) -> TypeAdapter[Any]:
    """Validates single values of a field, for constants and code tables in a mapping file."""
    annotation: Any = info.annotation
    for extra in info.metadata:
        annotation = Annotated[annotation, extra]
    return TypeAdapter(annotation)
