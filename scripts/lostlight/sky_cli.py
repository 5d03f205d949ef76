"""The verbs ``lostlight sky …``: what is simulated, to try things on."""

from pathlib import Path

import click

from lostlight.core.errors import ConfigError


@click.group()
def sky() -> None:
    """The simulated sky."""


@sky.command("frames")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=20, show_default=True, help="which camera or mosaic")
@click.option("--cfa", is_flag=True, help="a camera with a colour-filter array; tiles in colour")
@click.option("--tiles", is_flag=True, help="calibrated frames of a mosaic, with a sky solution, instead of raw ones")
@click.option("--movers", is_flag=True, help="images of two nights of a field in which three bodies move")
def frames_of_a_camera(folder: Path, seed: int, cfa: bool, tiles: bool, movers: bool) -> None:
    """Write simulated frames: biases, darks, flats and lights of one night, or those of a mosaic or of movers."""
    from lostlight.sim.camera_frames import write_frames
    from lostlight.sim.mosaics_files import write_tiles
    from lostlight.sim.movers import Movers

    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty", hint="give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    if tiles:
        write_tiles(folder, seed, colour=cfa)
    elif movers:
        Movers(seed).write(folder)
    else:
        write_frames(folder, seed, **({"cfa": "RGGB"} if cfa else {}))
    click.echo(f"{'tiles' if tiles else 'images' if movers else 'raw frames'}: {folder}")


@sky.command()
@click.option("--seed", type=click.IntRange(min=0), default=20, show_default=True, help="which sky")
@click.option("--port", type=click.IntRange(0, 65535), default=8020, show_default=True, help="0 picks a free one")
@click.option("--fault", "faults", multiple=True, metavar="NAME[=VALUE]", help="switch a fault on; repeatable")
@click.option("--attached", is_flag=True, hidden=True, help="end when standard input does")
def serve(seed: int, port: int, faults: tuple[str, ...], attached: bool) -> None:
    """Serve the simulated sky as the archives would: DSS, VizieR, SkyBoT."""
    from lostlight.sim import local

    local.serve_forever(seed, port, faults, announce=lambda url: click.echo(url), attached=attached)
