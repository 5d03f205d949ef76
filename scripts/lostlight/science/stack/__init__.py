"""The combine kernel: many aligned frames to one, in chunks of rows, for masters and for mosaics."""
