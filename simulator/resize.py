"""A frame, its objects and its failure as a smaller camera would have taken them: fewer pixels to render."""

from dataclasses import replace

from dataset.schema import Camera, Frame, Objects
from evaluation.failure import Failure


def scale_to(width_px: int, max_width_px: int | None) -> float:
    """Factor at most 1 by which an image shrinks to at most `max_width_px`."""
    return 1.0 if max_width_px is None else min(1.0, max_width_px / width_px)


def resized_camera(camera: Camera, scale: float) -> Camera:
    """The camera with all intrinsics times `scale`; its pose stays."""
    return replace(
        camera,
        fx_px=camera.fx_px * scale,
        fy_px=camera.fy_px * scale,
        cx_px=camera.cx_px * scale,
        cy_px=camera.cy_px * scale,
    )


def resized(frame: Frame, objects: Objects, failure: Failure, scale: float) -> tuple[Frame, Objects, Failure]:
    """All three with their pixels times `scale`; metres stay."""
    if scale == 1.0:
        return frame, objects, failure
    smaller = replace(
        frame,
        width_px=round(frame.width_px * scale),
        height_px=round(frame.height_px * scale),
        camera=None if frame.camera is None else resized_camera(frame.camera, scale),
    )
    detected = failure.detection_box_xyxy_px
    return (
        smaller,
        replace(objects, box_xyxy_px=objects.box_xyxy_px * scale),
        replace(
            failure,
            box_xyxy_px=_times(failure.box_xyxy_px, scale),
            detection_box_xyxy_px=None if detected is None else _times(detected, scale),
            height_px=failure.height_px * scale,
        ),
    )


def _times(box: tuple[float, float, float, float], scale: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * scale, top * scale, right * scale, bottom * scale
