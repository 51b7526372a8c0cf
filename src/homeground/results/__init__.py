"""What a run leaves: its folder, its records and the ledger of verdicts."""
