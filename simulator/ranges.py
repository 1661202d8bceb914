"""Ranges that settings are drawn from: two finite numbers, the least first, within what makes sense."""

from math import isfinite
from typing import Annotated, TypeVar

from pydantic import AfterValidator

Bounds = TypeVar("Bounds", tuple[float, float], tuple[int, int])


def _ordered(bounds: Bounds) -> Bounds:
    low, high = bounds
    if not (isfinite(low) and isfinite(high)):
        raise ValueError(f"[{low:g}, {high:g}] is no range of finite numbers: name two of them")
    if low > high:
        raise ValueError(f"[{low:g}, {high:g}] begins above its end: name the least first")
    return bounds


def within(least: float, most: float) -> AfterValidator:
    """Refuses a range that reaches beyond `least` or `most`."""

    def check(bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] < least or bounds[1] > most:
            raise ValueError(f"[{bounds[0]:g}, {bounds[1]:g}] reaches beyond {least:g} to {most:g}: keep within that")
        return bounds

    return AfterValidator(check)


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Counts = Annotated[tuple[int, int], AfterValidator(_ordered)]
