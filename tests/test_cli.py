"""The command line as film people type it, from bash, unquoted by us."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from footagefit import cli, config
from footagefit.errors import FootagefitWarning, MissingPart, UsageError
from footagefit.footage.pattern import parse
from footagefit.verbs import VERBS

ROOT = Path(__file__).parents[1]
NAMES = [
    "plain", "shot (1)", "50% grey", "#2 take", "~home", "a,b", "x=1", "café", "12E3", "+20",
    "12_3", "tab\tbed", "it's", "[a]", "{b}", "a:b", "$HOME", "back\\slash", "end\\",
]  # fmt: skip


def bash(line: str, **options) -> subprocess.CompletedProcess[str]:
    script = f'footagefit() {{ "{sys.executable}" -m footagefit.cli "$@"; }}\n{line}'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, **options)


@pytest.mark.parametrize("name", NAMES)
def test_paths_arrive_as_typed(name):
    words = config.compose("convert", [f"in={name}.exr", f"out=out/{name}.####.exr"])
    assert words["in"] == f"{name}.exr"
    assert words["out"] == f"out/{name}.####.exr"


@pytest.mark.parametrize("value", ["+20", "12E3", "12_3", "1,2", "1001-1010", "1001-1100x2,1200"])
def test_texts_stay_texts(value):
    composed = config.compose("convert", ["in=a", "out=b", f"frames={value}"])
    assert composed["frames"] == value


def test_quoted_values_are_left_alone():
    assert config.compose("convert", ["in='a b'", 'out="c,d"'])["out"] == "c,d"


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("end\\",)])
def test_files_with_odd_names_convert_from_bash(tmp_path, write_picture, noise, name):
    write_picture(tmp_path / f"{name}.0007.exr", noise())
    out = tmp_path / "out dir" / f"{name}.%04d.exr"
    line = shlex.join(["in=" + str(tmp_path / f"{name}.####.exr"), f"out={out}", "space=ACEScg"])
    done = bash(f"footagefit convert {line}")
    assert done.returncode == 0, done.stderr
    made = parse(out)
    assert made is not None
    assert list(made.on_disk()) == [7]


def documented() -> list[str]:
    """Every `footagefit` line in README and in the verbs' own examples."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.S)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    found = [line for line in lines if line.startswith("footagefit ")]
    return found + [example for verb in VERBS for example in verb.examples]


@pytest.mark.parametrize("line", sorted(set(documented())))
def test_documented_commands_parse(line):
    """Bash splits each documented command into words; our verbs take every one of them."""
    done = bash(f"printf '%s\\0' {line.partition('  #')[0]}")
    words = done.stdout.split("\0")[1:-1]
    names = {verb.name: verb for verb in VERBS}
    if words[0].startswith("-"):
        return
    verb = names[words[0]]
    if any(word in ("-h", "--help") for word in words):
        return
    plain = [word for word in words[1:] if word not in cli._MANY]
    overrides = cli._opened(verb, [cli._override(verb, word) for word in plain])
    if len(plain) == len(words) - 1:
        assert config.compose(verb.name, overrides)
        return
    try:
        assert config.shared(verb.name, overrides)
    except MissingPart as error:
        assert "footagefit[" in str(error)


def test_one_clear_line_and_exit_code_two(footagefit, tmp_path):
    cases = [
        (["convrt"], "known: convert"),
        (["convert", "in=x", "out=y", "spce=z"], "known: space"),
        (["convert", "out=y.exr"], "in is not set"),
        (["convert", "in=x", "out=y", "dry_run=maybe"], "dry_run: expected true or false"),
        (["convert", "in=x", "out=y", "threads=many"], "threads: expected a whole number"),
        (["convert", "in=x", "out=y", "missing=guess"], "missing: expected error|hold|black"),
        (["infer", "fit=x", "plate=y", "cleanup.find=wires"], "Say cleanup.find=<wire|boom"),
        (["convert", "in=x", "out=y", "output.depth=13"], "unknown depth '13'"),
        (["convert", "stray"], "is not key=value"),
        (["convert", "--frames", "3"], "Say key=value"),
        (["convert", "in=nowhere.####.exr", "out=y.exr"], "no files match"),
    ]
    for words, expected in cases:
        code, out, err = footagefit(*words)
        assert code == 2, words
        assert not out
        assert err.count("\n") == 1, err
        assert expected in err


def test_a_target_in_a_config_must_be_one_of_ours():
    with pytest.raises(UsageError, match="not allowed"):
        config.instantiate({"_target_": "subprocess.getoutput", "cmd": "true"}, "output")


def test_debug_gives_the_traceback(footagefit, monkeypatch):
    monkeypatch.setenv("FOOTAGEFIT_DEBUG", "1")
    with pytest.raises(Exception, match="no such file"):
        footagefit("convert", "in=nowhere.exr", "out=y.exr")


