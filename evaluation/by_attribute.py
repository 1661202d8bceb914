"""Average precision of near and far, clear and hidden, large and small objects: one figure a bin.

Each bin is judged by COCO's rules as COCO judges its area ranges: the objects of other bins are ignored, so finding
one is neither right nor wrong. A detection that takes no object is false in every bin, as nobody knows how far away or
how hidden a thing is that is not there; only its height is known, so by height it is false in its own bin alone.
Figures of small bins are therefore lower than the whole's by distance, occlusion and truncation: compare detectors in
a bin, not bins of one detector.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.store import Dataset
from evaluation.attributes import COLUMN_OF, UNKNOWN, attributes, bin_names, bins_of
from evaluation.average_precision import mean_of_known, record, tables
from evaluation.batch import Batch, batches
from evaluation.matching import Outside

ATTRIBUTES = ("distance", "occlusion", "truncation", "height")


@dataclass(frozen=True)
class BinFigures:
    """COCO's figures of one bin, 0-1, means over the categories that have objects there; NaN where none has."""

    bin: str
    objects: int
    mAP: float
    AP50: float
    AR100: float
    AP50_per_category: dict[str, float]


def ap_by(ds: Dataset, detections_file: Path, by: str) -> list[BinFigures]:
    """One row a bin that has objects. by: distance, occlusion, truncation or height (of the box, in pixels).

    Objects of which it is not known stand in a bin of their own. Raises InputError on another `by`.
    """
    if by not in ATTRIBUTES:
        raise InputError("by", f"{by!r} is no attribute with bins", f"take one of {', '.join(ATTRIBUTES)}")
    bins = [*bin_names(by), UNKNOWN]
    found = tables(
        record(batches(ds, detections_file), len(ds.categories), outside=lambda batch: outside_bins(batch, by, bins))
    )
    return [
        BinFigures(
            bin=name,
            objects=int(found.objects[i].sum()),
            mAP=mean_of_known(found.precision[i]),
            AP50=mean_of_known(found.precision[i, 0]),
            AR100=mean_of_known(found.recall[i]),
            AP50_per_category=dict(zip(ds.categories, found.precision[i, 0].tolist(), strict=True)),
        )
        for i, name in enumerate(bins)
        if found.objects[i].any()
    ]


def outside_bins(batch: Batch, by: str, bins: list[str]) -> Outside:
    """Each bin as a part of the batch."""
    names = np.array(bins, dtype=object)[:, None]
    objects = batch.objects
    known = attributes(batch, batch.object_frame, np.arange(len(objects)), objects.box_xyxy_px)
    detections = np.zeros((len(bins), len(batch.detections)), bool)
    if by == "height":
        box = batch.detections.box_xyxy_px
        detections = bins_of(by, box[:, 3] - box[:, 1]) != names
    return Outside(bins_of(by, known[COLUMN_OF[by]]) != names, detections)
