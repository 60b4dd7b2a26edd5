"""Scenes: by name, by file, or made in code, with overlays."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from . import _native, kinds

Path = str | os.PathLike[str]
"""A path of a file."""

Value = bool | int | float | str | None | Sequence["Value"] | Mapping[str, "Value"]
"""A value of a scene: kinds with fields are ``{"Patrol": {"speed_m_s": 1.0}}``."""


class Scene:
    """What is simulated: a scene and what is merged into it, as for ``becomingone run``.

    Args:
        what: The name of a built-in scene (``"robot"``, ``"vehicle"``; :func:`scenes` lists all), a scene file, a robot
            description (URDF, MJCF), or a scene made in code: a mapping with the keys of a scene file.
        profiles: Files that say where the scene runs; later ones win.
        configs: Files that say what runs, merged after the profiles.
        set: Single values by their paths, merged last: ``{"agents.rover.controller.speed_m_s": 0.8}``. A text is RON;
            within lists and mappings, a word such as ``Freeze`` is a kind, other texts are texts.
        model: A robot or vehicle description that replaces every model of the scene.

    Example:
        >>> Scene("robot", set={"agents.rover.controller.speed_m_s": 0.8}).check()
    """

    def __init__(
        self,
        what: Path | Mapping[str, Value] = "robot",
        *,
        profiles: Sequence[Path] = (),
        configs: Sequence[Path] = (),
        set: Mapping[str, Value] | None = None,  # noqa: A002: the program's own word
        model: Path | None = None,
    ) -> None:
        texts: dict[str, str] = {}
        self._mapping: Mapping[str, Value] | None = None
        merged = [os.fspath(file) for file in profiles]
        if isinstance(what, Mapping):
            # A scene of nothing, and all of it as one overlay.
            texts = {"scene.ron": "()", "scene.yaml": _yaml(_plain({"version": 1, **what}))}
            self._mapping = what
            what = "scene.ron"
            merged.insert(0, "scene.yaml")
        self._native: dict[str, Any] = {
            "what": os.fspath(what),
            "profiles": merged,
            "configs": [os.fspath(file) for file in configs],
            "sets": [f"{path}={_ron(value)}" for path, value in (set or {}).items()],
            "model": None if model is None else os.fspath(model),
            "texts": texts,
        }

    def check(self) -> None:
        """Checks it, and all files that it names.

        Raises:
            SceneError: With file, line and column of each error.
        """
        _native.check(self._with_kinds())

    def resolved(self) -> str:
        """The scene with all overlays and defaults, as RON."""
        return _native.check(self._with_kinds())

    def _with_kinds(self, more: Sequence[kinds.Kind] = ()) -> dict[str, Any]:
        """As the native part takes it, with all kinds that are declared by now."""
        return {**self._native, "kinds": [kind.native() for kind in (*kinds.declared(), *more)]}

    def __repr__(self) -> str:
        parts = [repr(self._native["what"])]
        parts += [repr(one) for one in self._native["sets"]]
        return f"Scene({', '.join(parts)})"


def scenes() -> dict[str, str]:
    """The built-in scenes, and a line about each."""
    return dict(_native.scenes())


_WORD = re.compile(r"[A-Z][A-Za-z0-9]*")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUTHS = {"True", "False", "Null", "Yes", "No", "On", "Off", "TRUE", "FALSE", "NULL", "YES", "NO", "ON", "OFF"}


def _mapping(value: Any) -> Mapping[Any, Any]:
    return cast("Mapping[Any, Any]", value)


def _sequence(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value)


def _plain(value: Any) -> Value:
    """A value as Python's own numbers, texts, lists and mappings: numpy's are taken apart."""
    if isinstance(value, str | bool | int | float) or value is None:
        # A float of numpy is a float, and prints otherwise.
        return float(value) if isinstance(value, float) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in _mapping(value).items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Sequence):
        return [_plain(one) for one in _sequence(value)]
    raise TypeError(f"found {type(value).__name__} in a scene; expected numbers, texts, lists and mappings")


def _text(text: str) -> str:
    """A text in quotes, as RON and YAML read it."""
    return json.dumps(text, ensure_ascii=False)


def _is_word(text: str) -> bool:
    return _WORD.fullmatch(text) is not None and text not in _TRUTHS


def _yaml(value: Value) -> str:
    """A value as YAML in one line. Words may be kinds: they have no quotes."""
    if isinstance(value, str):
        return value if _is_word(value) else _text(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text(k)}: {_yaml(v)}' for k, v in value.items())}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_yaml(one) for one in value)}]"
    return json.dumps(value)


def _ron(value: Value) -> str:
    """A value as the program takes it after ``--set path=``."""
    value = _plain(value)
    return value if isinstance(value, str) else _nested(value)


def _nested(value: Value) -> str:
    """A value within another one, where text has quotes, and a word may be a kind."""
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return value if _is_word(value) else _text(value)
    if isinstance(value, Mapping):
        # A kind: its name, and its fields or its one value.
        if len(value) == 1:
            [(kind, fields)] = value.items()
            if _is_word(kind):
                inner = _nested(fields)
                return f"{kind}{inner}" if isinstance(fields, Mapping) else f"{kind}({inner})"
        for key in value:
            if _KEY.fullmatch(key) is None:
                raise ValueError(f"found the key {key!r}; expected a word")
        return f"({', '.join(f'{k}: {_nested(v)}' for k, v in value.items())})"
    return f"[{', '.join(_nested(one) for one in value)}]"


def _scene(scene: Scene | Path | Mapping[str, Value]) -> Scene:
    return scene if isinstance(scene, Scene) else Scene(scene)
