"""The frames that ``tiles:<seed>`` names: two clear nights on six small tiles, with what commonly goes wrong.

Their stars are those of the simulated sky ``sky:<seed>``, so that its catalogues know them.
"""

from pathlib import Path

from lostlight.sim.mosaics import Scene, scene, write


def tiles(seed: int, *, colour: bool = False) -> Scene:
    """Make the scene behind ``tiles:<seed>``: 24 frames, one of them with a satellite and one out of focus."""
    return scene(
        seed,
        layout=(2, 3),
        tile_px=(240, 320),
        n_per_tile=4,
        nights=2,
        channels=3 if colour else 1,
        filters=("R",),
        exptimes_s=(120.0,),
        centre=(110.0, 20.0),
        scale_arcsec=2.5,
        nebula=40.0,
        sky=seed,
        slopes=25,
        dither_px=6,
        rotation_deg=1.5,
        seeing=0.04,
        trails=1,
        cosmics=2,
        hot_px=20,
        bad={8: "blurred"},
    )


def write_tiles(folder: Path, seed: int, *, colour: bool = False) -> Scene:
    """Write the frames of ``tiles:<seed>`` and give the scene, whose truth is known."""
    made = tiles(seed, colour=colour)
    write(folder, made)
    return made
