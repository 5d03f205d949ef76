"""What the rules of own frames share: the files, and the manifest that the survey reads where it searches frames."""

from lostlight.vocab.steps import FRAMES


def frames_of(source):
    """The raw frames of the user's own; simulated ones are no files yet."""
    folder = Path(source)
    files = sorted(folder.rglob("*")) if source and folder.is_dir() else [folder] if source else []
    return [str(path).replace("{", "{{").replace("}", "}}") for path in files if path.is_file()]


def calibrated():
    """The manifest of the calibrated frames, where they are what is searched."""
    return [f"<run>/{FRAMES[0]}/manifest.json"] if settings.download.source == "frames" else []


def upstream(wildcards, input):
    """Options that name the manifests of the calibrated frames."""
    return [f"--upstream {manifest}" for manifest in input.frames]
