"""Where frames are combined: on a graphics card as far as it can, else on the processor."""

import logging
from collections.abc import Iterator, Sequence

from lostlight.core.params import MosaicParams
from lostlight.core.step import Lent
from lostlight.science.mosaic.blocks import SMALLEST, halves
from lostlight.science.mosaic.coadd import Coadded, Placed, coadd
from lostlight.science.mosaic.coadd_device import coadd_on, uncovered
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.card import card
from lostlight.steps.mosaicking.placed import rule, warp_rules

SHARE = 0.6
"""Of the memory, what the samples of a block may take; the rest is for combining them."""
_log = logging.getLogger(__name__)


class Bench:
    """Combines blocks of frames; once a card cannot go on, the processor does the rest of the unit.

    Attributes
    ----------
    used : set of str
        gpu where a card made a block, cpu where the processor did.
    warnings : list of str
        Why the processor did what a card should have done.
    """

    def __init__(self, params: MosaicParams, lent: Lent) -> None:
        self.warp_rules, self.rule, self.lent = warp_rules(params), rule(params), lent
        self.used, self.warnings = set[str](), list[str]()
        self.card, self.too_large_px = card(lent.device), float("inf")
        if self.card and (what := uncovered(self.warp_rules, self.rule)):
            self._leave_card(f"{what} is not made for graphics cards")

    @property
    def device(self) -> str:
        """Give gpu where a card made any of it, else cpu."""
        return "gpu" if "gpu" in self.used else "cpu"

    def work(
        self, frames: Sequence[Placed], block: Window, canvas_shape: tuple[int, int]
    ) -> Iterator[tuple[Window, Coadded]]:
        """Combine the frames on a block, or on parts of it where the memory of the card holds no more."""
        if self.card is None:
            yield block, self._on_processor(frames, block, canvas_shape)
        elif (done := self._on_card(frames, block, canvas_shape)) is not None:
            yield block, done
        elif max(block.shape) > SMALLEST:
            for half in halves(block):
                yield from self.work(frames, half, canvas_shape)
        else:
            self._leave_card(f"the card has no memory for {block.height} x {block.width} px of {len(frames)} frames")
            yield from self.work(frames, block, canvas_shape)

    def _on_processor(self, frames: Sequence[Placed], block: Window, canvas_shape: tuple[int, int]) -> Coadded:
        self.used.add("cpu")
        return coadd(
            frames, block, canvas_shape, self.warp_rules, self.rule, threads=self.lent.threads,
            memory_mb=(1 - SHARE) * self.lent.memory_mb, backend=self.lent.backend,
        )  # fmt: skip

    def _on_card(self, frames: Sequence[Placed], block: Window, canvas_shape: tuple[int, int]) -> Coadded | None:
        """Give nothing where memory runs out; a block as large is not tried again."""
        size = block.height * block.width
        if size >= self.too_large_px:
            return None
        threads = self.lent.threads
        try:
            done = coadd_on(self.card, frames, block, canvas_shape, self.warp_rules, self.rule, threads=threads)
        except MemoryError:  # that of CuPy is one too
            self.too_large_px = size
            _log.info("%d x %d px are too many for the memory of the card", block.height, block.width)
            return None
        self.used.add("gpu")
        return done

    def _leave_card(self, why: str) -> None:
        self.card = None
        self.warnings.append(f"combined on the processor: {why}")
        _log.warning(self.warnings[-1])
