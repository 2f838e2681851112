"""A shot through a fit: what a fit is, and how its frames are made."""
