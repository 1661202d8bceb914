"""How wrong the grid is: BCE for coverage, occlusion and class, L1 for the box (Kishore et al. 2021).

Two changes from the paper's plain terms by default, both for training that is short and starts from scratch:
the coverage BCE is focal, as covered cells are one in hundreds; and the L1 is taken where an error is relative to the
object's size (see boxes.py), as the IoU is, so that far objects are not drowned by near ones. The preset `paper` has
the plain terms.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from .boxes import decode
from .cells import cells_of
from .config import DetectorConfig, LossWeights
from .network import GridOutput
from .targets import GridTargets

FOCAL_GAMMA = 2.0
LIGHTEST = 1e-6  # any object weighs at least 1: this divides the nothing that a batch without known occlusions sums to


def detector_loss(
    output: GridOutput,
    targets: GridTargets,
    config: DetectorConfig,
    weights: LossWeights,
    totals: Tensor | None = None,
) -> dict[str, Tensor]:
    """Scalars "loss" (the weighted sum) and its terms "loss_coverage", "loss_box", "loss_occlusion", "loss_category",
    and "loss_giou" where it has a weight.

    An object weighs the square root of its cells: a near lorry more than a far car, but not a hundred times more.
    Terms are divided by the weight of all objects, hence do not depend on the batch's size.
    totals: what to divide by, where these images are one part of a larger batch (see `loss_totals`).
    """
    covered = targets.covered
    weight = _weight(targets)
    total, total_known = loss_totals(targets) if totals is None else totals
    # A batch without objects still learns the background: its floor is one cell an image.
    total = total.clamp(min=len(covered))
    target = covered.to(output.coverage.dtype)
    terms = {}
    if weights.giou > 0 or weights.coverage_target == "iou":
        cells = cells_of(config, covered.device)
        said, true = (decode(box, cells, config)[covered] for box in (output.box, targets.box))
        if weights.giou > 0:
            cost = generalized_box_iou_loss(said, true, reduction="none")
            terms["giou"] = (cost * weight[covered]).sum() / total
        if weights.coverage_target == "iou":
            target = target.masked_scatter(covered, _iou(said.detach(), true))
    terms |= {
        "coverage": _coverage(output.coverage, target, targets.counts, weight, weights) / total,
        "box": ((output.box - targets.box).abs().mean(2) * weight)[covered].sum() / total,
        "occlusion": _occlusion(output.occlusion, targets.occlusion, weight) / total_known.clamp(min=LIGHTEST),
        "category": _category(output.category, covered, targets.counts, weight) / total,
    }
    loss = sum((getattr(weights, name) * value for name, value in terms.items()), torch.zeros((), device=total.device))
    return {"loss": loss} | {f"loss_{name}": value.detach() for name, value in terms.items()}


def loss_totals(targets: GridTargets) -> Tensor:
    """(2,) float32: the weight of all objects, and of those whose occlusion is known.

    Of a batch that is learned in equal parts, every part's loss takes the mean of the parts' totals: the mean of the
    parts' losses is then the whole batch's.
    """
    weight = _weight(targets)
    known = (weight > 0) & ~targets.occlusion.isnan()
    return torch.stack([weight.sum(), weight[known].sum()])


def _weight(targets: GridTargets) -> Tensor:
    """(B, C, K), sums to sqrt(cells) for each object."""
    return targets.covered / targets.cells.sqrt()


def _coverage(logits: Tensor, target: Tensor, counts: Tensor, weight: Tensor, weights: LossWeights) -> Tensor:
    """BCE summed over the cells that count; the focal one, of a target between 0 and 1, is the quality focal loss."""
    cost = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if weights.coverage_form == "focal":
        cost = cost * (target - torch.sigmoid(logits)).abs() ** FOCAL_GAMMA
    share = torch.where(weight > 0, weights.foreground_share * weight, 1 - weights.foreground_share)
    return (share * counts * cost).sum()


def _iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Of pairs: (N, 4), (N, 4) -> (N,)."""
    low, high = torch.maximum(a_xyxy[:, :2], b_xyxy[:, :2]), torch.minimum(a_xyxy[:, 2:], b_xyxy[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (a_xyxy, b_xyxy)]
    return shared / (areas[0] + areas[1] - shared)


def _occlusion(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Summed BCE against the hidden share, above what the best answer would cost, of objects whose share is known."""
    known = (weight > 0) & ~target.isnan()
    weight, target = weight[known], target[known]
    least = F.binary_cross_entropy(target, target, reduction="none")
    cost = F.binary_cross_entropy_with_logits(logits[known], target, reduction="none") - least
    return (cost * weight).sum()


def _category(logits: Tensor, covered: Tensor, counts: Tensor, weight: Tensor) -> Tensor:
    """BCE over all categories of the cells that some object covers, each cell weighing what its object weighs."""
    cell_weight = weight.amax(1, keepdim=True) * counts
    cost = F.binary_cross_entropy_with_logits(logits, covered.to(logits.dtype), reduction="none")
    return (cost * cell_weight).sum()
