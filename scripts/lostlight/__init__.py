"""Lostlight: find the lights that went out."""

from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "inject": "engine",
    "inject_images": "images",
    "inject_batch": "batch",
    "plan_injections": "plan",
    "InjectionRules": "rules",
    "PSFParams": "psf",
    "TargetConfig": "targets",
}
"""What users of the injector call, by the modules of `lostlight.science.inject`; loaded when first asked for."""

__all__ = ["InjectionRules", "PSFParams", "TargetConfig", "inject", "inject_batch", "inject_images", "plan_injections"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.science.inject.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
