"""Shapes: what a complex type of a contract lets an element hold, made once and used for every record.

zeep's own objects for answers are passed over: they turn what cannot be parsed into ``None`` without a word, and are
many times the size of the message. ``to_record`` goes once over the children of an element and looks each up.

==================================================  ===============================================================
in the answer                                       in the record
==================================================  ===============================================================
an element that may come many times                 a list, empty when there is none
``xsi:nil``                                         ``None``
an empty element                                    ``""``
a missing element                                   no key; a note when the contract requires it
text that does not fit its type                     the text as it is, and a note
an element that the contract does not know          kept under its local name
an element twice where once is allowed              a list of both, so that the mapping stumbles over it
an attribute that the contract declares             like an element of that name
text with attributes                                the text
an attachment (MTOM)                                its name, ``cid:…``
==================================================  ===============================================================
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import zeep.xsd as zx
from lxml import etree
from zeep.xsd.elements.indicators import Group, OrderIndicator

from connectors.soap.simple_types import Read, reader

XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_XOP_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
_TRUE = ("true", "1")
_ANY = "anything"


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a complex type. ``shape`` is ``None`` for a leaf, whose text ``read`` reads (``None``: any)."""

    name: str
    tag: str
    required: bool
    many: bool
    shape: "Shape | None"
    kind: str = "text"
    read: Read | None = None


@dataclass(slots=True)
class Shape:
    """A complex type: its elements by tag. ``item`` is what every child is, whatever its tag, in an encoded array."""

    fields: dict[str, Field] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    """Elements that must be there, once."""
    required_lists: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, str, Read | None]] = field(default_factory=dict)
    """By key: name, type and reader."""
    item: Field | None = None
    leaves: dict[str, tuple[str, Read | None]] = field(default_factory=dict)
    """Name and reader of those ``fields`` that hold text and may come once."""

    def child(self, name: str) -> Field | None:
        """The element of this local name."""
        return next((field for field in self.fields.values() if field.name == name), self.item)


ANYTHING = Shape()
"""Knows nothing: every element is kept under its local name."""


def shape_of(kind: Any, *, qualified: bool = True) -> Shape:
    """The shape of a zeep complex type; with ``qualified=False`` its tags are local names."""
    return _Shaper(qualified).shape(kind)


class _Shaper:
    """Makes each type once: a type may contain itself."""

    def __init__(self, qualified: bool) -> None:
        self._qualified = qualified
        self._known: dict[int, Shape] = {}
        self._unfinished: set[int] = set()

    def shape(self, kind: Any) -> Shape:
        if id(kind) in self._known:
            return self._known[id(kind)]
        shape = self._known[id(kind)] = Shape()
        self._unfinished.add(id(kind))
        array = kind._array_type
        if array is not None and array.array_type is not None:
            shape.item = self._field("item", "", array.array_type, required=False, many=True)
        else:
            for element, required, many in self._elements(kind._element, required=True, many=False):
                name = etree.QName(str(element.qname)).localname
                tag = str(element.qname) if self._qualified else name
                required = required and not element.nillable
                many = many or tag in shape.fields  # named in two places of the content model
                shape.fields[tag] = self._field(name, tag, element.type, required=required, many=many)
            fields = shape.fields.values()
            shape.lists = tuple(field.name for field in fields if field.many)
            shape.required = frozenset(field.name for field in fields if field.required and not field.many)
            shape.required_lists = tuple(field.name for field in fields if field.required and field.many)
            shape.leaves = {
                field.tag: (field.name, field.read) for field in fields if field.shape is None and not field.many
            }
            if not isinstance(kind._element, zx.Element):  # which is text with attributes
                shape.attributes = self._attributes(kind, {field.name for field in fields})
        self._unfinished.discard(id(kind))
        return shape

    def _field(self, name: str, tag: str, kind: Any, *, required: bool, many: bool) -> Field:
        if isinstance(kind, zx.ComplexType):
            nested = self.shape(kind)
            # A type that is still being read is one that contains itself, and so has elements. A type without any
            # (text with attributes, or nothing) is a leaf.
            if nested.fields or nested.item or nested.attributes or id(kind) in self._unfinished:
                return Field(name, tag, required, many, nested)
            element = kind._element
            kind = element.type if isinstance(element, zx.Element) else None
        type_name, read = reader(kind) if isinstance(kind, zx.AnySimpleType) else (_ANY, None)
        return Field(name, tag, required, many, None, type_name, read)

    def _elements(self, part: Any, *, required: bool, many: bool) -> Iterator[tuple[Any, bool, bool]]:
        """The elements in a content model: which of them are always required, which may come many times."""
        if isinstance(part, OrderIndicator | Group):
            # Inside a choice nothing is required by itself.
            inside = required and part.min_occurs > 0 and not isinstance(part, zx.Choice)
            repeated = many or bool(part.accepts_multiple)
            for child in [part.child] if isinstance(part, Group) else part:
                yield from self._elements(child, required=inside, many=repeated)
        elif isinstance(part, zx.Element) and not str(part.name).startswith("_value_"):
            # (zeep's _value_1 is the text of a type with simple content.)
            yield part, required and part.min_occurs > 0, many or bool(part.accepts_multiple)

    def _attributes(self, kind: Any, taken: set[str]) -> dict[str, tuple[str, str, Read | None]]:
        found = {}
        for _, attribute in kind.attributes:
            if attribute.name and attribute.name not in taken:
                found[str(attribute.qname)] = (attribute.name, *reader(attribute.type))
        return found


