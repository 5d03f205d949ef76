"""What the search finds of what was planted, and why it misses the rest."""
