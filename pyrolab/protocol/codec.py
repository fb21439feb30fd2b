"""Values to bytes and back: a msgpack body, and the large arrays beside it as buffers of their own.

No pickle, no eval, and nothing is imported because a peer named it. What cannot travel is a `SerializeError`
with the path to it before anything is sent; whatever is wrong with received bytes is a `ProtocolError`.
`docs/values.md` is the same for readers who write another codec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgpack

from pyrolab.errors import ProtocolError, SerializeError
from pyrolab.protocol import bounds, builtin, call_body, codes
from pyrolab.protocol.call_body import CallBody
from pyrolab.protocol.limits import DEFAULT_LIMITS, Limits

Buffer: TypeAlias = memoryview
Packing: TypeAlias = "Callable[[Encoder, Any], msgpack.ExtType]"
Unpacking: TypeAlias = "Callable[[Decoder, bytes], Any]"
#: Says how instances of a type are packed, or None.
Choice: TypeAlias = "Callable[[type], Packing | None]"

#: Encoders whose memory has grown past this are thrown away after use.
_KEEP_BYTES = 1 << 20
_PACKER_BYTES = 1 << 12


class Encoder:
    """Packs one value; `buffers` collects what travels beside the body."""

    __slots__ = ("_codec", "_level", "_packers", "_packing", "buffers")

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._packing = codec.packing
        self._packers: list[msgpack.Packer] = []
        self._level = 0
        self.buffers: list[Buffer] = []

    def nested(self, value: Any) -> bytes:
        """`value` as msgpack; may be called while another value is being packed."""
        level = self._level
        if level == len(self._packers):
            self._packers.append(self._new_packer(level))
        self._level = level + 1
        try:
            return self._pack(self._packers[level], value)
        finally:
            self._level = level

    def extend(self, code: int, value: Any) -> msgpack.ExtType:
        """An extension whose payload is `value` as msgpack."""
        return codes.extension(code, self.nested(value))

    def attach(self, buffer: Buffer) -> int:
        """Send `buffer` beside the body, uncopied; returns its number."""
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def _new_packer(self, level: int) -> msgpack.Packer:
        if level > DEFAULT_LIMITS.depth:
            raise SerializeError(f"nested deeper than {DEFAULT_LIMITS.depth} levels")
        return msgpack.Packer(default=self._default, strict_types=True, buf_size=_PACKER_BYTES)

    def _pack(self, packer: msgpack.Packer, value: Any) -> bytes:
        before = len(self.buffers)
        try:
            body: bytes = packer.pack(value)
        except UnicodeEncodeError:
            pass
        else:
            has_binary = 0xC4 in body or 0xC5 in body or 0xC6 in body
            if not has_binary or not builtin.holds_bytearray(value):
                return body
        del self.buffers[before:]
        disguised: bytes = packer.pack(builtin.disguise(value))
        return disguised

    def _default(self, value: Any) -> msgpack.ExtType:
        pack = self._packing.get(type(value)) or self._codec.packing_of(type(value))
        return pack(self, value)


_NO_BUFFERS: set[int] = set()
_PLAIN_PYTHON = msgpack.Unpacker.__module__ == "msgpack.fallback"
_unpackb = partial(
    msgpack.unpackb,
    strict_map_key=False,
    timestamp=3,
    # Without a hook, msgpack in plain Python fails on keys of subclasses of str, such as Enum members.
    **({"object_pairs_hook": dict} if _PLAIN_PYTHON else {}),
)


class Decoder:
    """Unpacks one message; keeps account of its buffers."""

    __slots__ = ("_buffers", "_codec", "_level", "_unused", "limits", "plain", "writable")

    def __init__(
        self, codec: Codec, buffers: Sequence[Any], limits: Limits, writable: bool, plain: bool
    ) -> None:
        self._codec = codec
        self._buffers = buffers
        self._unused = set(range(len(buffers))) if buffers else _NO_BUFFERS
        self._level = 0
        self.limits = limits
        self.writable = writable
        self.plain = plain

    def unpack(self, body: bytes) -> Any:
        """The one value in `body`; the lengths in it are capped by its own size."""
        return _unpackb(body, ext_hook=self._extension)

    def nested(self, payload: bytes) -> Any:
        """The value in an extension's payload."""
        if self._level >= self.limits.depth:
            raise ProtocolError(f"nested deeper than {self.limits.depth} levels")
        self._level += 1
        value = self.unpack(payload)
        self._level -= 1
        return value

    def items(self, payload: bytes) -> list[Any]:
        """The elements of the array in an extension's payload."""
        value = self.nested(payload)
        if type(value) is not list:
            raise ProtocolError(f"an extension's payload is of type {type(value).__name__}, not an array")
        return value

    def claim(self, number: Any) -> memoryview:
        """The bytes of a buffer; each may be claimed once."""
        if type(number) is not int or number not in self._unused:
            raise ProtocolError(f"an array names buffer {number!r:.40}, which is not there or used already")
        self._unused.remove(number)
        buffer = self._buffers[number]
        memory = memoryview(buffer).cast("B")
        return memory.toreadonly() if type(buffer) is memoryview else memory  # somebody else has that, too

    def finish(self) -> None:
        """Raise `ProtocolError` if a buffer was used by nothing."""
        if self._unused:
            raise ProtocolError(f"no array uses buffers {sorted(self._unused)}")

    def _extension(self, code: int, payload: bytes) -> Any:
        unpack = builtin.UNPACKING.get(code)
        if unpack is None:
            if self.plain:
                raise ProtocolError(f"an extension of code {code} has no place in this message")
            unpack = self._codec.unpacking_of(code)
        return unpack(self, payload)


