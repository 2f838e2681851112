"""Hydra configs: where they lie, what their keys mean, and how values reach a function.

Each verb has one root file, `configs/<verb>.yaml`. The comment above a key documents it and is
what `--help` prints; it may open with `[path]`, `[paths]` or `[text]`, which declares that the
value is taken exactly as typed, whatever Hydra's grammar would make of it.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from footagefit.errors import FootagefitError, MissingPart, UnknownName, UsageError, WrongValue

ALLOWED_TARGETS = ("footagefit.", "torch.optim.", "pytorch_lightning.")
_VERBATIM = ("path", "paths", "text")
_EITHER = (("trainer.max_steps", "trainer.max_minutes"),)  # one that is said puts the other out
_EXTRAS = {"hydra/sweeper/optuna": "sweep", "hydra/launcher/submitit": "farm"}
_KEY_LINE = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_][\w.]*):(?P<value> .*|)$")


@dataclass(frozen=True)
class Key:
    """One documented setting of a verb.

    Attributes:
        name: Dotted, as typed on the command line.
        default: The value in the file, as text; `???` means that it must be given.
        kind: `path`, `paths`, `text`, or empty where Hydra's grammar applies.
        help: What it means.
    """

    name: str
    default: str
    kind: str
    help: str


class Raw(dict[str, Any]):
    """A group's settings as composed, for a parameter that builds them later, or elsewhere."""


@lru_cache(maxsize=1)
def config_dir() -> Path:
    """Where the configs lie: inside an installed wheel, else beside `src/` in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "configs", package.parent.parent / "configs"):
        if folder.is_dir():
            return folder
    raise MissingPart("no configs folder", path=package, hint="Install footagefit again")


@dataclass(frozen=True)
class Group:
    """What a verb takes whole, by name: `task=match`.

    Attributes:
        name: As typed.
        default: The choice where nothing is said; `null` is none.
        choices: What there is.
    """

    name: str
    default: str
    choices: tuple[str, ...]


@lru_cache(maxsize=32)
def keys(verb: str) -> tuple[Key, ...]:
    """The documented keys of a verb's root file, in file order; nested ones dotted."""
    return tuple(key for key in _keys_in(config_dir() / f"{verb}.yaml") if key.help)


@lru_cache(maxsize=32)
def groups(verb: str) -> dict[str, Group]:
    """The groups of a verb's root file, by name, in file order."""
    found = {}
    for name, default in _defaults(config_dir() / f"{verb}.yaml"):
        folder = config_dir() / name
        files = sorted(folder.rglob("*.yaml"))
        choices = tuple(f.relative_to(folder).with_suffix("").as_posix() for f in files)
        found[name] = Group(name, default or "null", choices)
    return found


@lru_cache(maxsize=32)
def group_keys(group: str, choice: str) -> tuple[Key, ...]:
    """Keys of one choice of a group, as typed; none where it sets keys of others."""
    path = config_dir() / group / f"{choice}.yaml"
    if "@package _global_" in path.read_text(encoding="utf-8").partition("\n")[0]:
        return ()
    found: dict[str, Key] = {}
    for _, other in _defaults(path):
        found |= {key.name: key for key in group_keys(group, str(other))}
    for key in _keys_in(path):
        name = f"{group}.{key.name}"
        if not key.name.startswith("_"):
            was = found.get(name, key)
            found[name] = Key(name, key.default, was.kind, key.help or was.help)
    return tuple(found.values())


