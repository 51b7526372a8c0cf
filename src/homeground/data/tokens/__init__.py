"""Texts become token ids: those of examples in memory, those of a large corpus in files that later runs find again."""
