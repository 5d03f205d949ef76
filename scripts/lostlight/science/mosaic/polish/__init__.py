"""The last steps of a mosaic: what is badly covered goes."""
