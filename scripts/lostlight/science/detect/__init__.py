"""Finding and measuring sources on one tile, with and without a PSF model."""
