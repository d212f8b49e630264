"""The names a mapping may write to and read from, taken from the models of the common schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from mappings.model import Tells
from schemas.dossier import Applicant, Dossier, Progress, ResultPaper, Step
from schemas.rating import Rating
from schemas.report import SATISFACTION_KEYS, STATISTICS_KEYS

_NESTED: dict[str, type[BaseModel]] = {"applicant": Applicant}
_LISTS: dict[str, type[BaseModel]] = {"steps": Step, "results": ResultPaper}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a source mapping may fill: fields by the name it uses (those of the applicant have a dot), the fields of
    the items of each list, and what it must fill."""

    fields: Mapping[str, FieldInfo]
    lists: Mapping[str, Mapping[str, FieldInfo]]
    required: frozenset[str]


def _shape(model: type[BaseModel]) -> Shape:
    fields: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        if name in _NESTED:
            fields |= {f"{name}.{inner}": part for inner, part in _NESTED[name].model_fields.items()}
        else:
            fields[name] = info
    return Shape(
        fields=fields,
        lists={name: dict(item.model_fields) for name, item in _LISTS.items() if name in fields},
        required=frozenset(name for name, info in model.model_fields.items() if info.is_required()),
    )


SHAPES: Mapping[Tells, Shape] = MappingProxyType(
    {Tells.DOSSIER: _shape(Dossier), Tells.PROGRESS: _shape(Progress), Tells.RATING: _shape(Rating)},
)
"""What a source mapping may fill, by what it tells."""

_WHOLE = SHAPES[Tells.DOSSIER]

DOSSIER_KEYS: frozenset[str] = frozenset({*_WHOLE.fields, "applicant", "version"})
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

READABLE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "dossier": DOSSIER_KEYS,
        "step": STEP_KEYS,
        "notice": STEP_KEYS,
        "satisfaction": SATISFACTION_KEYS,
        "statistics": STATISTICS_KEYS,
    }
)
"""What a target mapping may read, by section."""

READABLE_LISTS = frozenset({"steps", "results", "questions"})
"""The lists among it."""


def adapter(info: FieldInfo) -> TypeAdapter[Any]:
    """Validates single values of a field, for constants and code tables in a mapping file."""
    annotation: Any = info.annotation
    for extra in info.metadata:
        annotation = Annotated[annotation, extra]
    return TypeAdapter(annotation)
