"""Where frames are combined: on a graphics card as far as it can, else on the processor."""

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType

from lostlight.core.errors import ConfigError
from lostlight.core.step import Lent
from lostlight.science.mosaic.blocks import SMALLEST, halves
from lostlight.science.mosaic.coadd import Coadded, Placed, coadd
from lostlight.science.mosaic.coadd_device import coadd_on, uncovered
from lostlight.science.mosaic.warp import WarpRules
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule

_INSTALL = 'pip install "lostlight[gpu]" where there is an NVIDIA card and its driver, or set run.device to cpu or auto'
_log = logging.getLogger(__name__)


def card(device: str) -> ModuleType | None:
    """Give CuPy where a card is wanted and is there; None means the processor.

    Raises
    ------
    ConfigError
        Where a card must be used and there is none.
    """
    if device == "cpu":
        return None
    found, why = _look()
    if found is None and device == "gpu":
        raise ConfigError(f"run.device is gpu, but {why}", _INSTALL)
    return found


@cache
def _look() -> tuple[ModuleType | None, str]:
    try:
        import cupy
    except ImportError:
        return None, "CuPy is not installed"
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return None, f"CuPy finds no card ({error})"
    return cupy, ""


class Bench:
    """Combines blocks of frames; once a card cannot go on, the rest is done by the processor.

    Attributes
    ----------
    device : str
        gpu where a card made any block, else cpu.
    warnings : list of str
        Why the processor did what a card should have done.
    """

    def __init__(
        self,
        frames: Sequence[Placed],
        canvas_shape: tuple[int, int],
        warp_rules: WarpRules,
        rule: Rule,
        lent: Lent,
        memory_mb: float,
    ) -> None:
        self.given = frames, canvas_shape, warp_rules, rule
        self.lent, self.memory_mb = lent, memory_mb
        self.device, self.warnings = "cpu", list[str]()
        self.card, self.too_large_px = card(lent.device), float("inf")
        if self.card and (what := uncovered(warp_rules, rule)):
            self._leave_card(f"{what} is not made for graphics cards")

    def work(self, block: Window) -> Iterator[tuple[Window, Coadded]]:
        """Combine the frames on a block, or on parts of it where the memory of the card holds no more."""
        if self.card is None:
            yield block, self._on_processor(block)
        elif (done := self._on_card(block)) is not None:
            yield block, done
        elif max(block.shape) > SMALLEST:
            for half in halves(block):
                yield from self.work(half)
        else:
            self._leave_card(f"the memory of the card does not hold {block.height} x {block.width} px of all frames")
            yield from self.work(block)

    def _on_processor(self, block: Window) -> Coadded:
        frames, shape, warp_rules, rule = self.given
        lent = self.lent
        return coadd(
            frames, block, shape, warp_rules, rule, threads=lent.threads, memory_mb=self.memory_mb, backend=lent.backend
        )

    def _on_card(self, block: Window) -> Coadded | None:
        """Give nothing where memory runs out; larger blocks are not tried again."""
        frames, shape, warp_rules, rule = self.given
        if block.height * block.width >= self.too_large_px:
            return None
        try:
            done = coadd_on(self.card, frames, block, shape, warp_rules, rule, threads=self.lent.threads)
        except MemoryError:  # that of CuPy is one too
            self.too_large_px = block.height * block.width
            _log.info("%d x %d px are too much for the memory of the card", block.height, block.width)
            return None
        self.device = "gpu"
        return done

    def _leave_card(self, why: str) -> None:
        self.card = None
        self.warnings.append(f"combined on the processor: {why}")
        _log.warning(self.warnings[-1])
