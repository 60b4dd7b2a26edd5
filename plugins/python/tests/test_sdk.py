"""The concept's names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import python

import becomingone as b1
from becomingone import _native, errors, sdk
from becomingone.sdk import (
    CoherenceEngine,
    DisplayOutput,
    FileBridge,
    MicrophoneInput,
    SensorInput,
    SpeakerOutput,
    TextInput,
    TextOutput,
    rest_api,
)
from becomingone.sdk.applications import AssistantApp, RobotApp, VehicleApp

KERNEL_HASH_AT_0_3_S = "5b1aa75165b23f6b"
"""After 300 ticks of ``CoherenceEngine()``: what this package gave in November 2026. Its scene is compared with that of
Rust's ``CoherenceEngine::new()`` below, field by field."""


def test_every_name_of_the_sdk_is_there() -> None:
    for name in sdk.__all__:
        assert getattr(sdk, name) is not None
    for module in ("core", "inputs", "outputs", "api", "bridge", "applications"):
        assert __import__(f"becomingone.sdk.{module}", fromlist=["x"])


def test_the_lines_of_the_concept_run_as_they_stand() -> None:
    """Without sound, they raise an error that says what to install, as soon as sound is asked for."""
    lines = """
from becomingone.sdk import CoherenceEngine, MicrophoneInput, SpeakerOutput, rest_api
engine = CoherenceEngine()
engine.add_input(MicrophoneInput()); engine.add_output(SpeakerOutput())
rest = rest_api(engine, port=0); rest.start()
import threading; threading.Timer(0.5, engine.stop).start()
engine.run()
"""
    done = python(lines)
    if _native.HAS_AUDIO:
        # A machine without a sound card is told so.
        assert done.returncode == 0 or "audio" in done.stderr or "sound" in done.stderr, done.stderr
    else:
        assert done.returncode == 1
        assert "Unavailable: found a microphone, and this wheel has no sound; expected" in done.stderr


@pytest.mark.skipif(_native.HAS_AUDIO, reason="this build has sound")
def test_a_build_without_sound_says_what_to_install() -> None:
    engine = CoherenceEngine()
    for call in (lambda: engine.add_input(MicrophoneInput()), lambda: engine.add_output(SpeakerOutput())):
        with pytest.raises(errors.Unavailable, match="apt-get install libasound2-dev") as found:
            call()
        assert isinstance(found.value, ImportError)
    engine.run(duration=0.01)


@pytest.mark.skipif(not _native.HAS_AUDIO, reason="this build has no sound")
def test_a_build_with_sound_takes_a_microphone_and_a_speaker() -> None:
    engine = CoherenceEngine()
    engine.add_input(MicrophoneInput())
    engine.add_output(SpeakerOutput())


def test_the_lines_of_the_concept_run_without_sound() -> None:
    engine = CoherenceEngine()
    rest = rest_api(engine, port=0)
    rest.start()
    threading.Timer(0.5, engine.stop).start()
    began = time.monotonic()
    summary = engine.run()
    assert 0.3 < time.monotonic() - began < 5.0
    assert summary.agents[0].name == "kernel" and summary.ticks > 100
    engine.close()


# The bare kernel


def test_the_kernel_has_a_fixed_hash() -> None:
    engine = CoherenceEngine()
    summary = engine.run(duration=0.3)
    assert (summary.ticks, summary.state_hash) == (300, KERNEL_HASH_AT_0_3_S)
    engine.close()


def test_the_kernel_runs_in_real_time() -> None:
    engine = CoherenceEngine()
    began = time.monotonic()
    engine.run(duration=0.5)
    assert 0.45 < time.monotonic() - began < 2.0
    engine.close()


def test_the_scene_of_the_kernel_is_that_of_rust() -> None:
    """`bare_kernel()` of engine/core/src/builder.rs."""
    text = CoherenceEngine().start().scene
    for line in (
        'name: "kernel"',
        "seed: 0",
        "ground: None",
        "frequency_hz: 1",
    ):
        assert line in text, text
    assert text.count("signal:") == 1


