"""The simulated sky: plates, catalogues and the truth behind them, for any position, from one seed."""

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.sim import catalogues, truth_table
from lostlight.sim.defects import FLAWS_DEG2
from lostlight.sim.plate_header import cutout_header
from lostlight.sim.plates import Layout, Plate
from lostlight.sim.render import BRIGHT_REACH_DEG, Shown, Window, render, show
from lostlight.sim.sources import separation_deg
from lostlight.sim.truth import BRIGHT_LAYER, FAINT_LAYER, MOVING_LAYER, Truth


class Sky:
    """A whole sky that never existed; the same seed gives the same sky, whatever is asked and in which order.

    Parameters
    ----------
    seed : int
        Not negative.
    flaws_deg2 : float
        Compact flaws of the emulsion per square degree of plate.
    """

    def __init__(self, seed: int, *, flaws_deg2: float = FLAWS_DEG2) -> None:
        self.seed = seed
        self.flaws_deg2 = flaws_deg2
        self._layout = Layout(seed)
        self._truth = Truth(seed, self._layout)
        self._catalogues = catalogues.Catalogues(self._truth)

    def plate_at(self, ra_deg: float, dec_deg: float) -> Plate:
        """Give the plate whose centre is nearest to a position (degrees)."""
        return self._layout.plate(int(self._layout.nearest(ra_deg, dec_deg)))

    def plates(self) -> list[Plate]:
        """Give all plates of the survey, in order of their numbers."""
        return [self._layout.plate(index) for index in range(len(self._layout.ra_deg))]

    def cutout(
        self, ra_deg: float, dec_deg: float, width_arcmin: float, height_arcmin: float, plate: Plate | None = None
    ) -> tuple[NDArray[np.int16], Header]:
        """Cut a window out of a plate.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre, degrees.
        width_arcmin, height_arcmin : float
            Size along the plate's axes.
        plate : Plate, optional
            Another plate than the nearest.

        Returns
        -------
        image : ndarray of int16, (ny, nx)
            Density in counts; 0 where the window reaches beyond the scan.
        header : astropy.io.fits.Header
            With the plate solution and its tangent-plane approximation.
        """
        plate = plate or self.plate_at(ra_deg, dec_deg)
        window = _window(plate, ra_deg, dec_deg, width_arcmin, height_arcmin)
        shown = self._shown(plate, ra_deg, dec_deg, width_arcmin, height_arcmin)
        image = render(self.seed, plate, shown, window, self.flaws_deg2)
        return image, cutout_header(plate, *window, (ra_deg, dec_deg))

    def truth(
        self, ra_deg: float, dec_deg: float, width_arcmin: float, height_arcmin: float, plate: Plate | None = None
    ) -> Table:
        """List everything planted on the window that `cutout` gives for the same arguments.

        Returns
        -------
        astropy.table.Table
            truth_id, label, ra_deg, dec_deg (at the plate's epoch), mag_r (on the plate; NaN for what appeared later
            and for flaws), mag_later, pm_ra_mas_yr, pm_dec_mas_yr, x_px, y_px (zero-based on the window), trail_px,
            snr_plate (expected, the correlation of the grain included, so that SNR_WIN is about twice
            as large; 0 where not on the plate), group.
        """
        plate = plate or self.plate_at(ra_deg, dec_deg)
        window = _window(plate, ra_deg, dec_deg, width_arcmin, height_arcmin)
        sources = self._around(ra_deg, dec_deg, width_arcmin, height_arcmin)
        return truth_table.build(self.seed, plate, sources, window, self.flaws_deg2)

    def catalogue(
        self,
        name: str,
        ra_deg: float,
        dec_deg: float,
        radius_deg: float | None = None,
        box_deg: float | tuple[float, float] | None = None,
    ) -> Table:
        """Query a catalogue by its VizieR name, in a cone or in a box of the given full width (and height).

        Names: I/284/out (USNO-B1.0), I/355/gaiadr3, II/389/ps1_dr2, I/259/tyc2, B/vsx/vsx. Raises KeyError for another.
        """
        return self._catalogues.query(name, ra_deg, dec_deg, radius_deg, box_deg)

    def solar_system(self, ra_deg: float, dec_deg: float, radius_deg: float, jd: float) -> Table:
        """List the known solar-system bodies in a cone at a Julian date (UT), as SkyBoT does."""
        return self._catalogues.solar_system(ra_deg, dec_deg, radius_deg, jd)

    def _around(self, ra_deg: float, dec_deg: float, width_arcmin: float, height_arcmin: float) -> NDArray[np.void]:
        radius = np.hypot(width_arcmin, height_arcmin) / 120
        bright = self._truth.around(ra_deg, dec_deg, radius + BRIGHT_REACH_DEG, (BRIGHT_LAYER,))
        near = separation_deg(bright["ra_deg"], bright["dec_deg"], ra_deg, dec_deg) < radius + BRIGHT_REACH_DEG + 0.1
        return np.concatenate([bright[near], self._truth.around(ra_deg, dec_deg, radius, (FAINT_LAYER, MOVING_LAYER))])

    def _shown(self, plate: Plate, ra_deg: float, dec_deg: float, width_arcmin: float, height_arcmin: float) -> Shown:
        return show(plate, self._around(ra_deg, dec_deg, width_arcmin, height_arcmin))


def _window(plate: Plate, ra_deg: float, dec_deg: float, width_arcmin: float, height_arcmin: float) -> Window:
    x, y = plate.wcs.wcs_world2pix(ra_deg, dec_deg, 0)
    nx, ny = (max(1, round(side * 60 / plate.scale_arcsec)) for side in (width_arcmin, height_arcmin))
    return Window(round(float(x) - (nx - 1) / 2), round(float(y) - (ny - 1) / 2), nx, ny)
