"""Checks of arguments: what was found, and what is expected."""

from __future__ import annotations

import math
from typing import SupportsFloat, SupportsIndex

MOST_TICKS = 2**63 - 1
"""Some 292 years of nanoseconds."""
MOST_SEED = 2**64 - 1


def whole(what: str, value: SupportsIndex, least: int, most: int) -> int:
    """A whole number from ``least`` to ``most``, by the name of the argument."""
    try:
        found = value.__index__()
    except AttributeError:
        raise TypeError(f"found {what} {value!r}; expected a whole number") from None
    if not least <= found <= most:
        raise ValueError(f"found {what} {found}; expected {least} to {most}")
    return found


def number(what: str, value: SupportsFloat, least: float) -> float:
    """A finite number from ``least`` on, by the name of the argument."""
    if not isinstance(value, SupportsFloat):
        raise TypeError(f"found {what} {value!r}; expected a number")
    found = float(value)
    if not (math.isfinite(found) and found >= least):
        raise ValueError(f"found {what} {found}; expected a finite number, {least:g} or more")
    return found


def seed(value: SupportsIndex | None) -> int | None:
    """A seed, or none."""
    return None if value is None else whole("seed", value, 0, MOST_SEED)


def picture(width: SupportsIndex, height: SupportsIndex) -> tuple[int, int]:
    """Width and height of a picture."""
    return whole("width", width, 16, 2048), whole("height", height, 16, 2048)
