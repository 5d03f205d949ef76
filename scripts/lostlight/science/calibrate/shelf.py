"""Masters of the library as groups that can be matched."""

from collections.abc import Mapping
from typing import Any

from lostlight.science.calibrate.frame import FIELDS, NAN, Frame
from lostlight.science.calibrate.groups import Group

PREFIX = "library_"
"""How the ids of masters of the library begin in a plan."""


def group_of(entry_id: str, frame: Mapping[str, Any], noise: float = NAN) -> Group:
    """Describe a master of the library as a group.

    Parameters
    ----------
    entry_id : str
        Its id in the library.
    frame : mapping
        What is known of it, under the names of `Frame`; other names are passed over.
    noise : float
        Noise of the master, adu; the less noisy of two equals is taken.
    """
    known = {name: value for name, value in frame.items() if name in FIELDS}
    like = Frame(**{**known, "frame_id": f"{PREFIX}{entry_id}", "path": "", "tags": "master"})
    return Group(f"{PREFIX}{entry_id}", like.imagetyp, (), like, "library", noise)
