"""Environments of a task: of one world, and of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .task import Task, made
from .worlds import Worlds

Observation = NDArray[np.float32]
"""What a learner sees: shape ``(k,)`` of one world, ``(n, k)`` of many."""

Info = dict[str, Any]
"""What else is known of a step or a reset."""


def world_seed(rng: np.random.Generator) -> int:
    """A seed of a world."""
    drawn: np.int64 = rng.integers(0, 2**63, dtype=np.int64)
    return int(drawn)


class Episodes:
    """Episodes of a task in ``n`` worlds: what both environments are made of."""

    def __init__(self, task: Task, n: int, threads: int | None, display: str | None) -> None:
        self.task = task
        self.n = n
        self.worlds: Worlds = task.make(n, threads, display)

    def reset(self, mask: NDArray[np.bool_], rngs: Sequence[np.random.Generator]) -> None:
        """Begins an episode where ``mask`` is true: each world draws a seed from its own source."""
        begun: dict[int, np.random.Generator] = {
            world: rng for world, (rng, begins) in enumerate(zip(rngs, mask.tolist(), strict=True)) if begins
        }
        seeds = self.worlds.seeds
        for world, rng in begun.items():
            seeds[world] = world_seed(rng)
        self.worlds.begin(mask, seeds, self.task.settle)
        self.task.reset(self.worlds, mask, begun)

    def step(
        self, actions: NDArray[Any], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], Info]:
        """Does a step where ``mask`` is true: reward, terminated, truncated, info."""
        task, worlds = self.task, self.worlds
        worlds.advance(task.act(worlds, actions), mask)
        reward = np.where(mask, self._row("reward", task.reward(worlds)), 0.0)
        if not np.isfinite(reward).all():
            world = np.flatnonzero(~np.isfinite(reward))[0]
            raise ValueError(
                f"found {type(task).__name__}.reward of {reward[world]} in world {world}; expected a finite number"
            )
        terminated = self._row("terminated", task.terminated(worlds)).astype(np.bool_) & mask
        truncated = (worlds.steps >= task.max_steps) & ~terminated & mask
        return reward, terminated, truncated, self.info()

    def observation(self) -> Observation:
        """Observations of all worlds: an array of their own."""
        space = self.task.observation_space
        seen: Observation = np.asarray(self.task.observation(self.worlds), dtype=np.float32)
        if seen.shape != (self.n, *space.shape):
            raise ValueError(
                f"found {type(self.task).__name__}.observation of shape {seen.shape}; expected {(self.n, *space.shape)}"
            )
        if not np.isfinite(seen).all():
            at = [int(k) for k in np.argwhere(~np.isfinite(seen))[0]]
            raise ValueError(
                f"found {type(self.task).__name__}.observation that is not finite in world {at[0]} at {at[1:]}; "
                "expected numbers: a sensor has none before its first reading (`settle`), a lidar none where it sees nothing"
            )
        clipped: Observation = np.clip(seen, space.low, space.high)
        return clipped

    def info(self) -> Info:
        """What else is known, in arrays of their own."""
        return {key: np.array(values) for key, values in self.task.info(self.worlds).items()}

    def checked(self, actions: Any, batched: bool) -> NDArray[np.float64] | NDArray[np.int64]:
        """Actions that can be followed, of all worlds."""
        space = self.task.action_space
        found = np.asarray(actions)
        inner: tuple[int, ...] = space.shape or ()
        shape = (self.n, *inner) if batched else inner
        kinds, wanted = ("iu", "integers") if isinstance(space, gymnasium.spaces.Discrete) else ("fiu", "numbers")
        if found.dtype.kind not in kinds:
            raise TypeError(f"found actions of {found.dtype}; expected {wanted}, of shape {shape}")
        if found.shape != shape:
            raise ValueError(f"found actions of shape {found.shape}; expected {shape}")
        rows = found.reshape(self.n, *inner)
        if isinstance(space, gymnasium.spaces.Discrete):
            last = int(space.start) + int(space.n) - 1
            wrong = (rows < space.start) | (rows > last)
            if wrong.any():
                raise ValueError(
                    f"found the action {rows[wrong][0]} in world {np.flatnonzero(wrong)[0]}; "
                    f"expected {space.start} to {last}"
                )
            return rows.astype(np.int64)
        if not np.isfinite(rows).all():
            world = np.argwhere(~np.isfinite(rows))[0][0]
            raise ValueError(f"found actions that are not finite in world {world}; expected numbers")
        return np.clip(rows.astype(np.float64), space.low, space.high)

    def _row(self, what: str, values: Any) -> NDArray[Any]:
        row = np.asarray(values)
        if row.shape != (self.n,):
            raise ValueError(
                f"found {type(self.task).__name__}.{what} of shape {row.shape}; expected ({self.n},), one a world"
            )
        return row


class Env(gymnasium.Env[Observation, Any]):
    """A task as an environment of one world.

    Args:
        task: The class, or its place as text (``"becomingone.gym.tasks:RoverReach"``).
        render_mode: ``"rgb_array"``: :meth:`render` gives a picture, shape ``(height, width, 3)``, uint8.
            ``"human"``: Rerun shows each tick; it needs the viewer (``pip install "rerun-sdk==0.36.*"``) and a display.
        display: Where ``"human"`` is shown: ``"window"``, ``"save=FILE"`` or ``"connect=URL"``.
        options: Values of attributes of the task.

    Observations are copies, float32. Actions outside of their bounds are clipped; those that are not finite, or of another
    shape, are refused. ``info`` has ``cost``: collisions of this step, and alarms where the task observes them.

    One thread uses it at a time, a forked child cannot use its parent's, and it cannot be pickled: its :attr:`spec` can.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 10}

    def __init__(
        self,
        task: type[Task] | str,
        *,
        render_mode: str | None = None,
        display: str = "window",
        **options: Any,
    ) -> None:
        _render_mode(render_mode, self.metadata)
        this = made(task, options)
        self.episodes: Episodes = Episodes(this, 1, None, display if render_mode == "human" else None)
        self.render_mode = render_mode
        seen: Any = this.observation_space
        self.observation_space = seen
        self.action_space = this.action_space
        self.metadata = {**self.metadata, "render_fps": _fps(self.episodes.worlds)}
        self._runs = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begins an episode. From here, with a seed, it has the bits of a new environment with that seed.

        Args:
            seed: Seed of all random numbers; ``None``: the next ones of those that are drawn already.
            options: Without effect.

        Returns:
            Observation, shape ``observation_space.shape``, and info.
        """
        super().reset(seed=seed, options=options)
        self.episodes.reset(np.ones(1, dtype=np.bool_), [self.np_random])
        self._runs = True
        return self.episodes.observation()[0], _single(self.episodes.info())

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, Info]:
        """Does a step: observation, reward, terminated, truncated, info.

        Args:
            action: Shape ``action_space.shape``.

        Raises:
            ResetNeeded: The episode has ended, or none has begun.
            ValueError: The action has another shape, is out of range, or is not finite.
            TypeError: The action is made of something else than numbers.
        """
        actions = self.episodes.checked(action, False)
        if not self._runs:
            raise gymnasium.error.ResetNeeded("found a step without an episode; expected reset() before it")
        reward, terminated, truncated, info = self.episodes.step(actions, np.ones(1, dtype=np.bool_))
        self._runs = not (terminated[0] or truncated[0])
        seen = self.episodes.observation()[0]
        return seen, float(reward[0]), bool(terminated[0]), bool(truncated[0]), _single(info)

    def render(self) -> Any:
        """A picture, shape ``(height, width, 3)``, uint8; ``None`` where Rerun shows it."""
        if self.render_mode == "rgb_array":
            return self.episodes.worlds.picture(0, **self.episodes.task.view)
        if self.render_mode is None:
            gymnasium.logger.warn('found render() without a render_mode; expected one: make(.., render_mode="rgb_array")')
        return None

    def close(self) -> None:
        """Ends its world. A second call does nothing."""
        if hasattr(self, "episodes"):
            self.episodes.worlds.close()
        self._runs = False

    def __reduce__(self) -> Any:
        raise TypeError(_PICKLED.format("gymnasium.make(env.spec)"))


class VectorEnv(gymnasium.vector.VectorEnv[Observation, Any, NDArray[Any]]):
    """A task as an environment of many worlds, stepped on all processors by one call.

    Args:
        task: The class, or its place as text.
        num_envs: How many worlds.
        autoreset_mode: What happens to a world whose episode has ended, as ``metadata["autoreset_mode"]`` says:
            ``NEXT_STEP``: the next step resets it, whatever its action, with reward 0 (learners leave this row out);
            ``SAME_STEP``: it is reset at once, and ``info`` has ``final_obs`` and ``final_info``;
            ``DISABLED``: ``reset(options={"reset_mask": mask})`` resets it, before the next step.
        threads: Threads that share the worlds; ``None``: one a processor. Results do not depend on it.
        render_mode: ``"rgb_array"``: :meth:`render` gives a picture of each world.
        options: Values of attributes of the task.

    Arrays that it returns are copies: float32 observations of shape ``(num_envs, k)``, float64 rewards, and booleans.
    """

    metadata: dict[str, Any] = {
        "render_modes": ["rgb_array"],
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        task: type[Task] | str,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        _render_mode(render_mode, self.metadata)
        if num_envs < 1:
            raise ValueError(f"found num_envs = {num_envs}; expected at least 1")
        this = made(task, options)
        mode = AutoresetMode(autoreset_mode)
        self.episodes: Episodes = Episodes(this, num_envs, threads, None)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = mode
        self.single_observation_space = this.observation_space
        self.single_action_space = this.action_space
        self.observation_space = batch_space(this.observation_space, num_envs)
        self.action_space = batch_space(this.action_space, num_envs)
        fps = _fps(self.episodes.worlds)
        self.metadata = {**self.metadata, "render_fps": fps, "autoreset_mode": mode}
        self._rngs: list[np.random.Generator] = []
        # Worlds without an episode: it has ended, or none has begun.
        self._ended = np.ones(num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, Info]:
        """Begins an episode in all worlds, or in those of ``options={"reset_mask": mask}``, shape ``(num_envs,)``.

        Args:
            seed: Seed of the first world, whose successors are those of the others; or one for each; ``None``: the next
                random numbers of each world.
            options: ``reset_mask``: where to begin, an array of booleans.

        Returns:
            Observations, shape ``(num_envs, k)``, and infos.
        """
        n = self.num_envs
        seeds: list[int | None]
        if seed is None:
            seeds = [None] * n
        elif isinstance(seed, int | np.integer):
            super().reset(seed=int(seed))
            seeds = [int(seed) + k for k in range(n)]
        else:
            seeds = [None if one is None else int(one) for one in seed]
        if len(seeds) != n:
            raise ValueError(f"found {len(seeds)} seeds; expected {n}, one a world")
        mask = np.ones(n, dtype=np.bool_)
        if options is not None and "reset_mask" in options:
            given: Any = options["reset_mask"]
            mask = np.array(given)
            if not isinstance(given, np.ndarray) or mask.dtype != np.bool_:
                raise TypeError(f"found a `reset_mask` of {mask.dtype}; expected a numpy array of booleans")
            if mask.shape != (n,) or not mask.any():
                raise ValueError(
                    f"found a `reset_mask` of shape {mask.shape} with {int(mask.sum())} worlds; "
                    f"expected shape ({n},), and at least one"
                )
            if not self._rngs and not mask.all():
                raise gymnasium.error.ResetNeeded("found a `reset_mask` in the first reset; expected all worlds there")
        if not self._rngs:
            self._rngs = [seeding.np_random(one)[0] for one in seeds]
        else:
            for world in np.flatnonzero(mask):
                if seeds[world] is not None:
                    self._rngs[world] = seeding.np_random(seeds[world])[0]
        self.episodes.reset(mask, self._rngs)
        self._ended &= ~mask
        return self.episodes.observation(), _vector(self.episodes.info(), mask)

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], Info]:
        """Does a step in each world: observations, rewards, terminated, truncated, infos.

        Args:
            actions: Shape ``(num_envs, *single_action_space.shape)``.

        Raises:
            ResetNeeded: No episode has begun, or, without autoreset, one has ended.
            ValueError: Actions have another shape, are out of range, or are not finite.
            TypeError: Actions are made of something else than numbers.
        """
        rows = self.episodes.checked(actions, True)
        if not self._rngs or (self.autoreset_mode == AutoresetMode.DISABLED and self._ended.any()):
            worlds = np.flatnonzero(self._ended).tolist()
            raise gymnasium.error.ResetNeeded(
                f"found a step of worlds {worlds}, which have no episode; "
                'expected reset() before the first step, and reset(options={"reset_mask": ..}) after an end'
            )
        dead = self._ended
        reward, terminated, truncated, info = self.episodes.step(rows, ~dead)
        ended = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            final, final_info = self.episodes.observation(), info
            self.episodes.reset(ended, self._rngs)
            info = _vector(self.episodes.info(), np.ones(self.num_envs, dtype=np.bool_))
            rows_of = np.full(self.num_envs, None, dtype=object)
            for world in np.flatnonzero(ended):
                rows_of[world] = final[world].copy()
            info |= {"final_obs": rows_of, "_final_obs": ended.copy()}
            info |= {"final_info": _vector(final_info, ended), "_final_info": ended.copy()}
            # In worlds that go on, what the step has brought.
            for key, values in final_info.items():
                info[key][~ended] = values[~ended]
        else:
            if dead.any():
                self.episodes.reset(dead, self._rngs)
                began = self.episodes.info()
                for key, values in began.items():
                    info[key][dead] = values[dead]
            self._ended = ended
            info = _vector(info, np.ones(self.num_envs, dtype=np.bool_))
        return self.episodes.observation(), reward, terminated, truncated, info

    def render(self) -> Any:
        """A picture of each world, each of shape ``(height, width, 3)``, uint8."""
        if self.render_mode == "rgb_array":
            worlds, view = self.episodes.worlds, self.episodes.task.view
            return tuple(worlds.picture(world, **view) for world in range(self.num_envs))
        return None

    def close_extras(self, **kwargs: Any) -> None:
        """Ends all worlds."""
        if hasattr(self, "episodes"):
            self.episodes.worlds.close()

    def __reduce__(self) -> Any:
        raise TypeError(_PICKLED.format("gymnasium.make_vec(envs.spec)"))


_PICKLED = (
    "found an environment to pickle or copy, which holds running engines; "
    "expected its spec, from which another one is made: {}"
)


def _render_mode(mode: str | None, metadata: dict[str, Any]) -> None:
    if mode is not None and mode not in metadata["render_modes"]:
        raise ValueError(f"found render_mode = {mode!r}; expected one of {metadata['render_modes']}")


def _fps(worlds: Worlds) -> int:
    """Steps a second of simulated time."""
    return max(1, round(1.0 / worlds.step_s))


def _single(info: Info) -> Info:
    """What is known of the only world."""
    return {key: values[0].item() if values.ndim == 1 else values[0] for key, values in info.items()}


def _vector(info: Info, mask: NDArray[np.bool_]) -> Info:
    """What is known, as vector environments say it: each with ``_key``, where it holds; elsewhere it is 0."""
    out: Info = {}
    for key, values in info.items():
        kept = values.copy()
        kept[~mask] = 0
        out |= {key: kept, f"_{key}": mask.copy()}
    return out