def test_ctrl_c_ends_a_run_with_its_summary() -> None:
    done = python(
        "import _thread, threading\n"
        "from becomingone.sdk import CoherenceEngine\n"
        "threading.Timer(0.5, _thread.interrupt_main).start()\n"
        "print(CoherenceEngine().run().ticks > 100)"
    )
    assert done.stdout == "True\n", done.stderr


def test_a_stop_ends_a_run_and_not_the_next_one() -> None:
    engine = CoherenceEngine("robot", seed=7)
    threading.Timer(0.2, engine.stop).start()
    ticks = engine.run(duration=10_000.0).ticks
    assert ticks < 10_000_000
    assert engine.run(duration=0.1).ticks == ticks + 100
    engine.close()


def test_a_scene_has_the_hash_of_the_simulation() -> None:
    engine = CoherenceEngine("robot", seed=7)
    assert engine.run(duration=1.0).state_hash == b1.run("robot", seed=7, duration=1.0).state_hash
    engine.close()


# Inputs


def test_a_text_input_is_a_sensor() -> None:
    engine = CoherenceEngine()
    tank = TextInput("tank", {"level": "m", "flow": "l/s"})
    assert engine.add_input(tank) is engine
    sim = engine.start()
    assert sim.sensor("kernel/tank").fields == ("level", "flow")
    assert np.isnan(sim.reading("kernel/tank")).all()
    tank.write({"level": 1.5, "flow": 0.25})
    engine.run(duration=0.05)
    assert sim.reading("kernel/tank").tolist() == [1.5, 0.25]
    tank.write('{"level": 2.5, "flow": 0.5}')
    engine.run(duration=0.05)
    assert sim.reading("kernel/tank").tolist() == [2.5, 0.5]
    engine.close()


@pytest.mark.parametrize(
    "wrong", ["no json", "[1, 2]", '"x"', '{"level": "high"}', "{", "", '{"level": NaN}', "\0", '{"level": 1}\n{"level": 2}']
)
def test_a_wrong_line_of_a_text_input_is_an_error_or_no_reading(wrong: str) -> None:
    engine = CoherenceEngine()
    tank = TextInput("tank", {"level": "m"})
    engine.add_input(tank)
    sim = engine.start()
    try:
        tank.write(wrong)
    except ValueError as error:
        assert "expected" in str(error) or "found" in str(error)
    engine.run(duration=0.05)
    assert not np.isinf(sim.reading("kernel/tank")).any()
    tank.write({"level": 3.0})
    engine.run(duration=0.05)
    assert sim.reading("kernel/tank")[0] == 3.0
    engine.close()


def test_a_text_input_without_an_engine_says_so() -> None:
    with pytest.raises(RuntimeError, match="add_input"):
        TextInput("tank", {"level": "m"}).write({"level": 1.0})


def test_a_text_input_that_is_written_too_often_drops_the_oldest() -> None:
    engine = CoherenceEngine()
    tank = TextInput("tank", {"level": "m"})
    engine.add_input(tank)
    sim = engine.start()
    for k in range(1000):
        tank.write({"level": float(k)})
    engine.run(duration=0.05)
    assert sim.reading("kernel/tank")[0] == 999.0
    engine.close()


def test_two_text_inputs_are_two_sensors() -> None:
    engine = CoherenceEngine()
    a, b = TextInput("a", {"x": "m"}), TextInput("b", {"x": "m"})
    engine.add_input(a).add_input(b)
    sim = engine.start()
    a.write({"x": 1.0})
    b.write({"x": 2.0})
    engine.run(duration=0.05)
    assert (sim.reading("kernel/a")[0], sim.reading("kernel/b")[0]) == (1.0, 2.0)
    engine.close()


@pytest.mark.parametrize("name", ["", "a/b", "a b", "\0", "x" * 10_000, 'a"b', "ü"])
def test_a_name_of_a_sensor_is_taken_or_refused_with_a_reason(name: str) -> None:
    for wanted in (TextInput(name, {"level": "m"}), SensorInput(name, "Imu()", 100.0)):
        engine = CoherenceEngine("robot")
        engine.add_input(wanted)
        try:
            engine.start().step()
        except errors.SceneError as error:
            assert error.diagnostics
        finally:
            if engine._simulation is not None:
                engine.close()