def chosen(verb: str, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Choices of each group as the words leave it; several in a sweep, or where none is plain."""
    taken: dict[str, tuple[str, ...]]
    taken = {g.name: (g.default,) for g in groups(verb).values() if g.default != "null"}
    said = {name: value for name, equals, value in (w.partition("=") for w in words) if equals}
    experiment = said.get("experiment", "null")
    if experiment in groups(verb).get("experiment", Group("", "", ())).choices:
        for name, choice in _defaults(config_dir() / "experiment" / f"{experiment}.yaml"):
            taken[name.removeprefix("override /")] = (str(choice),)
    for name, group in groups(verb).items():
        if name in said:
            named = tuple(c for c in re.findall(r"[\w/-]+", said[name]) if c in group.choices)
            taken[name] = named or (group.choices if taken.get(name) else ())
    return taken


def _defaults(path: Path) -> list[tuple[str, str | None]]:
    """A file's own list of groups and choices; what it goes on from has no group."""
    import yaml

    raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    found: list[tuple[str, str | None]] = []
    for entry in raw.get("defaults", []):
        if isinstance(entry, dict):
            found += entry.items()
        elif entry != "_self_":
            found.append(("", entry))
    return found


def _keys_in(path: Path) -> list[Key]:
    """Keys of a file as it stands, with the comment above each as its help."""
    found: list[Key] = []
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            comment.append(bare.lstrip("#").strip())
            continue
        match = _KEY_LINE.match(line)
        if match:
            indent = len(match["indent"])
            parents = [p for p in parents if p[0] < indent]
            name = ".".join([p[1] for p in parents] + [match["key"]])
            if not match["value"].strip():
                parents.append((indent, match["key"]))
            else:
                found.append(_key(name, match["value"].strip(), " ".join(comment)))
        comment = []
    return found


def _key(name: str, default: str, comment: str) -> Key:
    match = re.match(r"\[(path|paths|text)\]\s*", comment)
    kind = match[1] if match else ""
    return Key(name, default.strip("'\""), kind, comment[match.end() :] if match else comment)


def quote(argument: str, verbatim: Mapping[str, str]) -> str:
    """Quote the value of a key that is taken as typed, so that Hydra's grammar leaves it alone.

    Args:
        argument: One command-line word, `key=value`.
        verbatim: Kinds of the keys that are taken as typed, by name.
    """
    name, equals, value = argument.partition("=")
    bare = name.lstrip("+~")
    above = [k for k in verbatim if bare.startswith(f"{k}.") and verbatim[k] in _VERBATIM]
    kind = verbatim.get(bare, verbatim[above[0]] if above else None)
    if not equals or kind not in _VERBATIM or value in ("null", "???"):
        return argument
    if kind == "paths":
        inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        return f"{name}=[{','.join(_quoted(item.strip()) for item in inner.split(','))}]"
    return f"{name}={_quoted(value)}"


def _quoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value
    escaped = re.sub(r"(\\*)'", lambda m: m[1] * 2 + r"\'", value)
    escaped = re.sub(r"(\\+)$", lambda m: m[1] * 2, escaped)
    return "'" + escaped.replace("${", r"\${") + "'"


def compose(verb: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Compose a verb's config from its root file and the command line.

    Args:
        verb: Name of the root file.
        overrides: Words as typed, `key=value`.

    Returns:
        Plain containers; interpolations resolved, nothing instantiated yet.
    """
    from hydra import compose as hydra_compose

    words = _words(verb, overrides)
    with _hydra(verb):
        return _plain(verb, hydra_compose(config_name=verb, overrides=words))


def shared(verb: str, overrides: Sequence[str]) -> dict[str, Any]:
    """What every config of a sweep has in common: as `compose`, without the keys swept over."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    words = _words(verb, overrides)
    with _hydra(verb):
        cfg = GlobalHydra.instance().hydra.compose_config(  # pyright: ignore
            config_name=verb, overrides=words, run_mode=RunMode.MULTIRUN,
            with_log_configuration=False, validate_sweep_overrides=False,
        )  # fmt: skip
        return _plain(verb, cfg)


def sweep(
    verb: str,
    overrides: Sequence[str],
    job: Callable[[dict[str, Any], int], float],
    *,
    folder: Path,
) -> None:
    """Run a job for each config that the words name, by whatever sweeper and launcher they choose.

    This is Hydra's multirun: `key=1,2` is two configs, `key=1,2 other=3,4` four, and a search such
    as `sweep=optuna` draws them from `interval(...)` and `choice(...)`. Paths and texts are taken
    as typed and are not swept over.

    Args:
        verb: Name of the root file.
        overrides: Words as typed.
        job: Given a composed config and its number; what it returns is what a search makes large.
        folder: Gets the sweep's record.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    def task(cfg: Any) -> float:
        return job(_plain(verb, cfg), int(HydraConfig.get().job.num))

    place = [f"hydra.sweep.dir={_quoted(str(folder))}", "hydra.sweep.subdir=."]
    place += ["hydra.output_subdir=null", "hydra/job_logging=none"]
    words = _words(verb, overrides) + place
    with _hydra(verb):
        GlobalHydra.instance().hydra.multirun(  # pyright: ignore[reportOptionalMemberAccess]
            config_name=verb, task_function=task, overrides=words
        )


@contextmanager
def _hydra(verb: str) -> Iterator[None]:
    """Hydra over our configs; what it has to say comes in our words."""
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir()), job_name=verb):
            yield
    except (HydraException, OmegaConfBaseException) as error:
        line = _first_sentence(error)
        for part, extra in _EXTRAS.items():
            if part in str(error).partition("Available")[0]:
                raise MissingPart(
                    f"{verb}: {part} is not installed", hint=f'pip install "footagefit[{extra}]"'
                ) from error
        raise UsageError(
            f"{verb}: {line}", hint=f"`footagefit {verb} --help` lists every key"
        ) from error


def _words(verb: str, overrides: Sequence[str]) -> list[str]:
    kinds = {key.name: key.kind for key in keys(verb)}
    words = [quote(word, kinds) for word in overrides]
    _check_words(verb, words)
    return words + [f"{name}=null" for name in _put_out(words)]


def _put_out(words: Sequence[str]) -> list[str]:
    """Keys whose default gives way to another key that was said; who takes both refuses both."""
    said = {name.lstrip("+"): value for name, _, value in (w.partition("=") for w in words)}
    found = []
    for pair in _EITHER:
        for one, other in (pair, pair[::-1]):
            if said.get(one, "null") != "null" and other not in said:
                found.append(other)
    return found


def _plain(verb: str, cfg: Any) -> dict[str, Any]:
    """A composed config as plain containers, Hydra's own part left out; all that must be is set."""
    from omegaconf import OmegaConf, open_dict

    with open_dict(cfg):
        cfg.pop("hydra", None)
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        helps = {key.name: key.help for key in keys(verb)}
        raise UsageError(
            f"{missing[0]} is not set ({helps.get(missing[0], 'required')})",
            hint=f"Say {missing[0]}=...; `footagefit {verb} --help` lists every key",
        )
    return typing.cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=True))


