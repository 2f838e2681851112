"""One process of a run over several devices: `torchrun -m footagefit.training.worker <run>`.

Reads the run's folder and nothing else, so that every rank runs the same thing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from footagefit.errors import FootagefitError
from footagefit.training.lessons import with_lessons
from footagefit.training.run import Plan, execute
from footagefit.training.shows import (
    dailies_of,
    need_show,
    sides_of,
    with_keyframes,
    with_real_pairs,
)
from footagefit.training.stage import with_replay

RESULT = "result.json"


def main(folder: Path) -> int:
    """Work on a run as one of its ranks."""
    plan = Plan.read(folder)
    try:
        task = plan.recipe.build_task()
        dailies = dailies_of(need_show(plan.show), plan.settings, spec=task.spec)
        sides = with_real_pairs(sides_of(dailies), dailies, task=task, settings=plan.settings)
        sides = with_keyframes(sides, plan.keyframes, space=dailies.show.space)
        sides = with_replay(sides, dailies.show.work / "cache", task=task, plan=plan)
        sides = with_lessons(sides, folder, task=task, seed=plan.settings.seed)
        numbers = execute(folder, sides, plan=plan)
    except FootagefitError as error:
        if os.environ.get("FOOTAGEFIT_DEBUG") == "1":
            raise
        print(f"footagefit: rank {os.environ.get('RANK', '0')}: {error}", file=sys.stderr)
        return error.exit_code
    if os.environ.get("RANK", "0") == "0":
        (folder / RESULT).write_text(json.dumps(numbers), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
