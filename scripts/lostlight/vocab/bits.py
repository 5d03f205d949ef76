"""Every mask bit and every flag bit, declared once: name, value, meaning."""

from collections.abc import Iterable
from typing import NamedTuple


class Bit(NamedTuple):
    """One named bit of a mask image or of a flags column."""

    name: str
    value: int
    text: str


def _declare(*pairs: tuple[str, str]) -> tuple[Bit, ...]:
    return tuple(Bit(name, 1 << power, text) for power, (name, text) in enumerate(pairs))


MASK = _declare(
    ("SATURATED", "photographic density at or above the tile's own saturation level"),
    ("BRIGHT_STAR", "inside the disc of a bright star"),
    ("HALO", "inside the halo of a bright star"),
    ("SPIKE", "on a diffraction spike of a bright star"),
    ("GHOST", "inside the ghost image of a bright star"),
    ("EDGE", "near the edge of the plate or of the image"),
    ("BLANK", "no exposed emulsion or no data: blank wedge, NaN"),
    ("TRAIL", "on a scratch or on the trail of something that moved"),
    ("DEFECT", "a cosmetic flaw whose pixels were replaced"),
)

FILTER = _declare(
    ("MATCHED", "a catalogue row that proves persistence lies within the match radius"),
    ("EXTRACTION", "extraction flags are set: blended, truncated or saturated"),
    ("SNR", "signal to noise below the gate"),
    ("SPREAD", "SPREAD_MODEL outside the gate: sharper or wider than a star"),
    ("FWHM", "FWHM outside the gate"),
    ("ELONGATION", "elongation above the gate"),
    ("EXTENT", "bounding box not that of a star"),
    ("CLIP", "outside the 2-sigma clip of the stars of the tile"),
    ("SPIKE_RULE", "close to a bright catalogue star: diffraction spike rule"),
    ("HIGH_PM", "a star of high proper motion was here at the plate's epoch"),
    ("MASKED", "on masked pixels"),
    ("LOCUS", "outside the stellar locus of its own tile"),
    ("DUPLICATE", "the same source as another row of the same plate"),
    ("SKYBOT", "on the trail of a known solar-system body"),
    ("VSX", "a known variable star"),
    ("SECOND_CATALOG", "present in a second catalogue"),
    ("FIRST_EPOCH_ONLY", "label: matched only by a row seen at the first epoch, which proves no persistence"),
    ("OTHER_PLATE", "label: also detected on an overlapping plate"),
    ("NOT_COVERED", "label: a veto asked for does not cover this position"),
)

DQ = (
    Bit("BAD", 1, "bad by the map of bad pixels"),
    Bit("HOT", 2, "hot: dark current far above that of its neighbours"),
    Bit("COLD", 4, "cold: far less sensitive than its neighbours"),
    Bit("SATURATED", 8, "at or above the level of saturation in the raw frame"),
    Bit("COSMIC", 16, "hit by a cosmic ray"),
    Bit("NONLINEAR", 32, "above the level from which the camera is not linear"),
    Bit("NO_FLAT", 64, "not flat-fielded: the flat is too low or too uncertain here"),
    Bit("INTERPOLATED", 128, "replaced by its neighbours"),
    Bit("FEW_SAMPLES", 256, "a master pixel with fewer samples than rejection must leave"),
    Bit("UNSTABLE", 512, "dark current that follows no straight line, or jumps"),
    Bit("NO_DATA", 1024, "no value: NaN in the raw frame, or outside of the detector"),
    Bit("NO_DARK_MATCH", 2048, "the dark was taken at another exposure or temperature"),
    Bit("GLOW", 4096, "amplifier glow that the dark does not take off"),
)
"""Data-quality bits of calibrated frames and masters."""

INJECTION = _declare(
    ("OUT", "outside of the image"),
    ("CLIPPED", "less than 90 % of the flux on the image"),
    ("MASKED", "more than 10 % of the flux on masked pixels"),
    ("SATURATED", "pushed a pixel to the level of saturation"),
    ("BLENDED", "nearer than two FWHM to a static source that is not much fainter"),
    ("OVERLAP_INJ", "nearer than 20 FWHM to another injected source"),
    ("DROPOUT", "left out of this image on purpose"),
    ("TRAILED", "trail longer than half the FWHM"),
    ("FAINT", "signal to noise below one on this image"),
    ("EXTRAP_PSF", "PSF taken from elsewhere than this image"),
)
"""Flags of injected sources and of each of their images."""

STACK = (
    Bit("BAD", 1, "bad by the mask that came with the image, or not finite"),
    Bit("SATURATED", 2, "at or above the level of saturation"),
    Bit("NO_DATA", 4, "outside of the image"),
    Bit("STAR", 8, "on a static source"),
    Bit("INJECTED", 16, "more than 1 % of the peak of an injected source"),
    Bit("SPIKE", 32, "sharper than any star: a cosmic ray, a hot or a dead pixel"),
)
"""Bits of the mask of a stack of images."""

STACK_BAD = 39
"""Those of pixels that hold no measurement."""

LABELS: frozenset[str] = frozenset({"FIRST_EPOCH_ONLY", "OTHER_PLATE", "NOT_COVERED"})
"""Filter bits that describe a row and remove nothing."""

_VALUES = {
    kind: {bit.name: bit.value for bit in declared}
    for kind, declared in (
        ("mask", MASK),
        ("filter", FILTER),
        ("dq", DQ),
        ("injection", INJECTION),
        ("stack", STACK),
    )
}


def mask(*names: str) -> int:
    """Combine named mask bits into one integer; raises KeyError for an unknown name."""
    return sum(_VALUES["mask"][name] for name in set(names))


def filters(*names: str) -> int:
    """Combine named filter bits into one integer; raises KeyError for an unknown name."""
    return sum(_VALUES["filter"][name] for name in set(names))


def dq(*names: str) -> int:
    """Combine named data-quality bits into one integer; raises KeyError for an unknown name."""
    return sum(_VALUES["dq"][name] for name in set(names))


def injection(*names: str) -> int:
    """Combine named flags of injected sources into one integer; raises KeyError for an unknown name."""
    return sum(_VALUES["injection"][name] for name in set(names))


def stack(*names: str) -> int:
    """Combine named bits of the mask of a stack into one integer; raises KeyError for an unknown name."""
    return sum(_VALUES["stack"][name] for name in set(names))


DO_NOT_USE = dq("BAD", "SATURATED", "COSMIC", "NO_FLAT", "NO_DATA")
"""Data-quality bits of pixels that must not be used; hot and cold ones join them where they were not repaired."""


def names(value: int, bits: Iterable[Bit]) -> list[str]:
    """List the names of the bits that are set in `value`, in order of declaration."""
    return [bit.name for bit in bits if value & bit.value]
