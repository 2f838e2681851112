"""How to learn: tensors in, tensors out. Nothing here knows a show, a clip or a file of footage."""
