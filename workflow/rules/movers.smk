"""What sources are planted in: images of the user's own, or the frames of this run."""


def planted_in(wildcards):
    """The images of the user's own that sources are planted in."""
    return [] if settings.inject.images == lostlight_config.LIGHTS else files_of(settings.inject.images)


def frames_before(wildcards):
    """The manifests of the frames of this run, where sources are planted in those."""
    return collect("<run>/{step}/manifest.json", step=lostlight_config.planted_frames(settings))
