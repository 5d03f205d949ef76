#!/usr/bin/env python3
"""Search N random positions on the sky; the exit codes are those of one2pass.py."""

from environment import enter

enter()  # before anything that only the environment has

from pathlib import Path

import click

from one2pass import NOWHERE, exit_with, launch, new_run_id, presets


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-n", "n_positions", type=click.IntRange(min=1), default=10, show_default=True, help="how many positions")
@click.option("--seed", default=0, show_default=True, help="the same seed gives the same positions")
@click.option("--dec-min", type=click.FloatRange(-90, 90), default=-30, show_default=True, help="southern limit")
@click.option("--preset", multiple=True, help="configuration of config/presets to lay over; repeatable")
@click.option("--config", "layers", multiple=True, type=click.Path(path_type=Path), help="the same, from a file")
@click.option("--run-id", default="", help="name of the run; default run-YYYYMMDD_HHMMSS")
@click.option("--dry-run", is_flag=True, help="say what would be done")
def main(
    n_positions: int,
    seed: int,
    dec_min: float,
    preset: tuple[str, ...],
    layers: tuple[Path, ...],
    run_id: str,
    dry_run: bool,
) -> None:
    """Search N random positions on the sky for what vanished."""
    overlay = {
        "run": {"id": run_id or new_run_id()},
        "tiles": {
            **NOWHERE,
            "mode": "hex30",
            "rings": 0,
            "random_n": n_positions,
            "seed": seed,
            "dec_min_deg": dec_min,
        },
    }
    exit_with(lambda: launch(overlay, [*presets(preset), *layers], dry_run=dry_run))


if __name__ == "__main__":
    main()
