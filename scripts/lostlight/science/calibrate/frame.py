"""One raw frame as its header describes it, in one vocabulary for all cameras and programs."""

import math
from dataclasses import dataclass, fields

NAN = math.nan


@dataclass(frozen=True)
class Frame:
    """What is known of one raw frame; a number that is not known is NaN, a text that is not known is empty."""

    frame_id: str
    """unique in a run: the stem of the file, with the number of the HDU where a file holds several"""
    path: str
    """path of the file relative to the folder of frames, with forward slashes"""
    imagetyp: str = ""
    """bias, dark, flat, flat_dark, light; empty if the header does not say"""
    hdu: int = 0
    """number of the HDU with the pixels"""
    naxis1: int = 0
    naxis2: int = 0
    bitpix: int = 16
    exptime_s: float = NAN
    gain_setting: float = NAN
    """the camera's setting, in its own unit (GAIN of most CMOS cameras, ISO)"""
    offset: float = NAN
    """the camera's offset setting"""
    egain_e_adu: float = NAN
    """electrons per count"""
    rdnoise_e: float = NAN
    """read noise, electrons"""
    ccd_temp_c: float = NAN
    set_temp_c: float = NAN
    filter: str = ""
    xbin: int = 1
    ybin: int = 1
    readmode: str = ""
    camera_id: str = ""
    optics_id: str = ""
    rotator_deg: float = NAN
    bayerpat: str = ""
    """RGGB, BGGR, GRBG or GBRG as stored, first row of the array first; empty for mono"""
    roworder: str = ""
    """TOP-DOWN or BOTTOM-UP"""
    saturate_adu: float = NAN
    pedestal_adu: float = NAN
    """what must be added to the pixels for zero light to be zero counts (PEDESTAL)"""
    biassec: str = ""
    trimsec: str = ""
    date_obs_utc: str = ""
    """start of the exposure, ISO 8601, UTC"""
    session: str = ""
    """the night: date of the noon before, local where the header tells the longitude or zone, YYYY-MM-DD"""
    n_sub: int = 1
    """exposures that the frame is already the sum or mean of"""
    calstat: str = ""
    """what was done to it already, by the letters B, D and F"""
    weight: float = 1.0
    """weight of the user's own"""
    object: str = ""
    """what a light shows"""
    program: str = ""
    """program that wrote the file"""
    sha256: str = ""
    tags: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.naxis2, self.naxis1


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Frame))
