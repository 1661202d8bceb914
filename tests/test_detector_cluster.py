import numpy as np
import torch

from models.detector.cluster import Proposals, cluster
from models.detector.config import ClusterConfig

CONFIG = ClusterConfig()


def proposals(boxes, scores, category=None, occlusion=None) -> Proposals:
    n = len(scores)
    return Proposals(
        torch.as_tensor(category if category is not None else [0] * n),
        torch.as_tensor(np.array(boxes), dtype=torch.float32).reshape(n, 4),
        torch.as_tensor(np.array(scores), dtype=torch.float32),
        torch.as_tensor(np.array(occlusion if occlusion is not None else [0.0] * n), dtype=torch.float32),
    )


def test_a_single_weak_cell_is_an_object():
    found = cluster(proposals([[5, 5, 9, 9]], [0.02]), CONFIG)
    assert len(found) == 1 and np.isclose(found.score[0], 0.02)


def test_agreeing_cells_are_one_object_with_the_weighted_mean_of_their_boxes_and_occlusions():
    found = cluster(proposals([[0, 0, 100, 50], [4, 0, 104, 50]], [0.9, 0.3], occlusion=[0.0, 0.8]), CONFIG)
    assert np.allclose(found.box_xyxy_px, [[1, 0, 101, 50]], atol=1e-4)
    assert np.allclose(found.occlusion, 0.2)


def test_many_cells_do_not_raise_the_confidence_above_one():
    found = cluster(proposals([[0, 0, 100, 50]] * 200, [0.9] * 200), CONFIG)
    assert len(found) == 1 and np.isclose(found.score[0], 0.9)


def test_a_chain_of_overlapping_boxes_does_not_join_two_cars():
    lefts = np.arange(0, 101, 10.0)
    scores = np.where((lefts == 0) | (lefts == 100), 0.9, 0.1)
    found = cluster(proposals(np.stack([lefts, lefts * 0, lefts + 100, lefts * 0 + 60], 1), scores), CONFIG)
    strong = found.where(found.score > 0.5)
    assert len(strong) == 2
    assert np.allclose(np.sort(strong.box_xyxy_px[:, 0]), [0, 100], atol=12)


def test_categories_do_not_join_each_other():
    found = cluster(proposals([[0, 0, 10, 10], [0, 0, 10, 10]], [0.5, 0.4], category=[0, 2]), CONFIG)
    assert sorted(found.category.tolist()) == [0, 2]


def test_objects_come_strongest_first_whatever_the_order_of_cells():
    boxes = [[0, 0, 10, 10], [50, 0, 60, 10], [100, 0, 110, 10]]
    found = cluster(proposals(boxes, [0.2, 0.9, 0.5]), CONFIG)
    assert np.allclose(found.box_xyxy_px[:, 0], [50, 100, 0])


def test_no_proposals_are_no_objects():
    assert len(cluster(proposals(np.zeros((0, 4)), []), CONFIG)) == 0


def test_a_flood_of_cells_is_bounded():
    lefts = np.arange(3000.0) * 20
    boxes = np.stack([lefts, lefts * 0, lefts + 10, lefts * 0 + 10], 1)
    assert len(cluster(proposals(boxes, np.linspace(0.1, 0.9, 3000)), CONFIG)) == CONFIG.max_objects
