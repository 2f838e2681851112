"""The catalogue: planted faults found, sized and fixed; search at a feature's size; speed.

    python benchmarks/catalogue.py work=FOLDER seeds=21,22
    python benchmarks/catalogue.py work=FOLDER seeds=21 parts=fix shots=0
    python benchmarks/catalogue.py work=FOLDER seeds= shots=100000

Stages demo shows of the given seeds (which should not have been looked at while building), scans
them, and holds `continuity`, `select` and `fix` against the truth that the stage kept; then makes
a catalogue of so many shots and searches it.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rows import Row, arguments, show, words

from footagefit.cli import main as footagefit
from footagefit.dailies.show import Show, load_show

KINDS = {
    "exposure": "exposure", "white_balance": "white point", "contrast": "contrast",
    "key_moved": "key direction", "lens_swap": "lens", "wire": "wire", "boom": "boom",
    "wardrobe": "wardrobe", "prop": "prop", "dropped": "dropped", "short": "short",
    "soft": "focus", "clipped": "clipping", "corrupt": "corrupt",
}  # fmt: skip
SIZED = {"exposure": "stops", "white point": "mired", "key direction": "degrees"}
ASKED = {"exposure": 0.15, "white point": 12.0, "key direction": 25.0}
PARTS = "continuity,fix,slates,speed"  # of what is done with staged shows
LOOK = 72  # bytes of a picture's look
RANKED_LOWER = ("focus", "clipping", "wire")


@dataclass
class Tally:
    """Planted against found, over shows.

    Attributes:
        hits: Planted faults that were told as what they are, by kind.
        missed: Those that were not.
        false: Differences that were told and not planted, by kind.
        errors: Of sizes, by kind.
        lower: Whether each soft, clipped or wired take ranks below its clean siblings.
    """

    hits: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    errors: dict[str, list[float]] = field(default_factory=dict)
    lower: list[bool] = field(default_factory=list)


def quiet(*said: str) -> str:
    """What a command prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = footagefit(list(said))
    if code:
        sys.exit(f"footagefit {' '.join(said)} ended with {code}")
    return out.getvalue()


def staged(work: Path, seed: int, preset: str) -> Show:
    """A scanned demo show of a seed."""
    folder = work / f"{preset}{seed}"
    if not (folder / "cut" / "rough_v001.otio").is_file():
        quiet("stage", f"out={folder}", f"preset={preset}", f"seed={seed}")
    if not (folder / "work" / "catalogue.sqlite").is_file():
        quiet("scan", f"show={folder / 'show.yaml'}")
    return load_show(folder / "show.yaml")


def held_against_truth(yaml: Path, tally: Tally) -> dict[str, object]:
    """One show's report against what was planted in it."""
    report = json.loads(quiet("continuity", f"show={yaml}", "as=json"))
    ranks = json.loads(quiet("select", f"show={yaml}", "as=json"))
    truth = json.loads((yaml.parent / "truth" / "show.json").read_text())
    by_clip = {t["clip"]: t for t in truth["shots"]}
    planted = {c: t["fault"] for c, t in by_clip.items() if t["fault"]}
    told: dict[str, list[dict[str, object]]] = {}
    for setup in report["setups"]:
        for take in setup["takes"]:
            told.setdefault(Path(take["clip"]).stem, []).extend(take["differences"])
    for path in report["unreadable"]:
        told.setdefault(Path(path).stem, []).append({"kind": "corrupt", "size": 1.0})
    for clip, fault in planted.items():
        kind = KINDS[fault["kind"]]
        right = [d for d in told.get(clip, []) if d["kind"] == kind]
        (tally.hits if right else tally.missed)[kind] += 1
        if right and kind in SIZED:
            tally.errors.setdefault(kind, []).append(abs(_apart(kind, fault["size"], right[0])))
    for clip, differences in told.items():
        meant = KINDS[planted[clip]["kind"]] if clip in planted else ""
        for d in differences:
            if d["kind"] != meant:
                tally.false[str(d["kind"])] += 1
                print(f"  {yaml.parent.name} {clip}: {d['kind']} told, planted: {meant or 'none'}")
    for clip, fault in planted.items():
        if not any(d["kind"] == KINDS[fault["kind"]] for d in told.get(clip, [])):
            print(f"  {yaml.parent.name} {clip}: {fault['kind']} {fault['size']} missed")
    _ranks(ranks, planted, tally)
    return report


