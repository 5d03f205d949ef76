"""Copies of the page where people look for it: on the dashboard, and beside the package of the run."""

import os
from collections.abc import Sequence
from pathlib import Path

from lostlight.core import atomic

PAGE = "report.html"


def publish(products_folder: Path, folder: Path, tables: Sequence[str] = ("anomalies_minimal.csv",)) -> Path:
    """Copy the page of a run, and some of its tables, to another folder, each whole or not at all.

    The links of the page lead from its own folder into the run; those of the copy are made to lead there too.

    Parameters
    ----------
    products_folder : Path
        ``<run>/09_summary/products``.
    folder : Path
        Where the copies go.
    tables : sequence of str
        Names of further products to copy.

    Returns
    -------
    Path
        The copy of the page.
    """
    away = Path(os.path.relpath(products_folder.resolve(), folder.resolve()))
    page = (products_folder / PAGE).read_text(encoding="utf-8")
    for ours, theirs in (("../../", away.parent.parent), ("../", away.parent), ("./", away)):
        page = page.replace(f'href="{ours}', f'href="\0{theirs.as_posix()}/')
    atomic.write_text(folder / PAGE, page.replace("\0", ""))
    for name in tables:
        atomic.write_bytes(folder / name, (products_folder / name).read_bytes())
    return folder / PAGE
