"""Write the JSON schemas that editors and other programs check files against.

With --check, write nothing and fail where a file is not fresh.
"""

import json
import sys

from gen_docs import ROOT, settle
from pydantic import BaseModel

from lostlight.core.calibration_report import CalibrationReport
from lostlight.core.manifest import Manifest
from lostlight.core.mosaic_report import MosaicReport
from lostlight.core.params import PipelineConfig
from lostlight.core.recovery_report import RecoveryReport
from lostlight.vocab import bits, columns

SCHEMAS = ROOT / "workflow" / "schemas"
DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def main() -> int:
    """Write the schemas, or with --check tell which are not fresh."""
    contents = {
        "pipeline.schema.json": pipeline(),
        "manifest.schema.json": renamed(Manifest),
        "calibration_report.schema.json": renamed(CalibrationReport),
        "mosaic_metrics.schema.json": renamed(MosaicReport),
        "recovery_report.schema.json": renamed(RecoveryReport),
        "columns.json": column_list(),
        "bits.json": bit_list(),
    }
    return settle({SCHEMAS / name: json.dumps(content, indent=1) + "\n" for name, content in contents.items()})


def pipeline() -> dict:
    """Schema of the configuration."""
    return {**DRAFT, **PipelineConfig.model_json_schema()}


def renamed(model: type[BaseModel]) -> dict:
    """Schema of a manifest or report, under the names the file uses."""
    schema = model.model_json_schema(mode="serialization")
    schema["properties"] = {"schema": schema["properties"].pop("schema_"), **schema["properties"]}
    return {**DRAFT, **schema}


def column_list() -> dict:
    """Every column of every table."""
    return {name: column._asdict() for name, column in columns.COLUMNS.items()}


def bit_list() -> dict:
    """Every bit of masks and of columns of flags: value and meaning, by what it is a bit of."""
    kinds = {"mask": bits.MASK, "filter": bits.FILTER, "dq": bits.DQ, "injection": bits.INJECTION, "stack": bits.STACK}
    return {kind: {bit.name: {"value": bit.value, "text": bit.text} for bit in found} for kind, found in kinds.items()}


if __name__ == "__main__":
    sys.exit(main())