def _apart(kind: str, planted: float, found: dict[str, object]) -> float:
    """Size as told less size as planted. A camera balanced warmer shows bluer light."""
    size = float(str(found["size"]))
    if kind == "white point":
        return size + planted
    return size - abs(planted) if kind == "key direction" else size - planted


def _ranks(ranks: dict[str, object], planted: dict[str, dict[str, object]], tally: Tally) -> None:
    for setup in ranks["setups"]:  # pyright: ignore[reportGeneralTypeIssues]
        # A clip that the scan parted in two shots is one take.
        order = list(dict.fromkeys(t["shot"].partition("#")[0] for t in setup["takes"]))  # pyright: ignore
        clean = [order.index(s) for s in order if s not in planted]
        for place, shot in enumerate(order):
            if shot in planted and KINDS[str(planted[shot]["kind"])] in RANKED_LOWER and clean:
                tally.lower.append(place > max(clean))


def continuity_rows(shows: Sequence[Path]) -> list[Row]:
    """Precision, recall and sizes over shows."""
    tally = Tally()
    for yaml in shows:
        held_against_truth(yaml, tally)
    hits, missed, false = (sum(c.values()) for c in (tally.hits, tally.missed, tally.false))
    print(f"found {dict(tally.hits)}\nmissed {dict(tally.missed)}\nfalse {dict(tally.false)}")
    rows = [
        _at_least("planted faults: precision, right kind", hits / max(1, hits + false), 0.95),
        _at_least("planted faults: recall, right kind", hits / max(1, hits + missed), 0.95),
    ]
    for kind, errors in sorted(tally.errors.items()):
        worst, target = max(errors), ASKED[kind]
        rows.append(
            Row(f"size of {kind}, largest error of {len(errors)}", SIZED[kind], worst,
                {"mean": statistics.mean(errors)}, f"<= {target}", worst <= target)
        )  # fmt: skip
    if tally.lower:
        share = sum(tally.lower) / len(tally.lower)
        name = f"soft, clipped and wired takes ranked below clean siblings, of {len(tally.lower)}"
        rows.append(_at_least(name, share, 1.0))
    return rows


def _at_least(name: str, value: float, target: float) -> Row:
    return Row(name, "share", value, {}, f">= {target}", value >= target)


def fix_rows(shows: Sequence[Path]) -> list[Row]:
    """Residual mismatch over what it was, by unit, where it was past its limit."""
    from footagefit.catalogue.differences import LIMITS

    left: dict[str, list[float]] = {}
    for yaml in shows:
        text = quiet("fix", f"show={yaml}", "as=json")
        found = json.loads(text[: text.rindex("}") + 1]) if "{" in text else {"takes": []}
        for take in found["takes"]:
            for unit, before in take["before"].items():
                if before > LIMITS[unit]:
                    left.setdefault(unit, []).append(take["after"][unit] / before)
            print(f"  {yaml.parent.name} {take['shot']}: {take['before']} -> {take['after']}")
    return [
        Row(f"fix: {unit} left, of what it was (median of {len(v)})", "share", statistics.median(v),
            {"worst": max(v)}, "<= 0.333", max(v) <= 1 / 3)
        for unit, v in sorted(left.items())
    ]  # fmt: skip


def slate_rows(shows: Sequence[Path], work: Path) -> list[Row]:
    """Scene and take by what is written on boards alone: names that say nothing, no logs."""
    from footagefit.dailies import boards

    if not boards.installed():
        print("no text recogniser is installed (make extras): slates are not judged")
        return []
    right = 0
    told: list[tuple[str, ...]] = []
    for yaml in shows:
        truth = json.loads((yaml.parent / "truth" / "show.json").read_text())["shots"]
        takes = [t for t in truth if not t["fault"] or t["fault"]["kind"] != "corrupt"]
        found = _by_boards(yaml, takes, work / f"unnamed_{yaml.parent.name}")
        for take, said in zip(takes, found, strict=True):
            told.append(said)
            if said == (take["scene"] + take["setup"], str(take["number"])):
                right += 1
            else:
                fault = take["fault"]["kind"] if take["fault"] else "none"
                print(f"  {yaml.parent.name} {take['clip']}: read as {said}, planted: {fault}")
    return [_at_least(f"slates right by boards alone, of {len(told)}", right / len(told), 1.0)]


