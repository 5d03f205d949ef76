"""What the rules of own frames share: the files, and the manifest that the survey reads where it searches frames."""

from lostlight.vocab.steps import FRAMES


def raw_frames(wildcards):
    """The raw frames of the user's own; simulated ones are no files yet.

    Names with braces are left to the step, as Snakemake would look for wildcards in them.
    """
    source = Path(settings.calibrate.frames)
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    return [str(path) for path in files if path.is_file() and "{" not in str(path)]


def calibrated():
    """The manifest of the calibrated frames, where they are what is searched."""
    return [f"<run>/{FRAMES[0]}/manifest.json"] if settings.download.source == "frames" else []


def upstream(wildcards, input):
    """Options that name the manifests of the calibrated frames."""
    return [f"--upstream {manifest}" for manifest in input.frames]
