"""JMESPath expressions as functions: the library's parser, its functions and its comparisons, without its interpreter.

The interpreter dispatches by name on every node for every record, which costs more than all other fields of a mapping
together. Here an expression becomes one Python expression, once. Kinds of nodes that mappings rarely hold are left to
the interpreter, so that every expression means exactly what the library says it means.

The generated source contains names and texts from the mapping file only as ``repr()`` of them, never as code.
"""

from collections.abc import Callable
from typing import Any, Final

import jmespath
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

Search = Callable[[Any], Any]
Node = dict[str, Any]

_INTERPRETER: Final[Any] = TreeInterpreter()


def compiled(expression: str) -> Search:
    """The function of one checked expression: from a record to what the expression finds there, or ``None``."""
    parsed = dict(jmespath.compile(expression).parsed)
    writer = _Writer()
    source = writer.node(parsed, "value")
    try:
        search: Search = eval(f"lambda value: {source}", writer.scope)
    except SyntaxError:  # Python admits 200 brackets inside one another
        return lambda value: _INTERPRETER.visit(parsed, value)
    return search


def _field(value: Any, name: str) -> Any:
    try:
        return value.get(name)
    except AttributeError:
        return None


def _is_false(value: Any) -> bool:
    """What counts as false in JMESPath: nothing, ``false``, and empty text, list and object; the number 0 does not."""
    return not value and (value is None or value is False or value == "" or value == [] or value == {})


class _Writer:
    """Writes nodes as Python expressions. ``at`` is the name of the variable that holds what a node is asked about.

    An expression that is needed twice is written once, into a variable of its own: ``(v1 if (v1 := …) else …)``.
    """

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {
            "field": _field,
            "is_false": _is_false,
            "call": Functions().call_function,
            "visit": _INTERPRETER.visit,
        }
        self._variables = 0

    def node(self, node: Node, at: str) -> str:
        """The source of a node."""
        write = getattr(self, f"_{node['type']}", self._interpreted)
        source: str = write(node, at)
        return source

    def _interpreted(self, node: Node, at: str) -> str:
        return f"visit({self._bind(node)}, {at})"

    def _field(self, node: Node, at: str) -> str:
        name, value = repr(node["value"]), self._variable()
        return f"({value}.get({name}) if ({value} := {at}).__class__ is dict else field({value}, {name}))"

    def _subexpression(self, node: Node, at: str) -> str:
        first, *rest = node["children"]
        source = self.node(first, at)
        for step in rest:
            if step["type"] == "field":
                source = self._field(step, source)
            else:
                value = self._variable()
                source = f"({value} := {source}, {self.node(step, value)})[1]"
        return source

    _pipe = _subexpression

    def _literal(self, node: Node, _: str) -> str:
        literal = node["value"]
        return repr(literal) if literal is None or literal.__class__ in (str, int) else self._bind(literal)

    def _current(self, _: Node, at: str) -> str:
        return at

    _identity = _current

    def _comparator(self, node: Node, at: str) -> str:
        kind = node["value"]
        left, right = node["children"]
        if kind not in ("eq", "ne"):
            return self._interpreted(node, at)
        one, other = self.node(left, at), self.node(right, at)
        if kind == "eq" and right["type"] == "literal" and right["value"].__class__ in (str, int):
            # What is compared most: with a word or a number. ``true`` is not 1 there, as it is in Python.
            found = self._variable()
            return f"(({found} := {one}).__class__ is not bool and {found} == {other})"
        return f"{self._bind(TreeInterpreter.COMPARATOR_FUNC[kind])}({one}, {other})"

    def _or_expression(self, node: Node, at: str) -> str:
        left, right = (self.node(child, at) for child in node["children"])
        found = self._variable()
        return f"({found} if ({found} := {left}) or not is_false({found}) else {right})"

    def _and_expression(self, node: Node, at: str) -> str:
        left, right = (self.node(child, at) for child in node["children"])
        found = self._variable()
        return f"({right} if ({found} := {left}) or not is_false({found}) else {found})"

    def _multi_select_dict(self, node: Node, at: str) -> str:
        parts = (f"{child['value']!r}: {self.node(child['children'][0], at)}" for child in node["children"])
        return f"(None if {at} is None else {{{', '.join(parts)}}})"

    def _multi_select_list(self, node: Node, at: str) -> str:
        parts = (self.node(child, at) for child in node["children"])
        return f"(None if {at} is None else [{', '.join(parts)}])"

    def _function_expression(self, node: Node, at: str) -> str:
        if any(child["type"] == "expref" for child in node["children"]):
            return self._interpreted(node, at)
        arguments = (self.node(child, at) for child in node["children"])
        return f"call({node['value']!r}, [{', '.join(arguments)}])"

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _bind(self, value: object) -> str:
        name = f"c{len(self.scope)}"
        self.scope[name] = value
        return name
