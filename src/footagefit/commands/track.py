"""`footagefit track`: runs and fits of a show, from our own record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from footagefit.errors import UsageError

By = Literal["name", "psnr", "steps"]
As = Literal["table", "json"]


def track(*, show: Path, by: By, as_: As) -> int:
    """List runs and fits; see configs/track.yaml for each key."""
    from footagefit.dailies.show import load_show

    work = load_show(show).work
    rows = rows_of(work)
    if not rows:
        raise UsageError("no run and no fit yet", path=work, hint="footagefit train show=<show>")
    if by != "name":
        rows.sort(key=lambda row: -(row[by] if row[by] is not None else -1e9))
    if as_ == "json":
        print(json.dumps(rows, indent=1))
        return 0
    _table(rows)
    return 0


def rows_of(work: Path) -> list[dict[str, Any]]:
    """A row for each run, with the fit it ended in, and for each fit without a run."""
    runs = {p.parent.name: p.parent for p in (work / "runs").glob("*/run.json")}
    fits = {p.parent.name: p.parent for p in (work / "fits").glob("*/card.json")}
    return [_row(name, runs.get(name), fits.get(name)) for name in sorted({*runs, *fits})]


def _row(name: str, run: Path | None, fit: Path | None) -> dict[str, Any]:
    plan = {} if run is None else json.loads((run / "run.json").read_text(encoding="utf-8"))
    card = {} if fit is None else json.loads((fit / "card.json").read_text(encoding="utf-8"))
    last, best = _recorded(run)
    judged = card.get("evaluation", {}).get("metrics", {}).get("this fit", {}).get("psnr")
    parent = (card.get("parent") or {}).get("fit") or plan.get("init_from")
    approved = [a["by"] for a in card.get("approvals", []) if a.get("what") == "fit"]
    return {
        "name": name,
        "task": plan.get("task", {}).get("name"),
        "model": plan.get("model", {}).get("name"),
        "group": plan.get("group"),
        "state": "fit" if fit is not None else "run" if last is None else "begun",
        "steps": card.get("steps", last),
        "minutes": card.get("minutes"),
        "psnr": card.get("metrics", {}).get("val/psnr", best),
        "evaluated": judged,
        "from": None if not parent else Path(str(parent)).name,
        "approved_by": approved,
    }


def _recorded(run: Path | None) -> tuple[int | None, float | None]:
    """The last step on record and the best review."""
    path = None if run is None else run / "record.jsonl"
    if path is None or not path.is_file():
        return None, None
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    best = [line["val/psnr"] for line in lines if "val/psnr" in line]
    return max((int(line["step"]) for line in lines), default=None), max(best, default=None)


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("name", "task", "group", "state", "from", "approved by"):
        table.add_column(head, no_wrap=True)
    for head in ("steps", "minutes", "val PSNR dB", "evaluated dB [95 %]"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        judged = row["evaluated"]
        table.add_row(
            row["name"], row["task"] or "", row["group"] or "", row["state"], row["from"] or "",
            ", ".join(row["approved_by"]), _number(row["steps"], 0), _number(row["minutes"], 1),
            _number(row["psnr"], 2),
            "" if judged is None else "{:.2f} [{:.2f}, {:.2f}]".format(*judged),
        )  # fmt: skip
    Console(width=160, highlight=False).print(table)


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"
