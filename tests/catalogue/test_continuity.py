"""Takes beside their heroes, from the command line to the page; ranking and the cut."""

from __future__ import annotations

import json

import pytest

from dailies_footage import shot, write_movie
from footagefit.catalogue.ranking import weights
from footagefit.commands.continuity import name_hero
from footagefit.dailies.database import Catalogue
from footagefit.errors import UnknownName, WrongValue
from small_fit import small_fit


@pytest.fixture
def report(footagefit, made_show, show_yaml, tmp_path):
    def run(*words: str):
        page = tmp_path / "continuity.html"
        code, out, err = footagefit(
            "continuity", f"show={show_yaml()}", f"out={page}", "as=json", *words
        )
        assert code == 0, err
        return json.loads(out), page

    return run


def takes_of(plain):
    return {t["shot"]: t for s in plain["setups"] for t in s["takes"]}


def test_takes_that_are_off_are_told_in_stops_and_gamma(report):
    plain, page = report("hero=12_T1_A")
    takes = takes_of(plain)
    assert plain["setups"][0]["hero"] == "12_T1_A"
    assert "named by a person" in plain["setups"][0]["hero_because"]
    assert takes["12_T2_A"]["sits"], takes["12_T2_A"]["differences"]
    under = takes["12_T3_A"]["differences"][0]
    assert under["kind"] == "exposure" and under["size"] == pytest.approx(-0.8, abs=0.12)
    assert "contrast" in [d["kind"] for d in takes["12_T4_A"]["differences"]]
    assert takes["12_T4_A"]["figures"]["contrast"] == pytest.approx(0.3, abs=0.08)
    assert "13_T1_A" not in takes  # scenes are never held against each other
    assert takes["12_T3_A"]["fix"].startswith("footagefit infer fit=")
    text = page.read_text()
    assert text.count("data:image/jpeg") == 4 and "http" not in text.replace("http-equiv", "")
    assert text.index("12_T3_A") < text.index("Heroes")


def test_a_hero_named_once_stays_named(report, footagefit, show_yaml):
    report("hero=12_T2_A")
    plain, _ = report()
    assert plain["setups"][0]["hero"] == "12_T2_A"
    report("hero=12_T1_A")
    plain, _ = report("scene=12")
    assert plain["setups"][0]["hero"] == "12_T1_A"
    code, _, err = footagefit("continuity", f"show={show_yaml()}", "hero=12_T*")
    assert code == 2 and "Name one of them" in err


def test_takes_are_ranked_and_cut_in_scene_order(footagefit, made_show, show_yaml, tmp_path):
    cut = tmp_path / "cut.otio"
    words = ("select", f"show={show_yaml()}", f"out={cut}", "handles=2")
    code, out, err = footagefit(*words, "as=json")
    assert code == 0, err
    setups = json.loads(out[: out.rindex("}") + 1])["setups"]
    order = [t["shot"] for t in setups[0]["takes"]]
    assert set(order[:2]) == {"12_T1_A", "12_T2_A"}
    assert [t["picked"] for t in setups[0]["takes"]] == [True, False, False, False]
    import opentimelineio as otio

    clips = list(otio.adapters.read_from_file(str(cut)).find_clips())
    assert [c.name for c in clips] == [order[0], "13_T1_A"]
    assert [c.source_range.duration.to_frames() for c in clips] == [12, 12]
    code, _, err = footagefit(*words)
    assert code == 2 and "existing=replace" in err


def test_an_edl_reads_back(footagefit, made_show, show_yaml, tmp_path):
    from footagefit.footage.timeline import read_timeline

    cut = tmp_path / "cut.edl"
    code, _, err = footagefit("select", f"show={show_yaml()}", f"out={cut}", "scene=12", "picks=2")
    assert code == 0, err
    events = read_timeline(cut, rate=24)
    assert len(events) == 2
    assert {e.scene for e in events} == {"12"}
    assert all(e.length == 16 for e in events)


def test_forms_without_an_adapter_say_what_to_install(footagefit, show_yaml, tmp_path):
    code, _, err = footagefit("select", f"show={show_yaml()}", f"out={tmp_path / 'cut.aaf'}")
    if code:  # an adapter may be installed
        assert code == 2 and 'pip install "footagefit[edit]"' in err


def never(*_, **__):
    raise AssertionError


