"""The soundstage: a procedural set that shoots dailies with the truth beside them.

Plain torch, on the CPU or a GPU, the same from the same seeds. `filming` is the door: ask for a
set-up, get frames and truth. `scene`, `tracing`, `materials`, `lights`, `render` make the light;
`lens` and `sensor` make it footage; `training` makes batches for models; `crew` shoots whole shows.
"""
