"""Text comes in: a user's files are read, cleaned, audited, split and prepared, before any model is in sight.

The room reads exactly or refuses with the place, and leaves the meaning of a column to the task. It may import `run`,
`recipe`, `metrics`, `randomness`, `errors` and outside libraries; tasks, engines, training and evaluation stand after
it, so it knows none of them.
"""
