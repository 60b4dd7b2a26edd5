"""Sweeps on Ray: a lost node, killed drivers, a token, and nothing that stays.

The nodes run in a network namespace of their own. ``BECOMINGONE_RAY_RUNS=1000`` makes it long, ``BECOMINGONE_PROGRAM`` names
another program than the package's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import becomingone as b1
from becomingone import _ray
from becomingone._recordings import Remote

HERE = Path(__file__).parent
RUNS = int(os.environ.get("BECOMINGONE_RAY_RUNS", "60"))


def namespace() -> list[str]:
    """How a program is started in namespaces of its own, or skips where that is not permitted.

    It has no network but the loopback, and all that it has started is killed with it.
    """
    shell = ["sh", "-c", 'ip link set lo up && "$@"; exit $?', "sh"]
    own = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    for unshare in (["unshare", *own], ["unshare", "--map-root-user", *own]):
        if shutil.which("unshare") and shutil.which("ip") and shutil.which("ss"):
            tried = subprocess.run([*unshare, *shell, "true"], capture_output=True)
            if tried.returncode == 0:
                return [*unshare, *shell]
    pytest.skip("SKIPPED: network namespaces are not permitted here: Ray is not tested")


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What has happened: ``ray_scenario.py``."""
    pytest.importorskip("ray")
    file = tmp_path_factory.mktemp("ray") / "facts.json"
    program = os.environ.get("BECOMINGONE_PROGRAM", "")
    command = [*namespace(), sys.executable, str(HERE / "ray_scenario.py"), program, str(RUNS), str(file)]
    path = os.pathsep.join([str(Path(b1.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300 + RUNS, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    shown = {name: found[name] for name in ("runs", "load", "loop", "undisturbed", "times")}
    print(json.dumps(shown, indent=1), file=sys.__stdout__)
    return found


def test_a_lost_node_loses_no_run_and_doubles_none(facts: dict[str, Any]) -> None:
    lost = facts["node_lost"]
    assert 0 < lost["parts_before"] < RUNS // 5, lost
    assert (lost["rows"], lost["failed"]) == (RUNS, 0)
    assert (lost["distinct_runs"], lost["distinct_seeds"]) == (RUNS, RUNS)
    assert lost["equal_hashes"] == RUNS
    assert lost["left_of_node"] == [] and lost["temporary"] == []


def test_after_a_killed_driver_only_what_is_missing_is_run(facts: dict[str, Any]) -> None:
    killed = facts["driver_killed"]
    assert killed["status"] == 1 and "the same command does the rest" in killed["error"]
    assert 0 < len(killed["parts_1"]) < len(killed["parts_2"]) < len(killed["parts_3"])
    assert killed["run"] == killed["missing"], "each missing chunk once, and no other"
    assert len(killed["missing"]) == len(killed["parts_3"]) - len(killed["parts_2"])
    assert killed["kept"], "parts that were there are the same files"
    assert (killed["rows"], killed["equal_hashes"]) == (RUNS, RUNS)


def test_engines_and_drivers_end_with_who_started_them(facts: dict[str, Any]) -> None:
    killed = facts["driver_killed"]
    assert max(killed["engines_end_s"], killed["engines_end_2_s"], killed["driver_ends_s"]) < 20.0
    assert facts["left"] == {}


def test_a_failed_run_is_a_row(facts: dict[str, Any]) -> None:
    wrong = facts["wrong_values"]
    assert wrong["rows"] == 10 and sorted(wrong["errors"], key=int) == ["5", "6", "7", "8", "9"]
    assert all("expected m/s" in text for text in wrong["errors"].values())


def test_a_chunk_that_cannot_be_done_is_not_tried_again(facts: dict[str, Any]) -> None:
    broken = facts["broken"]
    assert broken["status"] == 1 and "exit status 3: no chunk" in broken["error"]
    tried = broken["tried"]
    assert 0 < len(tried) == len(set(tried)) <= 2 * _ray.FLYING


@pytest.mark.parametrize("verb", ["calibrate", "score"])
def test_calibrate_and_score_print_the_same_bytes_as_on_threads(facts: dict[str, Any], verb: str) -> None:
    here, there = facts["trials"][verb]["threads"], facts["trials"][verb]["ray"]
    assert here["status"] == there["status"] == 0, there["error"]
    assert here["printed"] and here["printed"] == there["printed"]
    assert here["file"] and here["file"] == there["file"]
    assert here["error"] == there["error"], "the same lines on the way"
    assert facts["trials"]["tasks"] >= 3, "by tasks"


def test_a_run_that_cannot_be_done_is_an_error(facts: dict[str, Any]) -> None:
    broken = facts["trials"]["broken"]
    assert broken["status"] == 1 and "exit status 3: no run" in broken["error"]


def test_recordings_of_a_cluster_are_put_where_they_belong(facts: dict[str, Any]) -> None:
    assert facts["recorded"] == [f"run-{k:06}.mcap" for k in range(4)]


def test_quiet_is_quiet(facts: dict[str, Any]) -> None:
    assert facts["quiet"]["status"] == 0 and facts["quiet"]["error"] == ""


def test_ctrl_c_ends_all_and_says_how_to_go_on(facts: dict[str, Any]) -> None:
    ended = facts["interrupted"]
    assert ended["status"] == 130 and "to go on, type:" in ended["error"]
    assert ended["s"] < 10.0 and ended["temporary"] == []


def test_nothing_listens_beyond_the_loopback(facts: dict[str, Any]) -> None:
    assert facts["sockets"], "there are nodes"
    for one in facts["sockets"]:
        assert one["address"].startswith(("127.", "[::ffff:127.", "[::1]")), one


def test_another_token_is_refused(facts: dict[str, Any]) -> None:
    assert "RAY_AUTH_TOKEN" in (facts["refused"]["error"] or ""), facts["refused"]


def test_the_package_travels_to_the_nodes(facts: dict[str, Any]) -> None:
    assert "py_modules_files" in facts["shipped_package"], facts["shipped_package"]
    assert "py_modules_files" in facts["shipped_wheel"], facts["shipped_wheel"]
    if "ship_rows" not in facts:
        pytest.skip("SKIPPED: this build of the package has no sweep: no run by the package that was sent")
    assert facts["ship_rows"] == 4


def test_options_return_from_json() -> None:
    cluster = b1.Ray("auto", runtime_env={"pip": ["becomingone"]}, ship=True, retries=-1)
    assert _ray.Ray.of("auto", cluster.options()) == (cluster, None)
    _, record = _ray.Ray.of("auto", cluster.options(Remote("file:///tmp/runs", {"auto_mkdir": True})))
    assert record is not None and (record.address, record.options) == ("file:///tmp/runs", {"auto_mkdir": True})
    assert _ray.Ray.of(None, "") == (b1.Ray(), None)
    for wrong in ("{", "[]", '{"retry": 1}', '{"ship": 1}', '{"retries": "5"}'):
        with pytest.raises(ValueError, match="expected a JSON object"):
            _ray.Ray.of(None, wrong)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(b1.errors.Unavailable, match=r'pip install "becomingone\[ray\]"'):
        b1.sweep("robot", seeds=[1], on="ray")
