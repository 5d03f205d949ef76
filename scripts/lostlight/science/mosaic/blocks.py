"""The canvas in blocks that fit the memory: each holds all its frames at once, however many there are."""

from collections.abc import Iterator, Sequence

from lostlight.science.mosaic.window import Window

SMALLEST = 32
"""Blocks are not divided below this side: more memory than asked for is then used."""


def blocks(
    window: Window, frames: Sequence[Window], bytes_per_sample: float, memory_mb: float, bytes_per_pixel: float = 0
) -> Iterator[Window]:
    """Divide a window until the samples of a block fit the memory, row by row of the canvas.

    Parameters
    ----------
    window : Window
        What is to be worked through.
    frames : sequence of Window
        Where the frames lie.
    bytes_per_sample : float
        Memory that a pixel of a frame takes while it is worked on.
    memory_mb : float
    bytes_per_pixel : float
        Memory that a pixel takes however many frames there are.
    """
    n_frames = sum(not window.meet(frame).is_empty for frame in frames)
    needed = (max(n_frames, 1) * bytes_per_sample + bytes_per_pixel) * window.height * window.width
    longest = max(window.shape)
    if needed <= memory_mb * 1e6 or longest <= SMALLEST:
        yield window
        return
    for half in halves(window):
        yield from blocks(half, frames, bytes_per_sample, memory_mb, bytes_per_pixel)


def halves(window: Window) -> tuple[Window, Window]:
    """Cut a window in two across its longer side."""
    y0, x0, height, width = window.y0, window.x0, window.height, window.width
    if height >= width:
        first = height // 2
        return Window(y0, x0, first, width), Window(y0 + first, x0, height - first, width)
    first = width // 2
    return Window(y0, x0, height, first), Window(y0, x0 + first, height, width - first)
