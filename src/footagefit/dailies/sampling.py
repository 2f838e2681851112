"""Which window comes at which index: a pure function of (seed, index), balanced over scenes.

Here: choosing shots, frames and references. Not here: reading them (`windows`).

Indices go in rounds: each round visits every scene once, in an order of its own, so that a long
talky scene does not drown the night exterior; inside a scene the set-ups are even, and inside a
set-up the takes. The catalogue's order does not matter: shots are sorted by name first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from footagefit.dailies.entries import Shot
from footagefit.dailies.pairs import LEAST_EV, LEAST_MIRED
from footagefit.errors import UsageError


@dataclass(frozen=True)
class Draw:
    """What a window shows: frames of a shot, and where its references come from."""

    shot: str
    numbers: tuple[int, ...]
    references: tuple[tuple[str, int], ...]


class Sampling:
    """Draws windows by index.

    Args:
        shots: Those of one side.
        seed: Of the run.
        length: Frames of a window.
        stride: Steps between them.
        references: Frames drawn beside each window, of the shot or of takes that sit with it.
        from_mates: How often a reference comes from another take, where one sits with the shot.
        missing: Frame numbers without a picture, by shot name.
        stream: Sets apart draws of one seed: `train`, `val`.
    """

    def __init__(
        self,
        shots: Sequence[Shot],
        *,
        seed: int,
        length: int = 1,
        stride: int = 1,
        references: int = 2,
        from_mates: float = 0.5,
        missing: Mapping[str, Sequence[int]] | None = None,
        stream: str = "train",
    ) -> None:
        self.span = (length - 1) * stride + 1
        usable = sorted((s for s in shots if s.length >= self.span), key=lambda s: s.name)
        if not usable:
            raise UsageError(
                f"no {stream} shot has {self.span} frames",
                hint="Scan more footage, use shorter windows, or look at `footagefit shots`",
            )
        self.shots = {shot.name: shot for shot in usable}
        self.length, self.stride, self.count = length, stride, references
        self.from_mates = from_mates
        self.seed = seed
        self._salt = int.from_bytes(stream.encode()[:8], "big")
        self._missing = {name: set(gone) for name, gone in (missing or {}).items() if gone}
        tree: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for shot in usable:
            tree[shot.scene][shot.setup].append(shot.name)
        self.scenes = sorted(tree)
        self.setups = {scene: sorted(tree[scene]) for scene in self.scenes}
        self.takes = {(c, u): tree[c][u] for c in self.scenes for u in self.setups[c]}

    def draw(self, index: int) -> Draw:
        """The window at an index, 0 and up, without end."""
        rng = self._rng(index)
        scene = self.scenes[self._scene_at(index)]
        setups = self.setups[scene]
        setup = setups[int(rng.integers(len(setups)))]
        takes = self.takes[scene, setup]
        shot = self.shots[takes[int(rng.integers(len(takes)))]]
        first = self._first(shot, rng)
        numbers = tuple(first + step * self.stride for step in range(self.length))
        return Draw(shot.name, numbers, self._references(shot, scene, setup, numbers, rng))

    def _scene_at(self, index: int) -> int:
        turn, place = divmod(index, len(self.scenes))
        order = np.random.Generator(np.random.Philox(key=[self.seed, self._salt], counter=turn))
        return int(order.permutation(len(self.scenes))[place])

    def _rng(self, index: int) -> np.random.Generator:
        key = [self.seed, self._salt ^ 0x57494E444F57]
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, index]))

    def _first(self, shot: Shot, rng: np.random.Generator) -> int:
        room = shot.length - self.span + 1
        first = shot.first + int(rng.integers(room))
        gone = self._missing.get(shot.name)
        for _ in range(8):  # a window around a frame that is there
            if not gone or first + (self.length // 2) * self.stride not in gone:
                break
            first = shot.first + int(rng.integers(room))
        return first

    def _references(
        self,
        shot: Shot,
        scene: str,
        setup: str,
        numbers: tuple[int, ...],
        rng: np.random.Generator,
    ) -> tuple[tuple[str, int], ...]:
        """Frames that share the shot's light: of takes that sit with it, and of the shot itself.

        A reference tells what light the frame should have, so a take that does not sit with the
        shot would teach the wrong thing; where nothing is measured, every take of the set-up is
        taken for one that does.
        """
        mates = [n for n in self.takes[scene, setup] if n != shot.name and self.sits(n, shot)]
        picked: list[tuple[str, int]] = []
        for _ in range(self.count):
            name = shot.name
            if mates and rng.random() < self.from_mates:
                name = mates[int(rng.integers(len(mates)))]
            other = self.shots[name]
            number = other.first + int(rng.integers(other.length))
            if name == shot.name and other.length > 2:
                far = (numbers[0] - other.first + other.length // 2) % other.length
                spread = int(rng.integers(-(other.length // 4), other.length // 4 + 1))
                number = other.first + (far + spread) % other.length
            picked.append((name, self._nearest(name, number)))
        return tuple(picked)

    def sits(self, name: str, shot: Shot) -> bool:
        """Whether another take has the shot's exposure and white, as far as they are known."""
        other = self.shots[name]
        ev = mired = 0.0
        if other.exposure_ev is not None and shot.exposure_ev is not None:
            ev = other.exposure_ev - shot.exposure_ev
        if other.white_k and shot.white_k:
            mired = 1e6 / other.white_k - 1e6 / shot.white_k
        return abs(ev) <= LEAST_EV and abs(mired) <= LEAST_MIRED

    def _nearest(self, name: str, number: int) -> int:
        gone = self._missing.get(name)
        if not gone:
            return number
        shot = self.shots[name]
        there = [n for n in range(shot.first, shot.last + 1) if n not in gone]
        return min(there, key=lambda n: abs(n - number)) if there else number
