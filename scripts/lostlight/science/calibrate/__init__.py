"""Raw frames to masters and clean lights: one method per file."""
