"""Data that is no stream of text: Parquet and Arrow, spreadsheets, folders, several files, and tables in Python."""
