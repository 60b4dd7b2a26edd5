"""``python -m becomingone``: the program, with all its commands."""

from __future__ import annotations

import sys

from . import _native, _program


def main() -> int:
    """Runs the program on the arguments of this process; returns its exit status."""
    return _native.main(["becomingone", *sys.argv[1:]], _program.path())


if __name__ == "__main__":
    sys.exit(main())
