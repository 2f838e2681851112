"""A fit on its way into other people's tools: Nuke, Flame, anything that reads ONNX, LUTs, CDLs."""
