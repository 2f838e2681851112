"""What is said in shots, by a speech model that the user has: spoken slates and lines, by words.

Here: sound out of movies, two recognisers by the folder of a model, what was heard, kept. Not here:
searching for it (`search`). Nothing is downloaded: without a model's folder nothing is heard.

Shapes: S samples (mono, 16 kHz, -1..1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from footagefit.catalogue import measures
from footagefit.dailies.database import Catalogue
from footagefit.dailies.entries import Shot
from footagefit.dailies.show import Show
from footagefit.errors import MissingPart, UnreadableClip, UsageError

RATE_HZ = 16_000
_BLOCK = 8_000  # samples handed over at once
Hears = Callable[[np.ndarray], str]
Progress = Callable[[Iterable[object], int, str], Iterable[object]]


def model_of(folder: Path) -> tuple[str, Hears]:
    """A recogniser, by its model's folder: Vosk's or faster-whisper's (CTranslate2).

    Returns:
        What it is called in the catalogue, and what turns samples into words.
    """
    if not folder.is_dir():
        raise UsageError("no folder of a speech model", path=folder, hint="Say speech=<its folder>")
    if (folder / "model.bin").is_file():
        return f"faster-whisper {folder.name}", _whisper(folder)
    if (folder / "am").is_dir() or (folder / "final.mdl").is_file():
        return f"vosk {folder.name}", _vosk(folder)
    raise UsageError(
        "neither a Vosk model (am/ or final.mdl) nor a faster-whisper one (model.bin)", path=folder
    )


def listen(
    show: Show,
    shots: Sequence[Shot],
    model: Path,
    *,
    again: bool = False,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Keep what is said in shots that were not listened to with this model; returns it by shot."""
    called, hears = model_of(model)
    found: dict[str, str] = {}
    with Catalogue(show.catalogue, write=True) as catalogue:
        at = measures.keys(catalogue, shots)
        rows = catalogue.rows("SELECT content, first FROM heard WHERE model = ?", [called])
        done = {(r["content"], r["first"]) for r in rows}
        todo = [s for s in shots if again or at[s.name] not in done]
        media = {m.path: m for m in catalogue.media()}
        items: Iterable[object] = todo
        if progress is not None:
            items = progress(items, len(todo), "listen")
        for shot in items:
            if not isinstance(shot, Shot):
                continue
            medium = media[shot.primary.path]
            if medium.form != "movie":
                continue
            rate = float(medium.rate or show.rate or 24)
            begin = (shot.first - medium.first_frame) / rate
            samples_S = samples(show.work / medium.path, begin, shot.length / rate)
            found[shot.name] = " ".join(hears(samples_S).split()) if len(samples_S) else ""
            with catalogue.change() as db:
                db.execute("INSERT OR REPLACE INTO heard VALUES (?, ?, ?, ?)",
                           (*at[shot.name], called, found[shot.name]))  # fmt: skip
                measures.outdate(db)
    return found


def kept(catalogue: Catalogue, shots: Sequence[Shot]) -> dict[str, str]:
    """What was heard, by shot."""
    at = {key: name for name, key in measures.keys(catalogue, shots).items()}
    rows = catalogue.rows("SELECT content, first, said FROM heard WHERE said != ''")
    return {at[key]: r["said"] for r in rows if (key := (r["content"], r["first"])) in at}


def samples(path: Path, begin_s: float, length_s: float) -> np.ndarray:
    """Part of a movie's sound (S,); empty where it has none."""
    import av
    from av.error import FFmpegError

    try:
        container = av.open(str(path))
    except FFmpegError as error:
        raise UnreadableClip("not a movie", path=path, hint="Copy it again") from error
    with container:
        if not container.streams.audio:
            return np.zeros(0, np.float32)
        stream = container.streams.audio[0]
        change = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        container.seek(int(begin_s * av.time_base), backward=True)
        pieces: list[np.ndarray] = []
        start: float | None = None
        for frame in container.decode(stream):
            if frame.time is None or frame.time > begin_s + length_s:
                break
            start = frame.time if start is None else start
            pieces += [made.to_ndarray().reshape(-1) for made in change.resample(frame)]
    if not pieces or start is None:
        return np.zeros(0, np.float32)
    whole = np.concatenate(pieces)
    first = max(0, round((begin_s - start) * RATE_HZ))
    return whole[first : first + round(length_s * RATE_HZ)].astype(np.float32)


def _vosk(folder: Path) -> Hears:
    if find_spec("vosk") is None:
        raise MissingPart("vosk is not installed", hint="Run: make extras")
    import vosk  # pyright: ignore[reportMissingImports]

    vosk.SetLogLevel(-1)
    model = vosk.Model(str(folder))

    def hears(samples_S: np.ndarray) -> str:
        ear: Any = vosk.KaldiRecognizer(model, RATE_HZ)
        codes = (samples_S.clip(-1, 1) * 32767.0).astype("<i2")
        said = [
            json.loads(ear.Result())["text"]
            for start in range(0, len(codes), _BLOCK)
            if ear.AcceptWaveform(codes[start : start + _BLOCK].tobytes())
        ]
        return " ".join([*said, json.loads(ear.FinalResult())["text"]])

    return hears


def _whisper(folder: Path) -> Hears:
    if find_spec("faster_whisper") is None:
        raise MissingPart("faster-whisper is not installed", hint="pip install faster-whisper")
    from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports]

    model = WhisperModel(str(folder), device="cpu", local_files_only=True)

    def hears(samples_S: np.ndarray) -> str:
        segments, _ = model.transcribe(samples_S, beam_size=1)
        return " ".join(s.text for s in segments)

    return hears
