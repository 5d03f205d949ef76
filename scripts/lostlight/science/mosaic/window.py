"""A rectangle of the canvas: whole pixels, counted from its first row and column."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Window:
    """Rows y0 up to y0 + height, columns x0 up to x0 + width."""

    y0: int
    x0: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas, to index an array with."""
        return slice(self.y0, self.y0 + self.height), slice(self.x0, self.x0 + self.width)

    @property
    def is_empty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.height <= 0 or self.width <= 0

    def within(self, other: "Window") -> tuple[slice, slice]:
        """Rows and columns of this window counted from the corner of another that holds it."""
        y, x = self.y0 - other.y0, self.x0 - other.x0
        return slice(y, y + self.height), slice(x, x + self.width)

    def meet(self, other: "Window") -> "Window":
        """Give what two windows share; it is empty where they share nothing."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        y1 = min(self.y0 + self.height, other.y0 + other.height)
        x1 = min(self.x0 + self.width, other.x0 + other.width)
        return Window(y0, x0, max(y1 - y0, 0), max(x1 - x0, 0))

    def grown(self, margin: int, shape: tuple[int, int]) -> "Window":
        """Add a margin on all sides, as far as the canvas of this shape goes."""
        whole = Window(0, 0, *shape)
        wide = Window(self.y0 - margin, self.x0 - margin, self.height + 2 * margin, self.width + 2 * margin)
        return wide.meet(whole)
