"""An OpenAPI 3 document, or Swagger 2: which operation lists records, how it is asked, what a record looks like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sync.drafting import guesses
from sync.drafting.asking import at, chosen, invented, meaning, since_template
from sync.drafting.sketch import Sketch, values
from sync.errors import SyncError

Schema = Mapping[str, Any]

_PLACEHOLDERS = frozenset({"since", "until", "page", "size", "offset", "cursor"})
_MOST_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Listing:
    """An operation whose answer holds a list of objects."""

    method: str
    path: str
    operation: Schema
    answer: Schema
    records: str
    record: Schema

    @property
    def name(self) -> str:
        """``GET /hoSo``."""
        return f"{self.method} {self.path}"


def read(document: Schema, operation: str | None) -> Sketch:
    """Sketch the system. ``operation`` (``GET /path``) chooses where several lists are found; raises ``SyncError``."""
    found = list(_listings(document))
    if not found:
        raise SyncError(
            "The document has no operation that answers with a list of objects.",
            next_step="Give a sample answer instead: hosync new NAME --from answer.json --path /where/it/comes/from",
        )
    listing = found[chosen("the document", [each.name for each in found], operation)]
    sample = _sample(listing.record, "", 0)
    parameters, paging, style = _asked(listing)
    options: dict[str, Any] = {"auth": _auth(document)}
    options["request"] = {"method": listing.method, "path": _base(document) + listing.path, "params": parameters}
    options["paging"] = paging
    options["answer"] = _answer(listing, sample)
    records = [sample, *_variants(listing.record, sample)]
    return Sketch(protocol="rest", style=style, records=records, options=options, record_schema=listing.record)


def _listings(document: Schema) -> Iterator[Listing]:
    for path, operations in document.get("paths", {}).items():
        if "{" in path:
            continue
        for method in ("get", "post"):
            operation = operations.get(method)
            schema = _success(operation, document) if operation else None
            if schema is None:
                continue
            resolved = _resolved(schema, document, 0)
            for records, record in _lists(resolved, "", 0):
                yield Listing(method.upper(), path, _resolved(operation, document, 0), resolved, records, record)
                break


def _success(operation: Schema, document: Schema) -> Schema | None:
    for code in ("200", 200, "2XX", "default"):
        response = _resolved(operation.get("responses", {}).get(code, {}), document, 0)
        if "schema" in response:  # Swagger 2
            return dict(response["schema"])
        for media, content in response.get("content", {}).items():
            if "json" in media and "schema" in content:
                return dict(content["schema"])
    return None


def _resolved(part: Any, document: Schema, depth: int) -> Any:
    """``part`` without references; what lies deeper than a record ever does is left open."""
    if isinstance(part, list):
        return [_resolved(each, document, depth + 1) for each in part]
    if not isinstance(part, Mapping):
        return part
    if depth > _MOST_DEPTH:
        return {}
    if "$ref" in part:
        target: Any = document
        for name in str(part["$ref"]).removeprefix("#/").split("/"):
            target = target.get(name.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
        return _resolved(target, document, depth + 1)
    merged = dict(part)
    for inner in merged.pop("allOf", []):
        resolved = _resolved(inner, document, depth + 1)
        merged["properties"] = {**resolved.get("properties", {}), **merged.get("properties", {})}
        merged["required"] = [*resolved.get("required", []), *merged.get("required", [])]
        merged.setdefault("type", resolved.get("type", "object"))
    return {name: _resolved(inner, document, depth + 1) for name, inner in merged.items()}


def _lists(schema: Schema, path: str, depth: int) -> Iterator[tuple[str, Schema]]:
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, Mapping) and items.get("properties"):
        yield path, items
    elif depth < 4:
        for name, inner in schema.get("properties", {}).items():
            yield from _lists(inner, f"{path}.{name}" if path else name, depth + 1)


def _asked(listing: Listing) -> tuple[dict[str, str], dict[str, Any], str]:
    """The templates of the query, the paging, and the pull style."""
    templates: dict[str, str] = {}
    kinds: dict[str, Schema] = {}
    for parameter in listing.operation.get("parameters", []):
        if parameter.get("in") != "query":
            continue
        name, schema = parameter["name"], parameter.get("schema", parameter)
        known = meaning(name)
        if known in _PLACEHOLDERS:
            kinds[known] = schema
            templates[name] = since_template(known, is_day=schema.get("format") == "date")
        elif parameter.get("required"):
            templates[name] = str(_sample(schema, name, 0))
    style = "changed-since" if "since" in kinds else "snapshot"
    return templates, _paging(listing, kinds), style


def _paging(listing: Listing, kinds: Mapping[str, Schema]) -> dict[str, Any]:
    if "cursor" in kinds and (at := _property(listing.answer, "next_cursor")):
        return {"kind": "cursor", "at": at}
    if at := _property(listing.answer, "next_url"):
        return {"kind": "next-url", "at": at}
    if _links(listing.operation):
        return {"kind": "link-header"}
    if "page" in kinds:
        first = kinds["page"].get("default", kinds["page"].get("minimum", 1))
        return {"kind": "page", "first": 0 if first == 0 else 1}
    if "offset" in kinds:
        return {"kind": "offset"}
    return {"kind": "none"}


def _links(operation: Schema) -> bool:
    response = operation.get("responses", {}).get("200") or operation.get("responses", {}).get(200) or {}
    return any(name.lower() == "link" for name in response.get("headers", {}))


def _property(schema: Schema, wanted: str, path: str = "", depth: int = 0) -> str:
    """The path of the first plain property outside lists that means ``wanted``; empty when there is none."""
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        if meaning(name) == wanted and inner.get("type") not in ("array", "object"):
            return here
        if depth < 3 and inner.get("type") != "array" and (found := _property(inner, wanted, here, depth + 1)):
            return found
    return ""


def _answer(listing: Listing, sample: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"records": listing.records}
    if total := _property(listing.answer, "total"):
        answer["total"] = total
    return answer | at(guesses.fields(values([sample])))


def _auth(document: Schema) -> dict[str, Any]:
    schemes = document.get("components", {}).get("securitySchemes") or document.get("securityDefinitions") or {}
    for scheme in schemes.values():
        kind = scheme.get("type")
        flows = scheme.get("flows", {})
        url = flows.get("clientCredentials", {}).get("tokenUrl") or scheme.get("tokenUrl")
        if kind == "oauth2" and url:
            return {"kind": "oauth2", "token_path": urlsplit(url).path}
        if kind == "basic" or (kind == "http" and scheme.get("scheme") == "basic"):
            return {"kind": "basic"}
        if kind == "http" and scheme.get("scheme") == "bearer":
            return {"kind": "bearer"}
        if kind == "apiKey" and scheme.get("in") in ("header", "query"):
            place = "headers" if scheme["in"] == "header" else "params"
            return {"kind": "api-key", place: {scheme["name"]: "{password}"}}
    return {"kind": "none"}


def _base(document: Schema) -> str:
    """The path that stands before all paths of the document."""
    servers = document.get("servers") or [{}]
    path = urlsplit(str(servers[0].get("url", ""))).path or str(document.get("basePath", ""))
    return path.rstrip("/")


_BY_FORMAT = {
    "date-time": "2026-01-05T08:30:00+07:00",
    "date": "2026-01-05",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


def _sample(schema: Schema, name: str, depth: int) -> Any:
    """A value as the document describes it: its example, else the first code, else something of its kind."""
    for key in ("example", "default", "const"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = next((each for each in kind if each != "null"), "string") if isinstance(kind, list) else kind
    if schema.get("properties") and depth < _MOST_DEPTH:
        return {key: _sample(inner, key, depth + 1) for key, inner in schema["properties"].items()}
    if kind == "array":
        return []
    if kind in ("integer", "number"):
        return 1
    if kind == "boolean":
        return False
    return _BY_FORMAT.get(str(schema.get("format")), invented(name))


def _variants(schema: Schema, sample: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The sample with each further code that the document lists for a field, so that code tables know them all."""
    for name, inner in schema.get("properties", {}).items():
        for code in inner.get("enum", [])[1:]:
            yield {**sample, name: code}
        if inner.get("properties"):
            yield from ({**sample, name: nested} for nested in _variants(inner, sample[name]))
