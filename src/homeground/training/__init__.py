"""The loop: batches, schedule, early stopping, checkpoints and what is logged of them.

Sees tasks and engines only through their protocols, and evaluation not at all: adapt.py hands ``evaluate`` in. May
import run, recipe, randomness and errors.
"""
