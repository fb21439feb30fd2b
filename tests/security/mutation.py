"""Valid messages, changed at random: bytes flipped, frames cut, doubled or swapped, fields at extremes."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence

from pyrolab.protocol.envelope import HEADER_BYTES
from vectors.transcript import transcript

Frames = list[bytes]

_EXTREMES = (0, 1, 127, 128, 255, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1)
#: The header's fields: offset and size.
_FIELDS = ((0, 4), (4, 1), (5, 1), (6, 1), (7, 1), (8, 8), (16, 8), (24, 8), (32, 4), (36, 4), (40, 8))
_OPENINGS = (b"\x91", b"\x81\xa1x", b"\xdc\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc7\x03\x20")
_TARGETS = (b"", b"Pyro.NameServer", b"\xff" * 255, b"PYRONAME:", b"PYROMETA:,,", b"a b@")
_KINDS = (1, 3, 4, 6, 16, 17, 18, 32, 33, 34, 35, 40, 43, 44, 45, 48, 49, 50, 51, 52, 53, 56, 57, 58, 59, 60)
#: A session as a target.
_TARGET_BYTES = 16


@functools.cache
def seeds(sender: str) -> list[Frames]:
    """What one side says in the golden conversation, but for what stops everything, as it should."""
    said = [each for each in transcript() if each.sender == sender and each.name != "call-emergency-stop"]
    return [[each.header, *each.frames] for each in said]


def aimed_at(session: int, messages: Sequence[Frames]) -> list[Frames]:
    """What sources and viewers say to each other, said to this one."""
    target = b"%016x" % session
    sizes = (HEADER_BYTES, HEADER_BYTES + _TARGET_BYTES)
    assert {len(header) for header, *_ in messages} == set(sizes)
    return [
        [header[:HEADER_BYTES] + target[: len(header) - HEADER_BYTES], *rest] for header, *rest in messages
    ]


class Mutator:
    """Makes messages out of valid ones; the same seed makes the same messages."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def message(self, valid: Sequence[Frames], session: int, call: int) -> Frames:
        """One of the valid messages, made this session's own, and then changed."""
        frames = list(self._chance.choice(valid))
        frames[0] = _set(_set(frames[0], 8, 8, session), 16, 8, call)
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 3, 5))):
            frames = self._chance.choice(_MUTATIONS)(self, frames)
        return frames or [b""]

    def _flip(self, frames: Frames) -> Frames:
        """Change some bytes anywhere."""
        which = self._which(frames)
        changed = bytearray(frames[which])
        for _ in range(self._chance.choice((1, 1, 2, 8))):
            if changed:
                changed[self._chance.randrange(len(changed))] = self._chance.randrange(256)
        return _with(frames, which, bytes(changed))

    def _cut(self, frames: Frames) -> Frames:
        which = self._which(frames)
        return _with(frames, which, frames[which][: self._chance.randrange(len(frames[which]) + 1)])

    def _grow(self, frames: Frames) -> Frames:
        which = self._which(frames)
        more = self._chance.randbytes(self._chance.choice((1, 7, 300, 5000)))
        return _with(frames, which, frames[which] + more)

    def _set_field(self, frames: Frames) -> Frames:
        offset, size = self._chance.choice(_FIELDS)
        value = self._chance.choice(_EXTREMES) & (1 << 8 * size) - 1
        return _with(frames, 0, _set(frames[0], offset, size, value)) if frames else frames

    def _set_kind(self, frames: Frames) -> Frames:
        return _with(frames, 0, _set(frames[0], 5, 1, self._chance.choice(_KINDS))) if frames else frames

    def _drop(self, frames: Frames) -> Frames:
        which = self._which(frames)
        return frames[:which] + frames[which + 1 :]

    def _double(self, frames: Frames) -> Frames:
        return frames + [frames[self._which(frames)]] * self._chance.choice((1, 2, 50))

    def _swap(self, frames: Frames) -> Frames:
        return self._chance.sample(frames, len(frames))

    def _nest(self, frames: Frames) -> Frames:
        """A body that is deeper, or claims to be longer, than it is."""
        opening = self._chance.choice(
            (b"\x91", b"\x81\xa1x", b"\xdc\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc7\x03\x20")
        )
        which = self._which(frames)
        return _with(frames, which, opening * self._chance.choice((1, 60, 1100)) + frames[which])

    def _retarget(self, frames: Frames) -> Frames:
        target = self._chance.choice(
            (b"", b"Pyro.NameServer", b"\xff" * 255, b"PYRONAME:", b"PYROMETA:,,", b"a b@")
        )
        return _with(frames, 0, frames[0][:HEADER_BYTES] + target) if frames else frames

    def _which(self, frames: Frames) -> int:
        if not frames:
            frames.append(b"")
        return self._chance.randrange(len(frames))


_MUTATIONS: tuple[Callable[[Mutator, Frames], Frames], ...] = (
    Mutator._flip,
    Mutator._flip,
    Mutator._cut,
    Mutator._grow,
    Mutator._set_field,
    Mutator._set_field,
    Mutator._set_kind,
    Mutator._drop,
    Mutator._double,
    Mutator._swap,
    Mutator._nest,
    Mutator._retarget,
)


def _set(header: bytes, offset: int, size: int, value: int) -> bytes:
    return header[:offset] + value.to_bytes(size, "big") + header[offset + size :]


def _with(frames: Frames, which: int, frame: bytes) -> Frames:
    return [*frames[:which], frame, *frames[which + 1 :]]
