"""One rank of runs on the tiny show, one after another; started by torchrun in `test_ranks.py`.

Each word is a run's folder; `folder@10` stops that run at step 10.
"""

import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

if __name__ == "__main__":
    from footagefit.training.callbacks import Checkpoints
    from footagefit.training.run import Stopped, execute
    from training.conftest import sides

    hear = Checkpoints.on_train_batch_end
    for word in sys.argv[1:]:
        folder, _, step = word.partition("@")

        def told(self, trainer, *args, last=int(step or -1)):
            self.told = self.told or trainer.global_step == last
            hear(self, trainer, *args)

        Checkpoints.on_train_batch_end = told
        with suppress(Stopped):
            execute(Path(folder), sides())
