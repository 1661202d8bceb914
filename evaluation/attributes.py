"""What is known of an object and its frame, and the bins that failures and objects are counted in."""

from itertools import pairwise

import numpy as np

from dataset.errors import InputError
from evaluation.batch import Batch, take
from evaluation.failure import FAILURE_KINDS

UNKNOWN = "unknown"
# what failures can be counted by -> column of the failure table
COLUMN_OF = {name: name for name in ("kind", "category", "occlusion", "truncation", "time_of_day", "weather")}
COLUMN_OF |= {"distance": "distance_m", "height": "height_px"}
_EDGES = {
    "distance": (0, 10, 20, 40, 80, np.inf),
    "occlusion": (0, 0.1, 0.3, 0.5, 0.7, np.inf),
    "truncation": (0, 0.01, 0.15, 0.3, 0.5, np.inf),  # KITTI's limits
    "height": (0, 25, 40, 80, 160, np.inf),  # KITTI's limits, then twice as much each
}
_UNITS = {"distance": " m", "height": " px"}


def attributes(batch: Batch, frame: np.ndarray, object_: np.ndarray, box_xyxy_px: np.ndarray) -> dict[str, np.ndarray]:
    """The failure table's attribute columns for N things. (N,) indices within the batch, object -1 none; (N, 4)."""
    objects = batch.objects
    x_m, z_m = (take(objects.location_xyz_m[:, axis], object_, np.nan) for axis in (0, 2))
    frames = [batch.frames[i] for i in frame.tolist()]
    return {
        "distance_m": np.hypot(x_m, z_m),
        "bearing_deg": np.degrees(np.arctan2(x_m, z_m)),
        "yaw_rad": take(objects.yaw_rad, object_, np.nan),
        "height_px": (box_xyxy_px[:, 3] - box_xyxy_px[:, 1]).astype(np.float32),
        "occlusion": take(objects.occlusion, object_, np.nan),
        "truncation": take(objects.truncation, object_, np.nan),
        "time_of_day": np.array([f.time_of_day for f in frames], dtype=object),
        "weather": np.array([f.weather for f in frames], dtype=object),
    }


def bin_names(by: str) -> list[str]:
    """The bins of a number or of the kinds, in order; none for texts, whose values are their bins."""
    if by == "kind":
        return list(FAILURE_KINDS)
    if by not in _EDGES:
        return []
    edges, unit = _EDGES[by], _UNITS.get(by, "")
    return [f"{low}-{high}{unit}" if np.isfinite(high) else f"{low}{unit} and more" for low, high in pairwise(edges)]


def bins_of(by: str, values: np.ndarray) -> np.ndarray:
    """Each value's bin, (N,) -> (N,) of str; a value on an edge belongs to the bin above, an unknown one to UNKNOWN."""
    if by not in _EDGES:
        return np.array([UNKNOWN if value is None else value for value in values], dtype=object)
    names = np.array([*bin_names(by), UNKNOWN], dtype=object)
    number = np.digitize(np.nan_to_num(values, nan=0.0), _EDGES[by][1:-1])
    return names[np.where(np.isnan(values), len(names) - 1, number)]


def ordered(by: str, found: set[str]) -> list[str]:
    """The bins that occur, in their own order, texts alphabetically; the unknown last."""
    known = bin_names(by) or sorted(found - {UNKNOWN})
    return [name for name in [*known, UNKNOWN] if name in found]


def check_by(by: str) -> None:
    if by not in COLUMN_OF:
        raise InputError("by", f"{by!r} is no attribute of a failure", f"take one of {', '.join(COLUMN_OF)}")
