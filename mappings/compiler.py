"""From the fields of a mapping to one straight-line Python function.

A mapping is compiled once: the source of a function is generated, with the converters, tables and constants as its
globals, and executed. What a record breaks is found by the slow path: the same lines, one small function per field,
run until each has said what is wrong. Both are made of the same snippets, so they cannot disagree.

The generated source contains names from the mapping file only as ``repr()`` of text, never as code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mappings import catalogues, expressions
from mappings.converters import REGISTRY
from mappings.errors import ConversionError
from mappings.model import QUARANTINE, AnyField, FieldSpec, ListSpec

Record = Mapping[str, Any]
Convert = Callable[[Record], dict[str, Any]]
Tables = Mapping[str, Mapping[str | int, Any]]
Watch = Callable[[str, object], None]
"""Told of every code that is in no table: the table's name and the code."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One field of one record that could not be made: where, by which rule, and in words."""

    field: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled set of fields: the fast function, and one function per field for explaining."""

    fast: Convert
    slow: tuple[tuple[str, Convert], ...]
    lists: Mapping[str, tuple[str, "Compiled"]]
    source: str

    def explain(self, record: Any, at: str = "") -> tuple[dict[str, Any], list[Broken]]:
        """Convert field by field: what could be made, and everything that could not."""
        if not isinstance(record, Mapping):
            return {}, [Broken(at.rstrip(".") or "record", "shape", "the record is not an object with fields")]
        result: dict[str, Any] = {}
        broken: list[Broken] = []
        for name, convert in self.slow:
            try:
                _merge(result, convert(record))
            except ConversionError as error:
                broken += self._inside(name, record, at) or [Broken(f"{at}{name}", error.rule, error.message)]
            except Exception as error:
                # Only the kind of the error is told: its text may hold the value.
                what = f"the field cannot be read ({type(error).__name__})"
                broken += self._inside(name, record, at) or [Broken(f"{at}{name}", "shape", what)]
        return result, broken

    def _inside(self, name: str, record: Record, at: str) -> list[Broken]:
        """What is broken in the items, when the field is a list."""
        if name not in self.lists:
            return []
        path, items = self.lists[name]
        found = enumerate(_walk(record, path))
        return [part for index, item in found for part in items.explain(item, f"{at}{name}[{index}].")[1]]


class CodeTable(dict[Any, Any]):
    """A code table that is exact: ``"04"`` and ``4`` are not ``"4"``, and ``true`` is not 1."""

    def __init__(self, name: str, codes: Mapping[str | int, Any], on_unknown: Any, watch: Watch | None = None) -> None:
        super().__init__(codes)
        self._name = name
        self._on_unknown = on_unknown
        self._watch = watch

    def __missing__(self, code: object) -> Any:
        if isinstance(code, str) and not code.strip():
            return None
        if self._watch is not None:
            self._watch(self._name, code)
        if self._on_unknown == QUARANTINE:
            raise ConversionError("unknown-code", f"the code is not in the table {self._name}; add it there")
        return self._on_unknown

    def read(self, code: object) -> Any:
        """The value for a code of any type; a member of an ``IntEnum`` counts as its number."""
        if isinstance(code, int) and not isinstance(code, bool):
            return self[int(code)]
        return self[code] if isinstance(code, str) else self.__missing__(code)


_NOTHING: Final[dict[str, Any]] = {}


def _object(value: object) -> Mapping[str, Any]:
    """What stands where an object is expected, once it has turned out not to be a plain dict."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, Mapping):
        return value
    raise ConversionError("shape", "an object was expected on the way to this field, and something else stands there")


def _list(value: object) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple):
        return list(value)
    raise ConversionError("shape", "a list was expected, and something else stands there")


def _empty() -> NoReturn:
    raise ConversionError("required", "the field is required, and the record holds nothing for it")


def _walk(record: Record, path: str) -> list[Any]:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return list(value) if isinstance(value, list | tuple) else []


def _merge(result: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict) and isinstance(result.get(name), dict):
            _merge(result[name], value)
        else:
            result[name] = value


def compile_fields(fields: Mapping[str, AnyField], tables: Tables, watch: Watch | None = None) -> Compiled:
    """Compile the fields of one section. The model must have been checked by ``reading.read``."""
    scope: dict[str, Any] = {"_object": _object, "_list": _list, "_empty": _empty}
    lists: dict[str, tuple[str, Compiled]] = {}
    snippets: list[tuple[str, list[str]]] = []
    for name, spec in fields.items():
        writer = _Writer(scope, tables, watch)
        if isinstance(spec, ListSpec):
            lists[name] = (spec.each, compile_fields(spec.fields, tables, watch))
            writer.list_field(name, spec.each, lists[name][1].fast)
        else:
            writer.field(name, spec)
        snippets.append((name, [*writer.shared, *writer.lines]))
    whole = _function("convert", [line for _, lines in snippets for line in lines])
    fast: Convert = _execute(whole, scope)
    slow = tuple((name, _execute(_function("convert", lines), scope)) for name, lines in snippets)
    return Compiled(fast=fast, slow=slow, lists=lists, source=whole)


