"""Say how instances of a class travel, in Pyro's words; `pyrolab.protocol.converted` does it."""

from __future__ import annotations

from pyrolab.protocol import converted
from pyrolab.protocol.converted import FromDict, ToDict


def register_class_to_dict(cls: type, converter: ToDict | None = None, serpent_too: bool = True) -> None:
    """Let instances of `cls` travel as the dict that `converter(instance)` returns.

    Without a converter it is their attributes. An entry `__class__` of the dict is the name under which they
    travel, else it is `module.Class`. `serpent_too` is Pyro's, and without effect.
    """
    converted.register_class(cls, converter)


def unregister_class_to_dict(cls: type) -> None:
    """Let instances of `cls` travel in the usual way again, or not at all."""
    converted.unregister_class(cls)


def register_dict_to_class(classname: str, converter: FromDict) -> None:
    """Make what arrives under the name `classname` an instance: `converter(classname, dict)`.

    If it is the `module.Class` of a class, instances of it can also be sent from here, by their attributes.
    Without a converter, a `Record` with the attributes arrives.
    """
    converted.register_name(classname, converter)


def unregister_dict_to_class(classname: str) -> None:
    """Let what arrives under this name be a `Record` again."""
    converted.unregister_name(classname)


class SerializerBase:
    """The same four functions, where older scripts look for them."""

    register_class_to_dict = staticmethod(register_class_to_dict)
    unregister_class_to_dict = staticmethod(unregister_class_to_dict)
    register_dict_to_class = staticmethod(register_dict_to_class)
    unregister_dict_to_class = staticmethod(unregister_dict_to_class)
