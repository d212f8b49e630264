"""What a catalog entry forbids to keep (``cut``) is taken out of an answer before anything else happens to it.

A path is names with dots between (``value[].ketQuaXuLy.phieuLLTP``). It is followed generously, since what is missed
would be kept: ``[]`` may stand after a list's name or not, lists are walked through wherever they are, and a text that
is itself a JSON or XML document is opened. A text on the path that is no such document is removed as a whole.

JSON paths begin at the root. XML paths are local names (the last may be an ``@attribute``) and may begin at any
element: SOAP wraps an answer in a few that nobody wants to write down.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from lxml import etree

from connectors.xml_text import NotXml, local_name, parse

Names = tuple[str, ...]


class CannotCut(ValueError):
    """What was given cannot be read, or not be written again, so nothing of it may be kept."""


class Cuts:
    """The paths of one catalog entry; false when there are none."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: tuple[Names, ...] = tuple(names_of(path) for path in paths)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def from_value(self, value: Any) -> None:
        """Remove the paths from a parsed JSON value, in place."""
        for names in self._paths:
            _cut_value(value, names)

    def from_xml(self, body: bytes) -> bytes:
        """``body`` without the elements and attributes at the paths; raises ``CannotCut`` when it is not XML."""
        if not self._paths:
            return body
        try:
            root = parse(body)
        except NotXml as error:
            raise CannotCut(str(error)) from None
        self.from_tree(root)
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)

    def covers(self, names: Sequence[str]) -> bool:
        """Whether what stands at these names, the outermost first, is removed."""
        return any(tuple(names[-len(path) :]) == path for path in self._paths)

    def from_tree(self, root: etree._Element) -> None:
        """Remove the paths from a parsed XML tree, in place."""
        for names in self._paths:
            _cut_element(root, names)


def names_of(path: str) -> Names:
    """``("value", "phieu")`` of ``value[].phieu``."""
    return tuple(filter(None, path.replace("[]", "").split(".")))


def dumped(value: Any) -> bytes:
    """``value`` as JSON; raises ``CannotCut`` for what cannot be written again (nested hundreds deep)."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise CannotCut("it is nested too deep") from error


def _cut_value(value: Any, names: Names) -> None:
    waiting: list[tuple[Any, Names]] = [(value, names)]
    while waiting:  # a loop: answers may be nested deeper than calls may be
        node, (name, *rest) = waiting.pop()
        left = tuple(rest)
        if isinstance(node, list):
            for index, item in enumerate(node):
                if isinstance(item, str):
                    node[index] = _cut_text(item, (name, *left))
                else:
                    waiting.append((item, (name, *left)))
        elif isinstance(node, dict) and name in node:
            inner = node[name]
            if not left:
                del node[name]
            elif isinstance(inner, str):
                node[name] = _cut_text(inner, left)
            else:
                waiting.append((inner, left))


def _cut_text(text: str, names: Names) -> str | None:
    """A text without what stands at ``names`` of the document that it is; ``None`` when it is none."""
    bare = text.strip().removeprefix("\ufeff")
    if not bare:
        return text
    try:
        if bare.startswith("<"):
            root = parse(bare)
            _cut_element(root, names)
            return etree.tostring(root, encoding="unicode")
        value = orjson.loads(bare)
        if not isinstance(value, dict | list):
            return None
        _cut_value(value, names)
        return dumped(value).decode()
    except (NotXml, orjson.JSONDecodeError, CannotCut):
        return None


def _cut_element(root: etree._Element, names: Names) -> None:
    for element in list(root.iter(etree.Element)):
        if local_name(element) == names[0]:
            _cut_below(element, names[1:])
    if len(names) == 1 and names[0].startswith("@"):
        for element in root.iter(etree.Element):
            _drop_attribute(element, names[0][1:])


def _cut_below(element: etree._Element, names: Sequence[str]) -> None:
    """Remove what stands at ``names`` below ``element``; with none left, the element itself."""
    if not names:
        parent = element.getparent()
        if parent is None:
            element.clear()
        else:
            parent.remove(element)
        return
    if names[0].startswith("@"):
        _drop_attribute(element, names[0][1:])
        return
    if not len(element) and element.text:
        element.text = _cut_text(element.text, tuple(names)) or None
        return
    for child in [child for child in element.iterchildren(etree.Element) if local_name(child) == names[0]]:
        _cut_below(child, names[1:])


def _drop_attribute(element: etree._Element, name: str) -> None:
    for key in [key for key in element.attrib if etree.QName(key).localname == name]:
        del element.attrib[key]
