"""footagefit: train on one film's own dailies, then make its problem shots sit in the cut."""

__version__ = "0.1.0"
