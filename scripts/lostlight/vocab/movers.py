"""The words of injection, search and recovery: what can be planted, where, how bright; why one was missed; columns."""

from lostlight.vocab.column import Column, Schema

TNO_CLASSES: tuple[str, ...] = ("classical_cold", "classical_hot", "plutino", "scattering", "detached")
"""Populations that the sample type ``tno`` is a mixture of."""

MOVING: tuple[str, ...] = ("tno", "centaur", "trojan", "mba", "nea", "fast", "drift", "interstellar")
KINEMATIC: tuple[str, ...] = ("fast", "drift")
"""Those of the moving that have no orbit: straight, at a constant rate, in any direction."""
STILL: tuple[str, ...] = ("static", "variable", "transient")
NEGATIVES: tuple[str, ...] = ("none", "cosmic_ray", "hot_pixel", "satellite", "dipole")
"""Hard negatives: what a search must not take for a moving source."""

SAMPLE_TYPES: tuple[str, ...] = (*MOVING, *TNO_CLASSES, "kbo", "tno:legacy", *STILL, *NEGATIVES)

STRATEGIES: tuple[str, ...] = (
    "uniform", "center", "grid", "fixed", "mid", "visible", "sky", "near_star", "edge", "gap", "density",
)  # fmt: skip
"""Ways to choose where a source goes."""

BRIGHTNESS: tuple[str, ...] = (
    "snr_stack", "snr_frame_ref", "snr_frame_each", "mag", "flux", "legacy_total", "legacy_peak",
)  # fmt: skip
"""What the number drawn for a source's brightness means."""

REASONS: dict[str, str] = {
    "OUT_OF_FIELD": "it was on no image",
    "TOO_FEW_EPOCHS": "it was on fewer images than the search asks for",
    "MASKED": "most of its light fell on masked pixels",
    "BLENDED": "it passed over a star",
    "BACKGROUND_LOSS": "the background took part of its light away",
    "BELOW_THRESHOLD_EXPECTED": "too faint: its expected likelihood is below the threshold",
    "STATIC": "it hardly moved, and was taken for a source that stands still",
    "CURVATURE": "its path bends too much for straight lines",
    "NOISE": "bright enough, but the noise along its path was against it",
    "GRID_LOSS": "above the threshold on its true path, below on the nearest path of the grid",
    "SIGMA_G": "clipped as an outlier by the test of its light curve",
    "TOPK": "other paths through the same pixels were better",
    "MERGED": "merged with a better candidate",
    "VETTED": "removed by vetting",
}
"""Why an injected source was missed, in the order in which reasons are asked for: the first that holds is it."""

DOUBTS: dict[str, str] = {
    "LEFT_OUT": "images that are not used",
    "NOTED": "noticed on images",
    "TIMES": "times that were rounded",
    "PSF_GUESSED": "profile of a point not measured",
    "RESAMPLED": "images that were resampled before",
    "NO_SCALE": "fluxes not brought to one scale",
    "PLACES": "places hard to find for planted sources",
    "OUT_OF_FIELD": "planted sources out of the field",
    "SKY_LOSS": "light lost to the sky",
    "LOW_THRESHOLD": "threshold lower than noise allows",
    "FALSE_ALARMS": "more false alarms than noise explains",
}
"""What is doubtful about a search and its completeness."""