def _function(name: str, lines: list[str]) -> str:
    """A function of these lines; an object on the way is fetched once, before the first line that needs it."""
    body: list[str] = []
    fetched: set[str] = set()
    for line in lines:
        if line.startswith("@"):
            if line in fetched:
                continue
            fetched.add(line)
            line = line[1:]
        body.extend(f"    {part}" for part in line.split("\n"))
    return "\n".join([f"def {name}(r):", "    out = {}", *body, "    return out"])


def _execute(source: str, scope: dict[str, Any]) -> Convert:
    space = dict(scope)
    exec(compile(source, "<mapping>", "exec"), space)
    convert: Convert = space["convert"]
    return convert


class _Writer:
    """Writes the lines of one field: those in ``shared`` begin with ``@`` and are needed once per function."""

    def __init__(self, scope: dict[str, Any], tables: Tables, watch: Watch | None) -> None:
        self._scope = scope
        self._tables = tables
        self._watch = watch
        self.shared: list[str] = []
        self.lines: list[str] = []

    def field(self, name: str, spec: FieldSpec) -> None:
        group, _, leaf = name.rpartition(".")
        if spec.is_constant:
            self._store(group, leaf, repr(spec.value))
            return
        self._value(spec, "")
        if spec.required:
            self.lines.append("if v is None: _empty()")
        elif spec.has_default:
            self.lines.append(f"if v is None: v = {spec.default!r}")
        if spec.required or spec.has_default:
            self._store(group, leaf, "v")
        else:
            self._store(group, leaf, "v", "if v is not None: ")

    def list_field(self, name: str, path: str, item: Convert) -> None:
        group, _, leaf = name.rpartition(".")
        self.lines.append(f"v = {self._access(path)}")
        self.lines.append("if v.__class__ is not list: v = _list(v)")
        self._store(group, leaf, f"[{self._bind('each', item)}(x) for x in v] if v else []")

    def _store(self, group: str, leaf: str, value: str, condition: str = "") -> None:
        inside = "".join(f".setdefault({name!r}, {{}})" for name in group.split(".") if name)
        self.lines.append(f"{condition}out{inside}[{leaf!r}] = {value}")

    def _value(self, spec: FieldSpec, indent: str) -> None:
        """Lines that leave the value in ``v``, or ``None`` there."""
        if spec.lookup is not None:
            find = self._bind("find", catalogues.finder(spec.lookup.catalogue, spec.lookup.take))
            self._add(indent, f"v = {find}({self._access(spec.lookup.by)})")
            self._read(spec, indent)
        elif spec.is_constant:
            self._add(indent, f"v = {spec.value!r}")
        elif spec.expression is not None:
            search = expressions.compiled(spec.expression)
            self._add(indent, f"v = {self._bind('search', search)}(r)")
            self._read(spec, indent)
        else:
            for number, path in enumerate(spec.source):
                inner = indent
                if number:
                    self._add(indent, "if v is None:")
                    inner = f"{indent}    "
                self._add(inner, f"v = {self._access(path)}")
                self._read(spec, inner)
        if spec.otherwise is not None:
            self._add(indent, "if v is None:")
            self._value(spec.otherwise, f"{indent}    ")

    def _read(self, spec: FieldSpec, indent: str) -> None:
        if spec.blanks:
            self._add(indent, f"if v in {self._bind('blanks', spec.blanks)}: v = None")
        if spec.converter is not None and spec.converter != "as_is":
            converter = REGISTRY[spec.converter]
            options = converter.options.model_validate(spec.converter_options)
            self._add(indent, f"if v is not None: v = {self._bind('to', converter.build(options))}(v)")
        if spec.table is not None:
            table = CodeTable(spec.table, self._tables[spec.table], spec.on_unknown, self._watch)
            bound = self._bind("table", table)
            self._add(
                indent,
                f"if v.__class__ is str: v = {bound}[v]",
                f"elif v is not None: v = {bound}.read(v)",
            )

    def _access(self, path: str) -> str:
        """An expression for the value at a dotted path; writes the shared lines for the objects on the way."""
        holder = "r"
        *objects, leaf = path.split(".")
        for depth, name in enumerate(objects, start=1):
            variable = self._variable(tuple(objects[:depth]))
            fetch = f"{variable} = {holder}.get({name!r})"
            self.shared.append(f"@{fetch}\nif {variable}.__class__ is not dict: {variable} = _object({variable})")
            holder = variable
        return f"{holder}.get({leaf!r})"

    def _variable(self, path: tuple[str, ...]) -> str:
        known: dict[tuple[str, ...], str] = self._scope.setdefault("_paths", {})
        return known.setdefault(path, f"p{len(known)}")

    def _bind(self, kind: str, value: object) -> str:
        name = f"{kind}_{len(self._scope)}"
        self._scope[name] = value
        return name

    def _add(self, indent: str, *lines: str) -> None:
        self.lines.extend(f"{indent}{line}" for line in lines)
