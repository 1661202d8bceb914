"""A failure: one thing the detector got wrong on a real frame, with all that is needed to re-create it."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

FailureKind = Literal[
    "missed", "localisation", "class", "both", "duplicate", "background", "on-ignore", "likely-label-error"
]
FAILURE_KINDS: tuple[str, ...] = get_args(FailureKind)
# Kinds worth rendering: the others are the label's fault or say nothing about the scene.
RECREATED_KINDS: tuple[str, ...] = ("missed", "localisation", "class", "both", "duplicate", "background")

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Failure:
    """One row of the failure table.

    `object_index` is the ground-truth object's index in its frame, -1 where there is none (background);
    `box_xyxy_px` is the ground-truth box where there is one, else the detection's.
    `cost_ap` is the share of the category's AP lost to this failure (0-1, larger is worse).
    Attributes that the data does not know are NaN or None; distance, bearing and yaw come from 3D labels only.
    """

    failure_id: str
    frame_id: str
    kind: FailureKind
    category: str  # the ground truth's, else the detection's
    box_xyxy_px: Box
    object_index: int = -1
    detection_box_xyxy_px: Box | None = None
    detected_category: str | None = None
    score: float = np.nan
    best_iou: float = 0.0
    partner_index: int = -1  # object with which the detection overlaps best, -1 where none
    cost_ap: float = 0.0
    distance_m: float = np.nan
    bearing_deg: float = np.nan  # 0 straight ahead, positive to the right
    yaw_rad: float = np.nan
    height_px: float = np.nan
    occlusion: float = np.nan
    truncation: float = np.nan
    time_of_day: str | None = None
    weather: str | None = None
