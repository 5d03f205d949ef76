"""Progress for people: a bar on a terminal, one plain line per percent otherwise."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[float, int, str], None]
"""Called with how much is done, of how much, and the name of what was done last."""


@contextmanager
def shown(title: str, stream: TextIO | None = None) -> Iterator[Progress]:
    """Give a function ``report(done, total, name)`` that shows how far the work titled `title` has come."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _lines(title, stream)


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    name = TextColumn("{task.fields[name]}", markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), name)
    with Bars(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=None, name="")
        yield lambda done, total, name: bars.update(task, completed=done, total=total, name=name)


def _lines(title: str, stream: TextIO) -> Progress:
    said = -1

    def report(done: float, total: int, name: str) -> None:
        nonlocal said
        percent = int(100 * done / max(total, 1))
        if percent > said:
            said = percent
            print(f"{title}: {percent:3d} % ({int(done)} of {total}) {name}".rstrip(), file=stream, flush=True)

    return report
