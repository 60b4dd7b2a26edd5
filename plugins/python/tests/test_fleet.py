"""Several rovers for PettingZoo: its checks, seeds, bounds, errors."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test  # type: ignore[import-untyped, unused-ignore]

from becomingone.gym.fleet import Fleet, parallel_env


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drive(env: Fleet, steps: int, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [env.step({name: rng.uniform(-1, 1, 2) for name in env.agents}) for _ in range(steps)]


def test_pettingzoos_checks() -> None:
    env = parallel_env(max_steps=100)
    parallel_api_test(env, num_cycles=250)
    parallel_seed_test(lambda: parallel_env(max_steps=50), num_cycles=100)
    env.close()
    env.close()


def test_a_reset_with_a_seed_has_the_bits_of_a_new_environment() -> None:
    used, new = parallel_env(3, max_steps=200), parallel_env(3, max_steps=200)
    used.reset(seed=1)
    drive(used, 150, 0)
    assert pickle.dumps(used.reset(seed=2)) == pickle.dumps(new.reset(seed=2))
    kept = drive(used, 30, 4)
    before = pickle.dumps(kept)
    assert before == pickle.dumps(drive(new, 30, 4))
    drive(used, 10, 5)
    assert pickle.dumps(kept) == before  # copies
    used.close()
    new.close()


@pytest.mark.parametrize("rovers", [1, 2, 16])
def test_observations_stay_within_finite_bounds(rovers: int) -> None:
    env = parallel_env(rovers, max_steps=40)
    seen, infos = env.reset(seed=3)
    for _ in range(40):
        for name in env.possible_agents:
            assert env.observation_space(name).is_bounded("both") and seen[name] in env.observation_space(name)
        seen, rewards, _, truncated, infos = env.step({name: env.action_space(name).sample() for name in env.agents})
        assert np.isfinite(list(rewards.values())).all() and set(infos["rover_0"]) == {"cost", "goals"}
    assert all(truncated.values()) and env.agents == [] and env.state().shape == (11 * rovers,)
    env.close()


def test_rovers_reach_goals_and_collisions_cost() -> None:
    env = parallel_env(2, max_steps=300)
    seen, _ = env.reset(seed=5)
    while env.agents:
        bearing = {name: np.arctan2(row[2], row[1]) for name, row in seen.items()}
        actions = {name: np.array([max(np.cos(b), 0.0), np.clip(2 * b, -1, 1)]) for name, b in bearing.items()}
        seen, _, _, _, infos = env.step(actions)
    assert min(info["goals"] for info in infos.values()) >= 3
    env.reset(seed=6)
    cost, reward = 0.0, 0.0
    for _ in range(60):  # the one at the rear drives into the other one
        _, rewards, _, _, infos = env.step({"rover_0": np.array([1.0, 0.0]), "rover_1": np.zeros(2)})
        cost += infos["rover_1"]["cost"]
        reward += rewards["rover_1"]
    assert cost >= 1 and reward <= -0.9
    env.close()


def test_wrong_calls_say_what_is_expected() -> None:
    env = parallel_env(2)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step({})
    env.reset(seed=1)
    good = np.zeros(2)
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"rover_0": good}, ValueError, "expected those of"),
        ({"rover_0": good, "rover_1": [0.0]}, ValueError, "rover_1; expected 2 finite"),
        ({"rover_0": good, "rover_1": [0.0, np.nan]}, ValueError, "finite"),
        ({"rover_0": good, "rover_1": ["a", "b"]}, TypeError, "numbers"),
    ]
    for actions, error, text in wrong:
        with pytest.raises(error, match=text):
            env.step(actions)
    with pytest.raises(TypeError, match="parallel_env"):
        pickle.dumps(env)
    env.close()
    with pytest.raises(ValueError, match="1 to 16"):
        parallel_env(0)
    with pytest.raises(ValueError, match="render_mode"):
        parallel_env(render_mode="ansi")


def test_a_picture_is_drawn() -> None:
    env = parallel_env(2, render_mode="rgb_array")
    env.reset(seed=1)
    frame = env.render()
    assert frame.shape == (360, 480, 3) and frame.dtype == np.uint8
    env.close()


def test_without_pettingzoo_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pettingzoo'] = None\n"
        "from becomingone.errors import Unavailable\n"
        "try:\n    import becomingone.gym.fleet\nexcept Unavailable as error:\n    print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert 'pip install "becomingone[fleet]"' in out.stdout
