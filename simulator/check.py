"""The reconstruction check: does the picture show what the failure asked for?"""

from dataclasses import dataclass

import numpy as np

from simulator.backend import Render
from simulator.labels import LabelLimits, findable, visibility
from simulator.projection import box_iou
from simulator.scene import Scene


@dataclass(frozen=True)
class Check:
    """The rendered target against the request. `reason` says what failed; empty when it passed."""

    passed: bool
    iou: float
    occlusion_error: float  # rendered - requested; NaN where the target is not seen
    truncation_error: float
    reason: str = ""


def check(scene: Scene, render: Render, limits: LabelLimits) -> Check:
    """Compares the target's visible box, occlusion and truncation with the scene's request.

    Clutter has no label: its mask's box and occlusion are compared, its truncation too. A labelled target must also
    be within the limits: one that only makes an ignore region teaches nothing. A scene without a request passes.
    """
    request = scene.request
    if request is None:
        return Check(True, np.nan, np.nan, np.nan)
    seen, i = visibility(render), request.actor_index
    if seen.visible_px[i] == 0:
        return Check(False, 0.0, np.nan, np.nan, "the target is not seen")
    iou = box_iou(seen.box_xyxy_px[i], request.box_xyxy_px)
    occlusion_error = float(seen.occlusion[i] - request.occlusion)
    truncation_error = float(seen.truncation[i] - request.truncation)
    reasons = []
    if iou < request.min_iou:
        reasons.append(f"IoU {iou:.2f} < {request.min_iou:.2f}")
    if abs(occlusion_error) > request.max_occlusion_error:
        reasons.append(f"occlusion off by {occlusion_error:+.2f}")
    if abs(truncation_error) > request.max_truncation_error:
        reasons.append(f"truncation off by {truncation_error:+.2f}")
    if scene.actors[i].category is not None and not findable(seen, scene, limits)[i]:
        reasons.append("the target is seen too badly to be labelled")
    return Check(not reasons, iou, occlusion_error, truncation_error, "; ".join(reasons))
