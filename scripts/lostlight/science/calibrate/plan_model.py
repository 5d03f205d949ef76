"""What a plan of calibration is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lostlight.science.calibrate.distance import Candidate, MatchRules
from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.trouble import Warn
from lostlight.vocab.calibration import KINDS, MASTERS
from lostlight.vocab.plan import PlanRow


@dataclass(frozen=True)
class PlanSettings:
    """What decides a plan: the knobs of calibration as plain values."""

    rules: MatchRules = field(default_factory=MatchRules)
    temp_bin_c: float = 1.0
    dark_mode: str = "matched"
    """matched, scaled or rate"""
    pedestal_from: str = "auto"
    """auto, flat_dark, dark or bias"""
    stages: tuple[str, ...] = ("overscan", "trim", "bias", "dark", "flat", "cosmetic", "lacosmic")
    """what is done to a light"""
    min_frames: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(MASTERS, 5))
    """fewest frames of a master, by kind"""
    overscan: frozenset[str] = frozenset(KINDS)
    """kinds of frames whose overscan is used where the header names a bias section"""
    has_synthetic_bias: bool = False
    """a level stands in where there are no biases"""
    reuse: str = "suggest"
    """suggest, use or off: masters of the library"""

    def is_too_small(self, group: Group) -> bool:
        """Tell whether a group is a single frame where one is not enough."""
        is_made = group.kind != "light" and group.source == "frames"
        return is_made and group.n_frames < 2 <= self.min_frames[group.kind]


@dataclass(frozen=True)
class Match:
    """The master that a light, or all frames of a group, takes for a role, and what else was considered."""

    frame: str
    """id of a light, or of a group"""
    role: str
    chosen: str
    """id of a master; empty where there is none"""
    candidates: tuple[Candidate, ...] = ()
    """the best, and the chosen one wherever it stands"""

    @property
    def candidate(self) -> Candidate | None:
        """The chosen one with its terms; None where nothing is chosen, or a level without frames."""
        return next((each for each in self.candidates if each.id == self.chosen), None)


@dataclass(frozen=True)
class Plan:
    """Groups, the masters that each frame takes and why, and what should be known of it."""

    groups: tuple[Group, ...]
    rows: tuple[PlanRow, ...]
    matches: tuple[Match, ...]
    warnings: tuple[Warn, ...]
