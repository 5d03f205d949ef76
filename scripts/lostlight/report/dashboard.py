"""The dashboard: a copy of the latest page where it is always found."""

import os
from pathlib import Path

from lostlight.core import atomic

PAGE = "report.html"
TABLE = "anomalies_minimal.csv"


def publish(products_folder: Path, dashboard_folder: Path) -> Path:
    """Copy the page and the minimal table of a run to the dashboard, each whole or not at all, and give the page.

    The links of the page lead from its own folder into the run; those of the copy are made to lead there too.
    """
    away = Path(os.path.relpath(products_folder, dashboard_folder))
    page = (products_folder / "report.html").read_text(encoding="utf-8")
    for ours, theirs in (("../../", away.parent.parent), ("../", away.parent), ("./", away)):
        page = page.replace(f'href="{ours}', f'href="\0{theirs.as_posix()}/')
    atomic.write_text(dashboard_folder / PAGE, page.replace("\0", ""))
    atomic.write_bytes(dashboard_folder / TABLE, (products_folder / TABLE).read_bytes())
    return dashboard_folder / PAGE
