"""Which frames: from folders of dailies to the right windows of the right takes.

Here: scanning, cuts, slates, the catalogue, splits, windows and the data module. Not here:
decoding and colour (`footage`), and anything that knows a task.
"""
