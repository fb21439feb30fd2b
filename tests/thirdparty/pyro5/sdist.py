"""Pyro5's examples, out of its source distribution on PyPI. None of them is kept in this repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs

VERSION = "5.15"
ARCHIVE = f"Pyro5-{VERSION}.tar.gz"
SHA256 = "82c3dfc9860b49f897b28ff24fe6716c841672c600af8fe40d0e3a7fac9a3f5e"
#: An archive that is here already, for computers without a way to PyPI.
ENVIRONMENT = "PYROLAB_TEST_PYRO5_SDIST"
_DOWNLOAD_S = 150


class NoExamples(Exception):
    """The examples cannot be had; the text says why."""


def examples() -> Path:
    """The directory of the examples, downloaded and unpacked once. Raises `NoExamples`."""
    cache = platformdirs.user_cache_path("pyrolab-tests") / f"pyro5-{VERSION}"
    found = cache / "examples"
    if not found.is_dir():
        _unpack(_archive(cache), found)
    return found


def _archive(cache: Path) -> Path:
    given = os.environ.get(ENVIRONMENT)
    archive = Path(given) if given else cache / ARCHIVE
    if not archive.is_file():
        if given:
            raise NoExamples(f"{ENVIRONMENT} is {given}, and there is no such file")
        _download(cache)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise NoExamples(f"{archive} is not what was tested: its SHA-256 is {digest}")
    return archive


def _download(cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(cache), f"Pyro5=={VERSION}"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired:
        raise NoExamples(f"PyPI did not hand out {ARCHIVE} within {_DOWNLOAD_S} s") from None
    if said.returncode:
        raise NoExamples(f"PyPI did not hand out {ARCHIVE}: {said.stderr.strip()[-300:]}")


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the examples beside their place first, so that they are there whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as aside:
        with tarfile.open(archive) as opened:
            for member in opened.getmembers():
                inside = member.name.partition("/examples/")[2]
                if inside and member.isfile():
                    _write(opened, member, Path(aside, "examples", inside))
        try:
            shutil.move(Path(aside, "examples"), target)
        except FileExistsError:
            pass  # another process was as far at the same moment


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = opened.extractfile(member)
    if content is None or ".." in target.parts:
        raise NoExamples(f"{member.name} in {ARCHIVE} cannot be unpacked")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())
