"""What a method of a service looks like, and which arguments it takes, known here before anything is sent.

A call with wrong arguments fails at once, in the words that Python has for it: a function of the same shape
that does nothing is asked first. It is put together from checked parts; no text of a peer becomes code.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pyrolab.errors import ProtocolError
from pyrolab.protocol.classes import MAX_CLASS_NAME_CHARS
from pyrolab.protocol.interface import Method, Parameter
from pyrolab.protocol.limits import MAX_NAME_CHARS

if TYPE_CHECKING:
    from inspect import Signature

#: Parameters of one method.
MAX_PARAMETERS = 255

_KINDS = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD", "VAR_POSITIONAL", "KEYWORD_ONLY", "VAR_KEYWORD")
_POSITIONAL = _KINDS[:2]
_VARARGS, _VARKEYWORDS = 0x04, 0x08  # flags of a code object, as `inspect` has them


# -- signatures ------------------------------------------------------------------------------------------


def signature_of(method: Method) -> Signature:
    """The signature of a method as `inspect.signature` would give it, without `self`.

    Raises `ValueError` if the service itself does not know, `ProtocolError` if a peer has sent nonsense.
    """
    from inspect import Signature

    from pyrolab.protocol.annotations import from_data

    if method.parameters is None:
        raise ValueError(f"no signature found for {method.qualname or 'this method'}")
    _check(method.parameters, method.qualname)
    try:
        parameters = [_inspected(each) for each in method.parameters]
        return Signature(parameters, return_annotation=from_data(method.returns))
    except ProtocolError:
        raise
    except (TypeError, ValueError) as error:
        raise ProtocolError(
            f"the parameters of {method.qualname!r:.100} make no signature: {error}"
        ) from None


def _inspected(parameter: Parameter) -> Any:
    from inspect import Parameter as Inspected

    from pyrolab.protocol.annotations import from_data
    from pyrolab.protocol.shown_values import value_from_data

    return Inspected(
        parameter.name,
        getattr(Inspected, parameter.kind),
        default=value_from_data(parameter.default) if parameter.default else Inspected.empty,
        annotation=from_data(parameter.annotation),
    )


# -- checking arguments ------------------------------------------------------------------------------------


def checker_of(method: Method) -> Callable[..., None]:
    """A function that takes what the method takes, does nothing, and raises `TypeError` where Python would.

    It takes anything where that is not known. Raises `ProtocolError` if a peer has sent nonsense.
    """
    if method.parameters is None or not method.qualname:
        return _takes_anything
    parameters = list(method.parameters)
    if method.bound and method.receiver.kind != "VAR_POSITIONAL":
        parameters.insert(0, method.receiver)
    _check(parameters, method.qualname)
    function = _function_like(parameters, method.qualname)
    return types.MethodType(function, _OBJECT) if method.bound else function


def _takes_anything(*args: Any, **kwargs: Any) -> None:
    """Leave it to the service."""


def _takes_nothing() -> None:
    """The code that all checkers run."""


#: Stands for the object that a method belongs to.
_OBJECT = object()


def _check(parameters: Sequence[Parameter], qualname: str) -> None:
    """Raise `ProtocolError` unless these can be the parameters of a Python function."""
    names = [each.name for each in parameters]
    if len(names) > MAX_PARAMETERS or len(set(names)) < len(names):
        raise ProtocolError(f"{qualname!r:.100} has too many parameters, or two of one name")
    if not all(name.isidentifier() and len(name) <= MAX_NAME_CHARS for name in names):
        raise ProtocolError(f"{qualname!r:.100} has a parameter whose name is none")
    if not qualname.isprintable() or len(qualname) > MAX_CLASS_NAME_CHARS:
        raise ProtocolError(f"{qualname!r:.100} is no name of a method")
    _check_kinds(parameters, qualname)


def _check_kinds(parameters: Sequence[Parameter], qualname: str) -> None:
    try:
        order = [_KINDS.index(each.kind) for each in parameters]
    except ValueError:
        raise ProtocolError(f"{qualname!r:.100} has a parameter of an unknown kind") from None
    optional = [bool(each.default) for each in parameters if each.kind in _POSITIONAL]
    once = order.count(2) <= 1 and order.count(4) <= 1
    if order != sorted(order) or optional != sorted(optional) or not once:
        raise ProtocolError(f"{qualname!r:.100} has its parameters in an order that Python does not have")


def _function_like(parameters: Sequence[Parameter], qualname: str) -> types.FunctionType:
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    keyword = [each for each in parameters if each.kind == "KEYWORD_ONLY"]
    code = _code_like(parameters, len(positional), len(keyword), qualname)
    defaults = tuple(None for each in positional if each.default)
    function = types.FunctionType(code, {}, code.co_name, defaults)
    function.__kwdefaults__ = {each.name: None for each in keyword if each.default}
    function.__qualname__ = qualname
    return function


#: Where the code of a function keeps a parameter: *args come behind those that are only keywords.
_PLACE: dict[str, int] = dict(zip(_KINDS, (0, 0, 2, 1, 3), strict=True))


def _code_like(
    parameters: Sequence[Parameter], positional: int, keyword: int, qualname: str
) -> types.CodeType:
    """The code of a function with these parameters that returns None."""
    kinds = [each.kind for each in parameters]
    flags = (_VARARGS if "VAR_POSITIONAL" in kinds else 0) | (_VARKEYWORDS if "VAR_KEYWORD" in kinds else 0)
    qualified: dict[str, Any] = {"co_qualname": qualname} if sys.version_info >= (3, 11) else {}
    return _takes_nothing.__code__.replace(
        co_argcount=positional,
        co_posonlyargcount=kinds.count("POSITIONAL_ONLY"),
        co_kwonlyargcount=keyword,
        co_nlocals=len(parameters),
        co_varnames=tuple(each.name for each in sorted(parameters, key=lambda each: _PLACE[each.kind])),
        co_flags=_takes_nothing.__code__.co_flags | flags,
        co_name=qualname.rpartition(".")[2],
        **qualified,
    )
