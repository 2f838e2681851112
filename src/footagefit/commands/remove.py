"""`footagefit remove`: take a signature's lens and grain off a clip."""

from footagefit.commands import lensing

remove = lensing.verb("remove")
