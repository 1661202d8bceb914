"""RetinaNet and FCOS as an ONNX file: what every anchor says, and torchvision's way from there to objects.

Faster R-CNN has no such form: what its second stage looks at depends on the image.
"""

from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import batched_nms

from dataset.schema import Detections

from .pyramid import PyramidDetector


@dataclass(frozen=True)
class Suppression:
    """What torchvision does with the anchors' answers: the best of each level, then non-maximum suppression."""

    anchors_per_level: tuple[int, ...]
    min_score: float
    candidates_per_level: int
    iou: float
    max_objects: int

    @staticmethod
    def of(network: RetinaNet | FCOS, anchors_per_level: list[int]) -> "Suppression":
        return Suppression(
            tuple(anchors_per_level),
            network.score_thresh,
            network.topk_candidates,
            network.nms_thresh,
            network.detections_per_img,
        )

    def __call__(self, score: Tensor, box: Tensor) -> Detections:
        """score (C, N), box (C, N, 4) of one image, on the CPU -> its objects, strongest first."""
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        first = 0
        for anchors in self.anchors_per_level:
            level = score[:, first : first + anchors]
            category, anchor = (level > self.min_score).nonzero(as_tuple=True)
            best, chosen = level[category, anchor].topk(min(self.candidates_per_level, len(category)))
            category, anchor = category[chosen], anchor[chosen] + first
            found.append((category, best, box[category, anchor]))
            first += anchors
        category, best, boxes = (torch.cat(values) for values in zip(*found, strict=True))
        kept = batched_nms(boxes, best, category, self.iou)[: self.max_objects]
        return Detections.of(category[kept].numpy(), boxes[kept].numpy(), best[kept].numpy())


class PyramidCells(nn.Module):
    """images (B, 3, H, W) -> score (B, C, N) and box_xyxy (B, C, N, 4), the same box for every category.

    The anchors are those of the config's input size, made once.
    """

    def __init__(self, detector: PyramidDetector):
        super().__init__()
        assert isinstance(detector.network, RetinaNet | FCOS)
        self.config, self.categories, self.network = detector.config, detector.categories, detector.network
        blank = torch.zeros(1, 3, self.config.input_height_px, self.config.input_width_px)
        with torch.inference_mode():
            maps = list(self.network.backbone(blank).values())
        anchors = self.network.anchor_generator(ImageList(blank, [(blank.shape[2], blank.shape[3])]), maps)[0]
        cells = [features.shape[2] * features.shape[3] for features in maps]
        self.suppression = Suppression.of(self.network, [len(anchors) // sum(cells) * count for count in cells])
        self.register_buffer("anchors", anchors.clone(), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        said: dict[str, Tensor] = self.network.head(list(self.network.backbone(images).values()))
        score = said["cls_logits"].sigmoid()  # (B, N, C)
        offsets, anchors = said["bbox_regression"], cast(Tensor, self.anchors)
        every = anchors.expand(images.shape[0], -1, -1)  # len() would fix the batch's size in the export
        if isinstance(self.network, FCOS):
            score = (score * said["bbox_ctrness"].sigmoid()).sqrt()
            box = self.network.box_coder.decode(offsets, every)
        else:
            box = self.network.box_coder.decode_single(offsets.flatten(0, 1), every.flatten(0, 1)).view_as(offsets)
        x = box[..., 0::2].clamp(0.0, float(self.config.input_width_px))
        y = box[..., 1::2].clamp(0.0, float(self.config.input_height_px))
        box = torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)
        return score.transpose(1, 2), box[:, None].expand(-1, self.categories, -1, -1)

    def told(self) -> dict[str, Any]:
        return {"suppression": asdict(self.suppression)}