COLUMNS: tuple[Column, ...] = (
    Column("inj_id", "str", "", "meta.id;meta.main", "injected source, unique in its run"),
    Column("stack_id", "str", "", "meta.id;obs.field", "stack of images"),
    Column("realisation", "i4", "", "meta.number", "copy of the stack the source is planted in, from 0"),
    Column("sample_type", "str", "", "src.class", "what was planted"),
    Column("subclass", "str", "", "src.class", "population within the sample type"),
    Column("a_au", "f8", "AU", "phys.size.smajAxis;src.orbital", "semi-major axis; negative for hyperbolas"),
    Column("ecc", "f8", "", "src.orbital.eccentricity", "eccentricity"),
    Column("inc_deg", "f8", "deg", "src.orbital.inclination", "inclination to the ecliptic J2000"),
    Column("node_deg", "f8", "deg", "src.orbital.node", "longitude of the ascending node"),
    Column("peri_deg", "f8", "deg", "src.orbital.periastron", "argument of perihelion"),
    Column("anomaly_deg", "f8", "deg", "src.orbital.meanAnomaly", "mean anomaly at mjd_ref"),
    Column("mjd_ref", "f8", "d", "time.epoch", "epoch of the elements and of the position, MJD, UTC"),
    Column("r_helio_au", "f8", "AU", "pos.distance;pos.heliocentric", "distance from the Sun"),
    Column("delta_au", "f8", "AU", "pos.distance", "distance from the observer"),
    Column("elong_deg", "f8", "deg", "pos.angDistance", "elongation from the Sun"),
    Column("phase_deg", "f8", "deg", "pos.phaseAng", "phase angle"),
    Column("h_mag", "f8", "mag", "phys.magAbs", "absolute magnitude"),
    Column("mag", "f8", "mag", "phot.mag", "magnitude"),
    Column("lc_amp_mag", "f8", "mag", "src.var.amplitude", "amplitude of the light curve, peak to peak"),
    Column("lc_period_h", "f8", "h", "src.var;time.period", "period of the light curve, two peaks"),
    Column("lc_phase", "f8", "", "src.var;time.phase", "phase of the light curve at mjd_ref, 0 to 1"),
    Column("brightness", "f8", "", "stat.value", "number drawn for the brightness; its mode tells what it means"),
    Column("snr_stack", "f8", "", "stat.snr", "signal to noise expected over all epochs, matched filter"),
    Column("flux_adu", "f8", "adu", "phot.count", "total flux at mjd_ref"),
    Column("n_visible", "i4", "", "meta.number", "epochs with at least 90 % of the flux on good pixels"),
    Column("weight", "f8", "", "stat.weight", "importance weight of the draw"),
    Column("acceptance", "f8", "", "stat.fit.param", "fraction of draws that the placement accepted"),
    Column("inj_flags", "i4", "", "meta.code.qual", "bits of injection; see bits.json"),
    Column("rate_arcsec_h", "f8", "arcsec/h", "pos.pm", "rate of motion on the sky"),
    Column("pa_deg", "f8", "deg", "pos.posAng;pos.pm", "direction of motion, east of north"),
    Column("vx_px_day", "f8", "pix/d", "pos.pm;pos.cartesian.x", "motion along x"),
    Column("vy_px_day", "f8", "pix/d", "pos.pm;pos.cartesian.y", "motion along y"),
    Column("epoch", "i4", "", "meta.number;time.epoch", "number of the image in order of time, from 0"),
    Column("image_id", "str", "", "meta.id;obs.image", "image"),
    Column("mjd_mid", "f8", "d", "time.epoch", "middle of the exposure, MJD, UTC"),
    Column("rate_ra_arcsec_h", "f8", "arcsec/h", "pos.pm;pos.eq.ra", "motion to the east on the sky"),
    Column("rate_dec_arcsec_h", "f8", "arcsec/h", "pos.pm;pos.eq.dec", "motion to the north"),
    Column("trail_px", "f8", "pix", "phys.angSize", "length of the trail within the exposure"),
    Column("trail_pa_deg", "f8", "deg", "pos.posAng", "direction of the trail, counter-clockwise from x"),
    Column("flux_expected_adu", "f8", "adu", "phot.count", "flux before photon noise"),
    Column("flux_realised_adu", "f8", "adu", "phot.count", "flux that was added to the image"),
    Column("n_eff_px", "f8", "pix", "instr.det.psf", "noise pixels of the PSF, 1 over the sum of its squares"),
    Column("sigma_adu", "f8", "adu", "stat.stdev;instr.background", "noise of a pixel of the background"),
    Column("snr_frame", "f8", "", "stat.snr", "signal to noise on this image, matched filter"),
    Column("frac_on_image", "f8", "", "stat.value", "fraction of the flux on the image"),
    Column("frac_masked", "f8", "", "stat.value", "fraction of the flux on masked pixels"),
    Column("neighbour_arcsec", "f8", "arcsec", "pos.angDistance", "distance to the nearest static source"),
    Column("neighbour_dmag", "f8", "mag", "phot.mag;arith.diff", "its magnitude minus that of the injected source"),
    Column("cand_id", "i4", "", "meta.record", "running number of the candidate, best first, from 1"),
    Column("x_err_px", "f8", "pix", "stat.error;pos.cartesian.x", "error of the position found at the earliest image"),
    Column("y_err_px", "f8", "pix", "stat.error;pos.cartesian.y", "error of the position found at the earliest image"),
    Column("vx_err_px_day", "f8", "pix/d", "stat.error;pos.pm", "error of vx_px_day"),
    Column("vy_err_px_day", "f8", "pix/d", "stat.error;pos.pm", "error of vy_px_day"),
    Column("flux", "f8", "adu", "phot.count", "flux on the scale of the first image, weighted mean of all epochs"),
    Column("flux_err", "f8", "adu", "stat.error;phot.count", "error of flux"),
    Column("lh", "f8", "", "stat.likelihood", "signal to noise along the path, after clipping of outliers"),
    Column("lh_all", "f8", "", "stat.likelihood", "the same of all epochs, none clipped"),
    Column("n_obs", "i4", "", "meta.number", "epochs that count, none clipped or masked"),
    Column("is_vetted_out", "?", "", "meta.code", "whether vetting takes it for an artefact"),
    Column("why_vetted_out", "str", "", "meta.note", "and for which"),
    Column("frac_kept", "f8", "", "stat.value", "part of its light that a sky measured with it in leaves"),
    Column("lh_expected", "f8", "", "stat.likelihood", "likelihood expected of it, losses of the grid included"),
    Column("lh_true", "f8", "", "stat.likelihood", "likelihood along its true path"),
    Column("lh_grid", "f8", "", "stat.likelihood", "likelihood along the best path of the grid near it"),
    Column("lh_found", "f8", "", "stat.likelihood", "likelihood of the candidate that it was found as"),
    Column("lost_because", "str", "", "meta.note", "why it was missed; empty where it was found"),
    Column("also_because", "str", "", "meta.note", "further reasons that hold, separated by spaces"),
    Column("dx_px", "f8", "pix", "arith.diff;pos.cartesian.x", "found minus true position at the middle of the arc"),
    Column("dy_px", "f8", "pix", "arith.diff;pos.cartesian.y", "found minus true position at the middle of the arc"),
    Column("dvx_px_day", "f8", "pix/d", "arith.diff;pos.pm", "found minus true motion along x"),
    Column("dvy_px_day", "f8", "pix/d", "arith.diff;pos.pm", "found minus true motion along y"),
    Column("dflux_sigma", "f8", "", "arith.diff;phot.count", "found minus true flux in units of its error"),
    Column("chance", "f8", "", "stat.probability", "probability that a candidate lies so near by chance"),
)

