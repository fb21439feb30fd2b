"""Files of recordings: what writes them, by the ending of their names."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pyrolab.recording.description import Counts, Description, Ending
from pyrolab.recording.layout import Frame

Gap = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a file is to be written; `frames` is how many there will be, if that is known."""

    compression: str | None = None
    chunk_frames: int | None = None
    overwrite: bool = False
    frames: int | None = None


class Writer(ABC):
    """Writes the frames of one recording. What is done between two calls of `flush` may get lost together."""

    @abstractmethod
    def append(self, frame: Frame) -> None:
        """Take a frame; it may be looked at until the next call. Raises `OSError` if it cannot be written."""

    @abstractmethod
    def note_gaps(self, gaps: Sequence[Gap]) -> None:
        """Take a note of frames that are missing: epoch, first and last number."""

    @abstractmethod
    def flush(self, counts: Counts) -> None:
        """From now on, all that was taken is in the file, whatever happens to this process."""

    @abstractmethod
    def close(self, counts: Counts, ending: Ending) -> None:
        """Write the rest and the ending."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of a file that can no longer be written; what was flushed stays readable."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: the module here that writes it, the library that it needs, and the extra with that."""

    module: str
    library: str
    extra: str
    is_directory: bool = False


_HDF5 = Format("pyrolab.recording.hdf5", "h5py", "hdf5")
_ZARR = Format("pyrolab.recording.zarr_directory", "zarr", "zarr", is_directory=True)
_TIFF = Format("pyrolab.recording.tiff", "tifffile", "tiff")
FORMATS = {".h5": _HDF5, ".hdf5": _HDF5, ".zarr": _ZARR, ".tiff": _TIFF, ".tif": _TIFF}


def format_of(path: Path) -> Format:
    """The format that the name of a file asks for.

    Raises `ValueError` if it is none that is known, `ModuleNotFoundError` if its library is missing.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise ValueError(
            f"{path.name!r} does not say in which format to record; end its name in {', '.join(FORMATS)}"
        )
    if find_spec(found.library) is None:
        raise ModuleNotFoundError(
            f"to record to {path.suffix} needs {found.library}: pip install 'pyrolab[{found.extra}]'"
        )
    return found


def check_free(path: Path, overwrite: bool) -> None:
    """Raise `FileExistsError` for what must not be overwritten, `FileNotFoundError` if there is no folder."""
    directory = path.absolute().parent
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder to record to", str(directory))
    taken = next((each for each in (path, sidecar_of(path)) if each.exists()), None)
    if taken is None:
        return
    if not overwrite:
        raise FileExistsError(
            f"{taken} exists already; choose another name, or overwrite it (--overwrite, overwrite=True)"
        )
    if taken.is_dir() != format_of(path).is_directory:
        raise FileExistsError(f"{taken} is no recording of this kind; choose another name")


def sidecar_of(path: Path) -> Path:
    """The file beside a TIFF that holds what a TIFF cannot hold."""
    return path.with_name(path.name + ".json") if path.suffix.lower() in (".tif", ".tiff") else path


def open_writer(path: Path, description: Description, wishes: Wishes) -> Writer:
    """A writer to a new file.

    Raises `ValueError` for an ending or a compression that is not known, `ModuleNotFoundError` for a library
    that is missing, `FileExistsError` for what is there already, and other `OSError`s.
    """
    module = import_module(format_of(path).module)
    check_free(path, wishes.overwrite)
    opened: Callable[[Path, Description, Wishes], Writer] = module.open_writer
    return opened(path, description, wishes)
