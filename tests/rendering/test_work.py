"""How much memory work takes."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch

from footagefit.rendering import work


def held_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library has no way to"
)
def test_what_is_free_between_what_is_used_goes_back_to_the_machine():
    some = [torch.ones(24 * 1024) for _ in range(2000)]  # 96 KiB each
    used = some[::50]
    most = held_mib()
    del some
    work.let_go()
    assert held_mib() < most - 120
    assert len(used) == 40


def test_where_the_c_library_has_no_way_nothing_is_done(monkeypatch):
    monkeypatch.setattr(work, "_trim", lambda: None)
    work.let_go()