def test_the_unexpected_is_one_line_too(footagefit, monkeypatch):
    monkeypatch.setattr(config, "compose", lambda *_: 1 / 0)
    code, _, err = footagefit("doctor")
    assert code == 1
    assert "unexpected ZeroDivisionError" in err
    assert err.count("\n") == 1


def test_help_lists_every_verb_and_every_key(footagefit):
    _, out, _ = footagefit("--help")
    for verb in VERBS:
        assert f"  {verb.name} " in out
        code, text, _ = footagefit(verb.name, "--help")
        assert code == 0
        for key in config.keys(verb.name):
            assert f"{key.name}=" in text
            assert key.help


MISSPELLED = [
    (["task=mtch"], "unknown task 'mtch'; known: match, ", "Say task=match."),
    (["task=xyz"], "unknown task 'xyz'; known: cleanup, extend, match, relight.", "one of them"),
    (["model=feild"], "unknown model 'feild'; known: field, ", "Say model=field."),
    (["trainer=minuts"], "unknown trainer 'minuts'; known: minutes, ", "Say trainer=minutes."),
    (
        ["trainer.max_minuts=1"],
        "unknown key 'trainer.max_minuts'; known: trainer.max_minutes, ",
        "",
    ),
    (["task.familys=[a]"], "known: task.families, ", "`footagefit train --help`"),
    (["task=relight", "task.familys=1"], "known: task.", "`footagefit train task=relight --help`"),
    (["model.widht=8"], "known: model.width, ", ""),
    (["max_minutes=5"], "unknown key 'max_minutes'; known: trainer.max_minutes, ", ""),
    (["trainr=minutes"], "unknown key 'trainr'; known: trainer, ", ""),
    (["-m", "task=match,relihgt"], "unknown task 'relihgt'; known: relight, ", ""),
    (["experiment=base/mtch"], "known: base/match, ", "Say experiment=base/match."),
    (["experiment=base/fill", "task.kindz=[a]"], "known: task.kinds, ", ""),
]


@pytest.mark.parametrize(("words", "named", "step"), MISSPELLED)
def test_misspelled_words_of_train_name_the_known_ones(footagefit, words, named, step):
    code, _, err = footagefit("train", "show=film.yaml", *words)
    assert code == 2
    assert err.count("\n") == 1, err
    assert named in err
    assert step in err
    assert ".." not in err


@pytest.mark.parametrize("verb", ["train", "validate"])
def test_help_lists_groups_with_their_choices_and_keys(footagefit, verb):
    _, text, _ = footagefit(verb, "--help")
    assert re.search(r"^  task=match +cleanup, extend, match, relight$", text, re.M)
    assert re.search(r"^  model=field +diffusion, field, fill, relight$", text, re.M)
    assert re.search(r"^  trainer=default +ddp, default, fsdp, minutes$", text, re.M)
    for group, choice in (("task", "match"), ("model", "field"), ("trainer", "default")):
        keys = config.group_keys(group, choice)
        assert len(keys) > 5
        for key in keys:
            assert f"\n  {key.name}={key.default}\n      {key.help[:40]}" in text
    assert "_target_" not in text
    _, text, _ = footagefit(verb, "trainer=minutes", "model=relight", "--help")
    assert "\n  trainer.max_minutes=5.0\n      length in minutes" in text
    assert "\n  trainer.max_steps=null\n" in text
    assert "\nkeys of model=relight" in text


def test_every_choice_of_a_group_says_what_its_keys_mean():
    for verb in ("train", "validate"):
        for group in config.groups(verb).values():
            for choice in group.choices:
                assert all(key.help for key in config.group_keys(group.name, choice)), choice


def test_every_config_binds_to_its_verb():
    """The function is the schema: same keys, and every default of the right type."""
    import inspect

    for verb in VERBS:
        function = cli.function_of(verb)
        keys = {key.name.partition(".")[0] for key in config.keys(verb.name)} | groups(verb.name)
        assert keys == {name.rstrip("_") for name in inspect.signature(function).parameters}
        composed = config.compose(verb.name, [f"{k}=x" for k in required(verb.name)])
        assert set(config.bind(function, composed)) == set(inspect.signature(function).parameters)


def groups(verb: str) -> set[str]:
    """Config groups that a verb's root file takes."""
    import yaml

    raw = yaml.safe_load((config.config_dir() / f"{verb}.yaml").read_text(encoding="utf-8"))
    chosen = [d for d in raw.get("defaults", []) if isinstance(d, dict)]
    return {name for group in chosen for name, choice in group.items() if choice is not None}


def required(verb: str) -> list[str]:
    return [key.name for key in config.keys(verb) if key.default == "???"]


def test_scripts_at_the_top_are_the_verbs():
    for name in ("train.py", "infer.py"):
        done = subprocess.run(
            [sys.executable, str(ROOT / name), "--help"], capture_output=True, text=True
        )
        verb = name.removesuffix(".py")
        known = verb in {v.name for v in VERBS}
        assert done.returncode == (0 if known else 2), done.stderr


