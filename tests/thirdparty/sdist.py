"""Source distributions on PyPI, with tests and examples of others. None is kept in this repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_DOWNLOAD_S = 150


class NotToBeHad(Exception):
    """A source distribution cannot be had; the text says why."""


@dataclass(frozen=True)
class Sdist:
    """One release. `environment` names an archive that is here already, for computers without PyPI."""

    name: str
    version: str
    sha256: str
    environment: str

    @property
    def archive(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.version}.tar.gz"

    def folder(self, part: str = "") -> Path:
        """Its files (below `part`), downloaded and unpacked once. Raises `NotToBeHad`."""
        cache = platformdirs.user_cache_path("pyrolab-tests") / f"{self.name.lower()}-{self.version}"
        found = cache / (part or "all")
        if not found.is_dir():
            self._unpack(self._archive(cache), found, part)
        return found

    def _archive(self, cache: Path) -> Path:
        given = os.environ.get(self.environment)
        archive = Path(given) if given else cache / self.archive
        if not archive.is_file():
            if given:
                raise NotToBeHad(f"{self.environment} is {given}, and there is no such file")
            self._download(cache)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != self.sha256:
            raise NotToBeHad(f"{archive} is not what was tested: its SHA-256 is {digest}")
        return archive

    def _download(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
        command += ["--disable-pip-version-check", "--dest", str(cache), f"{self.name}=={self.version}"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_S, check=False)
        except subprocess.TimeoutExpired:
            raise NotToBeHad(f"PyPI did not hand out {self.archive} within {_DOWNLOAD_S} s") from None
        if said.returncode:
            raise NotToBeHad(f"PyPI did not hand out {self.archive}: {said.stderr.strip()[-300:]}")

    def _unpack(self, archive: Path, target: Path, part: str) -> None:
        """Unpack beside its place first, so that it is there whole or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as aside:
            with tarfile.open(archive) as opened:
                for member in opened.getmembers():
                    inside = member.name.partition(f"/{part}/" if part else "/")[2]
                    if inside and member.isfile():
                        self._write(opened, member, Path(aside, "files", inside))
            try:
                shutil.move(Path(aside, "files"), target)
            except FileExistsError:
                pass  # another process was as far at the same moment

    def _write(self, opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        content = opened.extractfile(member)
        if content is None or ".." in target.parts:
            raise NotToBeHad(f"{member.name} in {self.archive} cannot be unpacked")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.read())


PYRO5 = Sdist(
    "Pyro5",
    "5.15",
    "82c3dfc9860b49f897b28ff24fe6716c841672c600af8fe40d0e3a7fac9a3f5e",
    "PYROLAB_TEST_PYRO5_SDIST",
)
PYMEASURE = Sdist(
    "pymeasure",
    "0.16.0",
    "36bf875ced4fbec8977408417a839f04bd2dd7949f851aa9c906d1fca0f2e3d4",
    "PYROLAB_TEST_PYMEASURE_SDIST",
)
