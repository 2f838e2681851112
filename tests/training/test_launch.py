"""Processes of a run, on one machine or several: what starts them."""

from __future__ import annotations

import json
import sys
import types

import pytest

from footagefit.errors import FootagefitError, MissingPart, WrongValue
from footagefit.training import launch
from footagefit.training.settings import Settings
from footagefit.training.worker import RESULT

TWO = {"devices": 4, "nodes": 2, "batch_size": 16, "precision": "bf16"}


def test_one_machine_stands_alone_and_several_meet(tmp_path):
    one = launch.words(tmp_path, Settings(devices=4))
    assert "--standalone" in one
    assert one[-4:] == [*one[-4:-2], "footagefit.training.worker", str(tmp_path)]
    two = launch.words(tmp_path, Settings(**TWO), meet="first:29500")
    assert {"--nnodes=2", "--nproc-per-node=4", "--rdzv-endpoint=first:29500"} <= set(two)
    assert "--standalone" not in two
    assert Settings(**TWO).ranks == 8
    Settings(strategy="fsdp", nodes=2, precision="bf16")
    with pytest.raises(WrongValue, match="do not divide into 8 parts"):
        Settings(**{**TWO, "batch_size": 12})


def test_machines_that_meet_are_told_what_to_say(tmp_path, monkeypatch, capsys):
    def runs(said, check):
        (tmp_path / RESULT).write_text(json.dumps({"steps": 3.0, "said": len(said)}))
        return types.SimpleNamespace(returncode=0)

    def runs_not(said, check):
        return types.SimpleNamespace(returncode=1)

    monkeypatch.setattr(launch.subprocess, "run", runs)
    done = launch.over_devices(tmp_path, Settings(**TWO, meet="first:29500"))
    assert done["steps"] == 3.0
    said = capsys.readouterr().out
    assert "--rdzv-endpoint=first:29500" in said
    monkeypatch.setattr(launch.subprocess, "run", runs_not)
    with pytest.raises(FootagefitError, match=r"a rank stopped.*resume="):
        launch.over_devices(tmp_path, Settings(devices=2))


def test_slurm_is_asked_for_machines(tmp_path, monkeypatch):
    asked, ran = {}, []

    class Executor:
        def __init__(self, folder):
            asked["folder"] = folder

        def update_parameters(self, **said):
            asked.update(said)

        def submit(self, job, *words):
            job(*words)
            (tmp_path / RESULT).write_text("{}")
            return types.SimpleNamespace(results=lambda: [0, 0])

    hosts = types.SimpleNamespace(hostnames=["n17", "n18"])
    fake = types.SimpleNamespace(AutoExecutor=Executor, JobEnvironment=lambda: hosts)
    monkeypatch.setitem(sys.modules, "submitit", fake)
    monkeypatch.setattr(
        launch.subprocess,
        "run",
        lambda said, check: ran.append(said) or types.SimpleNamespace(returncode=0),
    )
    launch.over_devices(tmp_path, Settings(**TWO))
    assert (asked["nodes"], asked["tasks_per_node"], asked["gpus_per_node"]) == (2, 1, 4)
    assert "--rdzv-endpoint=n17:29500" in ran[0]
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(MissingPart, match=r"trainer\.meet="):
        launch.over_devices(tmp_path, Settings(**TWO))
