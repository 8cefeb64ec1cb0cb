"""Room on Python's stack.

CPython keeps frames in chunks of 16 KB, and maps memory for a call across an edge only to unmap it when the call
returns: a loop that happens to run at an edge, as many do while modules are imported, pays for that each time.
"""

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_WORDS = 9000


def call_roomily(function: Callable[..., Result], *arguments: object) -> Result:
    """Call the function with 56 KB of stack in one chunk, wherever on the stack the caller is."""
    return function(*arguments)


# A frame that claims 72 KB gets a chunk of the next power of two; what it does not use is left to the calls below it.
call_roomily.__code__ = call_roomily.__code__.replace(co_stacksize=_WORDS)
