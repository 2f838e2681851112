"""Where exported files go: whole or not at all, and never over something that is not ours.

What belongs here: a hidden place to write in, its move to the wanted one, what is refused.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from footagefit.errors import AlreadyThere, DiskFull, WriteError, WrongValue

RECORD = "export.json"  # what marks a folder as one of ours


@contextmanager
def placed(out: Path, *, suffixes: tuple[str, ...] = (), replace: bool = False) -> Iterator[Path]:
    """A hidden path to write to; it takes the place of `out` when all went well.

    Args:
        out: A file with one of `suffixes`, or a folder where there are none.
        suffixes: What the file may be called; empty for a folder.
        replace: Take the place of an earlier export.

    Raises:
        AlreadyThere: Something is there, and `replace` was not said or it is not an export.
    """
    check_place(out, suffixes=suffixes, replace=replace)
    out = out.expanduser()
    part = out.with_name(f".{out.stem}.{os.getpid()}.part{out.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if not suffixes:
            part.mkdir()
        yield part
        if not suffixes and out.exists():
            shutil.rmtree(out)
        os.replace(part, out)
    except OSError as error:
        kind = DiskFull if error.errno == 28 else WriteError
        raise kind(f"cannot be written ({error.strerror or error})", path=out) from error
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def check_place(out: Path, *, suffixes: tuple[str, ...] = (), replace: bool = False) -> None:
    """Refuse a place before any work is done; see `placed`."""
    out = out.expanduser()
    if suffixes and out.suffix.lower() not in suffixes:
        raise WrongValue(f"{out}: expected a file {' or '.join(suffixes)}", hint="Say out=<file>")
    if not out.exists():
        return
    if not replace:
        raise AlreadyThere(
            "there already", path=out, hint="Choose another out=, or say existing=replace"
        )
    if out.is_dir() != (not suffixes) or (not suffixes and not (out / RECORD).is_file()):
        raise AlreadyThere("is no earlier export", path=out, hint="Choose another out=")


def stem_of(out: Path) -> str:
    """A name that Nuke, Flame and file systems all take, from a path's own."""
    return re.sub(r"\W+", "_", out.stem if out.suffix else out.name, flags=re.ASCII).strip("_") or (
        "footagefit"
    )


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """What was exported from what, beside it."""
    (folder / RECORD).write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
