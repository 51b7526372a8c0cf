"""How often the verdict errs and how often it finds what it promises: simulated test sets whose truth is known.

designs    which examples depend on each other
worlds     one value for every kind of statistics, and what worlds share
pairs  texts  labels  counts    the worlds: what two models score, drawn at random, and the truth by formula
cell       one world, design and size: many test sets, their intervals and verdicts, as shares
methods    other intervals on the same test sets, to choose by coverage
shares     where little changes or nearly all is right: KEPT, a score of its own, equal checkpoints
rare       macro F1 by how many texts its rarest class has
leaked     what test texts that were learned from do to the verdict, and that it is right without them
"""
