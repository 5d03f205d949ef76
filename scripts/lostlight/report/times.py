"""How long a step took, unit by unit: a page beside ``timings.json``, never hashed and never packaged.

It is no product, because no product holds a time: the same work would give other bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lostlight.core import atomic
from lostlight.report.products import environment


def write(manifest: Path) -> Path | None:
    """Write ``times.html`` beside the manifest of a step and give its path; None where there are no timings.

    Parameters
    ----------
    manifest : Path
        ``manifest.json`` of a step; its ``timings.json`` lies beside it.
    """
    timings = manifest.with_name("timings.json")
    if not timings.is_file():
        return None
    page = manifest.with_name("times.html")
    atomic.write_text(page, html(manifest.parent.name, json.loads(timings.read_bytes())))
    return page


def html(step_id: str, timings: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the page.

    Parameters
    ----------
    step_id : str
        Name of the step.
    timings : mapping
        Content of ``timings.json``: unit to reused, elapsed_s, cpu_s and peak_mb.
    """
    fresh = [(name, timing) for name, timing in timings.items() if not timing["reused"]]
    longest = max((timing["elapsed_s"] for timing in timings.values()), default=0.0)
    return (
        environment({"seconds": seconds})
        .get_template("times.html")
        .render(
            step=step_id,
            units=sorted(fresh, key=lambda each: (-each[1]["elapsed_s"], each[0])),
            longest=longest or 1.0,
            reused=sorted(name for name, timing in timings.items() if timing["reused"]),
            elapsed_s=sum(timing["elapsed_s"] for timing in timings.values()),
            cpu_s=sum(timing["cpu_s"] for timing in timings.values()),
            peak_mb=max((timing.get("peak_mb", 0.0) for timing in timings.values()), default=0.0),
        )
    )


def seconds(value: float) -> str:
    """Write a time for people: 0.31 s, 12.4 s, 3 min 20 s, 1 h 02 min."""
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