def _by_boards(
    yaml: Path, takes: Sequence[dict[str, object]], folder: Path
) -> list[tuple[str, ...]]:
    """Scene and take of clips that were given names which say nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "clips").mkdir(parents=True)
    for number, take in enumerate(takes):
        file = next(yaml.parent.glob(f"[AB]0*/{take['clip']}.mov"))
        shutil.copy(file, folder / "clips" / f"{number:04d}.mov")
    unnamed = folder / "show.yaml"
    unnamed.write_text("name: x\nroots: [clips]\nwork: work\n")
    quiet("scan", f"show={unnamed}", "slates=boards", "workers=0")
    shots = json.loads(quiet("shots", f"show={unnamed}", "as=json"))["shots"]
    slates = {Path(s["links"][0]["path"]).stem: s["slate"] for s in shots}
    empty = {"scene": "", "take": ""}
    return [
        tuple(slates.get(f"{n:04d}", empty)[key] for key in ("scene", "take"))
        for n in range(len(takes))
    ]


def speed_rows(yaml: Path) -> list[Row]:
    """Measuring all shots beside decoding all of their frames."""
    from footagefit.catalogue.measuring import measure_show
    from footagefit.dailies.database import Catalogue
    from footagefit.footage.opening import open_clip

    production = load_show(yaml)
    with Catalogue(production.catalogue) as catalogue:
        media = [m for m in catalogue.media("scanned") if m.form == "movie"]

    def decode() -> int:
        count = 0
        for medium in media:
            with open_clip(production.work / medium.path, space=medium.space) as clip:
                for number in clip.numbers:
                    clip.native(number)
                    count += 1
        return count

    def clock(job) -> tuple[float, object]:
        begun = time.process_time()
        done = job()
        return time.process_time() - begun, done

    bare, frames = clock(decode)
    full, done = clock(lambda: measure_show(production, again=True))
    each = full / max(1, done.measured)  # pyright: ignore[reportAttributeAccessIssue]
    return [
        Row("measuring a shot, processor time", "s", each, {}),
        Row(f"measuring, x a bare decode of the same {frames} frames", "x", full / bare, {}),
    ]


def made_up(path: Path, count: int) -> None:
    """A catalogue of a feature's size: rows as a scan, measures and thumbnails would leave them."""
    from footagefit.catalogue import search
    from footagefit.dailies.database import Catalogue

    rng = np.random.default_rng(0)
    jpeg = rng.integers(0, 256, 5200, dtype=np.uint8).tobytes()  # a 192 px thumbnail's size
    layout = rng.integers(0, 256, 3 * 27 * 48, dtype=np.uint8).tobytes()
    curve = np.zeros(260, np.float16).tobytes()  # 300 hours in so many shots: 11 s each
    with Catalogue(path, write=True) as catalogue:
        for start in range(0, count, 10_000):
            with catalogue.change() as db:
                for n in range(start, min(start + 10_000, count)):
                    _one(db, n, rng, jpeg, layout, curve)
        search.index(catalogue)


