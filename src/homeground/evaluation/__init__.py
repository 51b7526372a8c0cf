"""The proof: what two models did on the same test units -> what may be said about the difference.

    evaluation_set, general_sets    examples that belong together: the test set, and those that show general ability
    evaluate, calibration, merging  one model on an evaluation set, its temperature, the weights it may be merged with
    comparison, verdict             two models on one set, and the one word and sentence that follow

The formulas are those of `statistics`. No engine and no training is imported here, and no task by name.
"""