def test_files_of_no_known_type_are_refused_before_a_take_is_judged(
    footagefit, show_yaml, tmp_path, monkeypatch
):
    monkeypatch.setattr("footagefit.commands.continuity.judged", never)
    code, _, err = footagefit("select", f"show={show_yaml()}", f"out={tmp_path / 'cut.foo'}")
    assert code == 2 and ".otio, .edl" in err and ".part" not in err
    for name in ("cont", "cont.json", ""):
        code, _, err = footagefit("continuity", f"show={show_yaml()}", f"out={tmp_path / name}")
        assert code == 2 and "Say out=continuity.html" in err
    assert [p.name for p in tmp_path.iterdir()] == ["show.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scene=12", "side=train"], "side=train: none of these shots is"),
        (["clip=12_T1_A", "side=out"], "side=out: none of these shots is"),
        (["scene=14", "side=val"], "unknown scene '14'"),
        (["side=vall"], "unknown side 'vall'; known: val"),
    ],
)
def test_a_filter_that_finds_none_is_named(footagefit, show_yaml, words, said):
    code, _, err = footagefit("shots", f"show={show_yaml()}", *words)
    assert code == 2 and said in err


def test_the_take_in_the_middle_is_no_outlier_in_white():
    from dailies_footage import shot_of
    from footagefit.catalogue.judging import hero_of
    from footagefit.catalogue.measures import Measures

    takes = [shot_of(f"12_T{n}") for n in range(1, 5)]
    same = {"exposure_ev": -2.0, "contrast_ev": 4.0, "clipped": 0.0, "focus": 0.3}
    known = {s.name: Measures({**same, "white_k": k})
             for s, k in zip(takes, (5900.0, 5460.0, 5470.0, 5455.0), strict=True)}  # fmt: skip
    hero, because = hero_of(takes, known, set())
    assert hero.name != takes[0].name and "middle" in because


@pytest.mark.parametrize(
    ("exposure", "light", "sure", "kind"),
    [
        (-2.3, 0.05, 4.0, "key direction"),  # the key went, and with it the light
        (-2.3, 0.05, -1.0, "exposure"),
        (0.0, 0.5, 0.0, "key direction"),  # light that no line explains
        (-0.16, 0.04, 4.0, "key direction"),
        (0.01, 0.01, 0.0, ""),
    ],
)
def test_a_key_that_moved_is_told_from_an_exposure(exposure, light, sure, kind):
    from footagefit.catalogue.differences import of_light

    figures = {
        "exposure": exposure, "white point": 0.0, "tint": 0.0, "contrast": 0.0, "light": light,
        "key direction": 52.0, "key turned": sure, "focus": 0.0, "clipping": 0.0,
    }  # fmt: skip
    assert [d.kind for d in of_light(figures, 0.5, other_lens=False)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("exposure", ["boom", "prop", "wardrobe"]),
        ("contrast", ["boom"]),  # where it differs, so do colours
        ("focus", []),
        ("key direction", []),
    ],
)
def test_one_cause_is_told_once(told, left):
    from footagefit.catalogue.differences import Difference, unexplained
    from footagefit.catalogue.things import Thing

    seen = [Thing(kind, (0, 0, 9, 9), 0.1, 3.0) for kind in ("boom", "prop", "wardrobe")]
    assert [t.kind for t in unexplained(seen, [Difference(told, 1.0, "", 2.0)])] == left


@pytest.mark.parametrize("fine_burns", [0.0, -0.13, -0.3])
def test_a_take_too_burnt_out_to_compare_ranks_below_its_siblings(fine_burns):
    from dailies_footage import shot_of
    from footagefit.catalogue.differences import Difference
    from footagefit.catalogue.judging import Judged, SetupJudged
    from footagefit.catalogue.ranking import ranked

    hero, burnt, fine = (shot_of(f"12_T{n}") for n in range(1, 4))
    takes = (
        Judged(burnt, hero.name, (Difference("clipping", 93.0, "%", 7.0),), note="too little"),
        Judged(fine, hero.name, (), 0.6, {"focus": 0.0, "clipping": fine_burns}),
    )
    order = ranked(SetupJudged("12", "12", hero, "circled", takes), {})
    assert order[-1].shot.name == burnt.name and "clipping" in order[-1].reasons[0]


def test_light_may_be_less_even_where_the_key_is_seen_to_stand():
    from footagefit.catalogue.differences import of_light

    figures = dict.fromkeys(("exposure", "white point", "tint", "contrast", "focus"), 0.0)
    figures |= {"light": 0.2, "clipping": 0.0, "key direction": 2.0}
    told = [of_light({**figures, "key turned": s}, 0.5, other_lens=False) for s in (-6.0, -1.0)]
    assert [[d.kind for d in each] for each in told] == [[], ["key direction"]]


def test_rules_are_checked():
    assert weights("focus:7,white_point:0")["focus"] == 7.0
    assert weights("white_point:0")["white point"] == 0.0
    assert weights(None)["focus"] == 3.0
    with pytest.raises(UnknownName, match="focus"):
        weights("sharpness:1")
    with pytest.raises(WrongValue, match="name:weight"):
        weights("focus:much")


def test_fix_lists_what_it_would_match(footagefit, made_show, show_yaml):
    with Catalogue(made_show.catalogue) as catalogue:
        shots = catalogue.shots()
    name_hero(made_show, shots, "12_T1_A")
    code, out, err = footagefit("fix", f"show={show_yaml()}", "dry_run=true", "scene=12")
    assert code == 0, err
    assert "12_T3_A to 12_T1_A: exposure" in out


