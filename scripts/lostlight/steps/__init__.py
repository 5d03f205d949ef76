"""One thin file per step: read inputs, call science, write outputs."""
