"""Parts of step 11, calibration: one for each thing it does."""