INJECTED: Schema = (
    "inj_id", "stack_id", "realisation", "sample_type", "subclass", "a_au", "ecc", "inc_deg", "node_deg", "peri_deg",
    "anomaly_deg", "mjd_ref", "r_helio_au", "delta_au", "elong_deg", "phase_deg", "h_mag", "mag", "lc_amp_mag",
    "lc_period_h", "lc_phase", "brightness", "flux_adu", "snr_stack", "ra_deg", "dec_deg", "x_px", "y_px",
    "rate_arcsec_h", "pa_deg", "vx_px_day", "vy_px_day", "n_visible", "weight", "acceptance", "inj_flags",
)  # fmt: skip
"""One row for each source; positions, motion and flux at mjd_ref on the grid of the stack."""

INJECTED_EPOCHS: Schema = (
    "inj_id", "epoch", "image_id", "mjd_mid", "exptime_s", "ra_deg", "dec_deg", "x_px", "y_px", "rate_ra_arcsec_h",
    "rate_dec_arcsec_h", "trail_px", "trail_pa_deg", "flux_expected_adu", "flux_realised_adu", "mag", "fwhm_px",
    "n_eff_px", "sigma_adu", "snr_frame", "frac_on_image", "frac_masked", "neighbour_arcsec", "neighbour_dmag",
    "inj_flags",
)  # fmt: skip
"""One row for each source and image; pixels are those of the image itself."""

MOVERS: Schema = (
    "cand_id", "stack_id", "x_px", "y_px", "vx_px_day", "vy_px_day", "flux", "lh", "n_obs", "lh_all", "flux_err",
    "x_err_px", "y_err_px", "vx_err_px_day", "vy_err_px_day", "mag", "ra_deg", "dec_deg", "rate_arcsec_h", "pa_deg",
    "mjd_ref", "is_vetted_out", "why_vetted_out",
)  # fmt: skip
"""Candidates of a search, best first; positions at the earliest epoch, in zero-based pixels of the earliest image."""

RECOVERIES: Schema = (
    *INJECTED, "is_recovered", "lost_because", "also_because", "lh_expected", "lh_true", "lh_grid", "lh_found",
    "frac_kept", "dx_px", "dy_px", "dvx_px_day", "dvy_px_day", "x_err_px", "y_err_px", "vx_err_px_day",
    "vy_err_px_day", "dflux_sigma", "chance",
)  # fmt: skip
"""Each injected source, whether it was found, and if not, why."""