def test_a_sensor_can_be_added_to_a_robot() -> None:
    engine = CoherenceEngine("robot", seed=7)
    engine.add_input(SensorInput("imu2", "Imu()", 100.0))
    sim = engine.start()
    sim.step(100)
    assert np.isfinite(sim.reading("rover/imu2")).all() and np.isfinite(sim.reading("rover/imu")).all()
    engine.close()


def test_a_wrong_sensor_names_its_place() -> None:
    engine = CoherenceEngine("robot")
    engine.add_input(SensorInput("imu2", "Imo()", 100.0))
    with pytest.raises(errors.SceneError, match="Imu"):
        engine.start()


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "tank.jsonl"
    file.write_text("")
    engine = CoherenceEngine()
    engine.add_input(FileBridge(str(file)).reads("tank", {"level": "m"}, 10.0))
    sim = engine.start()
    runner = threading.Thread(target=engine.run, args=(3.0,))
    runner.start()
    time.sleep(0.5)
    with file.open("a") as out:
        out.write('{"level": 4.25}\n')
    runner.join(30)
    assert sim.reading("kernel/tank").tolist() == [4.25]
    engine.close()


def test_a_bridge_is_no_input_and_no_output() -> None:
    engine = CoherenceEngine()
    with pytest.raises(TypeError, match="reads"):
        engine.add_input(FileBridge("x"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="drives"):
        engine.add_output(FileBridge("x"))  # type: ignore[arg-type]


@pytest.mark.skipif(_native.HAS_BLUETOOTH, reason="this build has Bluetooth")
def test_a_build_without_bluetooth_says_what_to_install() -> None:
    with pytest.raises(errors.Unavailable, match="libdbus-1-dev"):
        sdk.BluetoothBridge("00:11:22:33:44:55")


# Outputs


def test_a_text_output_writes_lines_of_json(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    engine = CoherenceEngine("robot", seed=7)
    engine.add_output(TextOutput(file, rate_hz=10.0))
    engine.run(duration=1.0)
    engine.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert 10 <= len(lines) <= 11
    assert all("rover" in json.dumps(line) for line in lines)


def test_a_text_output_to_standard_output() -> None:
    done = python(
        "from becomingone.sdk import CoherenceEngine, TextOutput\n"
        "engine = CoherenceEngine('robot', seed=7); engine.add_output(TextOutput(rate_hz=10.0))\n"
        "engine.run(duration=0.5); engine.close()"
    )
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in done.stdout.splitlines()]) in (5, 6)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), float("inf"), 1e-300, 1e300])
def test_a_text_output_with_a_wrong_rate_is_refused_or_works(rate_hz: float, tmp_path: Path) -> None:
    engine = CoherenceEngine("robot")
    try:
        engine.add_output(TextOutput(tmp_path / "x", rate_hz=rate_hz))
        engine.run(duration=0.01)
        engine.close()
    except (ValueError, errors.Error) as error:
        assert "expected" in str(error)


def test_an_output_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    engine = CoherenceEngine("robot")
    engine.add_output(TextOutput(tmp_path / "nope" / "x"))
    with pytest.raises(errors.Error, match="nope"):
        engine.start()


def test_a_display_is_saved_to_a_file(tmp_path: Path) -> None:
    engine = CoherenceEngine("robot", seed=7)
    engine.add_output(DisplayOutput(save=tmp_path / "run.rrd"))
    engine.run(duration=0.2)
    engine.close()
    assert (tmp_path / "run.rrd").stat().st_size > 1000
    with pytest.raises(ValueError, match="expected one"):
        DisplayOutput(connect="x", save="y")


def test_nothing_is_added_after_the_start() -> None:
    engine = CoherenceEngine()
    engine.start()
    for call in (
        lambda: engine.add_input(TextInput("tank", {"level": "m"})),
        lambda: engine.add_output(TextOutput()),
        lambda: rest_api(engine, port=0).start(),
    ):
        with pytest.raises(RuntimeError, match="has started"):
            call()
    engine.close()