def test_a_take_is_brought_to_its_hero_by_the_set_they_share(
    footagefit, made_show, show_yaml, tmp_path
):
    """A net that says nothing: what stands in both takes says how far apart they are."""
    fit = small_fit(tmp_path / "blind", zero=True, anchors=True)
    code, out, err = footagefit(
        "fix", f"show={show_yaml()}", "clip=12_T[34]_A", f"out={tmp_path / 'fixes'}",
        f"fit={fit}", "as=json",
    )  # fmt: skip
    assert code == 0, err
    made = {m["shot"]: m for m in json.loads(out[: out.rindex("}") + 1])["takes"]}
    for name, unit in (("12_T3_A", "exposure"), ("12_T4_A", "contrast")):
        assert made[name]["after"][unit] < made[name]["before"][unit] / 3, name


def test_fix_renders_and_says_what_is_left(footagefit, made_show, show_yaml, tmp_path):
    """A fit that returns the plate leaves all of the mismatch, and the report must say so."""
    out_folder = tmp_path / "fixes"
    fit = small_fit(tmp_path / "zero", zero=True)
    code, out, err = footagefit(
        "fix", f"show={show_yaml()}", "clip=12_T3_A", f"out={out_folder}", f"fit={fit}", "as=json"
    )
    assert code == 0, err
    made = json.loads(out[: out.rindex("}") + 1])["takes"]
    assert [m["shot"] for m in made] == ["12_T3_A"]
    assert made[0]["before"]["exposure"] == pytest.approx(0.8, abs=0.12)
    assert made[0]["after"]["exposure"] == pytest.approx(made[0]["before"]["exposure"], abs=0.02)
    assert len(list((out_folder / "12" / "12_T3_A").glob("*.exr"))) == 16
    assert (out_folder / "fixed.otio").is_file()


@pytest.mark.filterwarnings("default::footagefit.errors.FootagefitWarning")
def test_fix_takes_no_fit_of_another_task(footagefit, made_show, show_yaml, tmp_path):
    code, _, err = footagefit(
        "fix", f"show={show_yaml()}", f"out={tmp_path / 'fixes'}", "fit=base/relight"
    )
    assert code == 2 and "takes a match fit, and this one is relight" in err
    assert not (tmp_path / "fixes").exists()


@pytest.mark.parametrize("verb", ["fix", "continuity"])
def test_a_fit_of_another_task_is_refused_before_any_work(
    footagefit, made_show, show_yaml, monkeypatch, verb
):
    """Before a take is judged, let alone rendered."""
    monkeypatch.setattr("footagefit.commands.continuity.judged", never)
    code, out, err = footagefit(verb, f"show={show_yaml()}", "fit=base/relight")
    assert code == 2 and not out and err.count("\n") == 1
    assert "takes a match fit, and this one is relight" in err
    code, _, err = footagefit(verb, f"show={show_yaml()}", "fit=base/mtch")
    assert code == 2 and "base/match" in err


@pytest.mark.filterwarnings("default::footagefit.errors.FootagefitWarning")
def test_fix_that_could_fix_nothing_says_so_last(footagefit, show_yaml, tmp_path):
    fit = small_fit(tmp_path / "zero", zero=True)
    there = tmp_path / "fixes" / "12" / "12_T3_A" / "12_T3_A.0010.exr"
    there.parent.mkdir(parents=True)
    for number in range(40):
        there.with_name(f"12_T3_A.{number:04d}.exr").write_bytes(b"somebody's")
    code, _, err = footagefit(
        "fix", f"show={show_yaml()}", "clip=12_T3_A", f"out={tmp_path / 'fixes'}", f"fit={fit}"
    )
    assert code == 2 and "not this job's" in err
    last = err.strip().splitlines()[-1]
    assert "no take was fixed" in last and "not this job's" in last
    assert "Say existing=replace, or out=" in last and "skip" not in last
    assert there.read_bytes() == b"somebody's"


@pytest.mark.filterwarnings("default::footagefit.errors.FootagefitWarning")
def test_a_take_that_cannot_be_read_says_why(footagefit, tmp_path):
    for take in (1, 2):
        frames = shot(5, 8, take=take)
        write_movie(tmp_path / "A001" / f"12_T{take}_A.mov", frames, tagged=False)
    path = tmp_path / "show.yaml"
    path.write_text("name: test\nroots: [A001]\nwork: work\n")
    footagefit("scan", f"show={path}", "workers=0")
    code, out, err = footagefit("continuity", f"show={path}", "as=json")
    assert code == 0, err
    notes = [take["note"] for take in takes_of(json.loads(out)).values()]
    assert notes and all("colour space is not certain" in note for note in notes)
