"""The simulated sky: one seeded truth, its plates and catalogues, and a local server that speaks as the archives do."""
