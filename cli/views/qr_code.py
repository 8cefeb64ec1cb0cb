"""A link as a QR code, for a phone's camera to take from a terminal."""

from collections.abc import Iterator, Sequence

import segno
from rich.console import Console

from cli.terminal import print_line

QUIET = 4
"""How many light modules the standard wants around it."""

_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""A character is two modules, one above the other; dark ones are in the colour of the text."""

_COLOURS = "rgb(0,0,0) on rgb(255,255,255)"
"""Said both, because a code is not readable the other way round, as in a dark terminal it would be."""


def show_qr_code(text: str) -> None:
    """Print a QR code, where there is a terminal that has colours; elsewhere nothing, for no camera would read it."""
    console = Console()
    if console.is_terminal and console.color_system and not console.no_color:
        for line in qr_code_lines(text):
            print_line(line, _COLOURS)


def qr_code_lines(text: str) -> Iterator[str]:
    """Yield the lines of a QR code with the margin that it needs."""
    rows: list[Sequence[int]] = [list(row) for row in segno.make(text, micro=False).matrix_iter(border=QUIET)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        yield "".join(_HALVES[bool(above), bool(below)] for above, below in zip(upper, lower, strict=True))
