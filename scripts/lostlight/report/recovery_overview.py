"""The page of a search of several stacks: a row for each, in a file that needs nothing but itself."""

from collections.abc import Mapping
from typing import Any

from lostlight.report import recovery
from lostlight.report.products import environment


def html(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the page.

    Parameters
    ----------
    told : mapping of str to mapping
        Name of each stack to the content of its ``recovery.json``; the page of a stack is ``<name>.html`` beside.
    """
    rows = [_row(name, each) for name, each in told.items()]
    return (
        environment({})
        .get_template("recovery_overview.html")
        .render(rows=rows, sentence=_sentence(rows), version=rows[0]["version"] if rows else "")
    )


def _row(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Give the numbers of one stack."""
    stack = told["stack"]
    return recovery.headline(told) | {
        "name": name,
        "filter": stack["filter"],
        "arc_days": stack["arc_days"],
        "is_instrumental": told["is_instrumental"],
        "n_nulls": len(told["alarms"]),
        "version": told["software"].get("lostlight", ""),
    }


def _sentence(rows: list[dict[str, Any]]) -> str:
    kept, planted = (sum(row[name] for row in rows) for name in ("n_kept", "n_injected"))
    found = f"{kept:,} candidate{'' if kept == 1 else 's'} in {len(rows)} stacks of images."
    if not planted:
        return found
    return f"{found} Of {planted:,} planted sources {sum(row['n_recovered'] for row in rows):,} came back."
