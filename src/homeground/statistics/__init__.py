"""The formulas: arrays in, numbers out, in NumPy and SciPy alone.

    correlation     metrics of scored pairs (Pearson, Spearman, errors) and of unscored pairs (rank of the right text)
    classification  metrics of labelled texts (accuracy, F1, log loss, calibration error), one label a text or several
    masked          metrics of masked language modelling (perplexities, accuracy)
    calibration     temperature of a softmax, and the confidence from which answers are reliable
    bootstrap       interval of a difference between two models, over the units of `resampling`
    over_seeds      the same over several trainings
    power           smallest detectable difference, and the test set that detects a given one
    holm            correction for several comparisons on one test set
    glossary        label, meaning and direction of every metric

A metric is a function of sums of per-item statistics, so the bootstrap can reweight items without running a model.
"""
