"""From presets, files and overrides to one CampaignConfig: defaults < preset < file < flags < --set."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from dataset.errors import InputError
from tasks.config import CampaignConfig

PRESETS = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def resolve(
    preset: str | None = None,
    file: Path | None = None,
    flags: dict[str, Any] | None = None,
    overrides: list[str] | None = None,
) -> CampaignConfig:
    """The configuration of a run.

    preset: a name, or several joined by '+', the later ones on top. flags: dotted names to values; None is not set.
    overrides: 'dotted.name=value', the value read as YAML.
    Raises InputError naming the key, the value and the nearest key that exists.
    """
    values: dict[str, Any] = {}
    for name in preset.split("+") if preset is not None else ():
        if name not in preset_names():
            raise InputError("--preset", f"{name!r} is none of {', '.join(preset_names())}", "choose one of these")
        _merge(values, _read(PRESETS / f"{name}.yaml"))
    if file is not None:
        _merge(values, _read(file))
    for name, value in (flags or {}).items():
        if value is not None:
            _put(values, name, value)
    if (flags or {}).get("data.train") is not None:
        values["stand_in"] = None  # a preset's stand-in makes room for the user's data
    for override in overrides or []:
        name, equals, text = override.partition("=")
        if not equals:
            raise InputError("--set", f"{override!r} has no '='", "write it as --set retrain.steps=500")
        try:
            _put(values, name.strip(), yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise InputError("--set", f"{override!r} is not YAML", "quote it: --set 'name={key: value}'") from error
    try:
        return CampaignConfig.model_validate(values)
    except ValidationError as error:
        raise _explain(error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "name a YAML file that exists") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "mend the line it names") from error
    if not isinstance(values, dict):
        raise InputError(path, f"holds {type(values).__name__}, not settings", "write 'name: value' lines")
    return values


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, dict):  # never the file's own: YAML's aliases share one among several names
            inner = into.get(name)
            into[name] = inner if isinstance(inner, dict) else {}
            _merge(into[name], value)
        else:
            into[name] = value


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for name in path:
        inner = values.get(name)
        values[name] = inner if isinstance(inner, dict) else {}
        values = values[name]
    values[last] = value


def _explain(error: ValidationError) -> InputError:
    """The first thing that is wrong, as one line a user can act on."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    dotted = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        remedy = f"did you mean {'.'.join([*path[:-1], near[0]])}" if near else f"known here: {', '.join(known)}"
        return InputError(f"config key {dotted}", f"does not exist (value {first['input']!r})", remedy)
    found = "" if first["type"] == "value_error" else f", found {first['input']!r}"  # our own checks say what they say
    return InputError(f"config key {dotted}", f"{first['msg']}{found}", "change it with --set")


def _keys_at(path: list[str]) -> list[str]:
    model: Any = CampaignConfig
    for name in path:
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
        if name not in fields:
            return []
        model = fields[name].annotation
        choices = [part for part in getattr(model, "__args__", ()) if isinstance(part, type)]
        model = choices[0] if choices else model
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
