"""Synthetic sources planted in images: rendered exactly, with the truth beside them."""
