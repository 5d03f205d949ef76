"""The units of step 14, one module for each kind."""
