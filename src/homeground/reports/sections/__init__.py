"""The sections of the report, one a file: each turns a run record into the plain values that its template needs.

A section whose part of the run is missing says what is missing in one sentence, or returns None and is left out.
"""
