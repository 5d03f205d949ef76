"""The kinds of units of step 12, one file each."""
