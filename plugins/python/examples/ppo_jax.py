"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) in JAX, for any of our ids with a Box of actions.

    pip install "becomingone[gym]" jax optax
    python ppo_jax.py becomingone/RoverReach-v0 --seed 1 --out reach.csv

It prints a learning curve, writes it as CSV, and draws it (``--plot curve.png``) where matplotlib is installed. Then it
drives 20 episodes with seeds that it has not seen, without noise.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax  # type: ignore[import-untyped]

import becomingone.gym

Policy = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
Params = dict[str, Any]
HORIZON, EPOCHS, MINIBATCHES, LAMBDA, CLIP = 32, 4, 8, 0.95, 0.2


def layers(key: jax.Array, sizes: list[int], last: float) -> list[tuple[jax.Array, jax.Array]]:
    keys = jax.random.split(key, len(sizes) - 1)
    gains = [2.0**0.5] * (len(sizes) - 2) + [last]
    weights = [jax.nn.initializers.orthogonal(g)(k, (a, b)) for k, g, a, b in zip(keys, gains, sizes, sizes[1:])]
    return [(weight, jnp.zeros(weight.shape[1])) for weight in weights]


def network(layers: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    for weight, bias in layers[:-1]:
        x = jnp.tanh(x @ weight + bias)
    return x @ layers[-1][0] + layers[-1][1]


@jax.jit
def look(params: Params, seen: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean of the actions, and the value, of observations."""
    return network(params["actor"], seen), network(params["critic"], seen)[:, 0]


def log_prob(params: Params, mean: jax.Array, action: jax.Array) -> jax.Array:
    scaled = (action - mean) / jnp.exp(params["log_sd"])
    return jnp.sum(-0.5 * scaled**2 - params["log_sd"] - 0.5 * jnp.log(2 * jnp.pi), axis=-1)


@jax.jit
def act(params: Params, seen: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """An action with noise, its log-probability, and the value."""
    mean, value = look(params, seen)
    action = mean + jnp.exp(params["log_sd"]) * jax.random.normal(key, mean.shape)
    return action, log_prob(params, mean, action), value


def loss(params: Params, batch: tuple[jax.Array, ...]) -> jax.Array:
    seen, action, old, advantage, target = batch
    mean, value = look(params, seen)
    ratio = jnp.exp(log_prob(params, mean, action) - old)
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    surrogate = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage)
    return -surrogate.mean() + 0.5 * jnp.mean((value - target) ** 2) - 0.002 * jnp.sum(params["log_sd"])


class Scale:
    """Running mean and variance of observations (Welford's, by batches), to bring them to unit variance."""

    def __init__(self, width: int) -> None:
        self.count, self.mean, self.square = 1e-4, np.zeros(width), np.ones(width) * 1e-4

    def update(self, x: np.ndarray[Any, Any]) -> None:
        apart, total = x.mean(0) - self.mean, self.count + len(x)
        self.square += x.var(0) * len(x) + apart**2 * self.count * len(x) / total
        self.mean, self.count = self.mean + apart * len(x) / total, total

    def __call__(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.clip((x - self.mean) / np.sqrt(self.square / self.count + 1e-6), -5, 5).astype(np.float32)


def train(
    id: str, *, seed: int = 1, steps: int = 65_536, num_envs: int = 64, gamma: float = 0.98, rate: float = 1e-3,
    out: Path | None = None, quiet: bool = False,
) -> Policy:  # fmt: skip
    """Learns, and returns the policy: actions without noise, of a batch of observations."""
    envs: Any = gymnasium.make_vec(id, num_envs=num_envs, autoreset_mode="SameStep")
    inputs, outputs = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]
    key, actor, critic = jax.random.split(jax.random.key(seed), 3)
    params: Params = {
        "actor": layers(actor, [inputs, 64, 64, outputs], 0.01),
        "critic": layers(critic, [inputs, 64, 64, 1], 1.0),
        "log_sd": jnp.full(outputs, -0.5),
    }
    updates = max(1, steps // (HORIZON * num_envs))
    schedule = optax.linear_schedule(rate, 0.1 * rate, updates * EPOCHS * MINIBATCHES)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule, eps=1e-5))
    state, scale = optimiser.init(params), Scale(inputs)

    @jax.jit
    def learn(params: Params, state: Any, batch: tuple[jax.Array, ...], key: jax.Array) -> tuple[Params, Any]:
        def minibatch(carry: tuple[Params, Any], rows: jax.Array) -> tuple[tuple[Params, Any], None]:
            params, state = carry
            changes, state = optimiser.update(jax.grad(loss)(params, tuple(x[rows] for x in batch)), state)
            return (optax.apply_updates(params, changes), state), None

        orders = [jax.random.permutation(k, HORIZON * num_envs) for k in jax.random.split(key, EPOCHS)]
        rows = jnp.concatenate(orders).reshape(EPOCHS * MINIBATCHES, -1)
        return jax.lax.scan(minibatch, (params, state), rows)[0]

    raw, _ = envs.reset(seed=seed)
    scale.update(raw)
    seen, running, finished, curve = scale(raw), np.zeros(num_envs), [], []
    began = time.perf_counter()
    for update in range(updates):
        kept: list[tuple[Any, ...]] = []
        for _ in range(HORIZON):
            key, noise = jax.random.split(key)
            action, old, value = (np.asarray(x) for x in act(params, seen, noise))
            raw, reward, terminated, truncated, info = envs.step(action)
            running += reward
            ended = terminated | truncated
            if truncated.any():  # the value of what would have followed
                rows = np.flatnonzero(truncated)
                following = scale(np.stack(info["final_obs"][rows]))
                reward[rows] += gamma * np.asarray(look(params, following)[1])
            success = info["final_info"].get("success", terminated) if ended.any() else ended
            finished += [(running[k], success[k]) for k in np.flatnonzero(ended)]
            running[ended] = 0.0
            kept.append((seen, action, old, value, reward, ended))
            scale.update(raw)
            seen = scale(raw)
        views, actions, olds, values, rewards, ends = (np.stack(x) for x in zip(*kept))
        advantages, ahead, next_value = np.zeros_like(values), np.zeros(num_envs), np.asarray(look(params, seen)[1])
        for t in reversed(range(HORIZON)):  # generalised advantage estimation (arXiv:1506.02438)
            goes_on = 1.0 - ends[t]
            ahead = rewards[t] + gamma * next_value * goes_on - values[t] + gamma * LAMBDA * goes_on * ahead
            advantages[t], next_value = ahead, values[t]
        batch = (views, actions, olds, advantages, advantages + values)
        key, order = jax.random.split(key)
        flat = tuple(jnp.asarray(x.reshape(-1, *x.shape[2:]), jnp.float32) for x in batch)
        params, state = learn(params, state, flat, order)
        returns, successes = np.array(finished[-100:] or [(np.nan, np.nan)], dtype=float).T
        done, seconds = (update + 1) * HORIZON * num_envs, time.perf_counter() - began
        curve.append((done, round(seconds, 2), round(returns.mean(), 4), round(successes.mean(), 4)))
        if not quiet:
            print("{} steps, {} s: return {}, success {}".format(*curve[-1]), flush=True)
    envs.close()
    if out is not None:
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([("steps", "seconds", "return", "success"), *curve])
    return lambda raw: np.asarray(look(params, scale(raw))[0])


def evaluate(id: str, policy: Policy, *, seed: int = 1_000_000, episodes: int = 20) -> list[tuple[float, bool]]:
    """Return and success of the first episode of each of these seeds."""
    envs: Any = gymnasium.make_vec(id, num_envs=episodes, autoreset_mode="NextStep")
    seen, _ = envs.reset(seed=seed)
    returns, success, open_ = np.zeros(episodes), np.zeros(episodes, bool), np.ones(episodes, bool)
    while open_.any():
        seen, reward, terminated, truncated, info = envs.step(policy(seen))
        returns += reward * open_
        success |= np.asarray(info.get("success", terminated), bool) & open_
        open_ &= ~(terminated | truncated)
    envs.close()
    return list(zip(returns.tolist(), success.tolist()))


def main() -> None:
    parser = argparse.ArgumentParser(description="PPO on an environment of becomingone.")
    parser.add_argument("id", nargs="?", default="becomingone/RoverReach-v0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=65_536)
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--gamma", type=float, default=0.98)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    out = options.out or (options.plot and options.plot.with_suffix(".csv"))
    policy = train(options.id, seed=options.seed, steps=options.steps, num_envs=options.envs, gamma=options.gamma, out=out)
    returns, success = zip(*evaluate(options.id, policy))
    print(f"{sum(success)} of {len(success)} goals in fresh seeds, mean return {np.mean(returns):.3f}")
    if options.plot:
        import matplotlib.pyplot as plt  # type: ignore[import-not-found, unused-ignore]

        with out.open() as file:
            rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
        plt.plot([row["steps"] for row in rows], [row["return"] for row in rows])
        plt.xlabel("steps")
        plt.ylabel("return, mean of 100 episodes")
        plt.title(options.id)
        plt.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    assert becomingone.gym.IDS
    main()
