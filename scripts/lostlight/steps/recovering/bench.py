"""Where paths are searched: on a graphics card as far as its memory goes, else on the processor."""

import logging

import numpy as np
from numpy.typing import NDArray

from lostlight.core.step import Lent
from lostlight.science.search.rules import Peaks, SearchRules, Window
from lostlight.science.search.search import search_tables
from lostlight.science.stack.card import card

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

CARD = "cupy"
_log = logging.getLogger(__name__)


class Bench:
    """Searches stacks for paths; once a card cannot go on, the processor does the rest of the unit.

    Attributes
    ----------
    used : list of str
        What searched, in the order of first use.
    warnings : list of str
        Why the processor did what a card should have done.
    """

    def __init__(self, lent: Lent) -> None:
        self.lent, self.used, self.warnings = lent, list[str](), list[str]()
        self.processor = "reference" if lent.backend == "numpy" else "numba"
        self.backend = self.processor if card(lent.device) is None else CARD

    def search(
        self, psi: Floats, phi: Floats, dx: Ints, dy: Ints, rules: SearchRules, window: Window | None = None
    ) -> Peaks:
        """Find the best paths; see `lostlight.science.search.search.search_tables`."""
        try:
            peaks = search_tables(
                psi, phi, dx, dy, rules, backend=self.backend, threads=self.lent.threads, window=window
            )
        except MemoryError:  # that of CuPy is one too
            if self.backend != CARD:
                raise
            self.backend = self.processor
            self.warnings.append(f"searched on the processor: the card has no memory for {len(psi)} images of a stack")
            _log.warning(self.warnings[-1])
            return self.search(psi, phi, dx, dy, rules, window)
        if self.backend not in self.used:
            self.used.append(self.backend)
        return peaks
