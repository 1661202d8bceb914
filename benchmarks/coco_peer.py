"""The peer of our evaluation: pycocotools' COCOeval of the same boxes, for tests and timings."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from dataset.schema import EVERY_CATEGORY, Detections, Frame, Objects


def coco_json(
    data: Sequence[tuple[Frame, Objects, Detections]], categories: Sequence[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ground truth and results as COCO's JSON has them; an ignore region of every category becomes a crowd in each."""
    annotations, results = [], []
    for row, (_, objects, detections) in enumerate(data):
        for category, box, ignore in zip(objects.category, objects.box_xyxy_px, objects.ignore, strict=True):
            for own in range(len(categories)) if category == EVERY_CATEGORY else [int(category)]:
                annotations.append(
                    {
                        "id": len(annotations) + 1,  # COCOeval takes id 0 for 'not matched'
                        "image_id": row + 1,
                        "category_id": own + 1,
                        "bbox": (xywh := _xywh(box)),
                        "area": xywh[2] * xywh[3],
                        "iscrowd": int(ignore),
                    }
                )
        for category, box, score in zip(detections.category, detections.box_xyxy_px, detections.score, strict=True):
            results.append(
                {"image_id": row + 1, "category_id": int(category) + 1, "bbox": _xywh(box), "score": float(score)}
            )
    truth = {
        "info": {},
        "images": [{"id": row + 1, "width": f.width_px, "height": f.height_px} for row, (f, _, _) in enumerate(data)],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(categories)],
        "annotations": annotations,
    }
    return truth, results


def _xywh(box) -> list[float]:
    return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]


def coco_evaluation(truth: dict[str, Any], results: list[dict[str, Any]]) -> COCOeval:
    """COCOeval's figures in `.stats` and `.eval`, silently."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_index(truth), _detected(truth, results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _index(content: dict[str, Any]) -> Any:
    coco: Any = COCO()
    coco.dataset = content
    coco.createIndex()
    return coco


def _detected(truth: dict[str, Any], results: list[dict[str, Any]]) -> Any:
    # loadRes fails on an empty list.
    return _index(truth).loadRes(results) if results else _index(truth | {"annotations": []})
