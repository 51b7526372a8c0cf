"""Text comes in: the user's files are read, split, checked for leaks and tokenized, before any model is opened.

    opening, formats, tables, streams    a path becomes text, rows and a table, read exactly or refused with the place
    examples, documents, units           a task's examples, with the hashes of their texts and their independent units
    splitting, shares, corpus, summary   examples become splits or folds, and a record of all that happened to them
    leakage                              what a model has seen before, and what it must not see
    segmentation, tokens                 words and token ids

What a column means is left to the task: this room imports no task, engine, training or evaluation.
"""
