"""Every knob there is: one class per section of the configuration, one field per knob, units in the names.

From these classes come the JSON schema, the tables in ``config/README.md`` and the messages for keys and values that
are wrong.
"""

from typing import Literal

from pydantic import Field

from lostlight.core.params.base import Engine, Fraction, Params, Positive
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.params.inject import InjectParams
from lostlight.core.params.mosaic import MosaicParams
from lostlight.core.params.recover import RecoverParams
from lostlight.core.params.survey import (
    CompletenessParams,
    DetectParams,
    DownloadParams,
    ExtractionParams,
    FilterParams,
    LocusGates,
    MasksParams,
    MeasureParams,
    Mnras2022Gates,
    OwnCatalogue,
    PackageParams,
    Position,
    PsfParams,
    ReferenceParams,
    Region,
    SummaryParams,
    TilesParams,
    XmatchParams,
)

__all__ = [
    "CalibrateParams",
    "CompletenessParams",
    "DetectParams",
    "DownloadParams",
    "Engine",
    "ExtractionParams",
    "FilterParams",
    "Fraction",
    "InjectParams",
    "LocusGates",
    "MasksParams",
    "MeasureParams",
    "Mnras2022Gates",
    "MosaicParams",
    "OwnCatalogue",
    "PackageParams",
    "Params",
    "PipelineConfig",
    "Position",
    "Positive",
    "PsfParams",
    "RecoverParams",
    "ReferenceParams",
    "Region",
    "RunParams",
    "SummaryParams",
    "TilesParams",
    "XmatchParams",
]


class RunParams(Params):
    """How the run is carried out; nothing here changes a result, but for the rounding of a GPU."""

    id: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)
    """name of the run and of its folders"""
    shards: int = Field(8, ge=1, le=2000)
    """jobs per step; about one per 64 tiles"""
    workers: int = Field(0, ge=0, le=256)
    """processes per job; 0 means as many as the job has cores"""
    fail_fast: bool = False
    """stop at the first failed tile"""
    max_failed_fraction: Fraction = 0.5
    """a step with more failed tiles ends the run"""
    memory_mb: int = Field(256, ge=64)
    """working memory of one stack of frames, its result not counted"""
    backend: Literal["auto", "numpy", "numba"] = "auto"
    """numba compiles the kernels of stacking; numpy gives the same bits without a compiler"""
    device: Literal["auto", "cpu", "gpu"] = "cpu"
    """where stacks and mosaics are computed; auto takes a GPU where there is one"""


class PipelineConfig(Params):
    """The whole configuration."""

    engine: Engine = "auto"
    """engine of steps 03, 04, 05 and 07 where they do not name their own"""
    run: RunParams = RunParams()
    tiles: TilesParams = TilesParams()
    download: DownloadParams = DownloadParams()
    masks: MasksParams = MasksParams()
    detect: DetectParams = DetectParams()
    psf: PsfParams = PsfParams()
    measure: MeasureParams = MeasureParams()
    reference: ReferenceParams = ReferenceParams()
    xmatch: XmatchParams = XmatchParams()
    filter: FilterParams = FilterParams()
    completeness: CompletenessParams = CompletenessParams()
    summary: SummaryParams = SummaryParams()
    package: PackageParams = PackageParams()
    calibrate: CalibrateParams = CalibrateParams()
    mosaic: MosaicParams = MosaicParams()
    inject: InjectParams = InjectParams()
    recover: RecoverParams = RecoverParams()
