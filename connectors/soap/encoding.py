"""SOAP-encoded answers (rpc/encoded) made plain: references followed, namespaces dropped.

Old toolkits write a value once and refer to it (``href="#id3"``), leave elements of parameters without a namespace or
put them into any, and write text that is not ASCII in Base64. Afterwards each value stands where it belongs under its
local name, and can be read by the contract's types like any other.
"""

import base64
import binascii
from copy import deepcopy

from lxml import etree

_MOST_TIMES = 20
_ALWAYS = 10_000
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class Tangled(ValueError):
    """References lead in circles, nowhere, or unfold without end."""


def make_plain(root: etree._Element) -> None:
    """Change what is in the body of an envelope in place; raises ``Tangled``."""
    body = next((child for child in root if etree.QName(child).localname == "Body"), None)
    if body is None or not len(body):
        return
    content = body[0]
    if etree.QName(content).localname == "Fault":
        return
    targets = {element.get("id", ""): element for element in body.iterfind("*[@id]")}
    _Unfolding(targets, _ALWAYS + _MOST_TIMES * sum(1 for _ in body.iter())).unfold(content, ())
    for element in list(body)[1:]:
        body.remove(element)
    for element in content.iter(etree.Element):
        if (element.get(_XSI_TYPE) or "").rpartition(":")[2] in ("base64", "base64Binary"):
            _decode(element)
            del element.attrib[_XSI_TYPE]  # so that who reads it again, from the archive, does not decode it twice
        if element is not content:
            element.tag = etree.QName(element).localname


class _Unfolding:
    """Puts copies of what is referred to where it is referred from. A few references may stand for millions of
    elements, so copies are counted: ``most`` of them."""

    def __init__(self, targets: dict[str, etree._Element], most: int) -> None:
        self._targets = targets
        self._most = most
        self._sizes: dict[str, int] = {}
        self._copied = 0

    def unfold(self, element: etree._Element, inside: tuple[str, ...]) -> None:
        waiting = [(element, inside)]
        while waiting:
            current, names = waiting.pop()
            reference = current.get("href", "")
            if reference.startswith("#"):
                name = reference[1:]
                names = (*names, name)
                self._copy(name, current, names)
            waiting += [(child, names) for child in current]

    def _copy(self, name: str, into: etree._Element, inside: tuple[str, ...]) -> None:
        target = self._targets.get(name)
        if target is None or inside.count(name) > 1:
            raise Tangled("its references between elements lead in circles or nowhere")
        if name not in self._sizes:
            self._sizes[name] = sum(1 for _ in target.iter())
        self._copied += self._sizes[name]
        if self._copied > self._most:
            raise Tangled("its references between elements unfold without end")
        into.text = target.text
        for key, value in target.attrib.items():
            if key != "id":
                into.set(key, value)
        if "href" not in target.attrib:
            del into.attrib["href"]
        into.extend(deepcopy(child) for child in target)


def _decode(element: etree._Element) -> None:
    """Text in Base64, where it is text; anything else stays as it is."""
    try:
        element.text = base64.b64decode(element.text or "", validate=True).decode()
    except (binascii.Error, ValueError):
        return
