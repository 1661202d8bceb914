"""torchvision's detectors, taught that an ignore region is neither object nor background.

torchvision knows no such regions. An anchor (a point of FCOS, a proposal of Faster R-CNN) that would count as
background, more than half of which lies in an ignore region, takes no part in the loss: KITTI's DontCare rule, which
judges detections by the same share.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from dataset.schema import EVERY_CATEGORY

MIN_SHARE = 0.5  # of the anchor, that lies in the region
SILENT = -20.0  # a logit whose focal loss against background vanishes, and its gradient with it

Target = dict[str, Tensor]


def in_ignored(boxes: Tensor, target: Target) -> Tensor:
    """(N, R) bool: which of the image's R ignore regions hold more than half of a box (N, 4)."""
    regions = target["ignored_boxes"]
    low = torch.maximum(boxes[:, None, :2], regions[:, :2])
    high = torch.minimum(boxes[:, None, 2:], regions[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1)
    return shared > MIN_SHARE * area[:, None]


def silenced(logits: Tensor, anchors: list[Tensor], targets: list[Target]) -> Tensor:
    """Class logits (B, N, C) with those silenced that an ignore region of their category speaks for.

    Anchors whose centre lies in an object to be learned are left alone: they may be what has to find it.
    """
    mask = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
    for i, (boxes, target) in enumerate(zip(anchors, targets, strict=True)):
        held = in_ignored(boxes, target) & ~_centred_in(boxes, target["boxes"])[:, None]
        for region, category in enumerate(target["ignored_categories"].tolist()):
            mask[i, :, slice(None) if category == EVERY_CATEGORY else category] |= (
                held[:, region, None] if category == EVERY_CATEGORY else held[:, region]
            )
    return logits.masked_fill(mask, SILENT)


def _centred_in(boxes: Tensor, objects: Tensor) -> Tensor:
    """(N,) bool: the centre of a box lies in one of the objects (M, 4)."""
    centre = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    return ((centre > objects[:, :2]) & (centre < objects[:, 2:])).all(-1).any(-1)


class RetinaNetWithIgnored(RetinaNet):
    def compute_loss(self, targets: list[Target], head_outputs: dict[str, Tensor], anchors: list[Tensor]) -> Any:
        heard = head_outputs | {"cls_logits": silenced(head_outputs["cls_logits"], anchors, targets)}
        return super().compute_loss(targets, heard, anchors)


class FcosWithIgnored(FCOS):
    def compute_loss(
        self,
        targets: list[Target],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        num_anchors_per_level: list[int],
    ) -> Any:
        heard = head_outputs | {"cls_logits": silenced(head_outputs["cls_logits"], anchors, targets)}
        return super().compute_loss(targets, heard, anchors, num_anchors_per_level)


class RpnWithIgnored(RegionProposalNetwork):
    def assign_targets_to_anchors(self, anchors: list[Tensor], targets: list[Target]) -> Any:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, anchor, target in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & in_ignored(anchor, target).any(1)] = -1.0  # the sampler passes over them
        return labels, boxes


class RoiHeadsWithIgnored(RoIHeads):
    def select_training_samples(self, proposals: list[Tensor], targets: Any) -> Any:
        self._targets_of_call = targets  # the next method is called from within, without them
        try:
            return super().select_training_samples(proposals, targets)
        finally:
            del self._targets_of_call

    def assign_targets_to_proposals(self, proposals: list[Tensor], gt_boxes: Any, gt_labels: Any) -> Any:
        matched, labels = super().assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        for label, proposal, target in zip(labels, proposals, self._targets_of_call, strict=True):
            label[(label == 0) & in_ignored(proposal, target).any(1)] = -1
        return matched, labels


def faster_rcnn_with_ignored(
    backbone: nn.Module,
    classes: int,
    anchors: AnchorGenerator,
    kept: dict[str, Any],
    transform: dict[str, Any],
) -> GeneralizedRCNN:
    """Faster R-CNN with torchvision's own settings (FasterRCNN's defaults); `classes` counts the background."""
    channels: int = backbone.out_channels  # type: ignore[assignment]
    rpn = RpnWithIgnored(
        anchors,
        RPNHead(channels, anchors.num_anchors_per_location()[0]),
        fg_iou_thresh=0.7,
        bg_iou_thresh=0.3,
        batch_size_per_image=256,
        positive_fraction=0.5,
        pre_nms_top_n={"training": 2000, "testing": 1000},
        post_nms_top_n={"training": 2000, "testing": 1000},
        nms_thresh=0.7,
    )
    pool = MultiScaleRoIAlign(featmap_names=["0", "1", "2", "3"], output_size=7, sampling_ratio=2)
    heads = RoiHeadsWithIgnored(
        pool,
        TwoMLPHead(channels * 7**2, 1024),
        FastRCNNPredictor(1024, classes),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=512,
        positive_fraction=0.25,
        bbox_reg_weights=None,
        nms_thresh=0.5,
        score_thresh=kept["score_thresh"],
        detections_per_img=kept["detections_per_img"],
    )
    return GeneralizedRCNN(backbone, rpn, heads, GeneralizedRCNNTransform(**transform))
