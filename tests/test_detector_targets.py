import numpy as np
import pytest
import torch

from dataset.schema import EVERY_CATEGORY, Objects
from models.detector import boxes
from models.detector.cells import cells_of
from models.detector.config import DetectorConfig, LossWeights
from models.detector.loss import detector_loss
from models.detector.network import GridOutput
from models.detector.samples import padded
from models.detector.targets import GridTargets, rasterise

CONFIG = DetectorConfig(input_width_px=320, input_height_px=192, strides=(16,))
CAR, PERSON = 0, 1
SURE = 20.0  # a logit as good as certain


def targets_of(*frames: Objects, config: DetectorConfig = CONFIG) -> GridTargets:
    return rasterise(padded(frames), config, categories=2)


def decode(encoded: torch.Tensor, config: DetectorConfig = CONFIG) -> torch.Tensor:
    return boxes.decode(encoded, cells_of(config, "cpu"), config)


def as_grid(values: torch.Tensor) -> torch.Tensor:
    """(..., K) of CONFIG's one grid -> (..., rows, columns)."""
    return values.unflatten(-1, (192 // 16, 320 // 16))


def perfect_output(targets: GridTargets) -> GridOutput:
    sure = torch.where(targets.covered, SURE, -SURE)
    occlusion = torch.logit(targets.occlusion.nan_to_num(0.5), eps=1e-6)
    return GridOutput(sure.clone(), targets.box.clone(), occlusion, sure.clone())


def loss_of(output: GridOutput, targets: GridTargets, **weights) -> dict[str, torch.Tensor]:
    return detector_loss(output, targets, CONFIG, LossWeights(**weights))


@pytest.mark.parametrize("box_code", ["relative", "edges"])
@pytest.mark.parametrize("strides", [(8,), (16,), (8, 16, 32)])
def test_decoding_the_rasterised_boxes_returns_the_boxes(strides, box_code):
    config = DetectorConfig(input_width_px=320, input_height_px=192, strides=strides, box_code=box_code)
    labelled = np.array([[10, 20, 90, 80], [200.5, 60.25, 206, 66], [100, 100, 300, 190]])
    targets = targets_of(Objects.of([CAR, PERSON, CAR], labelled), config=config)
    found = decode(targets.box, config)[targets.covered]
    told = np.unique(np.round(found.numpy(), 3), axis=0)
    assert np.allclose(told, labelled[np.lexsort(labelled.T[::-1])], atol=1e-3)


def test_every_object_is_learned_by_one_grid_the_one_of_its_size():
    config = DetectorConfig(input_width_px=320, input_height_px=192, strides=(8, 16, 32), cells_across=8)
    for longer_side, stride in ((5, 8), (63, 8), (64, 16), (127, 16), (128, 32), (300, 32)):
        targets = targets_of(Objects.of([CAR], [[10, 20, 10 + longer_side, 24]]), config=config)
        assert set(cells_of(config, "cpu").stride[targets.covered[0, CAR]].tolist()) == {stride}, longer_side
        others = cells_of(config, "cpu").stride != stride
        assert targets.counts[0, CAR, others].all()  # background to the others: told not to answer


def test_with_one_grid_every_size_is_its():
    targets = targets_of(Objects.of([CAR, CAR], [[2, 2, 6, 6], [10, 0, 320, 192]]))
    found = decode(targets.box)[targets.covered]
    assert {4, 310} == set((found[:, 2] - found[:, 0]).round().int().tolist())


@pytest.mark.parametrize("box_code", ["relative", "edges"])
@pytest.mark.parametrize("said", [-1e4, 1e4])
def test_a_box_that_no_one_asks_for_has_neither_infinities_nor_a_gradient_without_number(box_code, said):
    config = CONFIG.model_copy(update={"box_code": box_code})
    targets = targets_of(Objects.of([CAR], [[40, 40, 90, 80]]), config=config)
    output = perfect_output(targets)
    output.box[~targets.covered[:, :, None].expand_as(output.box)] = said
    output = GridOutput(*[values.requires_grad_() for values in output])
    weights = LossWeights(giou=1.0, coverage_target="iou")
    detector_loss(output, targets, config, weights)["loss"].backward()
    assert decode(output.box, config).isfinite().all()
    assert output.box.grad is not None and output.box.grad.isfinite().all()


def test_every_object_has_a_cell_however_small_and_wherever_it_lies():
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = rng.uniform(3.1, 40, 2)
        corner = rng.uniform(0, [320, 192] - size)
        box = np.r_[corner, corner + size]
        assert targets_of(Objects.of([CAR], [box])).covered[0, CAR].any(), box
    for corner in ([0, 0], [316, 0], [0, 188], [316, 188]):
        assert targets_of(Objects.of([CAR], [[*corner, corner[0] + 4, corner[1] + 4]])).covered.sum() == 1


def test_centre_sampling_covers_the_cells_about_the_centre_that_lie_in_the_box():
    config = CONFIG.model_copy(update={"centre_cells": 1.5})
    small, wide = [[96, 96, 112, 112]], [[69, 98, 139, 110]]  # centres in the middle of a cell of 16 px
    assert targets_of(Objects.of([CAR], small), config=config).covered.sum() == 1  # its neighbours' centres lie outside
    assert targets_of(Objects.of([CAR], [[78, 78, 130, 130]]), config=config).covered.sum() == 9
    across = as_grid(targets_of(Objects.of([CAR], wide), config=config).covered)[0, CAR]
    assert across.sum() == 3 and across[6, 5:8].all()
    assert targets_of(Objects.of([CAR], wide)).covered.sum() == 1


def test_a_centre_on_the_border_of_two_cells_covers_one():
    assert targets_of(Objects.of([CAR], [[30, 30, 34, 34]])).covered.sum() == 1


def test_a_small_object_inside_a_large_one_keeps_its_cell_and_the_large_one_the_rest():
    small, large = [150, 90, 156, 96], [40, 20, 280, 180]
    for order in ([small, large], [large, small]):
        targets = targets_of(Objects.of([CAR, CAR], order))
        found = decode(targets.box)[targets.covered]
        widths = (found[:, 2] - found[:, 0]).round()
        assert (widths == 6).sum() == 1
        assert (widths == 240).sum() == targets.covered.sum() - 1 > 10


def test_the_smaller_of_two_objects_about_one_centre_gets_the_cell_of_the_centre():
    small, large = [98, 98, 106, 106], [60, 60, 144, 144]
    for order in ([small, large], [large, small]):
        targets = targets_of(Objects.of([CAR, CAR], order))
        assert torch.allclose(decode(targets.box)[0, CAR, 6 * 20 + 6], torch.tensor(small).float(), atol=1e-3)


def test_an_object_keeps_the_cell_of_its_centre_though_a_smaller_one_covers_it_too():
    smaller, larger = [10, 10, 150, 150], [15, 5, 185, 155]
    for order in ([smaller, larger], [larger, smaller]):
        targets = targets_of(Objects.of([CAR, CAR], order))
        assert torch.allclose(decode(targets.box)[0, CAR, 5 * 20 + 6], torch.tensor(larger).float(), atol=1e-3)


def test_objects_of_different_categories_share_a_cell():
    targets = targets_of(Objects.of([CAR, PERSON], [[40, 40, 120, 120], [70, 60, 84, 110]]))
    assert (targets.covered[0, CAR] & targets.covered[0, PERSON]).any()


def test_ignore_regions_count_for_no_loss_in_their_category_or_in_all():
    box = [[64, 64, 128, 128]]
    own = targets_of(Objects.of([CAR], box, ignore=[True]))
    every = targets_of(Objects.of([EVERY_CATEGORY], box, ignore=[True]))
    inside = (slice(4, 8), slice(4, 8))
    assert not own.covered.any() and not every.covered.any()
    assert not as_grid(own.counts)[0, CAR][inside].any() and own.counts[0, PERSON].all()
    assert not as_grid(every.counts)[0, :, 4:8, 4:8].any()
    assert (~own.counts[0, CAR]).sum() == 16 and (~every.counts).sum() == 32


def test_an_object_over_an_ignore_region_is_still_learned():
    objects = Objects.of([CAR, EVERY_CATEGORY], [[64, 64, 128, 128], [0, 0, 320, 192]], ignore=[False, True])
    targets = targets_of(objects)
    assert torch.equal(targets.counts[0, CAR], targets.covered[0, CAR]) and targets.covered.any()


def test_objects_too_tiny_to_learn_are_ignored_not_background():
    targets = targets_of(Objects.of([CAR], [[100, 100, 102.5, 102]]))
    assert not targets.covered.any()
    assert (~targets.counts).sum() == 1


def test_the_ring_around_an_object_is_neither_object_nor_background():
    targets = targets_of(Objects.of([CAR], [[0, 0, 320, 192]]))
    ignored = ~targets.counts[0, CAR]
    assert ignored.any() and not (ignored & targets.covered[0, CAR]).any()
    assert targets.counts[0, CAR, 0]  # the box's corner is background


def test_the_loss_of_a_perfect_grid_is_zero():
    objects = Objects.of([CAR, PERSON], [[10, 20, 90, 80], [200, 60, 220, 110]], occlusion=[0.3, np.nan])
    targets = targets_of(objects, Objects.none())
    for name, value in loss_of(perfect_output(targets), targets).items():
        assert float(value) == pytest.approx(0, abs=1e-4), name


def test_a_box_off_by_a_tenth_of_its_width_costs_the_same_near_and_far():
    costs = []
    for size in (20, 160):
        targets = targets_of(Objects.of([CAR], [[32, 16, 32 + size, 16 + size]]))
        output = perfect_output(targets)
        shift = torch.tensor([0.1 * size, 0, 0.1 * size, 0])
        shifted = boxes.encode(decode(output.box) + shift, cells_of(CONFIG, "cpu"), CONFIG)
        costs.append(float(loss_of(output._replace(box=shifted), targets)["loss_box"]))
    assert costs[0] == pytest.approx(costs[1], rel=1e-3) and costs[0] == pytest.approx(0.1 / 4, rel=1e-3)


def test_ignored_cells_have_no_gradient():
    objects = Objects.of([CAR, EVERY_CATEGORY], [[20, 20, 60, 60], [160, 0, 320, 192]], ignore=[False, True])
    targets = targets_of(objects)
    output = GridOutput(*[torch.randn(t.shape, requires_grad=True) for t in perfect_output(targets)])
    loss_of(output, targets)["loss"].backward()
    for name, values in output._asdict().items():
        assert values.grad is not None
        assert (as_grid(values.grad)[..., 10:] == 0).all(), name
    assert output.coverage.grad is not None and (output.coverage.grad[0][targets.counts[0]] != 0).all()


def test_the_loss_does_not_depend_on_the_batch_size():
    objects = Objects.of([CAR, PERSON], [[10, 20, 90, 80], [200, 60, 220, 110]], occlusion=[0.3, 0.9])
    torch.manual_seed(0)
    one = targets_of(objects)
    output = GridOutput(*[torch.randn(t.shape) for t in perfect_output(one)])
    thrice = GridOutput(*[t.repeat(3, *[1] * (t.ndim - 1)) for t in output])
    for name, value in loss_of(output, one).items():
        assert float(loss_of(thrice, targets_of(objects, objects, objects))[name]) == pytest.approx(float(value)), name


def test_a_batch_without_objects_teaches_the_background_only():
    targets = targets_of(Objects.none(), Objects.none())
    output = GridOutput(*[torch.zeros(t.shape) for t in perfect_output(targets)])
    terms = loss_of(output, targets)
    assert float(terms["loss_coverage"]) > 0
    assert float(terms["loss_box"]) == float(terms["loss_occlusion"]) == float(terms["loss_category"]) == 0


def one_car_moved_by_half_its_width() -> tuple[GridOutput, GridTargets]:
    """A third of what the two boxes cover is common to both, and nothing lies between them: IoU = GIoU = 1 / 3."""
    targets = targets_of(Objects.of([CAR], [[100, 60, 132, 84]]))
    output = perfect_output(targets)
    output.box[:, :, 0] += 0.5
    return output, targets


def test_the_giou_term_is_one_minus_the_generalised_iou():
    targets = targets_of(Objects.of([CAR, PERSON], [[40, 40, 90, 80], [200, 60, 215, 100]]))
    assert loss_of(perfect_output(targets), targets, giou=1.0)["loss_giou"] == pytest.approx(0, abs=1e-6)
    output, targets = one_car_moved_by_half_its_width()
    assert loss_of(output, targets, giou=1.0)["loss_giou"] == pytest.approx(2 / 3, rel=1e-4)
    assert "loss_giou" not in loss_of(output, targets)


def test_with_the_iou_as_its_target_the_best_coverage_is_how_well_the_box_fits():
    output, targets = one_car_moved_by_half_its_width()
    costs = {}
    for said in (0.05, 1 / 3, 0.95):
        output.coverage[targets.covered] = float(np.log(said / (1 - said)))
        costs[said] = float(loss_of(output, targets, coverage_target="iou")["loss_coverage"])
    assert costs[1 / 3] == pytest.approx(0, abs=1e-6)
    assert costs[0.05] > 0.001 < costs[0.95]
    plain = [float(loss_of(output, targets)["loss_coverage"]) for output.coverage[targets.covered] in (-3.0, 3.0)]
    assert plain[1] < plain[0]


def test_the_plain_coverage_loss_is_the_weighted_cross_entropy():
    targets = targets_of(Objects.of([CAR], [[100, 100, 104, 104]]))
    output = perfect_output(targets)
    output.coverage[:] = 0.0  # every cell says one half, which costs log 2
    assert targets.covered.sum() == 1 and targets.counts.all()
    cost = loss_of(output, targets, coverage_form="plain", foreground_share=0.05)["loss_coverage"]
    background = targets.covered.numel() - 1
    assert float(cost) == pytest.approx((0.05 + 0.95 * background) * np.log(2), rel=1e-5)
