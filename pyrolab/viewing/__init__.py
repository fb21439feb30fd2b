"""Look at streams and properties: in a window, in a notebook, or roughly in a terminal."""

from __future__ import annotations

from pyrolab.viewing.asked import Asked
from pyrolab.viewing.look import Look
from pyrolab.viewing.viewer import Viewer

__all__ = ["Asked", "Look", "Viewer"]
