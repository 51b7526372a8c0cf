"""A model in use: loaded from a run, a folder or the Hub, for predictions."""
