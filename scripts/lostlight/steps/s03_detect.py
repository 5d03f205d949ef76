"""Step 03: find the sources on one tile, for the PSF."""

import numpy as np

from lostlight.core.errors import TooFewSources
from lostlight.core.params import DetectParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, sextractor, tables, tools
from lostlight.science.detect import background, embedded
from lostlight.science.detect.saturation import saturation_adu
from lostlight.vocab import bits
from lostlight.vocab.columns import PASS1


def engines(params: DetectParams) -> dict[str, str]:
    """Versions of what decides the result."""
    program = {sextractor.PROGRAM: tools.version(sextractor.PROGRAM)} if params.engine == "reference" else {}
    return {"sep": background.VERSION, **program}


@step(
    "03_detect",
    after=("02_masks",),
    needs=("clean", "mask"),
    makes={"p1": "{unit}.p1.fits", "p1_ldac": "{unit}.p1.cat"},
    optional=("p1_ldac",),
    params=DetectParams,
    version=1,
    cites=("sextractor", "sep"),
    engines=engines,
)
def detect(unit: Unit, params: DetectParams, out: Outputs) -> Result:
    """Find the sources on one tile and measure what the selection of PSF stars needs."""
    image, _ = fits.read_image(unit["clean"])
    blank = (fits.read_mask(unit["mask"]) & bits.mask("BLANK")) != 0
    sky = background.split(image, blank, params.mesh_px, params.mesh_filter)
    saturation = saturation_adu(fits.read_header(unit["mask"]), image)
    if params.engine == "reference":
        stamps = f"VIGNET({params.stamp_px},{params.stamp_px})"
        found = sextractor.extract(
            image, sky.blank, params, saturation, "pass1.param", extra=[stamps], keep=out["p1_ldac"]
        )
    else:
        found = embedded.extract(sky, params, saturation)
    if not len(found):
        raise TooFewSources(
            f"no source above {params.threshold_sigma:g} sigma on {image.shape[1]} x {image.shape[0]} pixels",
            hint="look at the image; lower detect.threshold_sigma if it shows stars",
            found=0,
            needed=1,
        )
    tables.write(found, out["p1"], PASS1)
    out.sizes["p1"] = [len(found)]
    metrics = {"n_sources": len(found), "n_unflagged": int(np.sum(found["extraction_flags"] == 0))}
    return Result(metrics=metrics | background.summary(sky))