def to_record(element: etree._Element, shape: Shape, notes: set[str], at: str = "") -> dict[str, Any]:
    """The children of ``element`` by their names. What breaks the contract is added to ``notes`` (dotted names)."""
    look_up = shape.leaves.get
    record: dict[str, Any] = {name: [] for name in shape.lists} if shape.lists else {}
    for child in element:
        leaf = look_up(child.tag)
        if leaf is not None:  # nearly always; what is out of the ordinary comes below
            name, read = leaf
            text = child.text
            if text is not None and name not in record and not len(child):
                if read is None:
                    record[name] = text
                    continue
                try:
                    record[name] = read(text)
                except ValueError:
                    pass
                else:
                    continue
        _add_child(record, child, shape.fields.get(child.tag), notes, at)
    if not shape.required <= record.keys():
        notes.update(f"{at}{name} is missing" for name in shape.required - record.keys())
    for name in shape.required_lists:
        if not record[name]:
            notes.add(f"{at}{name} is missing")
    if shape.attributes:
        _read_attributes(element, shape, record, notes, at)
    return record


def to_value(element: etree._Element) -> Any:
    """An element that the contract says nothing about: its text, or its children by their local names."""
    if is_nil(element):
        return None
    if not len(element):
        return element.text or ""
    record: dict[str, Any] = {}
    for child in element:
        _add(record, _local(child), to_value(child))
    return record


def is_nil(element: etree._Element) -> bool:
    """Whether the element says that it has no value, and has none."""
    return element.get(XSI_NIL, "").strip() in _TRUE and not len(element) and not (element.text or "").strip()


def _add_child(record: dict[str, Any], element: etree._Element, known: Field | None, notes: set[str], at: str) -> None:
    """Add an element of any kind."""
    if known is None:
        _add(record, _local(element), to_value(element))
        return
    value = _nested(element, known, notes, at) if known.shape is not None else _leaf(element, known, notes, at)
    if known.many:
        record[known.name].append(value)
    else:
        _add(record, known.name, value)


def _nested(element: etree._Element, known: Field, notes: set[str], at: str) -> Any:
    shape = known.shape
    assert shape is not None
    if is_nil(element):
        if known.required:
            notes.add(f"{at}{known.name} is nil")
        return None
    here = f"{at}{known.name}."
    if shape.item is not None:
        return [_item(child, shape.item, notes, here) for child in element]
    return to_record(element, shape, notes, here)


def _item(element: etree._Element, known: Field, notes: set[str], at: str) -> Any:
    return _leaf(element, known, notes, at) if known.shape is None else _nested(element, known, notes, at)


def _leaf(element: etree._Element, known: Field, notes: set[str], at: str) -> Any:
    """The value of an element that should hold text of its type; what cannot be read stays as it is."""
    if len(element) == 1 and element[0].tag == _XOP_INCLUDE:
        return element[0].get("href", "")  # an attachment, which is never kept
    text = element.text or ""
    if not len(element) and text.strip():
        try:
            return text if known.read is None else known.read(text)
        except ValueError:
            notes.add(f"{at}{known.name} is not of type {known.kind}")
    elif len(element) and known.kind != _ANY:
        notes.add(f"{at}{known.name} is not of type {known.kind}")
    elif is_nil(element) and known.required:
        notes.add(f"{at}{known.name} is nil")
    return to_value(element)


def _read_attributes(element: etree._Element, shape: Shape, record: dict[str, Any], notes: set[str], at: str) -> None:
    for key, (name, kind, read) in shape.attributes.items():
        text = element.get(key)
        if text is not None:
            try:
                record[name] = text if read is None else read(text)
            except ValueError:
                record[name] = text
                notes.add(f"{at}{name} is not of type {kind}")


def _add(record: dict[str, Any], name: str, value: Any) -> None:
    """Add a value; one of the same name that is there already is kept beside it."""
    if name not in record:
        record[name] = value
    elif isinstance(record[name], list):
        record[name].append(value)
    else:
        record[name] = [record[name], value]


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname
