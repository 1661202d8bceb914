"""The one place that knows which refiners there are. A method's module loads when the method is wanted."""

from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dataset.errors import InputError

from .config import MethodConfig, RefinerConfig, RefinerKind
from .pictures import Pictures
from .refiner import Gate, OnLog, OnSamples, Refiner, read_content

CLASSES: dict[RefinerKind, tuple[str, str]] = {
    "lab": ("lab", "LabRefiner"),
    "histogram": ("histogram", "HistogramRefiner"),
    "fda": ("fda", "FdaRefiner"),
    "simgan": ("simgan", "SimganRefiner"),
    "shen": ("shen", "ShenRefiner"),
    "pix2pix": ("pix2pix", "Pix2pixRefiner"),
    "cut": ("cut", "CutRefiner"),
}


def refiner_class(kind: str) -> type[Refiner]:
    """The class of a kind. InputError on an unknown one."""
    if kind not in CLASSES:
        raise InputError("refiner", f"the kind {kind} is unknown", f"choose one of {', '.join(CLASSES)}")
    module, name = CLASSES[kind]
    return getattr(import_module(f"models.refiners.{module}"), name)


def method_config(config: RefinerConfig) -> MethodConfig:
    """The method's own settings: its preset with the changes of `config`. InputError on one it does not know."""
    kind = refiner_class(config.kind).config_type
    changes = dict(config.settings)
    if config.steps is not None and "steps" in kind.model_fields:  # training-free methods have none
        changes["steps"] = config.steps
    try:
        return kind.model_validate(_changed(kind.preset(config.preset).model_dump(), changes))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["refiner", "settings", *map(str, first["loc"])])
        raise InputError(place, first["msg"], f"{config.kind} has {', '.join(kind.model_fields)}") from None


def _changed(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """settings with the changes, also those within a group of settings; all others stay."""
    groups = {
        name: _changed(settings[name], value)
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(settings.get(name), dict)
    }
    return settings | changes | groups


def fit_refiner(
    config: RefinerConfig,
    source: Pictures,
    target: Pictures,
    out: Path,
    *,
    seed: int,
    weights: Path | str | None = None,
    detector: Path | None = None,
    gate: Gate | None = None,
    on_log: OnLog | None = None,
    on_samples: OnSamples | None = None,
    progress: bool = True,
) -> Refiner:
    """Fit the refiner that `config` names; see Refiner.fit. gate: for methods that ask one, ignored by the others."""
    kind = refiner_class(config.kind)
    return kind.fit(
        source,
        target,
        out,
        method_config(config),
        seed=seed,
        weights=weights,
        detector=detector,
        on_log=on_log,
        on_samples=on_samples,
        progress=progress,
        **({"gate": gate} if kind.asks_gate else {}),
    )


def load_refiner(path: Path) -> Refiner:
    """A fitted refiner of any kind; InputError when the file is missing, damaged or of another layout."""
    return refiner_class(read_content(path)["kind"]).load(path)
