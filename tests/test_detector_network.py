import pytest
import torch
from pydantic import ValidationError

from dataset.errors import InputError
from dataset.schema import Objects
from models.detector.boxes import decode
from models.detector.cells import cells_of
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.network import COVERAGE_PRIOR, GridNetwork
from models.detector.samples import padded
from models.detector.targets import rasterise


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize("strides", [(8,), (16,), (32,), (8, 16, 32), (8, 32)])
def test_every_backbone_answers_on_the_grids_of_the_targets(backbone, strides):
    config = DetectorConfig(backbone=backbone, strides=strides, input_width_px=96, input_height_px=64, neck_channels=16)
    with torch.inference_mode():
        output = GridNetwork(config, categories=3).eval()(torch.zeros(2, 3, 64, 96))
    targets = rasterise(padded([Objects.none(), Objects.none()]), config, categories=3)
    assert output.coverage.shape == targets.covered.shape == (2, 3, sum(64 * 96 // s**2 for s in strides))
    assert output.occlusion.shape == output.category.shape == targets.covered.shape
    assert output.box.shape == targets.box.shape
    assert decode(output.box, cells_of(config, "cpu"), config).shape == (*targets.covered.shape, 4)


def test_an_untrained_network_expects_hardly_any_cell_to_be_covered():
    network = GridNetwork(DetectorConfig(input_width_px=96, input_height_px=64), categories=2).eval()
    with torch.inference_mode():
        coverage = network(torch.randn(1, 3, 64, 96)).coverage.sigmoid()
    assert 0.3 * COVERAGE_PRIOR < coverage.mean() < 3 * COVERAGE_PRIOR


def test_an_input_size_off_the_grid_names_the_nearest_that_fits():
    with pytest.raises(InputError, match=r"input_width_px: 650 is not a multiple of 32\. Use 640"):
        DetectorConfig(input_width_px=650)


def test_grids_out_of_order_are_put_in_order_by_the_message():
    with pytest.raises(InputError, match=r"strides: \[16, 8, 8\] is not in rising order\. Use \[8, 16\]"):
        DetectorConfig(strides=(16, 8, 8))


def test_cells_are_listed_grid_by_grid_and_row_by_row():
    config = DetectorConfig(strides=(8, 16), input_width_px=128, input_height_px=64, neck_channels=16)
    cells = cells_of(config, "cpu")
    assert torch.equal(cells.x[:3], torch.tensor([4.0, 12.0, 20.0])) and torch.equal(cells.y[:3], torch.full((3,), 4.0))
    fine = (64 // 8) * (128 // 8)
    assert cells.stride[fine - 1] == 8 and cells.stride[fine] == 16
    assert (cells.x[fine], cells.y[fine], cells.x[-1], cells.y[-1]) == (8, 8, 120, 56)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="learning_rat"):
        TrainConfig(learning_rat=1)  # type: ignore[call-arg]


def test_every_choice_is_described_for_the_form():
    for model in (DetectorConfig, TrainConfig):
        for name, field in model.model_fields.items():
            nested = hasattr(field.annotation, "model_fields")
            assert nested or field.description, name
