"""stable-baselines3's PPO on an environment of becomingone.

    pip install "becomingone[gym]" stable-baselines3        # 5 GB with its torch
    python sb3_ppo.py becomingone/RoverReach-v0

stable-baselines3 has a vector API of its own, of which ``Worlds`` below makes ours: with autoreset in the same step, as it
expects, and all worlds stepped by one call.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3 import PPO  # type: ignore[import-not-found, unused-ignore]
from stable_baselines3.common.vec_env import (  # type: ignore[import-not-found, unused-ignore]
    VecEnv,
    VecMonitor,
    VecNormalize,
)

import becomingone.gym


class Worlds(VecEnv):  # type: ignore[misc, unused-ignore]
    """Many worlds, as stable-baselines3 expects them."""

    def __init__(self, id: str, num_envs: int) -> None:
        self.envs: Any = gymnasium.make_vec(id, num_envs=num_envs, autoreset_mode="SameStep")
        super().__init__(num_envs, self.envs.single_observation_space, self.envs.single_action_space)
        self.next_seed: int | None = None

    def seed(self, seed: int | None = None) -> list[int | None]:
        self.next_seed = seed
        return [None if seed is None else seed + world for world in range(self.num_envs)]

    def reset(self) -> Any:
        seen, _ = self.envs.reset(seed=self.next_seed)
        self.next_seed = None
        return seen

    def step_async(self, actions: Any) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        seen, reward, terminated, truncated, info = self.envs.step(self.actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{"cost": cost} for cost in info["cost"]]
        for world in np.flatnonzero(ended):
            infos[world]["terminal_observation"] = info["final_obs"][world]
            infos[world]["TimeLimit.truncated"] = bool(truncated[world])
            infos[world]["cost"] = info["final_info"]["cost"][world]
        return seen, reward.astype(np.float32), ended, infos

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.envs, name)] * self.num_envs

    def set_attr(self, name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"found set_attr({name!r}); expected it as an option: gymnasium.make_vec(id, {name}=..)")

    def env_method(self, name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(f"found env_method({name!r}); the worlds of a vector environment have no methods of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def main() -> None:
    parser = argparse.ArgumentParser(description="stable-baselines3's PPO on an environment of becomingone.")
    parser.add_argument("id", nargs="?", default=next(iter(becomingone.gym.IDS)))
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    envs = VecNormalize(VecMonitor(Worlds(options.id, 64)), norm_reward=False)
    model = PPO("MlpPolicy", envs, n_steps=64, batch_size=512, gamma=0.98, seed=options.seed, verbose=1, device="cpu")
    model.learn(options.steps)
    model.save("ppo")
    envs.save("ppo_scale.pkl")
    envs.close()


if __name__ == "__main__":
    main()