@pytest.mark.parametrize("name", ["train.py", "infer.py"])
def test_scripts_say_where_the_package_is_when_their_python_has_none(name, tmp_path):
    bare = [sys.executable, "-I", "-S", str(ROOT / name), "--help"]
    done = subprocess.run(bare, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "this Python has no footagefit" in done.stderr
    assert ". .venv/bin/activate" in done.stderr


def test_readme_and_demo_say_how_to_get_at_what_was_set_up():
    opening = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What it does")[0]
    assert ". .venv/bin/activate" in opening
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo: ")[2]
    said = recipe.partition("\n\n")[0].splitlines()[-1]
    assert "$(BIN)/activate" in said
    assert "$(BIN)/footagefit" in said


def test_convert_says_what_it_did_and_does_nothing_on_a_dry_run(
    footagefit, tmp_path, write_picture, noise
):
    for number in (1, 2, 4):
        write_picture(tmp_path / f"a.{number:04d}.exr", noise(seed=number).astype(np.float16))
    words = ["convert", f"in={tmp_path}/a.####.exr", f"out={tmp_path}/o/b.####.exr", "space=ACEScg"]
    code, _, err = footagefit(*words)
    assert code == 2
    assert "1 missing: 3" in err
    code, out, _ = footagefit(*words, "missing=hold", "dry_run=true")
    assert code == 0
    assert "frames 1-4" in out
    assert not (tmp_path / "o").exists()
    code, out, _ = footagefit(*words, "missing=hold")
    assert code == 0
    assert "4 frames written" in out
    assert (tmp_path / "o" / "b.0002.exr").exists()
    code, out, _ = footagefit(*words, "missing=hold")
    assert "4 frames were there already" in out
    code, _, err = footagefit(*words[:2], f"out={tmp_path}/a.####.exr", "space=ACEScg")
    assert code == 2
    assert "the output is the input" in err


def test_layers_left_in_another_space_are_said(footagefit, tmp_path, write_picture, noise):
    names = ["R", "G", "B", "left.R", "left.G", "left.B", "Z"]
    write_picture(tmp_path / "a.1.exr", noise(channels=7), channels=names)
    words = ["convert", f"in={tmp_path}/a.1.exr", f"out={tmp_path}/b.1.exr", "space=lin_rec709"]
    with warnings.catch_warnings():
        warnings.simplefilter("always", FootagefitWarning)  # the command line prints it
        code, _, err = footagefit(*words, "output.space=ACEScg")
        assert code == 0
        assert "layers left pass through in Linear Rec.709 (sRGB), the picture becomes" in err
        code, _, err = footagefit(*words, "existing=replace")
        assert (code, err) == (0, "")  # the same space: nothing to say


def test_doctor_reports_and_fails_where_the_job_cannot_run(footagefit, tmp_path, monkeypatch):
    import json
    import shutil

    code, out, _ = footagefit("doctor", f"work={tmp_path}", "json=true")
    assert code == 0, out
    found = {finding["name"]: finding for finding in json.loads(out)["findings"]}
    assert {"python", "packages", "cpu", "disk", "codecs", "colour", "lpips", "wandb"} <= set(found)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    code, out, _ = footagefit("doctor", f"work={tmp_path}")
    assert code == 1
    assert "FAIL  disk" in out
    monkeypatch.undo()
    monkeypatch.setenv("OCIO", os.devnull)
    code, out, _ = footagefit("doctor", f"work={tmp_path}")
    assert code == 1


def test_init_writes_a_show_that_loads(footagefit, tmp_path, write_picture, noise, monkeypatch):
    from footagefit.dailies.show import load_show

    dailies = tmp_path / "my dailies (2)"
    plates = dailies / "sc042" / "plates"
    plates.mkdir(parents=True)
    ap1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
    tags = {"chromaticities": ("float[8]", ap1), "FramesPerSecond": ("rational", (24000, 1001))}
    for number in (1001, 1002):
        write_picture(plates / f"042A_T3_A.{number}.exr", noise(), attributes=tags)
    write_picture(dailies / "untagged.0001.exr", noise())
    (dailies / "broken.mov").write_bytes(b"no movie")
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in dailies.rglob("*"))
    code, out, _ = footagefit("init", str(dailies))
    assert code == 0
    assert "does not open" in out
    assert "1 clips do not say" in out
    assert sorted(p.name for p in dailies.rglob("*")) == before
    show = load_show(tmp_path / "my dailies (2).yaml")
    assert show.roots[0].resolve() == dailies.resolve()
    assert show.space == "ACEScg"
    assert show.rate is not None
    assert show.rate.numerator == 24000
    code, _, err = footagefit("init", str(dailies))
    assert code == 2
    assert "is there already" in err
    code, _, err = footagefit("init", str(tmp_path / "gone"))
    assert code == 2
    assert "no such folder" in err


def test_a_reader_that_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "footagefit.cli", "--help"]
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