def _check_words(verb: str, words: Sequence[str]) -> None:
    """Reject unknown names early, naming the known ones; Hydra's own message names none."""
    known = [key.name for key in keys(verb)]
    roots = {name.partition(".")[0] for name in known}
    known += groups(verb)
    for word in words:
        name, equals, value = word.partition("=")
        name = name.lstrip("+~")
        if not equals and not word.startswith("~"):
            raise UsageError(f"{word!r} is not key=value", hint=f"Say for example {known[0]}=...")
        root = re.split(r"[.@/]", name)[0]
        if root in groups(verb):
            _check_group(verb, name, value, words)
        elif root != "hydra" and not (root in roots and _fits(name, known)):
            inner = [k.name for g, c in _all_chosen(verb, words) for k in group_keys(g, c)]
            hint = f"See `footagefit {verb} --help`"
            raise UnknownName("key", name, dict.fromkeys(known + inner), hint=hint)


def _check_group(verb: str, name: str, value: str, words: Sequence[str]) -> None:
    """Whether a choice, or a key of what was chosen, is one of those there are."""
    root, dot, inner = name.partition(".")
    if root == name and re.fullmatch(r"[\w/.,-]*", value):
        group = groups(verb)[root]
        for choice in value.split(","):
            if choice not in group.choices and choice != "null":
                near = difflib.get_close_matches(choice, group.choices, n=1, cutoff=0.55)
                hint = f"Say {root}={near[0]}" if near else f"Say {root}=<one of them>"
                raise UnknownName(root, choice, group.choices, hint=hint)
    choices = chosen(verb, words).get(root, ())
    known = [key.name for choice in choices for key in group_keys(root, choice)]
    if dot and known and not inner.startswith("_") and not _fits(name, known):
        plain = choices == (groups(verb)[root].default,)
        line = verb if plain else f"{verb} {root}={choices[0]}"
        hint = f"`footagefit {line} --help` says what each does"
        raise UnknownName("key", name, dict.fromkeys(known), hint=hint)


