"""The loop: batches, schedule, early stopping, snapshots, and the events of what happens.

Tasks and models are seen only through their protocols, and `evaluation` not at all: ``experiment`` hands in the
function that evaluates.
"""
