"""Sentence encoders that are SavedModels: strings in, vectors out."""
