"""The formulas: numbers in, numbers out, in plain NumPy and SciPy.

    correlation     scored pairs (Pearson, Spearman, errors) and unscored pairs (rank of the right text)
    classification  classes of texts (accuracy, F1, log loss, calibration), one label a text or several

A metric is a function of sums of per-item statistics, so that the bootstrap can reweight items without seeing a model.
The room may import `errors` and nothing else of the house.
"""
