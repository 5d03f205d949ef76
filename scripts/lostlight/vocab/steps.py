"""The steps in reading order, and the order in which the work is done."""

SURVEY: tuple[str, ...] = (
    "00_tiles",
    "01_download",
    "02_masks",
    "03_detect",
    "04_psf",
    "05_measure",
    "06_reference",
    "07_xmatch",
    "08_filter",
    "09_summary",
    "10_package",
)
"""From positions to the archive of the run."""

FRAMES: tuple[str, ...] = ("11_calibrate", "12_mosaic")
"""What is done to own frames before they are searched like any plate."""

MOVERS: tuple[str, ...] = ("13_inject", "14_recover")
"""Beside both: sources planted in stacks of images, and the search for them and for what moves there in truth."""

STEPS: tuple[str, ...] = SURVEY + FRAMES + MOVERS
"""Every step there is, in order of the numbers."""

WHOLE: tuple[str, ...] = ("00_tiles", "09_summary", "10_package", *FRAMES, *MOVERS)
"""Steps on the run as a whole; all others work in shards."""

PLANT = "01_plant"
"""Takes the place of 01_download in the planted twin of a run: the same plates with artificial stars in them."""

TWIN_STEPS: tuple[str, ...] = SURVEY[1:9]
"""The steps whose folders exist twice, once for the plates and once for their planted twins."""


def word(step_id: str) -> str:
    """Give the config section of a step: ``03_detect`` is configured under ``detect``."""
    return step_id.split("_", 1)[1]


def rule(step_id: str) -> str:
    """Give the Snakemake rule of a step: ``03_detect`` is the rule ``step03``."""
    return "step" + step_id.split("_", 1)[0]


def module(step_id: str) -> str:
    """Give the module that holds a step: ``03_detect`` lives in ``lostlight.steps.s03_detect``."""
    return f"lostlight.steps.s{step_id}"
