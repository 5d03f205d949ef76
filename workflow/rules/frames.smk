"""What the rules of own frames share: the files, and the manifest that the survey reads where it searches frames."""


def raw_frames(wildcards):
    """The raw frames of the user's own."""
    return files_of(settings.calibrate.frames)


def stacked(wildcards):
    """The calibrated frames of the user's own."""
    return files_of(settings.mosaic.frames)


def files_of(frames):
    """Files of a folder of frames; simulated ones are no files yet.

    Names with braces are left to the step, as Snakemake would look for wildcards in them.
    """
    source = Path(frames)
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    return [str(path) for path in files if path.is_file() and "{" not in str(path)] if frames else []


def lights():
    """The manifest of the calibrated frames, where they are what is joined."""
    return [] if settings.mosaic.frames else ["<run>/11_calibrate/manifest.json"]


def own_frames():
    """The manifests of what is done besides the survey."""
    return collect("<run>/{step}/manifest.json", step=lostlight_config.own_steps(settings))


def searched():
    """The manifest of the own frames, calibrated or joined, where they are what is searched."""
    step = lostlight_config.searched_frames(settings)
    return [f"<run>/{step}/manifest.json"] if step else []


def upstream(wildcards, input):
    """Options that name the manifests of the own frames."""
    return [f"--upstream {manifest}" for manifest in input.frames]
