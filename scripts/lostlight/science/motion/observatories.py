"""Where on the Earth a few observatories are, by their codes of the Minor Planet Center."""

PARALLAX: dict[str, tuple[float, float, float]] = {
    "033": (11.71124, 0.630900, 0.773333),  # Tautenburg
    "046": (14.2881, 0.65922, 0.74965),  # Klet
    "097": (34.7625, 0.86165, 0.50608),  # Wise
    "260": (149.0661, 0.85560, -0.51626),  # Siding Spring
    "304": (289.2980, 0.87559, -0.48217),  # Las Campanas
    "309": (289.59569, 0.909943, -0.414336),  # Cerro Paranal
    "568": (204.5278, 0.94171, 0.33725),  # Maunakea
    "675": (243.13746, 0.836357, 0.546831),  # Palomar
    "688": (248.4645, 0.81938, 0.57193),  # Anderson Mesa
    "691": (248.39966, 0.849466, 0.526479),  # Spacewatch
    "695": (248.40533, 0.849504, 0.526425),  # Kitt Peak
    "703": (249.26736, 0.845311, 0.533211),  # Catalina Sky Survey
    "705": (254.17942, 0.841945, 0.538563),  # Apache Point
    "807": (289.1941, 0.86560, -0.49980),  # Cerro Tololo
    "809": (289.26626, 0.873440, -0.486052),  # La Silla
    "950": (342.1176, 0.87764, 0.47847),  # La Palma
    "F51": (203.74409, 0.936241, 0.351543),  # Pan-STARRS 1
    "F52": (203.74409, 0.936239, 0.351545),  # Pan-STARRS 2
    "G37": (248.57779, 0.822900, 0.566927),  # Lowell Discovery Telescope
    "G96": (249.21128, 0.845107, 0.533611),  # Mt. Lemmon Survey
    "I11": (289.26345, 0.865020, -0.500901),  # Gemini South
    "I33": (289.26631, 0.865052, -0.500865),  # SOAR
    "I41": (243.14022, 0.836322, 0.546875),  # Zwicky Transient Facility
    "M22": (20.81059, 0.845564, -0.532612),  # ATLAS South Africa
    "T05": (203.74299, 0.936236, 0.351547),  # ATLAS Haleakala
    "T08": (204.42395, 0.943290, 0.332467),  # ATLAS Mauna Loa
    "T09": (204.52396, 0.941711, 0.337239),  # Subaru
    "T14": (204.53109, 0.941717, 0.337240),  # Canada-France-Hawaii
    "T15": (204.53093, 0.941728, 0.337214),  # Gemini North
    "T16": (204.52526, 0.941708, 0.337246),  # Keck 1
    "W68": (289.23502, 0.862845, -0.504269),  # ATLAS Chile
    "W84": (289.19358, 0.865572, -0.499793),  # Blanco with DECam
    "W91": (289.60257, 0.910007, -0.414148),  # VISTA
    "X05": (289.25058, 0.864981, -0.500958),  # Rubin
}
"""Longitude to the east in degrees, and the distances from the axis and from the plane of the equator in radii of the
Earth, from the Center's list of codes."""
