"""What was asked: every setting of a run and of a chain, validated."""
