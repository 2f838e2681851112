"""`footagefit ui`: a page on this machine to light and match a shot by eye."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from footagefit.commands.infer import flattened
from footagefit.errors import WrongValue
from footagefit.footage.opening import Levels, Matrix
from footagefit.footage.tags import parse_rate
from footagefit.rendering.temporal import Temporal
from footagefit.report.local import POLICY, Answer, Local, Routes
from footagefit.report.page import Page, asset, one_file

if TYPE_CHECKING:
    from footagefit.commands.desk import Desk
    from footagefit.footage.view import View

_LEAST_PX, _MOST_PX = 160, 2048
_SCRIPTS = ("elements.js", "ball_view.js", "ball.js", "ball_work.js")  # in the order they run


def ui(
    *,
    fit: Path,
    plate: Path,
    reference: Path | None,
    reference_frames: str | None,
    mask: Path | None,
    show: Path | None,
    out: Path | None,
    controls: dict[str, Any],
    temporal: Temporal,
    space: str,
    reference_space: str,
    layer: str,
    matrix: Matrix,
    levels: Levels,
    rate: str | None,
    device: str,
    bases: Sequence[str],
    size_px: int,
    port: int,
) -> int:
    """Serve the page until the terminal stops it; see configs/ui.yaml for each key."""
    from footagefit.commands.desk import Desk
    from footagefit.rendering.ask import Ask

    if not _LEAST_PX <= size_px <= _MOST_PX:
        raise WrongValue(f"size_px: {size_px} is outside {_LEAST_PX}..{_MOST_PX}")
    ask = Ask(
        plate=plate,
        fit=fit,
        out=out,
        reference=reference,
        reference_frames=reference_frames,
        mask=mask,
        controls=flattened(controls),
        temporal=temporal,
        space=space,
        reference_space=reference_space,
        layer=layer,
        matrix=matrix,
        levels=levels,
        rate=None if rate is None else parse_rate(rate),
        device=device,
        bases=bases,
    )
    catalogue, view = _of_show(fit, show)
    return _serve(Desk(ask, catalogue=catalogue, view=view, long_px=size_px), port)


def _serve(desk: Desk, port: int) -> int:
    with Local(routes_of(desk), port=port) as local:
        print(f"{local.address}\nopen it in a browser on this machine; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nended; what was rendered is kept")
        finally:
            desk.close()
    return 0


def routes_of(desk: Desk) -> Routes:
    """What is answered: the page, and what it asks for."""
    routes = desk.routes()
    return Routes({"": lambda _: Answer.page(_page(desk)), **routes.seen}, routes.done)


def _page(desk: Desk) -> str:
    facts = {
        **desk.facts,
        "catalogue": desk.catalogue is not None,
        "state": desk.state(),
    }
    name = f"{desk.facts['plate']['name']} through {desk.facts['fit']['name']}"
    page = Page(name, asset("ball.html"), ["ball.css"], _SCRIPTS, facts)
    return one_file(page, policy=POLICY)


def _of_show(fit: Path, show: Path | None) -> tuple[Path | None, View | None]:
    """The show's catalogue and view; else the catalogue of the work folder the fit lies in."""
    if show is not None:
        from footagefit.dailies.show import load_show

        production = load_show(show)
        return production.catalogue, production.view
    near = fit.expanduser().resolve().parent.parent / "catalogue.sqlite"
    return (near if near.is_file() else None), None
