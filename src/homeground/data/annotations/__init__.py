"""Texts with marked spans, whatever format they were written in: CoNLL columns, tags, offsets, exports of tools."""
