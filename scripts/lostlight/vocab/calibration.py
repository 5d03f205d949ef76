"""The errors and warnings of calibration, each with its code, declared once."""

from typing import NamedTuple

KINDS = ("bias", "dark", "flat", "flat_dark", "light")
"""The kinds of frames."""

MASTERS = KINDS[:4]
"""The kinds of frames that masters are made of."""


class Code(NamedTuple):
    """A coded message: what it says, its threshold where it has one, and what to do."""

    code: str
    text: str
    threshold: float | None
    hint: str


ERRORS = (
    Code("CAL101", "no frames", None, "name a folder with FITS files in calibrate.frames"),
    Code("CAL102", "unknown type of frame", None, "set IMAGETYP or calibrate.infer_type, or give a table of frames"),
    Code("CAL103", "frames of different shape or binning", None, "sort them into folders, or edit the plan"),
    Code("CAL104", "frames of different gain or offset", None, "take masters at the gain and offset of the lights"),
    Code("CAL105", "no master fits", None, "take the missing frames, widen calibrate.match, or edit the plan"),
    Code("CAL106", "subtracted twice", None,
         "leave lights that are done out of the frames, or take the step out of calibrate.light.order"),
    Code("CAL107", "a flat with nothing to take its pedestal from", None, "add biases, darks or flat darks"),
    Code("CAL108", "no sample is left", None, "loosen the rejection, or look at the frames"),
    Code("CAL109", "parameter out of range", None, "config/README.md gives the range of every key"),
    Code("CAL110", "expression refused", None, "compare x with mean, median, std, mad and the other names listed"),
    Code("CAL111", "corrupt or truncated file", None, "copy the file again, or set calibrate.on_bad_frame: skip"),
    Code("CAL112", "saturated flat", 1e-4, "expose flats to a third or half of saturation"),
    Code("CAL113", "too little memory or disk", None, "free some, or lower run.memory_mb"),
)  # fmt: skip

WARNINGS = (
    Code("CAL201", "exposures differ", 0.02, "take darks of the same exposure, or set dark.mode: scaled"),
    Code("CAL202", "temperatures differ", 2.0, "take darks at the same temperature, or set dark.mode: scaled"),
    Code("CAL203", "master is old", 180.0, "take new frames"),
    Code("CAL204", "few frames", 5, "take more frames: the master adds noise to every light"),
    Code("CAL205", "level of a frame is off", 5.0, "look at the frame: light leak, wrong exposure or wrong type?"),
    Code("CAL206", "noise of a frame is off", 1.3, "look at the frame: interference, or another gain?"),
    Code("CAL207", "many samples rejected", 0.05, "frames differ: look at them, or loosen the thresholds"),
    Code("CAL208", "many negative pixels", 1e-3, "is the bias subtracted twice? a pedestal keeps pixels positive"),
    Code("CAL209", "noise is not what gain and read noise say", 0.1, "correct them in calibrate.camera"),
    Code("CAL210", "hot pixels changed", 2.0, "the map of bad pixels is out of date, or the temperature differs"),
    Code("CAL211", "scale of the dark is uncertain", 0.05, "take matched darks"),
    Code("CAL212", "amplifier glow is left", 3.0, "take matched darks, or set dark.glow: two_component"),
    Code("CAL213", "flat is noisy", 100.0, "take more flats, or expose them longer"),
    Code("CAL214", "flat is exposed badly", None, "expose flats to 30 to 70 percent of saturation"),
    Code("CAL215", "flat is lit unevenly", 0.1, "is the panel or the sky tilted? a tilt stays in every light"),
    Code("CAL216", "dust", None, "clean the sensor window and filters, or keep taking flats at this rotation"),
    Code("CAL217", "flat corrects too much or too little", 0.05, "check bias, flat dark and overscan of the flats"),
    Code("CAL218", "header key missing", None, "give it in calibrate.camera or in a table of frames"),
    Code("CAL219", "resolution differs", None, "bin the frames alike"),
    Code("CAL220", "master differs from the one before", 0.05, "did the camera or its settings change?"),
    Code("CAL221", "cosmic rays are not searched", 1.5, "stars are too sharp to tell apart: stack dithered lights"),
    Code("CAL222", "unstable pixels", 1e-3, "they are flagged; darks at more exposures tell them better"),
    Code("CAL223", "a frame was left out", None, "look at the reason"),
    Code("CAL224", "a master of the library fits", None, "set calibrate.reuse: use"),
    Code("CAL225", "entropy weights favour noisy frames", None, "use weights: noise"),
    Code("CAL226", "a better rejection is not possible", None, "give calibrate.camera.egain_e_adu and rdnoise_e"),
    Code("CAL227", "no frames of a kind", None, "take them, or leave the step out of calibrate.light.order"),
)  # fmt: skip

CODES: dict[str, Code] = {code.code: code for code in (*ERRORS, *WARNINGS)}
