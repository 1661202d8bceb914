"""The grid detector as the loop sees it: the network, its targets and its loss, and cells clustered to objects."""

import torch
from torch import Tensor

from dataset.schema import Detections

from .architecture import Architecture
from .boxes import decode
from .cells import cells_of
from .cluster import Proposals, cluster
from .config import LossWeights
from .loss import detector_loss, loss_totals
from .network import GridNetwork, GridOutput
from .targets import ObjectBatch, rasterise


class GridDetector(GridNetwork, Architecture):
    """The paper's detector."""

    def learn(
        self, images: Tensor, objects: ObjectBatch, weights: LossWeights, totals: Tensor | None = None
    ) -> dict[str, Tensor]:
        output = self(images)
        with torch.autocast(images.device.type, enabled=False):  # the heads spoke in float32 already
            return detector_loss(output, rasterise(objects, self.config, self.categories), self.config, weights, totals)

    def totals(self, objects: ObjectBatch) -> Tensor:
        return loss_totals(rasterise(objects, self.config, self.categories))

    def find(self, images: Tensor) -> list[Detections]:
        return [cluster(proposed, self.config.clustering) for proposed in self.propose(self(images))]

    def propose(self, output: GridOutput) -> list[Proposals]:
        """The cells of each image whose score reaches the threshold; boxes in input px, on the CPU."""
        score, box, occlusion = self.cells(output)
        index = (score >= self.config.clustering.min_coverage).nonzero()  # (N, 3): image, category, cell
        at = tuple(index.T)
        values: list[Tensor] = [index[:, 1], box[at], score[at], occlusion[at]]
        counts = torch.bincount(index[:, 0], minlength=len(score)).tolist()
        parts = [value.cpu().split(counts) for value in values]
        return [Proposals(*of_image) for of_image in zip(*parts, strict=True)]

    def cells(self, output: GridOutput) -> tuple[Tensor, Tensor, Tensor]:
        """What each of K cells says: score (B, C, K) 0-1, box (B, C, K, 4) in input px, occlusion (B, C, K) 0-1.

        The score is the coverage times the class: how sure a cell is that something covers it, and that it is this.
        """
        score = output.coverage.sigmoid() * output.category.sigmoid()
        box = decode(output.box, cells_of(self.config, output.box.device), self.config)
        return score, box, output.occlusion.sigmoid()