def _one(db, n: int, rng, jpeg: bytes, layout: bytes, curve: bytes) -> None:
    """A medium with one shot, its measures and pictures."""
    from footagefit.catalogue import measures

    scene, take = f"{1 + n // 600}{'ABCDEFGHJK'[n // 60 % 10]}", str(1 + n % 60 // 2)
    camera, clip = "AB"[n % 2], f"{'AB'[n % 2]}{1 + n // 200:03d}C{n % 200:03d}_241103_R1AB"
    db.execute(
        "INSERT INTO media VALUES (?, ?, 'movie', 'proxy', 1, 1, ?, 'scanned', '', 'h264', 1920,"
        " 1080, '24/1', 1, 264, 'uint8', 'g24_rec709', '01:00:00:00', 1.0, ?, '[]', '[]', ?, ?, ?,"
        " '', '', '{}')",
        (n + 1, f"A/{clip}.mov", f"{n:032x}", clip, scene, take, camera),
    )
    db.execute("INSERT INTO parts VALUES (?, 0, 'shot', 1, 264)", (n + 1,))
    for name in ("exposure_ev", "white_k", "tint_duv", "motion_px", "focus", "jump"):
        db.execute("INSERT INTO curves VALUES (?, ?, 2, ?)", (n + 1, name, curve))
    db.execute(
        "INSERT INTO thumbnails VALUES (?, 0, 130, ?, ?, ?)", (n + 1, jpeg, b"0" * 72, layout)
    )
    numbers = rng.standard_normal(4)
    db.execute(
        "INSERT INTO shots VALUES (?, ?, ?, ?, ?, '', ?, ?, 1, 264, 'train', '', '[]', 1, '', ?, ?,"
        " ?, 1.0, 0.3)",
        (clip, scene.rstrip("ABCDEFGHJK"), scene, take, camera, clip, f"{scene}/{camera}", clip,
         float(numbers[0]) - 2, 5600 + 900 * float(numbers[1])),
    )  # fmt: skip
    db.execute("INSERT INTO links VALUES (?, 0, ?, 'proxy', 1, 264, 0)", (clip, n + 1))
    figures = dict.fromkeys(measures.FIGURES, 0.5) | {
        "exposure_ev": float(numbers[0]) - 2, "white_k": 5600 + 900 * float(numbers[1]),
        "key_azimuth_deg": 60 * float(numbers[2]), "key_elevation_deg": 30.0, "light_sure": 0.8,
        "key_fill_ev": 2 + float(numbers[3]), "key_softness_deg": 12.0,
    }  # fmt: skip
    words = ("int" if n % 3 else "ext", "night" if n % 4 == 0 else "day", "kitchen", "arri")
    made = measures.Measures(
        figures, {"frames": [1, 2, 3], "clipped": [0.0] * 3, "contrast_ev": [3.0] * 3},
        rng.integers(-127, 128, LOOK, dtype=np.int8).tobytes(), "proxy", "32 mm", words,
        measures.version(),
    )  # fmt: skip
    measures.keep(db, (f"{n:032x}", 1), made)


def search_rows(work: Path, count: int) -> list[Row]:
    """Latency and size at a feature's size; each query with the catalogue opened anew."""
    from footagefit.catalogue import measures, search
    from footagefit.catalogue.words import parsed
    from footagefit.dailies.database import Catalogue

    path = work / f"made_{count}" / "catalogue.sqlite"
    begun = time.perf_counter()
    if not path.is_file():
        made_up(path, count)
        print(f"made {count} shots in {time.perf_counter() - begun:.0f} s")
    rng = np.random.default_rng(1)
    look = rng.integers(-127, 128, LOOK, dtype=np.int8).tobytes()
    light = np.array([0.5, 0.4, 0.7, 2.0, 6.0, 1.8, 1.5], np.float32)
    asked = {
        "words": {"query": parsed("sc 42 take 3 key left")},
        "one common word": {"query": parsed("night")},
        "words and bounds": {"query": parsed("ext night ev>-1 kelvin<5000")},
        "by picture": {"like": look},
        "by light, among night": {"light": light, "query": parsed("night")},
    }
    rows = []
    for name, keys in asked.items():
        taken = []
        for _ in range(7):
            begun = time.perf_counter()
            with Catalogue(path) as catalogue:
                hits = search.search(catalogue, **keys)  # pyright: ignore[reportArgumentType]
                measures.kept(catalogue, catalogue.shots([h.shot for h in hits]))
            taken.append(1000 * (time.perf_counter() - begun))
        value = statistics.median(taken)
        rows.append(Row(f"search {name}, {count} shots", "ms", value, {"slowest": max(taken)},
                        "< 100", value < 100))  # fmt: skip
    size = path.stat().st_size / 1e9
    rows.append(Row(f"catalogue of {count} shots", "GB", size, {}, "< 2", size < 2))
    return rows


def main() -> None:
    said = words()
    args = arguments(str(__doc__).partition("\n")[0])
    with tempfile.TemporaryDirectory() as passing:
        work = Path(said.get("work", passing)).expanduser()
        preset = said.get("preset", "small" if args.quick else "demo")
        seeds = [int(s) for s in said.get("seeds", "3" if args.quick else "1,2").split(",") if s]
        count = int(said.get("shots", 500 if args.quick else 100_000))
        parts = said.get("parts", "continuity,speed" if args.quick else PARTS).split(",")
        yamls = [staged(work, seed, preset).catalogue.parents[1] / "show.yaml" for seed in seeds]
        rows: list[Row] = []
        if yamls:
            print(f"{len(yamls)} shows judged: seeds {', '.join(map(str, seeds))}")
            rows += continuity_rows(yamls) if "continuity" in parts else []
            rows += fix_rows(yamls) if "fix" in parts else []
            rows += slate_rows(yamls, work) if "slates" in parts else []
            rows += speed_rows(yamls[0]) if "speed" in parts else []
        if count:
            rows += search_rows(work, count)
        show("The catalogue", rows, args.json)


if __name__ == "__main__":
    main()
