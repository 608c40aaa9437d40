"""The small XML documents of WeChat and WeCom."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from chatbot.errors import BadRequestError

__all__ = ["read_xml", "write_xml"]


def read_xml(body: bytes | str) -> dict[str, str]:
    """The texts of the children of the root, by name.  No document types, entities or network.

    Raises:
        BadRequestError: (400) it is no such document.
    """
    raw = body.encode() if isinstance(body, str) else body
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise BadRequestError("the body is not XML", status=400) from None
    if root.getroottree().docinfo.doctype:
        raise BadRequestError("the body has a document type; expected plain XML", status=400)
    return {child.tag: child.text or "" for child in root if isinstance(child.tag, str)}


def write_xml(values: Mapping[str, str | int]) -> str:
    """The document of :func:`read_xml`; texts in CDATA, as the providers want them."""
    root = etree.Element("xml")
    for name, value in values.items():
        child = etree.SubElement(root, name)
        child.text = str(value) if isinstance(value, int) else etree.CDATA(_plain(value))
    return str(etree.tostring(root, encoding="unicode"))


def _plain(text: str) -> str:
    """Without what CDATA cannot hold: its own end and control characters."""
    kept = "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
    )
    return kept.replace("]]>", "]] >")
