"""Examples that keep their frames' shape, those of a step all of one.

What belongs here: which shape a step has, and finding windows of it. What does not: the order of
batches (`examples.py`), making an example of a window (`tasks`).

A step's first window says the shape; the others are drawn until they have it. So shots come as
often as without buckets, and which example comes when is still a function of the step alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from footagefit.errors import UsageError, WrongValue
from footagefit.models.base import bucket
from footagefit.rendering.fits import Part, Recipe
from footagefit.tasks.draws import generator
from footagefit.training.examples import Examples, Source
from footagefit.training.settings import Settings

if TYPE_CHECKING:
    import torch

    from footagefit.records import Pair
    from footagefit.tasks.base import Task, Window

Size = tuple[int, int]
CELL_PX = 16  # rows and columns of a shape are multiples of it
_TRIES = 200  # windows that are looked at, unread, for one of a step's shape
_APART = 1_000_003  # from one of them to the next: what no run comes to by itself
_LOOKED_AT = 256  # windows among which the largest shape is looked for


@runtime_checkable
class Sized(Protocol):
    """A source that knows a window's size before it is read."""

    def window(self, index: int) -> Window:
        """The window at an index."""
        ...

    def size(self, index: int) -> Size:
        """Rows and columns of its frames."""
        ...


class Bucketed(Examples):
    """Examples of a run by index, each as its frames are shaped.

    Args:
        source: Gives windows, and their sizes.
        recipe: Its task makes an example of each; `size` says how many pixels there are.
        seed: Of the run.
        group: Examples that share a shape: those of a step.
        stream: Sets apart draws of one seed.
    """

    def __init__(
        self, source: Source, recipe: Recipe, *, seed: int, group: int, stream: int = 0
    ) -> None:
        super().__init__(source, recipe.build_task(), seed=seed, stream=stream)
        if not isinstance(source, Sized):
            raise UsageError(
                "trainer.buckets goes by the shapes of a show's frames, and this run learns from "
                f"{type(source).__name__}",
                hint="Say trainer.buckets=false",
            )
        size = getattr(self.task, "size", None)
        if size is None:
            raise WrongValue("trainer.buckets: task.size says how many pixels a picture has")
        self.sized, self.recipe, self.group = source, recipe, group
        self.side_px = (size[0] * size[1]) ** 0.5
        self._tasks: dict[Size, Task] = {}

    def __getitem__(self, index: int) -> Pair:
        shape = self.shape(index - index % self.group)
        tries = (index + turn * _APART for turn in range(_TRIES))
        at = next((i for i in tries if self.shape(i) == shape), index - index % self.group)
        return self.pair(self.source.window(at), generator(self.seed, index, self.stream))

    def pair(self, window: Window, rng: torch.Generator) -> Pair:
        """An example as the window's frames are shaped."""
        height, width = window.frames_TCHW.shape[2:]
        return self.task_of(self.shape_of((height, width))).pair(window, rng)

    def shape(self, index: int) -> Size:
        """Rows and columns of a window's pictures."""
        return self.shape_of(self.sized.size(index))

    def shape_of(self, size: Size) -> Size:
        """Rows and columns of pictures of frames of a size."""
        return bucket(*size, side_px=round(self.side_px), cell_px=CELL_PX)

    def task_of(self, shape: Size) -> Task:
        """The task at a shape."""
        if shape not in self._tasks:
            part = self.recipe.task
            settings = {**part.settings, "size": list(shape)}
            self._tasks[shape] = Recipe(Part(part.name, settings), self.recipe.model).build_task()
        return self._tasks[shape]

    def largest(self) -> list[Pair]:
        """An example of the largest shape that there is."""
        shapes = [self.shape(index) for index in range(_LOOKED_AT)]
        at = max(range(_LOOKED_AT), key=lambda i: shapes[i][0] * shapes[i][1])
        return [self.pair(self.source.window(at), generator(self.seed, at, self.stream))]


def examples_of(
    source: Source, recipe: Recipe, settings: Settings, *, task: Task, stream: int = 0
) -> Examples:
    """A run's examples as its settings say; stream 1 judges, an example at a time."""
    if not settings.buckets:
        return Examples(source, task, seed=settings.seed, stream=stream)
    group = 1 if stream else settings.batch_size
    return Bucketed(source, recipe, seed=settings.seed, group=group, stream=stream)
