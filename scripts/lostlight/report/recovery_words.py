"""What the page of a search says in words: what its terms mean, and what to do next."""

from collections.abc import Mapping
from typing import Any

GLOSSARY: dict[str, tuple[str, str]] = {
    "stack": ("stack", "Images of one field, each as it is: nothing is resampled before the search."),
    "path": ("path", "A straight line at constant speed over all images: a place and a motion."),
    "likelihood": ("likelihood", "Signal to noise of all images together along a path, in σ: 0 ± 1 where nothing is."),
    "threshold": ("threshold", "Least likelihood of a candidate: that which noise is expected to pass as often as was "
                  "asked for, of all paths tried."),
    "trials": ("trials", "Independent paths among those tried: neighbours share most of their light and count less."),
    "candidate": ("candidate", "Paths above the threshold that run together, as one; measured between the pixels."),
    "vetting": ("vetting", "Candidates that no moving point makes: seen by one half of the images alone, beside a "
                "hole, or not of a point's shape."),
    "planted": ("planted source", "An artificial moving source, with the light, profile and path of a real one, added "
                "to the images; the search is not told."),
    "completeness": ("completeness", "Fraction of planted sources that the search finds."),
    "interval": ("interval", "Where the true fraction lies with a probability of 68 %: Jeffreys' interval."),
    "m50": ("m50", "Magnitude at which half of all sources are found."),
    "instrumental": ("instrumental", "Not on any system of magnitudes: −2.5 log10 of the flux in adu of the first "
                     "image."),
    "plateau": ("plateau", "Fraction found of sources so bright that noise does not matter."),
    "aic": ("AIC", "Akaike's criterion: tells whether a further parameter is worth it; the smaller the better."),
    "bootstrap": ("bootstrap", "Errors from fits to the planted sources drawn anew, with replacement."),
    "white": ("white noise", "What the search would find if noise were independent from pixel to pixel: the best of "
              "all paths near the source passes the threshold."),
    "pull": ("pull", "Found minus true over the claimed error. A mean of 0 and a scatter of 1 say that both the number "
             "and its error are right."),
    "null": ("null search", "The same search where nothing real can be found: of images with their sign turned, or "
             "with their times exchanged. What it finds are false alarms."),
    "rate": ("rate", "Motion on the sky, in arcsec per hour."),
    "epoch": ("image", "One exposure; its time is that of its middle."),
    "acceptance": ("acceptance", "Fraction of drawn places that enough images show: how much of the sky they share."),
}  # fmt: skip
"""Terms of the page: key to name and meaning."""

REASONS = {
    "OUT_OF_FIELD": "on no image",
    "TOO_FEW_EPOCHS": "too few images",
    "MASKED": "masked",
    "BLENDED": "on a star",
    "BACKGROUND_LOSS": "lost to background",
    "BELOW_THRESHOLD_EXPECTED": "too faint",
    "STATIC": "hardly moving",
    "CURVATURE": "path bends",
    "NOISE": "noise",
    "GRID_LOSS": "between paths",
    "SIGMA_G": "clipped",
    "TOPK": "crowded out",
    "MERGED": "merged",
    "VETTED": "vetted out",
}
"""Short names of reasons."""

FOLLOW = frozenset({"NOISE", "GRID_LOSS", "SIGMA_G", "TOPK", "MERGED", "VETTED"})
"""Reasons that follow for every source that is too faint: for how many more they hold says nothing."""

REMEDIES = {
    "TOO_FEW_EPOCHS": "recover.min_epochs",
    "BACKGROUND_LOSS": "inject.background.mesh_px",
    "BLENDED": "recover.vetting.mask_static",
    "GRID_LOSS": "recover.grid.step_fwhm: 0.5",
    "SIGMA_G": "recover.sigma_g.n_sigma: 3",
    "TOPK": "recover.top: 4",
    "MERGED": "recover.cluster_fwhm: 1",
    "VETTED": "recover.vetting",
}
"""Settings that bear on a reason."""

PULLS = {
    "x_px": "position along x",
    "y_px": "position along y",
    "vx_px_day": "motion along x",
    "vy_px_day": "motion along y",
    "flux": "flux",
    "flux_faint": "flux, near the threshold",
}
"""Quantities whose errors are checked."""
CHOSEN = ("flux_faint",)
"""Those that noise has chosen: too high on average, which is no error."""

FORMS = {"logistic": "logistic", "double_tanh": "double tanh", "square": "square (OSSOS)"}
"""Curves of completeness."""

_OUT_OF_TRUE = 0.1
_MANY_SIGMA = 4


def errors_said(told: Mapping[str, Any]) -> list[str]:
    """Say which measured quantities are off, or have wrong errors, by more than chance."""
    said = []
    for each in told["pulls"]:
        name = PULLS.get(each["name"], each["name"])
        if each["mean"] is None or each["scatter"] is None or each["n"] < 30 or each["name"] in CHOSEN:
            continue
        if abs(each["mean"]) > max(_OUT_OF_TRUE, _MANY_SIGMA * (each["mean_err"] or 0)):
            said.append(f"{name} is off by {each['mean']:+.2f} of its error on average")
        if abs(each["scatter"] - 1) > max(_OUT_OF_TRUE * 2, _MANY_SIGMA / (1.17 * each["n"]) ** 0.5):
            said.append(f"errors of {name} are {1 / each['scatter']:.2g} times as large as the scatter")
    return said


def what_next(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what may be done next: a sentence, and the setting that does it."""
    missed = {each["code"]: each["n"] for each in told["reasons"]}
    bright = sum(n for code, n in missed.items() if code in REMEDIES)
    worst = max((code for code in missed if code in REMEDIES), key=lambda code: missed[code], default="")
    wanted, n = told["n_wanted"] or 0, told["n_injected"]
    n_false = sum(each["n"] for each in told["alarms"])
    expected = sum(each["n_expected"] or 0 for each in told["alarms"])
    offers = [
        (not n, "Plant sources, to learn how complete the search is.", "inject.n: 500"),
        (n and wanted and n < wanted, f"A finer m50 takes some {wanted:,} planted sources.", f"inject.n: {wanted}"),
        (bright > 0.05 * max(n, 1), f"Sources were missed that noise did not hide: {REASONS.get(worst, '')}.",
         REMEDIES.get(worst, "")),
        (n_false > expected + 3 * max(expected, 1) ** 0.5, "More false alarms than noise explains: the images hold "
         "artefacts; raise the threshold, or mask them.", "recover.threshold"),
        (n and told["search"]["mode"] == "local", "Check the windows against a search of everything.",
         "recover.mode: full"),
    ]  # fmt: skip
    return [(said, setting) for holds, said, setting in offers if holds]
