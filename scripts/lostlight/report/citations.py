"""What to cite: the keys that steps declare, the works they stand for, and which of them a run really used."""

from lostlight.core.manifest import Manifest

_PROGRAMS = {"sextractor": "source-extractor", "psfex": "psfex", "stilts": "stilts", "sep": "sep"}
_ARCHIVES = ("stsci", "eso", "skyview")

CITATIONS: dict[str, str] = {
    "sextractor": "Bertin, E. & Arnouts, S. 1996, A&AS 117, 393 (SExtractor)",
    "psfex": "Bertin, E. 2011, in ADASS XX, ASP Conf. Ser. 442, 435 (PSFEx)",
    "stilts": "Taylor, M. B. 2006, in ADASS XV, ASP Conf. Ser. 351, 666 (STILTS)",
    "sep": "Barbary, K. 2016, JOSS 1, 58 (SEP)",
    "lacosmic": "van Dokkum, P. G. 2001, PASP 113, 1420 (L.A.Cosmic); McCully, C. et al. 2018 (astroscrappy)",
    "astropy": "Astropy Collaboration 2022, ApJ 935, 167 (Astropy)",
    "astroquery": "Ginsburg, A. et al. 2019, AJ 157, 98 (astroquery)",
    "mocpy": "Fernique, P. et al. 2014, IVOA Recommendation: HEALPix Multi-Order Coverage map (MOC)",
    "healpix": "Górski, K. M. et al. 2005, ApJ 622, 759 (HEALPix)",
    "usnob": "Monet, D. G. et al. 2003, AJ 125, 984 (USNO-B1.0, VizieR I/284)",
    "gaia": "Gaia Collaboration 2023, A&A 674, A1 (Gaia DR3, VizieR I/355)",
    "ps1": "Chambers, K. C. et al. 2016, arXiv:1612.05560 (Pan-STARRS1, VizieR II/389)",
    "tycho2": "Høg, E. et al. 2000, A&A 355, L27 (Tycho-2, VizieR I/259)",
    "vizier": "Ochsenbein, F., Bauer, P. & Marcout, J. 2000, A&AS 143, 23 (VizieR)",
    "skybot": "Berthier, J. et al. 2006, in ADASS XV, ASP Conf. Ser. 351, 367 (SkyBoT)",
    "vsx": "Watson, C. L., Henden, A. A. & Price, A. 2006, SASS 25, 47 (AAVSO VSX)",
    "mnras2022": "Solano, E., Villarroel, B. & Rodrigo, C. 2022, MNRAS 515, 1380 (the published cuts)",
    "spread_model": "Desai, S. et al. 2012, ApJ 757, 83 (SPREAD_MODEL)",
    "whidden2019": "Whidden, P. J. et al. 2019, AJ 157, 119 (likelihood along the paths of moving sources)",
    "bernstein2000": "Bernstein, G. & Khushalani, B. 2000, AJ 120, 3323 (orbits of distant bodies)",
    "dss": (
        "The Digitized Sky Surveys were produced at the Space Telescope Science Institute under U.S. Government grant "
        "NAG W-2166. The images of these surveys are based on photographic data obtained using the Oschin Schmidt "
        "Telescope on Palomar Mountain and the UK Schmidt Telescope. The plates were processed into the present "
        "compressed digital form with the permission of these institutions."
    ),
}


def citation(key: str) -> str:
    """Give what to cite for a key; a key that is not known is given as it stands."""
    return CITATIONS.get(key, key)


def is_used(key: str, manifest: Manifest) -> bool:
    """Tell whether a step that declares a citation used what it stands for, by its software and its parameters."""
    params = manifest.params
    if key in _PROGRAMS:
        return _PROGRAMS[key] in manifest.software
    if key == "dss":
        return params.get("source") in _ARCHIVES
    if key == "bernstein2000":
        return params.get("motion") == "abg"
    if key in ("mnras2022", "locus"):
        return params.get("gates", key) == key
    return params.get(key) is not False
