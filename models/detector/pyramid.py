"""torchvision's Faster R-CNN, RetinaNet and FCOS over a ResNet feature pyramid, behind the loop's interface.

They differ from torchvision's builders in what the loop needs: images come resized and normalised, the pyramid's
BatchNorm learns (there may be no ImageNet weights to freeze), anchors are half torchvision's size (made for images of
800 px, ours are smaller), and ignore regions teach nothing (see ignored.py).
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from dataset.schema import Detections

from .architecture import Architecture
from .config import DetectorConfig, LossWeights
from .ignored import FcosWithIgnored, RetinaNetWithIgnored, faster_rcnn_with_ignored
from .targets import ObjectBatch

WEAKEST_SCORE = 0.01  # COCO's AP wants the long tail of detections; torchvision's 0.05 cuts it off
RATIOS = (0.5, 1.0, 2.0)
# A side below this has no area to learn from; torchvision refuses boxes of zero width.
MIN_SIDE_PX = 0.5


class PyramidDetector(Architecture):
    """One of torchvision's three, as the config says."""

    def __init__(self, config: DetectorConfig, categories: int):
        super().__init__()
        self.config, self.categories = config, categories
        self.network = _build(config, categories)
        # Faster R-CNN counts the background as class 0.
        self.first_label = 1 if config.architecture == "faster_rcnn" else 0

    @property
    def trunk(self) -> nn.Module:  # type: ignore[override]  # a second attribute would save its weights twice
        return cast(nn.Module, cast(BackboneWithFPN, self.network.backbone).body)

    def learn(
        self, images: Tensor, objects: ObjectBatch, weights: LossWeights, totals: Tensor | None = None
    ) -> dict[str, Tensor]:
        """`weights` are the grid detector's: these networks keep the weights of their papers.

        RetinaNet's loss is a mean over images, so parts of a batch add up to the batch. Those of the other two are
        means over positive points and sampled boxes: each part divides by its own, as torchvision trains them.
        """
        terms = self.network(list(images), self._targets(objects))
        loss = torch.stack([value.float() for value in terms.values()]).sum()
        return {"loss": loss} | {f"loss_{name.removeprefix('loss_')}": value.detach() for name, value in terms.items()}

    def find(self, images: Tensor) -> list[Detections]:
        return [
            Detections.of(
                found["labels"].cpu().numpy() - self.first_label,
                found["boxes"].float().cpu().numpy(),
                found["scores"].float().cpu().numpy(),
            )
            for found in self.network(list(images))
        ]

    def _targets(self, objects: ObjectBatch) -> list[dict[str, Tensor]]:
        """What torchvision wants of each image, with its ignore regions beside: see ignored.py."""
        sides = objects.box_xyxy[..., 2:] - objects.box_xyxy[..., :2]
        learned = objects.learned(self.config.min_box_px) & (sides >= MIN_SIDE_PX).all(-1)
        ignored = objects.exists & ~learned
        return [
            {
                "boxes": objects.box_xyxy[i, learned[i]],
                "labels": objects.category[i, learned[i]] + self.first_label,
                "ignored_boxes": objects.box_xyxy[i, ignored[i]],
                "ignored_categories": objects.category[i, ignored[i]],
            }
            for i in range(len(learned))
        ]


def _build(config: DetectorConfig, categories: int) -> Any:
    as_it_comes = {
        "min_size": config.input_height_px,
        "max_size": config.input_width_px,
        "image_mean": [0.0] * 3,
        "image_std": [1.0] * 3,
        "_skip_resize": True,
    }
    kept = {"score_thresh": WEAKEST_SCORE, "detections_per_img": config.clustering.max_objects}
    if config.architecture == "faster_rcnn":
        anchors = AnchorGenerator(tuple((size,) for size in (16, 32, 64, 128, 256)), (RATIOS,) * 5)
        return faster_rcnn_with_ignored(_pyramid(config), categories + 1, anchors, kept, as_it_comes)
    backbone = _pyramid(config, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256))
    if config.architecture == "retinanet":
        sizes = tuple(tuple(int(size * 2 ** (third / 3)) for third in range(3)) for size in (16, 32, 64, 128, 256))
        anchors = AnchorGenerator(sizes, (RATIOS,) * 5)
        return RetinaNetWithIgnored(backbone, categories, anchor_generator=anchors, **kept, **as_it_comes)
    fcos = FcosWithIgnored(backbone, categories, **kept, **as_it_comes)
    # Its distances pass a ReLU and start at 0, where a GIoU loss hardly grows a box: trained from scratch the unit dies
    # within 25 steps, and every box is a point for ever after. Starting at one cell to each side keeps it alive.
    nn.init.ones_(cast(nn.Conv2d, fcos.head.regression_head.bbox_reg).bias)  # type: ignore[arg-type]
    return fcos


def _pyramid(config: DetectorConfig, **levels: Any) -> nn.Module:
    return resnet_fpn_backbone(
        backbone_name=config.backbone, weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5, **levels
    )
