"""Aravis as the distribution installs it, for a Python that looks elsewhere; and its camera on a network."""

from __future__ import annotations

import socket
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

_SYSTEM = "/usr/lib/python3/dist-packages"
FAKE_CAMERA = Path("/usr/bin/arv-fake-gv-camera-0.8")
#: GigE Vision cameras listen there, and nowhere else.
GVCP_PORT = 3956

if find_spec("gi") is None:
    sys.path.append(_SYSTEM)  # at its end: what is installed here comes first


def reason_to_skip() -> str:
    """Why Aravis cannot be used; empty if it can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import_module("gi").require_version("Aravis", "0.8")
            import_module("gi.repository.Aravis")
        except (ImportError, ValueError) as error:
            return f"Aravis 0.8 with PyGObject is not installed for this Python ({error})"
    return ""


def reason_to_skip_network() -> str:
    """Why Aravis' camera on the network cannot be used."""
    if not FAKE_CAMERA.exists():
        return f"{FAKE_CAMERA} is not installed (aravis-tools)"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", GVCP_PORT))
        except OSError:
            return f"something else uses the port of GigE Vision cameras, {GVCP_PORT}"
    return ""


def start_fake_camera(serial: str, lost_per_mille: float = 0.0) -> subprocess.Popen[bytes]:
    """A GigE Vision camera that sends real packets over the loop-back interface."""
    return subprocess.Popen(
        [str(FAKE_CAMERA), "-i", "127.0.0.1", "-s", serial, "-r", str(lost_per_mille)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
