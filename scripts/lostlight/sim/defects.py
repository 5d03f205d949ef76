"""Flaws of one plate: in the emulsion, on its surface, and what flew through the field."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lostlight.sim.cells import stream
from lostlight.sim.plates import EXPOSED_HALF_MM, SIDE_MM, Plate

BLOCK_MM = 10.0
"""Side of the squares of plate that have their own random stream."""
REACH_MM = 1.5
"""How far a flaw may stretch beyond its square, long lines excepted."""
MARK_STEP_MM = 4.0
FLAWS_DEG2 = 25.0
"""Compact flaws of the emulsion per square degree, nearly as sharp and round as a star."""

_DEG2_PER_BLOCK = (BLOCK_MM * 67.2 / 3600) ** 2
_OTHERS_DEG2 = {"blob": 6.0, "dust": 6.0, "hair": 2.5, "hole": 4.0}
_SCRATCHES_PER_PLATE, _METEORS_PER_PLATE, _AIRCRAFT_PER_PLATE = 40, 3, 1
_FIRST_SATELLITE_YR = 1957.76

SPOT = np.dtype([(name, "f8") for name in ("x_mm", "y_mm", "major_um", "minor_um", "angle_rad", "peak")])
LINE = np.dtype([(name, "f8") for name in ("x0_mm", "y0_mm", "x1_mm", "y1_mm", "width_um", "peak")])
MARK = np.dtype([("truth_id", "U24"), ("label", "U20"), ("x_mm", "f8"), ("y_mm", "f8"), ("peak", "f8")])


@dataclass
class Defects:
    """What to draw (`spots`, `lines`; density in counts) and what to tell (`marks`); mm from the plate's corner."""

    spots: list[tuple[float, ...]] = field(default_factory=list)
    lines: list[tuple[float, ...]] = field(default_factory=list)
    marks: list[tuple[str, str, float, float, float]] = field(default_factory=list)

    def extend(self, other: "Defects") -> None:
        """Take over another collection."""
        self.spots += other.spots
        self.lines += other.lines
        self.marks += other.marks


def in_window(
    seed: int, plate: Plate, x_mm: tuple[float, float], y_mm: tuple[float, float], flaws_deg2: float
) -> Defects:
    """Collect the flaws that touch a window of a plate, in an order that does not depend on the window.

    Parameters
    ----------
    seed : int
    plate : Plate
    x_mm, y_mm : tuple of float
        The window, mm from the corner of the plate.
    flaws_deg2 : float
        Density of compact flaws.
    """
    found = Defects()
    for j in _blocks(y_mm):
        for i in _blocks(x_mm):
            found.extend(_block(seed, plate, i, j, flaws_deg2))
    found.extend(_long(seed, plate))
    return found