def _all_chosen(verb: str, words: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, c) for name, choices in chosen(verb, words).items() for c in choices]


def _fits(name: str, known: Sequence[str]) -> bool:
    """Whether a dotted name is a known key, a parent of one, or a child of an open one."""
    return any(
        name == key or key.startswith(name + ".") or name.startswith(key + ".") for key in known
    )


def _first_sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def bind(
    function: Callable[..., Any], config: Mapping[str, Any], *, where: str = ""
) -> dict[str, Any]:
    """Arguments for `function` from a composed config, nested `_target_`s built, types checked.

    Args:
        function: Keyword-only; its parameters are the schema. `in_` takes the key `in`.
        config: As `compose` returns it.
        where: The key that holds them, for messages: `find` of `cleanup` is typed `cleanup.find`.
    """
    # A class's own hints are its attributes'; its constructor is the schema.
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    parameters = inspect.signature(function).parameters
    names = {name.rstrip("_"): name for name in parameters}
    bound: dict[str, Any] = {}
    before = f"{where}." if where else ""
    for key, value in config.items():
        if key not in names:
            raise UnknownName("key", before + key, [before + name for name in names])
        hint, full = hints.get(names[key], Any), before + key
        built = Raw(value) if hint is Raw and isinstance(value, Mapping) else None
        value = instantiate(value, full) if built is None else built
        bound[names[key]] = checked(full, value, hint)
    for key, name in names.items():
        if name not in bound and parameters[name].default is inspect.Parameter.empty:
            raise UsageError(f"{before}{key} is not set", hint=f"Say {before}{key}=...")
    return bound


def instantiate(value: Any, where: str = "") -> Any:
    """Build nested `_target_`s, innermost first; only targets of the allowed packages."""
    if isinstance(value, list):
        return [instantiate(item, where) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "_target_" not in value:
        return {key: instantiate(item, f"{where}.{key}") for key, item in value.items()}
    target = str(value["_target_"])
    if not target.startswith(ALLOWED_TARGETS):
        raise UsageError(
            f"{where}._target_ {target!r} is not allowed",
            hint=f"Targets start with {', '.join(ALLOWED_TARGETS)}",
        )
    from hydra.utils import get_object

    factory = get_object(target)
    arguments = {key: item for key, item in value.items() if key != "_target_"}
    try:
        return factory(**bind(factory, arguments, where=where))
    except FootagefitError:
        raise
    except (TypeError, ValueError) as error:
        raise WrongValue(f"{where}: {_first_sentence(error)}") from error


def checked(key: str, value: Any, hint: Any) -> Any:
    """`value` as the annotation wants it, or a `WrongValue` that says what was expected."""
    options = (
        typing.get_args(hint)
        if typing.get_origin(hint) in (typing.Union, types.UnionType)
        else (hint,)
    )
    if value is None and type(None) in options:
        return None
    for option in options:
        fitted = _fitted(value, option)
        if fitted is not _NO_FIT:
            return fitted
    names = " or ".join(_name(o) for o in options if o is not type(None))
    raise WrongValue(f"{key}: expected {names}, got {value!r}", hint=f"Say {key}=<{names}>")


_NO_FIT = object()


def _fitted(value: Any, option: Any) -> Any:
    base = typing.get_origin(option) or option
    if option is Any:
        return value
    if base is typing.Literal:
        return value if value in typing.get_args(option) else _NO_FIT
    if base is Path and isinstance(value, str):
        return Path(value).expanduser()
    if base is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if base is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if base in (list, Sequence, typing.Sequence) or base.__name__ == "Sequence":
        return value if isinstance(value, list) else _NO_FIT
    if base is int and isinstance(value, bool):
        return _NO_FIT
    try:
        return value if isinstance(value, base) else _NO_FIT
    except TypeError:
        return value


def _name(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return "|".join(str(choice) for choice in typing.get_args(option))
    words = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    return words.get(option, getattr(option, "__name__", str(option)).lower())
