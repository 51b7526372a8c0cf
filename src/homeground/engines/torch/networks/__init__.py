"""What a model of this engine computes with: a body of transformers, and what is on top of it."""
