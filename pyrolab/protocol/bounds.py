"""How deep and how large a body is, read from its bytes before anything is built from them.

msgpack's own decoder takes 1024 levels and makes lists of whatever length a header claims. This file reads
headers only: it knows nothing of what extensions mean, except that from `NESTING` on they hold msgpack.
"""

from __future__ import annotations

from pyrolab.protocol.codes import NESTING
from pyrolab.protocol.limits import Limits

#: A body of at most this size whose bytes could hardly nest is not read twice.
SMALL_BODY_BYTES = 1 << 14

_CONTAINERS = bytes([*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)])
_OTHERS = bytes(set(range(256)) - set(_CONTAINERS))


class OutOfBounds(ValueError):
    """A body is deeper, longer or shorter than it may be."""


def check(body: bytes, limits: Limits) -> None:
    """Raise `OutOfBounds` if `body` exceeds `limits` or its headers claim more than is there."""
    size = len(body)
    if size <= limits.depth and size <= limits.elements:  # each level and each element needs a byte
        return
    if size > limits.body_bytes:
        raise OutOfBounds(
            f"a body of {size} bytes is over the limit of {limits.body_bytes}; send large data as arrays"
        )
    small = size <= SMALL_BODY_BYTES and size <= limits.elements
    if small and len(body.translate(None, _OTHERS)) <= limits.depth:
        return
    try:
        _measure(body, limits)
    except IndexError:
        raise OutOfBounds("the body ends in the middle of a value") from None


def _measure(body: bytes, limits: Limits) -> None:
    """Read all headers of `body`; an `IndexError` means that it ends too soon."""
    position = elements = 0
    left, end = 1, len(body)  # of the container that is being read: elements to come, where it must end
    outer: list[tuple[int, int]] = []
    while True:
        while not left:
            if end not in (position, _ANYWHERE):
                raise OutOfBounds("an extension's payload is not one msgpack value")
            if not outer:
                return
            left, end = outer.pop()
        left -= 1
        first = body[position]
        step = _STEPS[first]
        if first == _FLOAT and left:
            run = _run_of_floats(body, position, left + 1)
            position += run * step
            left -= run - 1  # the first of them is counted already
            continue
        if step:
            position += step
            continue
        position, inner, inner_end = _open(body, position)
        if inner:
            elements += inner
            outer.append((left, end))
            left, end = inner, inner_end
            if elements > limits.elements:
                raise OutOfBounds(f"more than {limits.elements} elements; send large data as arrays")
            if len(outer) > limits.depth:
                raise OutOfBounds(f"nested deeper than {limits.depth} levels")


_FLOAT = 0xCB
_FLOAT_BYTES = 9


def _run_of_floats(body: bytes, position: int, at_most: int) -> int:
    """How many floats in a row start at `position`: measured data is long lists of them."""
    headers = body[position : position + at_most * _FLOAT_BYTES : _FLOAT_BYTES]
    return len(headers) - len(headers.lstrip(b"\xcb"))


#: Where the elements of an array or a map end does not matter: only extensions state a length.
_ANYWHERE = -1


def _open(body: bytes, position: int) -> tuple[int, int, int]:
    """For a value with a header: where its content starts, or it ends; its elements; where they must end."""
    first = body[position]
    if first < 0x90:
        return position + 1, 2 * (first & 15), _ANYWHERE
    if first < 0xA0:
        return position + 1, first & 15, _ANYWHERE
    width, per_element = _HEADERS[first]
    start = position + 1 + width
    count = int.from_bytes(body[position + 1 : start], "big") if width else _FIXED_EXTENSIONS[first]
    if per_element:
        return start, count * per_element, _ANYWHERE
    if first in _EXTENSIONS:
        code = body[start]
        if NESTING <= code < 128:
            return start + 1, 1, start + 1 + count
        start += 1
    return start + count, 0, _ANYWHERE


#: Header byte → (bytes of the length field, elements that each unit of it stands for; 0: it counts bytes).
_HEADERS = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0),
    0xC7: (1, 0), 0xC8: (2, 0), 0xC9: (4, 0),
    0xD4: (0, 0), 0xD5: (0, 0), 0xD6: (0, 0), 0xD7: (0, 0), 0xD8: (0, 0),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
    0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2),
}  # fmt: skip
_FIXED_EXTENSIONS = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}
_EXTENSIONS = frozenset({0xC7, 0xC8, 0xC9, *_FIXED_EXTENSIONS})


def _step(first: int) -> int:
    """Bytes of a whole value that starts with this byte, 0 if its header says more."""
    if 0xA0 <= first < 0xC0:
        return 1 + (first & 31)
    numbers = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
    headed = first in _HEADERS or (0x80 <= first < 0xA0 and first & 15)  # the empty ones are whole
    return 0 if headed else numbers.get(first, 1)


_STEPS = tuple(_step(first) for first in range(256))
