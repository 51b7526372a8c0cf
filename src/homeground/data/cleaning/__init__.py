"""Cleaning: texts are changed by an ordered list of named steps before a model reads them."""

from homeground.data.cleaning.cleaner import CLEANING_VERSION, Cleaner, expand_steps
from homeground.data.cleaning.documents import CleanedDocuments
from homeground.data.cleaning.steps import CLEANING, PRESETS, WORD_STEPS

__all__ = ["CLEANING", "CLEANING_VERSION", "PRESETS", "WORD_STEPS", "CleanedDocuments", "Cleaner", "expand_steps"]
