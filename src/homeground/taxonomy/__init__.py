"""A tree becomes pairs: a taxonomy is read, split, and turned into scored pairs of texts."""
