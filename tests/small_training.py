"""Words that make a training run tiny, for tests of the command line."""

SMALL = ["trainer.workers=0", "trainer.batch_size=2", "trainer.val_windows=2", "trainer.threads=1"]
SMALL += ["task.size=[32,64]", "task.codecs=[grain]", "model.width=8", "model.long_px=64"]
SMALL += ["model.points=64", "trainer.accelerator=cpu"]
