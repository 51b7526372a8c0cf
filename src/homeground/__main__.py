"""``python -m homeground`` is the command ``homeground``."""

from homeground.cli import main

main()
