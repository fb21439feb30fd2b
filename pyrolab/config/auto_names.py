"""Made-up names for entries that a configuration calls `auto` or `auto 2`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Container

_AUTO = re.compile(r"auto(?:\s+(?P<count>\S+))?")
_DEFAULT_WORDS, _MOST_WORDS = 3, 8


def is_auto(key: str) -> bool:
    """Whether a configuration asks for a made-up name."""
    return _AUTO.fullmatch(key) is not None


def make_name(key: str, taken: Container[str]) -> str:
    """A name that is not `taken`, of as many words as `key` says (`auto` 3, `auto 2` 2).

    Raises `ValueError` if the count is no number from 1 to 8.
    """
    found = _AUTO.fullmatch(key)
    count = found["count"] if found else None
    if count is not None and not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MOST_WORDS):
        raise ValueError(f"'{key}' asks for no number of words from 1 to {_MOST_WORDS}")
    words = _DEFAULT_WORDS if count is None else int(count)
    name = _draw(words)
    for attempt in range(10_000):
        if name not in taken:
            return name
        name = _draw(words + attempt // 1000)
    raise ValueError(f"no free name is left for '{key}'; ask for more words, for example 'auto 4'")


_WORDS = tuple(
    """
    amber anode apex arc argon aurora axis azure basalt beacon beryl birch bismuth boson breeze bronze
    carbon cedar cirrus cobalt comet copper coral cosmic crater crystal curie dawn delta dune dynamo
    echo ember epoch equinox erbium ether fermi fiber flint flux fringe galaxy gamma garnet gauss
    glacier granite graphite gravity grove halo harbor helium hertz horizon hydra indigo iris island
    isotope jasper joule juniper kelvin kestrel lagoon lantern laser lattice lepton lichen lumen lunar
    magma magnet maple marble meadow meson mica mirror monsoon muon nebula neon newton nickel nimbus
    nova ocean onyx opal optic orbit osmium otter ozone pebble phonon photon pine planet plasma polar
    prism proton pulsar quark quartz quasar radon raven reef resin river ruby saturn scarlet shale sigma
    silica silver solar soliton sonic spark spruce stellar summit tesla tide timber topaz torus tundra
    turbine umber valley vector velvet vertex violet volt vortex walnut watt wave willow xenon yarrow
    zenith zephyr zinc zircon
    """.split()  # noqa: SIM905 - a block of words reads better than a list of strings
)


def _draw(words: int) -> str:
    return "-".join(secrets.choice(_WORDS) for _ in range(words))
