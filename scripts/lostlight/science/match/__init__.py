"""Joining detections to catalogues, and checking that the join is true."""
