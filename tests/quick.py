"""What makes the tests quick where their time was spent outside of them: in the interpreter's stack, and in moto."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import pytest
from moto.core.serialize import JSONSerializer


def _call(run: Callable[..., object], arguments: dict[str, Any]) -> object:
    return run(**arguments)


# Up to Python 3.13, the interpreter's stack is of pieces of 16 KB, and a call that crosses from one into the next takes
# the memory from the system and gives it back, each time (CPython's issue 142183): a fifth of these tests' time went
# there. A frame that asks for more gets a larger piece, and the calls within it stay inside.
in_one_piece_of_stack = FunctionType(_call.__code__.replace(co_stacksize=2**17), globals())
"""Call a function with these arguments, and all that it calls within one megabyte of stack."""


@contextmanager
def answers_of_moto() -> Iterator[None]:
    """Have moto write of a DynamoDB value the one type that it has, without a look for the nine others."""
    serialize: Any = JSONSerializer._serialize_type_structure

    def serialize_structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name != "AttributeValue":
            serialize(serializer, serialized, value, shape, key)
            return
        [(type_, content)] = value.items() if isinstance(value, dict) else [(value.type, value.value)]
        written: dict[str, Any] = {}
        serializer._serialize(written, content, shape.members[type_], type_)
        serializer._default_serialize(serialized, written, shape, key)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(JSONSerializer, "_serialize_type_structure", serialize_structure)
        yield
