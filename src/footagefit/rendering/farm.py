"""A render split over processes and machines: chunks run here, on a cluster, or told to a farm.

What belongs here: splitting, starting, waiting, job files for OpenJD and OpenCue. What does not:
rendering.

Whoever splits, every chunk reads the same fields: they are decided first, by a step of their own,
and the records of the chunks are made one at the end.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from footagefit.errors import FootagefitError, MissingPart, UnknownName
from footagefit.footage.pattern import ranges

Launcher = Literal["local", "submitit"]
JobKind = Literal["openjd", "opencue"]
_TAIL_LINES = 3


def command(words: Sequence[str], *, python: bool = False) -> list[str]:
    """The command line of one step: `footagefit infer` with these words."""
    program = [sys.executable, "-m", "footagefit.cli"] if python else ["footagefit"]
    return [*program, "infer", *words]


def frames_word(frames: Sequence[int]) -> str:
    """Frames as the command line takes them."""
    return f"frames={ranges(frames).replace(' ', '')}"


def run_local(
    words: Sequence[str], chunks: Sequence[Sequence[int]], *, at_once: int
) -> Iterator[int]:
    """Run each chunk in a process of its own; yields how many frames each one held.

    Raises:
        FootagefitError: A chunk failed; what it said last is in the message.
    """
    with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
        jobs = {pool.submit(_run, [*words, frames_word(c)]): c for c in chunks}
        for done in as_completed(jobs):
            chunk = jobs[done]
            code, said = done.result()
            if code:
                for other in jobs:
                    other.cancel()
                raise FootagefitError(
                    f"chunk {ranges(chunk)} failed: {said or f'exit code {code}'}",
                    hint="Mend it; the same command goes on where it stopped",
                )
            yield len(chunk)


def _run(words: Sequence[str]) -> tuple[int, str]:
    done = subprocess.run(command(words, python=True), capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "warning:" not in line][-_TAIL_LINES:]
    return done.returncode, " ".join(errors).removeprefix("footagefit: ")


def run_submitit(
    words: Sequence[str],
    chunks: Sequence[Sequence[int]],
    *,
    folder: Path,
    settings: Mapping[str, Any],
) -> Iterator[int]:
    """Hand each chunk to submitit (SLURM, or its own local cluster) and wait for all.

    Args:
        words: Of `footagefit infer`, without frames.
        chunks: Frames of each.
        folder: For submitit's logs.
        settings: For submitit's executor, such as `timeout_min` and `slurm_partition`.
    """
    try:
        import submitit  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingPart(
            "launcher=submitit needs the package submitit",
            hint="pip install 'footagefit[farm]', or say launcher=local",
        ) from error
    executor = submitit.AutoExecutor(folder=str(folder))
    try:
        executor.update_parameters(**settings)
    except (TypeError, ValueError, NameError) as error:
        line = " ".join(str(error).split())
        raise UnknownName("submitit setting", ", ".join(settings), [], hint=line) from error
    with executor.batch():
        jobs = [executor.submit(_run, [*words, frames_word(chunk)]) for chunk in chunks]
    for job, chunk in zip(jobs, chunks, strict=True):
        code, said = job.result()
        if code:
            raise FootagefitError(
                f"chunk {ranges(chunk)} failed: {said or f'exit code {code}'}",
                path=folder,
                hint="Mend it; the same command goes on where it stopped",
            )
        yield len(chunk)


def write_job(
    kind: JobKind,
    path: Path,
    words: Sequence[str],
    chunks: Sequence[Sequence[int]],
    *,
    name: str,
    last: Sequence[str] = (),
) -> Path:
    """A job file that a farm splits: fields first, then chunks, then the records made one.

    Args:
        kind: `openjd` (Open Job Description 2023-09, JSON) or `opencue` (a CJSL 1.12 job).
        path: Where it goes.
        words: Of `footagefit infer`, without frames.
        chunks: Frames of each.
        name: The job's.
        last: Further words of the last step.
    """
    made = _openjd if kind == "openjd" else _opencue
    text = made(words, chunks, name, last)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def _openjd(
    words: Sequence[str], chunks: Sequence[Sequence[int]], name: str, last: Sequence[str]
) -> str:
    def step(title: str, more: list[str], after: str | None) -> dict[str, Any]:
        arguments = [_unbraced(w) for w in command(words)[1:]] + more
        made: dict[str, Any] = {"name": title}
        if after:
            made["dependencies"] = [{"dependsOn": after}]
        made["script"] = {"actions": {"onRun": {"command": "footagefit", "args": arguments}}}
        return made

    render = step("render", ["only=chunk", "frames={{Task.Param.Frames}}"], "fields")
    spans = [frames_word(chunk).removeprefix("frames=") for chunk in chunks]
    render["parameterSpace"] = {
        "taskParameterDefinitions": [{"name": "Frames", "type": "STRING", "range": spans}]
    }
    whole = [f for chunk in chunks for f in chunk]
    template = {
        "specificationVersion": "jobtemplate-2023-09",
        "name": name[:128],
        "steps": [
            step("fields", ["only=fields", frames_word(whole)], None),
            render,
            step("finish", ["only=finish", frames_word(whole), *last], "render"),
        ],
    }
    return json.dumps(template, indent=1, ensure_ascii=False) + "\n"


def _unbraced(word: str) -> str:
    """Keyframes without braces: two of them open a parameter in a job template."""
    return word.replace("{", "").replace("}", "")


def _opencue(
    words: Sequence[str], chunks: Sequence[Sequence[int]], name: str, last: Sequence[str]
) -> str:
    whole = [f for chunk in chunks for f in chunk]
    safe = "".join(c if c.isalnum() else "_" for c in name).lower()
    layers = [
        _cue_layer("fields", [*words, "only=fields", frames_word(whole)], "1", 1),
        _cue_layer(
            "render",
            [*words, "only=chunk", "frames=#FRAMESPEC#"],
            frames_word(whole).removeprefix("frames="),
            len(chunks[0]),
        ),
        _cue_layer("finish", [*words, "only=finish", frames_word(whole), *last], "1", 1),
    ]
    depends = [_cue_depend(safe, "render", "fields"), _cue_depend(safe, "finish", "render")]
    return "\n".join(
        [
            '<?xml version="1.0"?>',
            '<!DOCTYPE spec PUBLIC "SPI Cue Specification Language" '
            '"http://localhost:8080/spcue/dtd/cjsl-1.12.dtd">',
            "<spec>",
            "  <facility>local</facility>",
            "  <show>testing</show>",
            "  <shot>footagefit</shot>",
            f"  <user>{escape(_user())}</user>",
            f'  <job name="{safe}">',
            "    <paused>False</paused>",
            "    <maxretries>2</maxretries>",
            "    <autoeat>False</autoeat>",
            "    <layers>",
            *layers,
            "    </layers>",
            "  </job>",
            "  <depends>",
            *depends,
            "  </depends>",
            "</spec>",
            "",
        ]
    )


def _cue_layer(name: str, words: Sequence[str], span: str, chunk: int) -> str:
    line = " ".join(_cue_quoted(w) for w in command(words))
    return (
        f'      <layer name="{name}" type="Render">\n'
        f"        <cmd>{escape(line)}</cmd>\n"
        f"        <range>{span}</range>\n"
        f"        <chunk>{chunk}</chunk>\n"
        "        <services><service>shell</service></services>\n"
        "      </layer>"
    )


def _cue_quoted(word: str) -> str:
    """Quoted for the shell; the farm's own tokens stay bare."""
    return word if word == "frames=#FRAMESPEC#" else shlex.quote(word)


def _cue_depend(job: str, layer: str, on: str) -> str:
    return (
        '    <depend type="LAYER_ON_LAYER" anyframe="False">\n'
        f"      <depjob>{job}</depjob><deplayer>{layer}</deplayer>\n"
        f"      <onjob>{job}</onjob><onlayer>{on}</onlayer>\n"
        "    </depend>"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "footagefit"
