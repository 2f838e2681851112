"""What was shot, judged: measures, continuity, search, selects; all on the dailies' database.

Here: measures of shots and how they are kept, takes held against each other, finding shots by
words, picture or light, ranking takes, the cut of the best. Not here: finding and scanning footage
(`dailies`), any one estimator (`signature`), taking a shot through a fit (`rendering`).
"""
