"""Frames of a night as headers describe them, for tests of the plan."""

from lostlight.science.calibrate.frame import Frame


def frame(frame_id, kind, **known):
    return Frame(
        frame_id, f"{kind}/{frame_id}.fits", imagetyp=kind,
        **{
            "naxis1": 19, "naxis2": 13, "gain_setting": 100.0, "offset": 50.0, "ccd_temp_c": -10.0,
            "date_obs_utc": "2026-11-20T22:00:00", "session": "2026-11-20", "camera_id": "asi1600mmpro", **known,
        },
    )  # fmt: skip


def several(kind, n, stem="", **known):
    return [frame(f"{stem or kind}_{number:03d}", kind, **known) for number in range(1, n + 1)]


def whole_night():
    """Lights in two filters, with flats, flat darks, darks and biases for all of them."""
    return [
        *several("bias", 7, exptime_s=0.0),
        *several("dark", 6, exptime_s=300.0),
        *several("flat_dark", 5, exptime_s=2.0),
        *several("flat", 5, "flat_r", exptime_s=2.0, filter="R"),
        *several("flat", 5, "flat_b", exptime_s=2.0, filter="B"),
        *several("light", 4, "m31_r", exptime_s=300.0, filter="R", object="M31"),
        *several("light", 3, "m31_b", exptime_s=300.0, filter="B", object="M31"),
    ]
