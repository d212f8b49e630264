"""XML out of texts and answers, read safely, and as plain values.

No entity is resolved, nothing is fetched, a document type is refused, and the size limits of libxml2 stay on.

``value_of`` turns an element into what the mapping can walk through:

=============================================  ========================================================
element                                        value
=============================================  ========================================================
only text, or nothing                          the text; ``""`` when empty; ``None`` with ``xsi:nil``
child elements                                 a dict by their local names
several children of one name                   a list under that name, in order
attributes                                     ``"@name"`` in the dict (those of ``xsi`` are left out)
text beside attributes or children             ``"#text"`` in the dict, unless it is blank
=============================================  ========================================================
"""

from typing import Any

from lxml import etree

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NIL = f"{{{_XSI}}}nil"


class NotXml(ValueError):
    """Not a document that can be read; the text says why, and nothing of its content."""


def parse(text: str | bytes) -> etree._Element:
    """The root of a document; raises ``NotXml``."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    data = _without_declared_encoding(text).encode() if isinstance(text, str) else text
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        reason = f"it is not well-formed XML (line {line})" if line else "it is not well-formed XML"
    else:
        if root.getroottree().docinfo.internalDTD is None:
            return root
        reason = "it declares a document type"
    raise NotXml(reason)


def value_of(element: etree._Element) -> Any:
    """The element as plain values; see above."""
    if element.get(_NIL) in ("true", "1"):
        return None
    attributes = ((etree.QName(key), text) for key, text in element.attrib.items())
    value: dict[str, Any] = {f"@{key.localname}": text for key, text in attributes if key.namespace != _XSI}
    texts = [element.text or ""]
    for child in element.iterchildren(etree.Element):
        name, inner = local_name(child), value_of(child)
        texts.append(child.tail or "")
        if name not in value:
            value[name] = inner
        elif isinstance(value[name], list):
            value[name].append(inner)
        else:
            value[name] = [value[name], inner]
    text = "".join(texts)
    if not value:
        return text
    if text.strip():
        value["#text"] = text.strip()
    return value


def local_name(element: etree._Element) -> str:
    """The name without its namespace."""
    return etree.QName(element).localname


def _without_declared_encoding(text: str) -> str:
    """A text has been decoded already; the encoding it declares was that of its bytes."""
    bare = text.strip().removeprefix("\ufeff")
    return bare.partition("?>")[2] if bare.startswith("<?xml") else bare
