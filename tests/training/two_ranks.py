"""One rank of runs on the tiny show, one after another; started by torchrun in `test_ranks.py`.

Each word is a run's folder; `folder@10` stops that run at step 10. What a parted run gathered of
its weights is left in its folder, in `gathered.json`.
"""

import json
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


class Gathered:
    """Weights that lie whole on this rank, counted as groups of them are gathered and let go."""

    def __init__(self, kind):
        self.now, self.most, self.sizes, self.rest = {}, 0, {}, 0
        gather, let_go = kind.unshard, kind._to_sharded

        def gathering(group, *args, **said):
            gather(group, *args, **said)
            size = sum(math.prod(p._orig_size) for p in group.fsdp_params)
            self.now[id(group)] = self.sizes[id(group)] = size
            if any(module.__class__.__name__.endswith("Model") for module in group.modules):
                self.rest = size
            self.most = max(self.most, sum(self.now.values()))

        def letting_go(group):
            let_go(group)
            self.now.pop(id(group), None)

        kind.unshard, kind._to_sharded = gathering, letting_go

    def tell(self, folder: Path) -> None:
        sizes = sorted(self.sizes.values())
        told = {"most": self.most, "rest": self.rest, "sizes": sizes, "left": len(self.now)}
        (folder / "gathered.json").write_text(json.dumps(told))
        self.now, self.most, self.sizes = {}, 0, {}


if __name__ == "__main__":
    from torch.distributed.fsdp._fully_shard._fsdp_param_group import FSDPParamGroup

    from footagefit.training.callbacks import Checkpoints
    from footagefit.training.run import Stopped, execute
    from training.conftest import sides

    gathered = Gathered(FSDPParamGroup)
    hear = Checkpoints.on_train_batch_end
    for word in sys.argv[1:]:
        folder, _, step = word.partition("@")

        def told(self, trainer, *args, last=int(step or -1)):
            self.told = self.told or trainer.global_step == last
            hear(self, trainer, *args)

        Checkpoints.on_train_batch_end = told
        with suppress(Stopped):
            execute(Path(folder), sides())
        if os.environ["RANK"] == "0":
            gathered.tell(Path(folder))
