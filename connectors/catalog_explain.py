"""Turns pydantic's errors into sentences for whoever wrote the catalog file."""

import difflib
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

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
    where = (*at, *_walk(model, location)[0])
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
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(document, detail, where, model, location)
    if kind == "value_error":
        return document.problem(where, "not allowed", _sentence(str(detail["ctx"]["error"])))
    if kind == "inconsistent":
        return document.problem((*where, *detail["ctx"]["at"]), "does not fit the rest", _sentence(detail["msg"]))
    return document.problem(where, _sentence(detail["msg"]).rstrip("."), "Correct the value")


def _unknown_kind(
    document: Document, detail: Any, where: Location, model: type[BaseModel], location: Location
) -> CatalogProblem:
    """A part that says no kind, or one that there is not."""
    name = str(detail["ctx"]["discriminator"]).strip("'")
    info = _fields(model, location[:-1]).get(str(location[-1]))
    allowed = [
        str(word) for one in _models(info.annotation if info else None) for word in _literal(one.model_fields[name])
    ]
    given = detail["ctx"].get("tag")
    problem = "missing" if given is None else f"'{given}' is not allowed"
    hint = nearest(given, allowed) if given else ""
    return document.problem((*where, name), problem, f"{hint}Allowed: {', '.join(allowed)}")


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
    _, found = _walk(model, location)
    return found.model_fields if found else {}


def _walk(model: type[BaseModel], location: Location) -> tuple[Location, type[BaseModel] | None]:
    """The location as it stands in the file, and the model there.

    Where a key holds one of several kinds of parts, pydantic puts the kind into the location, and no file has it there.
    """
    shown: list[str | int] = []
    current: type[BaseModel] | None = model
    kinds: list[type[BaseModel]] = []
    for part in location:
        if len(kinds) > 1:
            current = next((kind for kind in kinds if _is_kind(kind, part)), None)
            kinds = []
            continue
        shown.append(part)
        if isinstance(part, str):
            info = current.model_fields.get(part) if current else None
            kinds = _models(info.annotation) if info else []
            current = kinds[0] if len(kinds) == 1 else None
    return tuple(shown), current


def _is_kind(model: type[BaseModel], kind: str | int) -> bool:
    """Whether a literal of the model says that it is of this kind."""
    return any(kind in _literal(field) for field in model.model_fields.values())


def _literal(field: Any) -> tuple[Any, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [
        candidate
        for candidate in (annotation, *_parts(annotation))
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
    ]


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
    nested = _models(info.annotation) if info is not None else []
    if len(nested) == 1:
        required = [name for name, field in nested[0].model_fields.items() if field.is_required()]
        return f", with {', '.join(required)}" if required else ""
    return ""
