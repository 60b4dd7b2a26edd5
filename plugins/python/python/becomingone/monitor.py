"""The kernel alone: detection and isolation of faults in stamped rows of numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from . import _checks, _native

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Verdicts:
    """What the kernel says of each row; ``n`` rows, ``k`` channels.

    Attributes:
        surprise: Deviation from what was learned, shape ``(n,)``; above 1 it raises an alarm. NaN while it learns.
        alarm: Whether there is an alarm, shape ``(n,)``.
        cause: Index of the isolated channel, shape ``(n,)``; -1 where none stands out.
        shares: Share of each channel in the surprise, shape ``(n, k)``.
        channels: Names of the channels.
    """

    surprise: NDArray[np.float64]
    alarm: NDArray[np.bool_]
    cause: NDArray[np.int64]
    shares: NDArray[np.float64]
    channels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.surprise)


class Monitor:
    """Detects faults in channels of numbers, row by row or in batches; the first 400 rows are taken as healthy.

    Args:
        channels: How many, or their names; at most 64.

    Example:
        >>> m = Monitor(channels=2)
        >>> m.push(0.0, [1.0, 2.0]).alarm
        array([False])
    """

    def __init__(self, channels: SupportsIndex | Sequence[str]) -> None:
        if isinstance(channels, str):
            raise TypeError(f"found the text {channels!r}; expected how many channels, or a list of names")
        if not isinstance(channels, Iterable):
            channels = [str(k) for k in range(_checks.whole("channels", channels, 1, 64))]
        self.channels: tuple[str, ...] = tuple(channels)
        self._native = _native.Monitor(len(self.channels))
        self._last = -math.inf

    def push(self, t: ArrayLike, values: ArrayLike) -> Verdicts:
        """Takes a row, or many.

        Args:
            t: Time of the row (s), or of each row, shape ``(n,)``.
            values: A value of each channel, shape ``(k,)``, or of each row, shape ``(n, k)``. NaN is missing.

        Returns:
            A verdict for each row.

        Raises:
            ValueError: A time is not after the one before.
        """
        import numpy as np

        times = np.atleast_1d(np.asarray(t, dtype=np.float64))
        rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
        # What the kernel would drop, and count, is refused here: it is never wrong in silence.
        before = np.concatenate([[self._last], times[:-1]]) if len(times) else times
        wrong = np.flatnonzero(~(np.isfinite(times) & (times > before)))
        if len(wrong):
            k = int(wrong[0])
            raise ValueError(
                f"found the time {times[k]} s after {before[k]} s in row {k}; expected later and later ones: "
                "after a clock was set back, rebaseline() learns anew"
            )
        surprise, alarm, cause, shares = self._native.push(times, rows)
        if len(times):
            self._last = float(times[-1])
        return Verdicts(surprise, alarm, cause, shares, self.channels)

    def rebaseline(self) -> None:
        """Discards what was learned; the next rows are learned from."""
        self._last = -math.inf
        self._native.rebaseline()

    @property
    def is_trained(self) -> bool:
        """Whether it has learned."""
        return self._native.is_trained()

    def __reduce__(self) -> NoReturn:
        raise TypeError("found a monitor to pickle, which has learned; expected one that is made where it is used")
