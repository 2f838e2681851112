"""What a person can run: every verb's name, its line in the table, and examples that work.

A verb is one module in `commands/` with a keyword-only function of the verb's name, and one file in
`configs/`. Nothing is imported here but what makes a table. How a verb is run: `cli.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


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
            "footagefit train show=film.yaml task=match trainer.max_minutes=5",
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
