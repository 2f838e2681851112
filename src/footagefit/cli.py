"""The console script: `footagefit <verb> key=value ...`.

Nothing heavy is imported before a verb runs, so that help answers at once. The verbs: `verbs.py`.
"""

from __future__ import annotations

import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

from footagefit import __version__, config
from footagefit.errors import FootagefitError, FootagefitWarning, UnknownName, UsageError
from footagefit.verbs import VERBS, Verb

_MANY = ("-m", "--multirun")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code (0 done, 2 something to mend, 130 stopped)."""
    words = list(sys.argv[1:] if argv is None else argv)
    warnings.showwarning = _show_warning
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(_overview(), flush=True)
            return 0
        if words[0] in ("-V", "--version", "version"):
            print(f"footagefit {__version__}")
            return 0
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
        print(_verb_help(verb, [word for word in words if "=" in word]))
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


def _verb_help(verb: Verb, words: Sequence[str]) -> str:
    """Keys and groups; of groups, those of what the words choose."""
    bare = f" <{verb.positional}>" if verb.positional else ""
    lines = [f"footagefit {verb.name}{bare}: {verb.summary}", ""]
    for example in verb.examples:
        lines.append(f"  {example}")
    lines += ["", "keys:"] if verb.examples else ["keys:"]
    lines += [line for key in config.keys(verb.name) for line in _key_help(key)]
    groups = config.groups(verb.name)
    if groups:
        chosen = config.chosen(verb.name, words)
        lines += ["", "chosen by name, each with keys of its own:"]
        for group in groups.values():
            lines.append(f"  {group.name}={group.default}".ljust(30) + ", ".join(group.choices))
        for name, choices in chosen.items():
            for choice in choices:
                keys = config.group_keys(name, choice)
                others = f"; of another: footagefit {verb.name} {name}=<it> --help"
                lines += ["", f"keys of {name}={choice}{others}:"] if keys else []
                lines += [line for key in keys for line in _key_help(key)]
    return "\n".join(lines)


def _key_help(key: config.Key) -> list[str]:
    first = f"  {key.name}=" + ("  (required)" if key.default == "???" else key.default)
    indent = " " * 6
    wrapped = textwrap.wrap(key.help, 88, initial_indent=indent, subsequent_indent=indent)
    return [first, *wrapped]


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