class Codec:
    """A set of types that travel. The functions of this module belong to the one that everybody shares.

    A codec made from a `parent` travels with all the types of its parent, also those registered later, and
    with its own, so that a daemon can say what becomes of its services without telling any other. `first` is
    asked how a type is packed before it is looked for among those that travel, `otherwise` if it is not
    there.
    """

    def __init__(
        self, parent: Codec | None = None, first: Choice | None = None, otherwise: Choice | None = None
    ) -> None:
        self._parent = parent
        self._first = first
        self._otherwise = otherwise
        self._extensions: dict[type, Packing] = {}
        self._preferred: dict[type, Packing] = {}
        self._unpacking: dict[int, Unpacking] = {}
        self._idle: list[Encoder] = []
        #: How the types met so far are packed.
        self.packing: dict[type, Packing] = dict(builtin.PACKING)

    def encode(self, value: Any, *, path: str = "value") -> tuple[bytes, list[Buffer]]:
        """`value` as a body and buffers, which are the memory of its large arrays, not copies.

        Raises `SerializeError`, with the path to the part that cannot travel; `path` names the value itself.
        """
        return self._run(value, lambda: iter([(path, value)]))

    def decode(
        self,
        body: Any,
        buffers: Sequence[Any] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
        writable: bool = False,
        plain: bool = False,
    ) -> Any:
        """The value of a body and its buffers.

        Arrays are read-only views of the buffers. With `writable` they may be changed: views of the buffers
        that are handed over here, copies of those that are memoryviews or read-only, and belong to others.
        With `plain`, for a process that passes values on and must not look anything up, only builtin types
        are taken.
        Raises `ProtocolError` on bad input, and nothing else.
        """
        if type(body) is not bytes:
            body = bytes(body)
        decoder = Decoder(self, buffers, limits, writable, plain)
        try:
            if len(body) > limits.depth or len(body) > limits.elements:
                bounds.check(body, limits)
            value = decoder.unpack(body)
        except ProtocolError:
            raise
        except Exception as error:  # a peer chose these bytes; no error of theirs may surprise us
            raise ProtocolError(
                f"a value could not be read: {type(error).__name__}: {error!s:.200}"
            ) from error
        if buffers:
            decoder.finish()
        return value

    def encode_call(
        self,
        steps: Sequence[call_body.Step],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        verb: str = "call",
        context: dict[str, Any] | None = None,
    ) -> tuple[bytes, list[Buffer]]:
        """The body of a call; raises `SerializeError` with a path such as `args[1]['x']` or `speed`."""
        call = [list(steps), verb, list(args), kwargs or {}]
        if context:
            call.append(context)
        return self._run(call, lambda: call_body.parts(call))

    def decode_call(
        self,
        body: Any,
        buffers: Sequence[Any] = (),
        *,
        limits: Limits = DEFAULT_LIMITS,
        writable: bool = False,
        plain: bool = False,
    ) -> CallBody:
        """What `encode_call` packed. Raises `ProtocolError` if it is no call."""
        return call_body.checked(self.decode(body, buffers, limits=limits, writable=writable, plain=plain))

    def register_extension(
        self, code: int, kind: type, pack: Callable[[Any], Any], unpack: Callable[[Any], Any]
    ) -> None:
        """Let instances of `kind`, and of its subclasses, travel as extension `code`.

        `pack` turns one into a value that can travel, `unpack` turns that value back. Codes 64 to 127 are
        free; 56 to 59 are kept for services, callables, streams and members.
        """
        if code not in codes.USER_CODES and code not in codes.RESERVED:
            raise ValueError(f"{code} is no free extension code; take one from 64 to 127")
        if code in self._unpacking and kind not in self._extensions:
            raise ValueError(f"extension code {code} is taken already; take another one from 64 to 127")
        self._extensions[kind] = lambda encoder, value: encoder.extend(code, pack(value))
        self._unpacking[code] = lambda decoder, payload: unpack(decoder.nested(payload))
        self.packing[kind] = self._extensions[kind]

    def read_with(self, code: int, unpacking: Unpacking) -> None:
        """Unpack extension `code` in this way, whatever the parent does."""
        self._unpacking[code] = unpacking

    def prefer(self, kind: type, pack: Packing) -> None:
        """Ask `pack` first how an instance of `kind` is packed; where it returns None, as without it."""
        self._preferred[kind] = pack
        self.packing.pop(kind, None)

    def packing_of(self, kind: type) -> Packing:
        """How instances of a type are packed that is met for the first time. Raises `SerializeError`."""
        preferred = self._preference_for(kind)
        found = self._usual_packing_of(kind) if preferred is None else self._either(preferred, kind)
        if len(self.packing) >= _KNOWN_TYPES:  # classes made on the fly must not fill the memory
            self.packing.clear()
            self.packing.update(builtin.PACKING)
        self.packing[kind] = found
        return found

    def _preference_for(self, kind: type) -> Packing | None:
        return self._preferred.get(kind) or (self._parent._preference_for(kind) if self._parent else None)

    def _either(self, preferred: Packing, kind: type) -> Packing:
        """Packs an instance in the preferred way if that will have it, otherwise in the usual one."""

        def pack(encoder: Encoder, value: Any) -> msgpack.ExtType:
            return preferred(encoder, value) or self._usual_packing_of(kind)(encoder, value)

        return pack

    def _usual_packing_of(self, kind: type) -> Packing:
        return self._chosen("_first", kind) or self._extension_of(kind) or self._packing_of_value(kind)

    def _packing_of_value(self, kind: type) -> Packing:
        from pyrolab.protocol import kinds

        try:
            return kinds.packing_of(kind)
        except SerializeError:
            found = self._chosen("_otherwise", kind)
            if found is None:
                raise
            return found

    def _chosen(self, hook: str, kind: type) -> Packing | None:
        choose = getattr(self, hook)
        found = choose(kind) if choose is not None else None
        return found or (self._parent._chosen(hook, kind) if self._parent else None)

    def unpacking_of(self, code: int) -> Unpacking:
        """How an extension is unpacked. Raises `ProtocolError` for an unknown code."""
        found = self._unpacking.get(code)
        if found is not None:
            return found
        if self._parent is not None:
            return self._parent.unpacking_of(code)
        from pyrolab.protocol import kinds, later

        if later.load(code) and code in self._unpacking:
            return self._unpacking[code]
        found = self._unpacking[code] = kinds.unpacking_of(code)
        return found

    def reason_against(self, value: Any) -> str | None:
        """Why `value` cannot travel; None if it can."""
        try:
            self._attempt(value)
        except Exception as error:  # noqa: BLE001 - a property or a dtype of the user's may raise anything
            return _reason(error)
        return None

    def _extension_of(self, kind: type) -> Packing | None:
        for base in kind.__mro__:
            if base in self._extensions:
                return self._extensions[base]
        return self._parent._extension_of(kind) if self._parent else None

    def _run(self, value: Any, roots: Callable[[], Iterator[tuple[str, Any]]]) -> tuple[bytes, list[Buffer]]:
        try:
            return self._attempt(value)
        except Exception as error:  # noqa: BLE001 - whatever it is, it gets the path to its cause
            from pyrolab.protocol.offenders import locate

            path, reason = locate(roots(), self.reason_against, _reason(error))
            raise SerializeError(f"{path}: {reason}", path=path) from None

    def _attempt(self, value: Any) -> tuple[bytes, list[Buffer]]:
        try:
            encoder = self._idle.pop()
        except IndexError:
            encoder = Encoder(self)
        body = encoder.nested(value)  # after an error, the encoder is dropped
        bounds.check(body, DEFAULT_LIMITS)
        buffers = encoder.buffers
        if buffers:
            encoder.buffers = []
        if len(body) < _KEEP_BYTES:
            self._idle.append(encoder)
        return body, buffers


_KNOWN_TYPES = 512


def _reason(error: Exception) -> str:
    if isinstance(error, (SerializeError, bounds.OutOfBounds)):
        return str(error)
    if isinstance(error, RecursionError) or "recursion limit" in str(error):
        return f"nested deeper than {DEFAULT_LIMITS.depth} levels"
    return f"it cannot travel: {type(error).__name__}: {error!s:.200}"


#: The codec that everybody shares.
CODEC = Codec()
encode = CODEC.encode
decode = CODEC.decode
encode_call = CODEC.encode_call
decode_call = CODEC.decode_call
register_extension = CODEC.register_extension
decode_plain = partial(CODEC.decode, plain=True)
