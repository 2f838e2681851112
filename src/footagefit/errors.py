"""What can go wrong, said in one line: what, where (path and frame), and the next step.

The tree::

    FootagefitError                 anything a person can mend; exit code 2
    ├── UsageError                  the command line or a config asks for what cannot be
    │   ├── UnknownName             a name that is not one of the known ones (lists them)
    │   └── WrongValue              a value of the wrong type or out of range
    ├── FootageError                pixels in
    │   ├── UnreadableClip          missing, empty, truncated or not footage
    │   ├── UnreadableFrame         one frame of a clip does not decode
    │   ├── MissingFrames           a gap in a sequence
    │   ├── FrameMismatch           a frame unlike its neighbours (size, channels)
    │   └── UnknownSpace            the colour space is not certain and none was given
    ├── WriteError                  pixels out
    │   ├── AlreadyThere            would overwrite, and was not asked to
    │   └── DiskFull                no space left on the device
    └── MissingPart                 an optional package, file or device that the job needs

Nothing here prints or exits: `cli.main` does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class FootagefitError(Exception):
    """Anything a person can mend.

    Args:
        what: What went wrong, in film terms, without a full stop.
        path: The file or folder it happened at.
        frame: The frame number, as the file numbers it.
        hint: The next step, as an imperative.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        path: str | Path | None = None,
        frame: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.path = None if path is None else Path(path)
        self.frame = frame
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        where = [] if self.path is None else [str(self.path)]
        if self.frame is not None:
            where.append(f"frame {self.frame}")
        line = f"{', '.join(where)}: {self.what}" if where else self.what
        if self.hint:
            line = f"{line}. {self.hint}"
        return " ".join(line.split("\n")).rstrip(".") + "."

    def __reduce__(self) -> tuple[object, ...]:
        state = {"path": self.path, "frame": self.frame, "hint": self.hint}
        return _rebuild, (type(self), self.what, state)


def _rebuild(kind: type[FootagefitError], what: str, state: dict[str, object]) -> FootagefitError:
    error = kind.__new__(kind)
    FootagefitError.__init__(error, what, **state)  # pyright: ignore[reportArgumentType]
    return error


class UsageError(FootagefitError):
    """The command line or a config asks for what cannot be."""


class UnknownName(UsageError):
    """A name that is not one of the known ones; the message lists them, nearest first.

    Args:
        kind: What the name names, e.g. `"colour space"`.
        name: The name as given.
        known: The names there are.
        path: The config or file that holds the name.
        hint: The next step, where listing the names is not enough.
    """

    def __init__(
        self,
        kind: str,
        name: object,
        known: Iterable[object],
        *,
        path: str | Path | None = None,
        hint: str | None = None,
    ) -> None:
        names = [str(k) for k in known]
        near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.55)
        rest = [n for n in names if n not in near]
        shown = near + rest[: max(0, 24 - len(near))]
        more = len(names) - len(shown)
        listing = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        what = f"unknown {kind} {str(name)!r}; known: {listing or 'none'}"
        super().__init__(what, path=path, hint=hint)


class WrongValue(UsageError):
    """A value of the wrong type or out of its range."""


class FootageError(FootagefitError):
    """Pixels cannot come in."""


class UnreadableClip(FootageError):
    """A clip that is missing, empty, truncated or not footage."""


class UnreadableFrame(FootageError):
    """One frame of a clip that does not decode."""


class MissingFrames(FootageError):
    """A gap in a sequence."""


class FrameMismatch(FootageError):
    """A frame unlike its neighbours."""


class UnknownSpace(FootageError):
    """The colour space is not certain, and none was given."""


class WriteError(FootagefitError):
    """Pixels cannot go out."""


class AlreadyThere(WriteError):
    """Something would be overwritten, and that was not asked for."""


class DiskFull(WriteError):
    """No space is left on the device."""


class MissingPart(FootagefitError):
    """An optional package, file or device that this job needs is not there."""


class FootagefitWarning(UserWarning):
    """Something was assumed or used instead; the message names what."""
