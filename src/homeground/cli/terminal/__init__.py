"""What the commands share with the terminal: results, progress, hints, and standard input."""
