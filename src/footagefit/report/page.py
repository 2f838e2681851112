"""A page for any browser, offline: the look, the parts and the data, as one file or as a folder.

What belongs here: putting a page together out of the small files in `assets/`. What does not:
what a page says (the rooms that have something to say), pictures (`pictures.py`).

Pages open from `file://`: scripts are classic ones, nothing is fetched, and data comes as a script.
A page is dark and neutral, so that the surround leaves the eye's white alone.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent / "assets"
LOOK = "look.css"
DATA = "data.js"
FOLDER = "page"
# Nothing may be fetched, posted or embedded, whatever a script were to try.
_POLICY = "connect-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Page:
    """What a page is made of.

    Attributes:
        title: In the browser's tab.
        body: HTML that stands in `<body>`; what it says is escaped already.
        styles: Files of `assets/` after `look.css`.
        scripts: Files of `assets/`, in the order they run.
        data: What scripts find as `footagefit.data`; left out where there is none.
    """

    title: str
    body: str
    styles: Sequence[str] = ()
    scripts: Sequence[str] = ()
    data: Any = None


def one_file(page: Page, *, policy: str = _POLICY) -> str:
    """The page with everything in it."""
    head = [f"<style>\n{asset(name)}</style>" for name in (LOOK, *page.styles)]
    scripts = [] if page.data is None else [_data(page.data)]
    scripts += [asset(name) for name in page.scripts]
    tail = [f"<script>\n{text}</script>" for text in scripts]
    return _document(page, head, tail, policy)


def write_file(page: Page, path: Path) -> Path:
    """Write the page as one file, whole or not at all."""
    return written(path, one_file(page))


def write_folder(page: Page, folder: Path) -> Path:
    """Write `index.html`, and its styles, scripts and data under `page/`; returns the index."""
    styles = [LOOK, *page.styles]
    for name in (*styles, *page.scripts):
        written(folder / FOLDER / name, asset(name))
    scripts = list(page.scripts)
    if page.data is not None:
        written(folder / FOLDER / DATA, _data(page.data))
        scripts.insert(0, DATA)
    head = [f'<link rel="stylesheet" href="{FOLDER}/{name}">' for name in styles]
    tail = [f'<script src="{FOLDER}/{name}"></script>' for name in scripts]
    return written(folder / "index.html", _document(page, head, tail, _POLICY))


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (ASSETS / name).read_text(encoding="utf-8")


def as_script(value: Any) -> str:
    """A value as JSON that may stand in a script, inside a page or beside it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # No text of a show may end the script it stands in, nor a line of it in an old browser.
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return text.replace("\u2029", "\\u2029")


def written(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return path


def _data(value: Any) -> str:
    return f"window.footagefit = {{ data: {as_script(value)} }};\n"


def _document(page: Page, head: Sequence[str], tail: Sequence[str], policy: str) -> str:
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="dark">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{html.escape(page.title)}</title>",
        *head,
        "</head>",
        "<body>",
        page.body,
        *tail,
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"
