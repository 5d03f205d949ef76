"""Deciding what vanished: gates, duplicates, vetoes, and how complete the decision is."""
