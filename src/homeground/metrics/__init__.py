"""The formulas: numbers in, numbers out, in plain NumPy and SciPy.

    correlation     scored pairs (Pearson, Spearman, errors) and unscored pairs (rank of the right text)

A metric is a function of sums of per-item statistics, so that the bootstrap can reweight items without seeing a model.
The room may import `errors` and nothing else of the house.
"""
