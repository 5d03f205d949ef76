"""Time what Lostlight does beside what does it elsewhere, in one run, and print the ratios.

usage: python scripts/dev/bench.py [--full] [NAME ...]      NAME: one of BENCHES
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from benches import (
    cases,
    chain,
    cosmetic,
    epochs,
    flat,
    inject,
    light,
    match,
    mosaic,
    motion,
    night,
    population,
    recover,
    register,
    render,
    search,
    stack,
    startup,
    warp,
    whole,
)

BENCHES = {
    "chain": chain.rows,
    "match": match.rows,
    "flat": flat.rows,
    "stack": stack.rows,
    "light": light.rows,
    "cosmetic": cosmetic.rows,
    "night": night.rows,
    "startup": startup.rows,
    "warp": warp.rows,
    "register": register.rows,
    "mosaic": mosaic.rows,
    "epochs": epochs.rows,
    "motion": motion.rows,
    "population": population.rows,
    "render": render.rows,
    "inject": inject.rows,
    "search": search.rows,
    "recover": recover.rows,
    "cases": cases.rows,
    "whole": whole.rows,
}


def main(arguments: list[str]) -> None:
    full = "--full" in arguments
    names = [name for name in arguments if not name.startswith("-")] or list(BENCHES)
    print(f"{'what':58} {'ours':>10} {'peer':>10} {'ratio':>8}  bar")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for row in BENCHES[name](Path(folder), full):
                print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
