"""The carla client library: a wheel for Linux on x86-64 alone, so it is imported where it is used."""

import importlib
from typing import Any

from dataset.errors import InputError

VERSION = "0.9.16"


def import_carla() -> Any:
    """The module `carla`. Raises InputError where it is not installed."""
    try:
        return importlib.import_module("carla")
    except ImportError as reason:
        raise InputError(
            "carla",
            f"the client library {VERSION} cannot be imported ({reason})",
            f"run on Linux x86-64 with Python 3.11 or 3.12 and install carla=={VERSION}",
        ) from None
