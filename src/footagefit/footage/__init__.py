"""Pixels in and out, colour, timelines. Frames go by the number the file gives them."""
