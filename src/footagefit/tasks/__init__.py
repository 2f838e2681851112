"""What to learn: a window of frames in, supervised examples out. Nothing here owns weights."""
