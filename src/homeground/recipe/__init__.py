"""The recipe: the settings of a run and of a chain, validated."""
