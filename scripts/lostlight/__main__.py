"""Entry for ``python -m lostlight``."""

from lostlight.cli import main

main()
