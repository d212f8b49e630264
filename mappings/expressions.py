"""JMESPath expressions as functions: the library's parser, its functions and its comparisons, without its interpreter.

The interpreter dispatches by name on every node for every record, which costs more than all other fields of a mapping
together. Here each node becomes a closure once. Kinds of nodes that mappings rarely hold are left to the interpreter,
so that every expression means exactly what the library says it means.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import jmespath
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

Search = Callable[[Any], Any]
Node = dict[str, Any]

_FUNCTIONS: Final = Functions()
_INTERPRETER: Final[Any] = TreeInterpreter()


def compiled(expression: str) -> Search:
    """The function of one checked expression: from a record to what the expression finds there, or ``None``."""
    return _node(dict(jmespath.compile(expression).parsed))


def _node(node: Node) -> Search:
    make = _KINDS.get(node["type"])
    return make(node) if make is not None else _interpreted(node)


def _interpreted(node: Node) -> Search:
    return lambda value: _INTERPRETER.visit(node, value)


def _field(node: Node) -> Search:
    name = node["value"]

    def field(value: Any) -> Any:
        try:
            return value.get(name)
        except AttributeError:
            return None

    return field


def _chain(node: Node) -> Search:
    if [child["type"] for child in node["children"]] == ["field", "field"]:
        return _path(*(child["value"] for child in node["children"]))
    first, *rest = map(_node, node["children"])
    if len(rest) == 1:
        (second,) = rest
        return lambda value: second(first(value))

    def chain(value: Any) -> Any:
        value = first(value)
        for step in rest:
            value = step(value)
        return value

    return chain


def _path(outer: str, inner: str) -> Search:
    """What is written most: a name inside an object. What is no object has no names, on either level."""

    def path(value: Any) -> Any:
        try:
            return value.get(outer).get(inner)
        except AttributeError:
            return None

    return path


def _literal(node: Node) -> Search:
    literal = node["value"]
    return lambda _: literal


def _current(_: Node) -> Search:
    return lambda value: value


def _comparison(node: Node) -> Search:
    kind = node["value"]
    left, right = node["children"]
    if kind == "eq" and right["type"] == "literal" and right["value"].__class__ in (str, int):
        return _equals(_node(left), right["value"])
    if kind not in ("eq", "ne"):
        return _interpreted(node)
    compare, one, other = TreeInterpreter.COMPARATOR_FUNC[kind], _node(left), _node(right)
    return lambda value: compare(one(value), other(value))


def _equals(find: Search, literal: str | int) -> Search:
    """What is compared most: with a word or a number. ``true`` is not 1 there, as it is in Python."""

    def equals(value: Any) -> bool:
        found = find(value)
        return found.__class__ is not bool and bool(found == literal)

    return equals


def _or(node: Node) -> Search:
    left, right = map(_node, node["children"])

    def either(value: Any) -> Any:
        found = left(value)
        return found if found or not _is_false(found) else right(value)

    return either


def _and(node: Node) -> Search:
    left, right = map(_node, node["children"])

    def both(value: Any) -> Any:
        found = left(value)
        return right(value) if found or not _is_false(found) else found

    return both


def _object(node: Node) -> Search:
    parts = [(child["value"], _node(child["children"][0])) for child in node["children"]]
    return lambda value: None if value is None else {name: part(value) for name, part in parts}


def _list(node: Node) -> Search:
    parts = [_node(child) for child in node["children"]]
    return lambda value: None if value is None else [part(value) for part in parts]


def _call(node: Node) -> Search:
    if any(child["type"] == "expref" for child in node["children"]):
        return _interpreted(node)
    name, arguments = node["value"], [_node(child) for child in node["children"]]
    return lambda value: _FUNCTIONS.call_function(name, [argument(value) for argument in arguments])


def _is_false(value: Any) -> bool:
    """What counts as false in JMESPath: nothing, ``false``, and empty text, list and object; the number 0 does not."""
    return not value and (value is None or value is False or value == "" or value == [] or value == {})


_KINDS: Final[Mapping[str, Callable[[Node], Search]]] = {
    "field": _field,
    "subexpression": _chain,
    "pipe": _chain,
    "literal": _literal,
    "current": _current,
    "identity": _current,
    "comparator": _comparison,
    "or_expression": _or,
    "and_expression": _and,
    "multi_select_dict": _object,
    "multi_select_list": _list,
    "function_expression": _call,
}
