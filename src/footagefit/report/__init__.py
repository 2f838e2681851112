"""Pages that people decide from: one look, a few parts, no network. Takes plain data alone."""
