"""``python -m becomingone.ray``: work on a cluster, as ``becomingone sweep|calibrate|score --on ray`` starts it.

What :class:`becomingone.Ray` has beside the address is in the variable ``BECOMINGONE_RAY``, as JSON:
``BECOMINGONE_RAY='{"ship": true}' becomingone sweep robot --seeds 0..1000 --out results.parquet --on ray --address auto``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from ._ray import OPTIONS, Ray, run_chunks, run_trials
from .errors import Error


class Progress:
    """A line on stderr: overwritten each second on a terminal, else printed every ten seconds."""

    def __init__(self) -> None:
        self.is_shown = True
        self._overwrites = sys.stderr.isatty()
        self._begun = self._last = time.monotonic()
        self._before: int | None = None

    def report(self, done: int, runs: int, processors: float) -> None:
        """So many runs are done."""
        if not self.is_shown:
            return
        now = time.monotonic()
        if self._before is None:
            self._before, self._begun = done, now
        if now - self._last < (1.0 if self._overwrites else 10.0):
            return
        self._last = now
        per_s = (done - self._before) / max(now - self._begun, 1e-9)
        left = f"{_time((runs - done) / per_s)} left" if per_s > 0 else "nothing done yet"
        line = f"{done} of {runs} runs, {per_s:.1f} runs/s on {processors:.0f} processors, {left}"
        print(
            f"\r\x1b[K{line}" if self._overwrites else line,
            end="" if self._overwrites else "\n",
            file=sys.stderr,
            flush=True,
        )

    def end(self) -> None:
        """Clears the line."""
        if self.is_shown and self._overwrites:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    whole = int(seconds) + 1
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what is missing; returns the exit status: 0, 1 for an error, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m becomingone.ray",
        description="Do the missing chunks of a sweep, or runs of calibrate and score, on a cluster of Ray. `becomingone"
        " sweep|calibrate|score --on ray` starts it.",
        epilog=f"The variable {OPTIONS} may hold further options as JSON: runtime_env, ship, retries, record, record_options.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--plan", help="OUT.parts/plan.json")
    what.add_argument("--trials", action="store_true", help="do runs, one a line of standard input")
    parser.add_argument("--out", help="the table, which the program writes afterwards")
    parser.add_argument("--address", help="address of the cluster; without it, one on this machine")
    parser.add_argument("--program", required=True, help="the program becomingone")
    parser.add_argument("--quiet", action="store_true", help="print no progress")
    found = parser.parse_args(arguments)
    # The program says which process it is: it may have ended before this line.
    named = os.environ.get("BECOMINGONE_PARENT", "")
    parent = int(named) if named.isdecimal() else os.getppid()
    progress = Progress()
    try:
        cluster, record = Ray.of(found.address, os.environ.get(OPTIONS, ""))
        progress.is_shown = not found.quiet
        if found.trials:
            run_trials(iter(sys.stdin), _answer, found.program, cluster, parent)
        else:
            run_chunks(found.plan, found.program, cluster, record, progress.report, parent)
    except (Error, ImportError, OSError, ValueError) as error:
        progress.end()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.end()
        return 130
    progress.end()
    return 0


def _answer(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
