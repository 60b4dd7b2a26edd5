"""The lines of the READMEs and the tutorial run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
ROOT = PACKAGE.parents[1]


@pytest.mark.parametrize("file", [PACKAGE / "README.md", ROOT / "README.md"], ids=["package", "project"])
def test_the_lines_of_a_readme_run(file: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks
    # One after the other, as a reader types them, in a folder without files.
    code = "\n".join(blocks)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_tutorial_runs(tmp_path: Path) -> None:
    pytest.importorskip("nbmake")
    # It records beside itself.
    notebook = Path(shutil.copy(PACKAGE / "examples" / "tutorial.ipynb", tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(notebook)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
