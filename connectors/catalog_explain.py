"""Turns pydantic's errors into sentences for whoever wrote the catalog file."""

import difflib
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from connectors.catalog_yaml import Document, Location
from connectors.errors import CatalogProblem

_SECRET_WORDS = ("password", "secret", "token", "key")


def explain(document: Document, model: type[BaseModel], data: Any, at: Location = ()) -> list[CatalogProblem]:
    """Every mistake that ``model`` finds in ``data``, which stands at ``at`` in the document."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [
            _problem(document, model, detail, at)
            for detail in error.errors(include_url=False, include_input=False, include_context=True)
        ]
    return []


def nearest(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'? `` when one of ``known`` looks like ``word``, else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'? " if close else ""


def _problem(document: Document, model: type[BaseModel], detail: Any, at: Location) -> CatalogProblem:
    location: Location = tuple(detail["loc"])
    where = (*at, *location)
    kind = detail["type"]
    if kind == "extra_forbidden":
        allowed = list(_fields(model, location[:-1]))
        key = str(location[-1])
        if any(word in key.lower() for word in _SECRET_WORDS):
            return document.problem(where, "secrets do not belong in a catalog file", "Put it into the connection")
        fix = f"{nearest(key, allowed)}Allowed here: {', '.join(sorted(allowed))}"
        return document.problem(where, "unknown key", fix)
    if kind == "missing":
        what = _meaning(model, location)
        return document.problem(where, "missing", f"Add it{what}")
    if kind in ("enum", "literal_error"):
        allowed = _choices(model, location)
        given = _at(document.data, where)
        hint = nearest(given, allowed) if isinstance(given, str) else ""
        return document.problem(where, f"'{given}' is not allowed", f"{hint}Allowed: {', '.join(allowed)}")
    if kind == "value_error":
        return document.problem(where, "not allowed", _sentence(str(detail["ctx"]["error"])))
    if kind == "inconsistent":
        return document.problem((*where, *detail["ctx"]["at"]), "does not fit the rest", _sentence(detail["msg"]))
    return document.problem(where, _sentence(detail["msg"]).rstrip("."), "Correct the value")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _at(data: Any, location: Location) -> Any:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields(model: type[BaseModel], location: Location) -> Mapping[str, Any]:
    """The fields of the model that stands at ``location``."""
    current = model
    for part in location:
        nested = _nested(current.model_fields[str(part)].annotation) if part in current.model_fields else None
        if nested is None:
            return {}
        current = nested
    return current.model_fields


def _nested(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *_parts(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType, tuple, list) else ()


def _choices(model: type[BaseModel], location: Location) -> list[str]:
    """The words allowed at ``location``: of an enum, a literal, or a list of them."""
    names = [part for part in location if isinstance(part, str)]
    info = _fields(model, tuple(names[:-1])).get(names[-1])
    annotation = info.annotation if info is not None else None
    for candidate in (annotation, *_parts(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Enum):
            return [str(member.value) for member in candidate]
    return [str(choice) for choice in get_args(annotation)]


def _meaning(model: type[BaseModel], location: Location) -> str:
    info = _fields(model, location[:-1]).get(str(location[-1]))
    nested = _nested(info.annotation) if info is not None else None
    if nested is not None:
        required = [name for name, field in nested.model_fields.items() if field.is_required()]
        return f", with {', '.join(required)}" if required else ""
    return ""
