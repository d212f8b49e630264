"""Tables on terminals of any width."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from cli.messages import Language, Texts
from cli.output import make_table

WORDS = st.text("abcđêô-:/.", min_size=1, max_size=30)
CELLS = st.one_of(st.integers(0, 10**6), WORDS, st.lists(WORDS, min_size=2, max_size=4).map(" ".join))


@settings(max_examples=100, deadline=None)
@given(st.lists(CELLS, min_size=2, max_size=9), st.integers(80, 160))
def test_nothing_is_cut_off_and_no_number_is_broken_apart(row: list[int | str], width: int) -> None:
    headings = [f"Heading {number}" for number in range(len(row))]
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(make_table(Texts(Language.EN), "Table", headings, [row]))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for cell in row:
        if isinstance(cell, int):
            assert f"{cell:,}" in shown
    letters = sorted("".join(cell for cell in row if isinstance(cell, str)).replace(" ", ""))
    body = shown[shown.index("─") :].replace("─", "")
    numbers = "".join(f"{cell:,}" for cell in row if isinstance(cell, int))
    assert sorted(body.replace(" ", "").replace("\n", "")) == sorted([*letters, *numbers])
