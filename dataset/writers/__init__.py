"""A store, written in public formats."""

from dataset.writers.coco import write_coco
from dataset.writers.kitti import write_kitti

__all__ = ["write_coco", "write_kitti"]
