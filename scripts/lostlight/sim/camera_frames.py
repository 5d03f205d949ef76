"""A folder of raw frames of a simulated camera, tidy as an observer would leave it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lostlight.io import fits
from lostlight.sim.camera import Camera
from lostlight.sim.camera_design import Scene, Shot

LIVELY = {"drift_adu": 3.0, "banding_adu": 0.3}
"""Flaws that change from frame to frame, which frames in a folder have unless told otherwise."""


@dataclass(frozen=True)
class Roll:
    """What a folder of frames holds: the camera, and the exposure behind each file."""

    camera: Camera
    shots: dict[str, Shot]
    """by path relative to the folder, with forward slashes"""


def write_frames(
    folder: Path,
    seed: int,
    *,
    shape: tuple[int, int] = (384, 512),
    overscan_px: int = 24,
    n_bias: int = 10,
    n_dark: int = 8,
    dark_s: Sequence[float] = (60.0, 120.0),
    n_flat: int = 10,
    n_flat_dark: int = 8,
    n_light: int = 5,
    light_s: float = 120.0,
    filters: Sequence[str] = ("R", "V"),
    cfa: str = "",
    dialect: str = "plain",
    scene: Scene | None = None,
    **switches: float | int | str | tuple[float, float],
) -> Roll:
    """Write a night of raw frames: biases, darks, flats with their darks, and dithered lights, in folders by kind.

    Parameters
    ----------
    folder : Path
        Made where it is absent.
    seed : int
        Of the camera, and of the simulated sky that lights show unless a `scene` says otherwise.
    shape : tuple of int
        Rows and columns that see light.
    overscan_px : int
        Columns to the left of them that see none; 0 for a camera without overscan.
    n_bias, n_dark, n_flat, n_flat_dark, n_light : int
        Frames of each kind: darks for each exposure, flats and lights for each filter; 0 leaves a kind out.
    dark_s : sequence of float
        Exposures of darks, s.
    light_s : float
        Exposure of lights, s.
    filters : sequence of str
        Not used with a colour-filter array, which needs none.
    cfa : str
        Pattern of a colour-filter array, such as RGGB; empty for mono.
    dialect : str
        How headers are written: one of `camera_header.DIALECTS`.
    scene : Scene, optional
    **switches
        Fields of `camera_design.Design`.

    Returns
    -------
    Roll
    """
    camera = Camera(
        seed,
        shape,
        scene=scene or Scene(sky=seed),
        dialect=dialect,
        overscan_px=overscan_px,
        cfa=cfa,
        **(LIVELY | switches),
    )
    bands = ("",) if cfa else tuple(filters)
    counted = {
        "bias": (n_bias, [Shot("bias")]),
        "dark": (n_dark, [Shot("dark", exptime_s=seconds) for seconds in dark_s]),
        "flat": (n_flat, [Shot("flat", exptime_s=2.0, filter=band, level_adu=25_000.0) for band in bands]),
        "flat_dark": (n_flat_dark, [Shot("flat_dark", exptime_s=2.0)]),
        "light": (n_light, [Shot("light", exptime_s=light_s, filter=band) for band in bands]),
    }
    shots = {_path(shot): shot for n, series in counted.values() for shot in _repeated(series, n)}
    for path, shot in shots.items():
        raw = camera.take(shot)
        fits.write_image(folder / path, raw.data, raw.header)
    return Roll(camera, shots)


def _repeated(series: Sequence[Shot], n: int) -> Iterator[Shot]:
    for shot in series:
        for index in range(n):
            yield Shot(shot.kind, index, shot.exptime_s, shot.temp_c, shot.filter, shot.level_adu)


def _path(shot: Shot) -> str:
    seconds = f"{shot.exptime_s:g}s" if shot.kind != "bias" else ""
    parts = (shot.kind, shot.filter, seconds, f"{shot.index:03d}")
    return f"{shot.kind}/{'_'.join(part for part in parts if part)}.fits"
