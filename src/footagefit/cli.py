"""The console script: `footagefit <verb> key=value ...`.

Nothing heavy is imported before a verb runs, so that help answers at once. A verb is one module
in `commands/` with a keyword-only function of the verb's name, and one file in `configs/`.
"""

from __future__ import annotations

import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TextIO

from footagefit import __version__, config
from footagefit.errors import FootagefitError, FootagefitWarning, UnknownName, UsageError


@dataclass(frozen=True)
class Verb:
    """What a person can run.

    Attributes:
        name: As typed.
        summary: One line for the table.
        positional: The key that a bare word fills, if any.
        open: The key that takes words of other names, if any: `strength=0.5` for
            `controls.strength`; several of one name are joined by commas, which is what bash
            makes of braces.
        sweeps: Whether `-m` runs it once for each of many configs (`commands/sweep.py`).
        examples: Lines that work as they stand.
    """

    name: str
    summary: str
    positional: str | None = None
    open: str | None = None
    sweeps: bool = False
    examples: tuple[str, ...] = ()


_MANY = ("-m", "--multirun")

VERBS = (
    Verb(
        "init",
        "look at a folder of dailies and write its show YAML",
        positional="folder",
        examples=("footagefit init /mnt/dailies", "footagefit init /mnt/dailies out=film.yaml"),
    ),
    Verb(
        "convert",
        "move a readable clip to any writable form",
        examples=(
            "footagefit convert in=A001C003.mov out=plate.####.exr space=logc3",
            "footagefit convert in=plate.####.exr out=review.mov frames=1001-1010 "
            "output.space=g24_rec709",
        ),
    ),
    Verb(
        "stage",
        "shoot a show with known truth, to try everything on",
        examples=("footagefit stage out=show", "footagefit stage out=show preset=small seed=7"),
    ),
    Verb(
        "scan",
        "find, look at and catalogue a show's dailies",
        positional="show",
        examples=("footagefit scan show=film.yaml", "footagefit scan /mnt/dailies"),
    ),
    Verb(
        "shots",
        "list and show what a scan found, and say what may be trained on",
        positional="show",
        examples=(
            "footagefit shots show=film.yaml sheet=contact.jpg",
            "footagefit shots show=film.yaml scene=42A as=json",
            "footagefit shots show=film.yaml clip=A001C003* train=no",
        ),
    ),
    Verb(
        "search",
        "find shots by words, by picture, by light",
        positional="show",
        examples=(
            "footagefit search show=film.yaml query='sc 42 night key left'",
            "footagefit search show=film.yaml like=still.png sheet=found.jpg",
            "footagefit search show=film.yaml light=hero.1001.exr query=ext measure=true",
        ),
    ),
    Verb(
        "people",
        "tell who is the same person across shots, by faces; opt-in",
        positional="show",
        examples=(
            "footagefit people show=film.yaml find=true sheet=faces.jpg",
            "footagefit people show=film.yaml name=2:Anna",
            "footagefit people show=film.yaml forget=all",
        ),
    ),
    Verb(
        "listen",
        "write down what is said in shots, by a speech model of yours",
        positional="show",
        examples=("footagefit listen show=film.yaml speech=/models/vosk-en",),
    ),
    Verb(
        "continuity",
        "say which takes don't sit together, in what and by how much",
        positional="show",
        examples=(
            "footagefit continuity show=film.yaml",
            "footagefit continuity show=film.yaml scene=42 hero=A001C003*",
        ),
    ),
    Verb(
        "fix",
        "match a scene's outliers to their hero takes",
        positional="show",
        examples=("footagefit fix show=film.yaml scene=42 fit=film_work/fits/match_v001",),
    ),
    Verb(
        "select",
        "rank the takes of each set-up, and cut the best together",
        positional="show",
        examples=(
            "footagefit select show=film.yaml",
            "footagefit select show=film.yaml scene=42 rule=focus:3,circled:1 out=picks.edl",
        ),
    ),
    Verb(
        "measure",
        "measure a show's lenses, grain and grade, and draw a page of it",
        positional="show",
        examples=(
            "footagefit measure show=film.yaml",
            "footagefit measure show=film.yaml clip=42A* frames=8",
        ),
    ),
    Verb(
        "apply",
        "put measured lens and grain on a clean clip",
        examples=(
            "footagefit apply in=cg.####.exr out=dressed.####.exr signature=film_work/signature",
        ),
    ),
    Verb(
        "remove",
        "take measured lens and grain off a clip",
        examples=(
            "footagefit remove in=plate.####.exr out=clean.####.exr signature=film_work/signature "
            "effects=grain",
        ),
    ),
    Verb(
        "validate",
        "check everything a training run will touch, in advance",
        positional="show",
        examples=("footagefit validate show=film.yaml task=match",),
    ),
    Verb(
        "train",
        "fine-tune a model on a show's dailies; ends in a fit",
        sweeps=True,
        examples=(
            "footagefit train show=film.yaml task=match",
            "footagefit train show=film.yaml task=match trainer=minutes trainer.max_minutes=5",
            "footagefit train resume=film_work/runs/match_v001",
            "footagefit train -m show=film.yaml trainer.rate=0.0005,0.001 model.width=16,32",
            "footagefit train -m show=film.yaml sweep=optuna hydra.sweeper.n_trials=40",
        ),
    ),
    Verb(
        "infer",
        "take a shot through a fit",
        open="controls",
        examples=(
            "footagefit infer fit=film_work/fits/match_v001 plate=shot.####.exr "
            "reference=hero.1001.exr out=matched.####.exr",
            "footagefit infer fit=film_work/fits/match_v001 plate=shot.####.exr "
            "reference=hero.mov mask=roto.####.exr strength={1001:0,1050:1} layers=gain,offset",
            "footagefit infer fit=film_work/fits/match_v001 plate=shot.####.exr "
            "reference=hero.1001.exr wedge=strength=0:1:0.25",
            "footagefit infer fit=base/cleanup plate=shot.####.exr mask=roto.####.exr",
            "footagefit infer fit=base/extend plate=shot.####.exr extend.aspect=2.39 "
            "extend.tail=12",
        ),
    ),
    Verb(
        "ui",
        "light and match a shot by eye, on a page on this machine",
        open="controls",
        examples=(
            "footagefit ui fit=film_work/fits/relight_v001 plate=shot.####.exr",
            "footagefit ui fit=film_work/fits/match_v001 plate=shot.####.exr show=film.yaml",
        ),
    ),
    Verb(
        "export",
        "hand a fit to Nuke, Flame, ONNX, a LUT or a CDL",
        examples=(
            "footagefit export fit=fits/match_v001 to=nuke reference=hero.1001.exr out=nuke/hero",
            "footagefit export fit=fits/match_v001 to=flame reference=hero.1001.exr out=flame/hero",
            "footagefit export fit=fits/match_v001 to=lut plate=shot.####.exr "
            "reference=hero.1001.exr out=shot.cube lut_size=65",
        ),
    ),
    Verb(
        "evaluate",
        "judge a fit on held-out shots, beside what could be done without it",
        examples=(
            "footagefit evaluate fit=film_work/fits/match_v002 show=film.yaml",
            "footagefit evaluate fit=film_work/fits/match_v002 show=film.yaml "
            "against=film_work/fits/match_v001",
        ),
    ),
    Verb(
        "compare",
        "several fits side by side on the same frames, as a page for any browser",
        examples=(
            "footagefit compare fits=[film_work/fits/match_v001,film_work/fits/match_v002] "
            "show=film.yaml out=report",
        ),
    ),
    Verb(
        "track",
        "list a show's runs and fits, from our own record",
        positional="show",
        examples=("footagefit track show=film.yaml by=psnr",),
    ),
    Verb(
        "lineage",
        "say what a fit was made from, and who approved it",
        positional="fit",
        examples=("footagefit lineage fit=film_work/fits/match_v001",),
    ),
    Verb(
        "who-used",
        "say which fits learnt from a clip",
        examples=("footagefit who-used clip=A001C003* show=film.yaml",),
    ),
    Verb(
        "approve",
        "record what a person approved, or what they decided in a report",
        examples=(
            "footagefit approve fit=film_work/fits/match_v001 by=Kim note=reel_3",
            "footagefit approve clip=A001C003* show=film.yaml by=legal note=release_112",
            "footagefit approve frame=out/shot_v001.1001.exr by=Kim show=film.yaml",
            "footagefit approve from=decisions.json show=film.yaml",
        ),
    ),
    Verb(
        "verify",
        "say what made each frame of a folder, and whether anything changed since",
        positional="folder",
        examples=(
            "footagefit verify renders/shot_match_v001",
            "footagefit verify renders key=house.pub.pem as=json",
            "footagefit verify renders/shot_match_v001/shot_match_v001.1001.exr",
            "footagefit verify keygen=house.pem",
        ),
    ),
    Verb("doctor", "say what this machine can do, and how to get the rest"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (0 done, 2 something to mend, 130 stopped)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] in ("-V", "--version", "version"):
        print(f"footagefit {__version__}")
        return 0
    warnings.showwarning = _show_warning
    try:
        return _run(words[0], words[1:])
    except KeyboardInterrupt:
        print("\nstopped; what is written is kept, the same command goes on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FootagefitError as error:
        return _fail(error, str(error), error.exit_code)
    except Exception as error:
        line = " ".join(str(error).split()) or "no message"
        hint = "Run again with FOOTAGEFIT_DEBUG=1 and report what it prints"
        return _fail(error, f"unexpected {type(error).__name__}: {line}. {hint}.", 1)


def _fail(error: Exception, line: str, code: int) -> int:
    if os.environ.get("FOOTAGEFIT_DEBUG") == "1":
        raise error
    print(f"footagefit: {line}", file=sys.stderr)
    return code


def _run(name: str, words: list[str]) -> int:
    verbs = {verb.name: verb for verb in VERBS}
    if name not in verbs:
        raise UnknownName("verb", name, verbs, hint="`footagefit --help` says what each does")
    verb = verbs[name]
    if any(word in ("-h", "--help") for word in words):
        print(_verb_help(verb))
        return 0
    plain = [word for word in words if word not in _MANY]
    overrides = _opened(verb, [_override(verb, word) for word in plain])
    if len(plain) < len(words):
        if not verb.sweeps:
            known = ", ".join(v.name for v in VERBS if v.sweeps)
            raise UsageError(f"{name} does not sweep", hint=f"Verbs that take -m: {known}")
        from footagefit.commands.sweep import sweep

        return sweep(overrides)
    lone = [w for w in plain if verb.sweeps and w.partition("=")[0] in ("sweep", "cluster")]
    if lone:
        raise UsageError(f"{lone[0]} belongs to a sweep", hint=f"Say footagefit {name} -m ...")
    composed = config.compose(verb.name, overrides)
    function = function_of(verb)
    return int(function(**config.bind(function, composed)) or 0)


def function_of(verb: Verb) -> Callable[..., int | None]:
    """What a verb runs: `who-used` is `who_used` in `commands/who_used.py`."""
    name = verb.name.replace("-", "_")
    return getattr(import_module(f"footagefit.commands.{name}"), name)


def _override(verb: Verb, word: str) -> str:
    """A bare word fills the verb's positional key; an existing path wins over `key=value`."""
    if word.startswith("--"):
        raise UsageError(
            f"{word!r} is not a key", hint=f"Say key=value; `footagefit {verb.name} --help`"
        )
    if verb.positional is None:
        return word
    names = {key.name for key in config.keys(verb.name)}
    if "=" in word and (word.partition("=")[0] in names or not Path(word).exists()):
        return word
    return f"{verb.positional}={word}"


def _opened(verb: Verb, words: Sequence[str]) -> list[str]:
    """Words of names that are no keys, as entries of the verb's open key."""
    if verb.open is None:
        return list(words)
    roots = {key.name.partition(".")[0] for key in config.keys(verb.name)} | {"hydra"}
    kept: list[str] = []
    others: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        bare = name.lstrip("+~").removeprefix(f"{verb.open}.")
        mine = name.lstrip("+~") != bare or bare.partition(".")[0] not in roots
        if equals and mine and bare:
            others.setdefault(bare, []).append(value)
        else:
            kept.append(word)
    return kept + [f"+{verb.open}.{name}={','.join(values)}" for name, values in others.items()]


def _overview() -> str:
    width = max(len(verb.name) for verb in VERBS)
    table = "\n".join(f"  {verb.name:<{width}}  {verb.summary}" for verb in VERBS)
    return (
        f"footagefit {__version__}: learn one film from its own dailies, "
        "and make its problem shots sit in the cut\n\n"
        f"usage: footagefit <verb> key=value ...\n\n{table}\n\n"
        "footagefit <verb> --help   every key of a verb, with its default\n"
        "FOOTAGEFIT_DEBUG=1         a traceback where an error is one line"
    )


def _verb_help(verb: Verb) -> str:
    bare = f" <{verb.positional}>" if verb.positional else ""
    lines = [f"footagefit {verb.name}{bare}: {verb.summary}", ""]
    for example in verb.examples:
        lines.append(f"  {example}")
    lines += ["", "keys:"] if verb.examples else ["keys:"]
    for key in config.keys(verb.name):
        default = "required" if key.default == "???" else key.default
        lines.append(f"  {key.name}={default if default != 'required' else ''}".ljust(30))
        if default == "required":
            lines[-1] = f"  {key.name}=  (required)".ljust(30)
        lines += textwrap.wrap(key.help, 88, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print our own warnings as one line; leave a library's to those who debug."""
    if issubclass(category, FootagefitWarning):
        print(f"footagefit: warning: {message}", file=file or sys.stderr)
    elif os.environ.get("FOOTAGEFIT_DEBUG") == "1":
        print(f"{filename}:{lineno}: {category.__name__}: {message}", file=file or sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
