"""The units of step 13, one module for each kind."""
