"""Small pieces of text that several commands print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text

from cli.messages import Texts


def breaks_in_words(texts: Texts, breaks: Mapping[str, int]) -> Text:
    """``2 missing at target, 1 duplicate``, red; a green "none" when there are none."""
    found = [f"{number:,} {texts(str(kind).replace('_', ' '))}" for kind, number in breaks.items() if number]
    return Text(", ".join(found), style="red") if found else Text(texts("none"), style="green")
