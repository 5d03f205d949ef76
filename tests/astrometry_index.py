"""An index of planted stars for astrometry.net, made by the program itself."""

import shutil
import subprocess

import pytest
from astropy.io import fits

needs_program = pytest.mark.skipif(
    not (shutil.which("solve-field") and shutil.which("build-astrometry-index")), reason="astrometry.net is absent"
)


def build(folder, ra_deg, dec_deg, mag):
    """Build an index of stars; gives the configuration that names it."""
    columns = zip(("RA", "DEC", "MAG"), (ra_deg, dec_deg, mag), strict=True)
    fits.BinTableHDU.from_columns([fits.Column(name, "D", array=values) for name, values in columns]).writeto(
        folder / "stars.fits"
    )
    settings = ["-P", "4", "-S", "MAG", "-n", "100", "-E", "-M", "-I", "9000"]
    words = ["build-astrometry-index", "-i", "stars.fits", "-o", "index-own.fits", *settings]
    subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=60)
    config = folder / "engine.cfg"
    config.write_text(f"add_path {folder}\nindex index-own.fits\n")
    return config
