"""The task classification: labelled texts, or pairs of texts."""
