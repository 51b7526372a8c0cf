"""The proof: what two models did on the same test examples -> what may be said about the difference.

    bootstrap   the difference with its interval, resampling what is independent; the swap test of the method itself
    layout      which test examples are resampled together
    verdict     the interval -> HELPED, HURT, NO EVIDENCE, TOO FEW; for general ability KEPT, FORGOT, UNDECIDED
    power       the smallest difference a test set would show, and the size that shows a given one
    ledger      how often a test set has been asked

The room may import `data`, `run`, `recipe`, `metrics`, `randomness` and `errors`; never an engine, a task or training.
"""
