"""Rerun's view in a notebook."""

from __future__ import annotations

import importlib
import os
from typing import Any

from .errors import Unavailable
from .scene import Path


def show(file: Path, *, width: int | None = None, height: int = 480) -> Any:
    """Rerun's view of a recording, as what a cell of Jupyter shows.

    Args:
        file: A recording of ``display="save=FILE"`` or ``run --rerun save=FILE`` (rrd).
        width: In pixels; ``None``: that of the page.
        height: In pixels.

    Raises:
        Unavailable: The viewer is not installed; the text says how.
    """
    try:
        # It has no types.
        library: Any = importlib.import_module("rerun_notebook")
    except ImportError as error:
        raise Unavailable(
            'found no viewer for notebooks; expected it: pip install "becomingone[notebook]"'
        ) from error
    viewer = library.Viewer(width="auto" if width is None else width, height=height)
    with open(os.fspath(file), "rb") as recording:
        viewer.send_rrd(recording.read())
    return viewer