# Servers


def test_a_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BECOMINGONE_TOKEN", "0123456789abcdef0123456789abcdef")
    engine = CoherenceEngine()
    rest = rest_api(engine, port=0)
    rest.start()
    runner = threading.Thread(target=engine.run)
    runner.start()
    asked = urllib.request.Request(
        f"{rest.url}/v1/agents/kernel", headers={"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert json.load(answer)["agent"] == "kernel"
    with urllib.request.urlopen(f"{rest.url}/v1/openapi.json", timeout=10) as answer:
        assert json.load(answer)["openapi"].startswith("3.1")
    engine.stop()
    runner.join(10)
    assert not runner.is_alive()
    assert rest.page.startswith(rest.url)
    engine.close()


def test_a_server_that_has_not_started_says_so() -> None:
    engine = CoherenceEngine()
    with pytest.raises(RuntimeError, match="start"):
        rest_api(engine, port=0).url
    engine = CoherenceEngine()
    rest_api(engine, port=0)
    engine.add_input(TextInput("tank", {"level": "m"}))


@pytest.mark.parametrize("port", [-1, 65536, 1.5, "x"])
def test_a_wrong_port_is_an_error(port: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        rest_api(CoherenceEngine(), port=port).start()


def test_a_port_that_is_taken_is_an_error() -> None:
    first = CoherenceEngine()
    server = rest_api(first, port=0)
    server.start()
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(errors.Error, match=str(port)):
        rest_api(CoherenceEngine(), port=port).start()
    first.close()


# Applications


def test_motors_of_a_robot_are_enabled_by_hand() -> None:
    app = RobotApp(seed=7)
    app.run(duration=2.0)
    app.disable_motors("rover")
    app.run(duration=1.0)
    assert app.start().agent("rover")["mode"] != "controller"
    at = app.start().reading("rover/pose")
    app.run(duration=0.5)
    assert np.allclose(at, app.start().reading("rover/pose"), atol=1e-3)
    app.enable_motors("rover")
    app.run(duration=2.0)
    assert not np.allclose(at, app.start().reading("rover/pose"), atol=0.1)
    app.close()


def test_an_emergency_stop_of_a_vehicle_latches() -> None:
    app = VehicleApp(seed=7)
    app.run(duration=2.0)
    [name] = [agent.name for agent in app.summary().agents][:1]
    app.emergency_stop(name)
    app.run(duration=10.0)
    at = app.start().reading(f"{name}/pose")
    app.run(duration=1.0)
    assert np.allclose(at[:3], app.start().reading(f"{name}/pose")[:3], atol=0.05)
    app.close()


def test_the_assistant_answers_and_moves_nothing_without_leave(tmp_path: Path) -> None:
    with AssistantApp(name="Solaria", system_prompt="I am coherent.", scene="robot", folder=tmp_path) as assistant:
        assert assistant.send_message("who are you").startswith("Solaria, the assistant of this run. I am coherent.")
        assert "rover follows its controller" in assistant.send_message("how is the rover doing?")
        assert "nothing was done" in assistant.send_message("drive forward 1 m")
        assert "is stopped" in assistant.send_message("stop!")
        said = assistant.get_conversation()
        assert [who for who, _ in said[:2]] == ["user", "assistant"] and len(said) == 8
    assert (tmp_path / "sessions" / "main.jsonl").read_text().count("\n") == 9
    with pytest.raises(errors.RunError, match="no_scene"):
        AssistantApp(scene="no_scene.ron", folder=tmp_path).send_message("status")


def test_the_concepts_assistant_ends_with_its_input(tmp_path: Path) -> None:
    code = (
        "from becomingone.sdk.applications import AssistantApp\n"
        "assistant = AssistantApp(name='Solaria', system_prompt='You are a helpful, coherent AI.'); assistant.start()"
    )
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)}
    ran = subprocess.run(
        [sys.executable, "-c", code], input="who are you\nquit\n", capture_output=True, text=True, timeout=60, env=environment
    )
    assert ran.returncode == 0, ran.stderr
    assert "Solaria, the assistant" in ran.stdout and "goodbye" in ran.stdout