def _blocks(span_mm: tuple[float, float]) -> range:
    last = int(SIDE_MM // BLOCK_MM)
    first = max(0, int((span_mm[0] - REACH_MM) // BLOCK_MM))
    return range(first, min(last, int((span_mm[1] + REACH_MM) // BLOCK_MM)) + 1)


def _block(seed: int, plate: Plate, i: int, j: int, flaws_deg2: float) -> Defects:
    made = Defects()
    for label, density in {"flaw": flaws_deg2, **_OTHERS_DEG2}.items():
        rng = stream(seed, f"defect_{label}", plate.index, j, i)
        for number in range(rng.poisson(density * _DEG2_PER_BLOCK)):
            x, y = (i + rng.random()) * BLOCK_MM, (j + rng.random()) * BLOCK_MM
            peak = _DRAW[label](made, x, y, rng)
            made.marks.append((f"{plate.id}-{label}-{j:02d}{i:02d}-{number}", f"defect_{label}", x, y, peak))
    return made


def _flaw(made: Defects, x: float, y: float, rng: np.random.Generator) -> float:
    """Draw a clump of developed grains, 10 to 22 um wide; the scan makes it nearly stellar."""
    sigma = rng.uniform(10, 22)
    on_scan = float(np.exp(rng.uniform(np.log(400), np.log(9000))))
    peak = on_scan * (1 + (18.2 / sigma) ** 2)
    made.spots.append((x, y, sigma, sigma * rng.uniform(0.85, 1), rng.uniform(0, np.pi), peak))
    return on_scan


def _blob(made: Defects, x: float, y: float, rng: np.random.Generator) -> float:
    """Draw a stain: wide, soft, of any shape."""
    peak = float(np.exp(rng.uniform(np.log(500), np.log(7000))))
    sigma = rng.uniform(50, 220)
    made.spots.append((x, y, sigma, sigma * rng.uniform(0.4, 1), rng.uniform(0, np.pi), peak))
    return peak


def _dust(made: Defects, x: float, y: float, rng: np.random.Generator) -> float:
    """Draw a speck of dust: a handful of sharp fragments."""
    peak = float(np.exp(rng.uniform(np.log(1500), np.log(9000))))
    heading = rng.uniform(0, np.pi)
    for step in rng.normal(0, 0.05, rng.integers(3, 8)):
        at = x + step * np.cos(heading) + rng.normal(0, 0.02), y + step * np.sin(heading) + rng.normal(0, 0.02)
        made.spots.append((*at, rng.uniform(15, 40), rng.uniform(12, 25), rng.uniform(0, np.pi), peak))
    return peak


def _hair(made: Defects, x: float, y: float, rng: np.random.Generator) -> float:
    """Draw a fibre: a curl of short strokes."""
    peak = float(rng.uniform(800, 6000)) * (1 if rng.random() < 0.7 else -0.15)
    heading, bend, step = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25), rng.uniform(0.03, 0.09)
    for _ in range(rng.integers(5, 16)):
        heading += bend + rng.normal(0, 0.12)
        end = x + step * np.cos(heading), y + step * np.sin(heading)
        made.lines.append((x, y, *end, 18.0, peak))
        x, y = end
    return peak


def _hole(made: Defects, x: float, y: float, rng: np.random.Generator) -> float:
    """Draw a bubble or a lost flake of emulsion: below the density of the sky."""
    peak = -float(rng.uniform(600, 3600))
    sigma = np.exp(rng.uniform(np.log(20), np.log(130)))
    made.spots.append((x, y, sigma, sigma * rng.uniform(0.6, 1), rng.uniform(0, np.pi), peak))
    return peak


_DRAW = {"flaw": _flaw, "blob": _blob, "dust": _dust, "hair": _hair, "hole": _hole}


def _long(seed: int, plate: Plate) -> Defects:
    """Draw what crosses much of the plate: scratches, meteors, aircraft, satellites, and the pen marks at its rim."""
    made = Defects()
    rng = stream(seed, "long defects", plate.index)

    def line(label: str, length_mm: float, width_um: float, peak: float, n: int = 1, gap_mm: float = 0.0) -> None:
        x, y = rng.uniform(0, SIDE_MM, 2)
        heading = rng.uniform(0, np.pi)
        dx, dy = length_mm / 2 * np.cos(heading), length_mm / 2 * np.sin(heading)
        for k in range(n):
            aside = (k - (n - 1) / 2) * gap_mm
            ox, oy = -aside * np.sin(heading), aside * np.cos(heading)
            made.lines.append((x - dx + ox, y - dy + oy, x + dx + ox, y + dy + oy, width_um, peak))
        # One mark every few millimetres, so that each window it crosses is told of it.
        along = np.linspace(-0.5, 0.5, int(length_mm // MARK_STEP_MM) + 2)
        name = f"{plate.id}-{label}-{len(made.lines)}"
        for k, t in enumerate(along):
            made.marks.append((f"{name}-{k}", f"defect_{label}", x + 2 * t * dx, y + 2 * t * dy, peak))

    for _ in range(rng.poisson(_SCRATCHES_PER_PLATE)):
        peak = rng.uniform(1500, 9000) if rng.random() < 0.6 else rng.uniform(-2500, -800)
        line("scratch", min(1 + rng.exponential(7), 60), rng.uniform(8, 20), peak)
    for _ in range(rng.poisson(_METEORS_PER_PLATE)):
        line("trail", rng.uniform(30, 200), rng.uniform(30, 50), rng.uniform(600, 6000))
    for _ in range(rng.poisson(_AIRCRAFT_PER_PLATE)):
        line("trail", 800.0, 40.0, rng.uniform(1500, 7000), n=int(rng.integers(2, 4)), gap_mm=rng.uniform(0.2, 0.5))
    if plate.epoch_yr > _FIRST_SATELLITE_YR:
        line("trail", 800.0, 35.0, rng.uniform(800, 4000))
    _pen(made, plate, rng)
    return made


def _pen(made: Defects, plate: Plate, rng: np.random.Generator) -> None:
    """Write the plate's number in ink along the northern edge, over the last stars."""
    x, y = rng.uniform(40, 250), SIDE_MM / 2 + EXPOSED_HALF_MM - rng.uniform(3, 9)
    for stroke in range(14):
        ends = (x + rng.uniform(-1, 1), y + rng.uniform(-2.5, 2.5), x + rng.uniform(-1, 2), y + rng.uniform(-2.5, 2.5))
        made.lines.append((*ends, 70.0, 9000.0))
        middle = (ends[0] + ends[2]) / 2, (ends[1] + ends[3]) / 2
        made.marks.append((f"{plate.id}-pen-{stroke}", "defect_pen", *middle, 9000.0))
        x += 2.2


def as_tables(defects: Defects) -> tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void]]:
    """Turn a collection into the arrays (SPOT, LINE, MARK)."""
    return np.array(defects.spots, SPOT), np.array(defects.lines, LINE), np.array(defects.marks, MARK)
