"""The papers beside the footage: logs per roll, the rough cut, grades, and the show's YAML."""

from __future__ import annotations

import random
from pathlib import Path

from footagefit.footage.timecode import frames_of
from footagefit.footage.timeline import CDL, Event, write_timeline
from footagefit.soundstage.plan import RATE, Script, Take


def write_sidecars(out: Path, script: Script) -> list[Path]:
    """Every log, cut, grade and the show; the files written."""
    made = [_log(out, roll, script) for roll in sorted({t.roll for t in script.takes})]
    events = cut_events(script)
    for suffix in (".edl", ".otio"):
        path = out / "cut" / f"rough_v001{suffix}"
        made.append(write_timeline(path, events, title="rough_v001", overwrite=True))
    made += [_grade(out, take, script) for take in script.takes if take.circled]
    made.append(_show(out, script))
    return made


def grade(take: Take, script: Script) -> CDL:
    """The grade the dailies were seen with: one per scene."""
    rng = random.Random(f"grade {script.seed} {take.scene}")
    slope = [round(1 + rng.uniform(-0.06, 0.06), 4) for _ in range(3)]
    power = [round(1 + rng.uniform(-0.04, 0.04), 4) for _ in range(3)]
    return CDL((slope[0], slope[1], slope[2]), (0.0, 0.0, 0.0), (power[0], power[1], power[2]),
               round(rng.uniform(0.9, 1.05), 3))  # fmt: skip


def log_event(take: Take, script: Script) -> Event:
    """A take as the camera log has it."""
    start = frames_of(take.timecode, RATE)
    return Event(
        name=take.clip, reel=take.clip, source_in=start, source_out=start + take.length,
        rate=RATE, scene=f"{take.scene}{take.setup}", take=str(take.number), camera=take.camera,
        source_file=f"{take.clip}.mov", cdl=grade(take, script),
        fields={"Camroll": take.roll, "Shoot Date": f"20{take.date}",
                "Lens": take.asked.lens.name, "Circled": "Y" if take.circled else "N"},
    )  # fmt: skip


def cut_events(script: Script) -> list[Event]:
    """The rough cut from one hour on; the short shot asks for frames its take does not have."""
    by_shot = {take.shot: take for take in script.takes}
    events, playhead = [], frames_of("01:00:00:00", RATE)
    for cut in script.cut:
        take = by_shot[cut.shot]
        first = frames_of(take.timecode, RATE) + take.first_action
        events.append(
            Event(
                name=take.clip,
                reel=take.clip,
                source_in=first,
                source_out=first + cut.frames,
                record_in=playhead,
                record_out=playhead + cut.frames,
                rate=RATE,
                scene=f"{take.scene}{take.setup}",
                take=str(take.number),
                camera=take.camera,
                source_file=f"{take.clip}.mov",
                cdl=grade(take, script),
            )
        )
        playhead += cut.frames
    return events


def _log(out: Path, roll: str, script: Script) -> Path:
    events = [log_event(take, script) for take in script.takes if take.roll == roll]
    return write_timeline(out / roll / f"{roll}.ale", events, overwrite=True)


def _grade(out: Path, take: Take, script: Script) -> Path:
    cdl = grade(take, script)

    def three(values: tuple[float, float, float]) -> str:
        return " ".join(f"{v:.6f}" for v in values)

    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ColorCorrection id="{take.clip}" xmlns="urn:ASC:CDL:v1.01">\n'
        f"  <SOPNode>\n    <Slope>{three(cdl.slope)}</Slope>\n"
        f"    <Offset>{three(cdl.offset)}</Offset>\n    <Power>{three(cdl.power)}</Power>\n"
        f"  </SOPNode>\n  <SatNode>\n    <Saturation>{cdl.saturation:.6f}</Saturation>\n"
        "  </SatNode>\n</ColorCorrection>\n"
    )
    return _text(out / "cdl" / f"{take.clip}.cc", text)


def _show(out: Path, script: Script) -> Path:
    plated = any(take.plate for take in script.takes)
    rolls = sorted({take.roll for take in script.takes})
    roots = "".join(f"  - {root}\n" for root in [*rolls, *(["plates"] if plated else []), "cut"])
    text = (
        f"# {script.name}: staged with preset={script.preset} seed={script.seed}\n"
        f"name: {script.name.lower().replace(' ', '_')}\nroots:\n{roots}"
        f"work: work\nrate: {RATE}\nwhite_k: 5600\nview:\n  cdl: cdl\nseed: {script.seed}\n"
    )
    return _text(out / "show.yaml", text)


def _text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path
