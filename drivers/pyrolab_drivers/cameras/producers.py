"""The GenTL producers of this process: the vendors' libraries (`*.cti`) that find and open GenICam cameras.

A producer can be loaded once in a process, and looking for cameras again would close those that are open. So
all cameras of a process share what is loaded here, and it is unloaded after the last one.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Where vendors' installers say that their producers are; directories, as in PATH.
SEARCH_PATH = "GENICAM_GENTL64_PATH"

_lock = threading.RLock()
_loaded: dict[tuple[str, ...], Producers] = {}


@contextmanager
def _ctrl_c_as_it_is() -> Iterator[None]:
    """harvesters puts a handler of its own in the place of Ctrl-C's, which then ends nothing any more."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


class Producers:
    """Producers that are loaded, and the cameras that they have found."""

    def __init__(self, files: tuple[str, ...]) -> None:
        from harvesters.core import Harvester

        self.files = files
        self._users = 0
        self._harvester: Any = Harvester()
        for file in files:
            self._harvester.add_file(file)

    @property
    def found(self) -> list[dict[str, Any]]:
        """What each camera says about itself: `id_`, `vendor`, `model`, `serial_number`, …"""
        return [info.property_dict for info in self._harvester.device_info_list]

    def open(self, index: int) -> Any:
        """Open the camera with this place in `found`; what harvesters calls an image acquirer."""
        with _lock, _ctrl_c_as_it_is():
            return self._harvester.create(index)

    def close(self, camera: Any) -> None:
        """Close a camera that `open` has opened."""
        with _lock:
            camera.destroy()

    @classmethod
    def used(cls, files: Sequence[str]) -> Producers:
        """The producers, loaded if they are not yet; `release` them. Raises what `files_of` raises."""
        key = tuple(files)
        with _lock:
            producers = _loaded.get(key) or _loaded.setdefault(key, cls(key))
            if not producers._users:
                producers._harvester.update()
            producers._users += 1
            return producers

    def release(self) -> None:
        """Unload them if nobody else uses them."""
        with _lock:
            self._users -= 1
            if not self._users:
                del _loaded[self.files]
                self._harvester.reset()


def files_of(cti: str | Path | Sequence[str | Path] | None) -> tuple[str, ...]:
    """The producers that are meant; None: all that the vendors' installers have announced.

    Raises `FileNotFoundError`, with what to do.
    """
    if cti is None:
        folders = [Path(each) for each in os.environ.get(SEARCH_PATH, "").split(os.pathsep) if each]
        found = [str(file) for folder in folders for file in sorted(folder.glob("*.cti"))]
        if not found:
            raise FileNotFoundError(
                f"no GenTL producer: {SEARCH_PATH} names no folder with a .cti file; install the software of "
                "the camera's maker, or say where its .cti file is"
            )
        return tuple(found)
    files = [cti] if isinstance(cti, (str, Path)) else list(cti)
    for file in files:
        if not Path(file).is_file():
            raise FileNotFoundError(
                f"there is no GenTL producer {file}; it is a .cti file of the camera's maker"
            )
    return tuple(str(Path(file).resolve()) for file in files)
