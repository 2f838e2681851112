"""`footagefit apply`: put a signature's lens and grain on a clean clip."""

from footagefit.commands import lensing

apply = lensing.verb("apply")
