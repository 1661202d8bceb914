import pytest
import torch
from pydantic import ValidationError

from dataset.errors import InputError
from dataset.schema import Objects
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.network import COVERAGE_PRIOR, GridNetwork
from models.detector.samples import padded
from models.detector.targets import decode, rasterise


@pytest.mark.parametrize("backbone", ["resnet18", "resnet34", "resnet50"])
@pytest.mark.parametrize("stride", [8, 16])
def test_every_backbone_answers_on_the_grid_of_the_targets(backbone, stride):
    config = DetectorConfig(backbone=backbone, stride=stride, input_width_px=96, input_height_px=64, neck_channels=16)
    with torch.inference_mode():
        output = GridNetwork(config, categories=3).eval()(torch.zeros(2, 3, 64, 96))
    targets = rasterise(padded([Objects.none(), Objects.none()]), config, categories=3)
    assert output.coverage.shape == targets.covered.shape == (2, 3, 64 // stride, 96 // stride)
    assert output.occlusion.shape == output.category.shape == targets.covered.shape
    assert output.box.shape == targets.box.shape
    assert decode(output.box, config).shape == (*targets.covered.shape, 4)


def test_an_untrained_network_expects_hardly_any_cell_to_be_covered():
    network = GridNetwork(DetectorConfig(input_width_px=96, input_height_px=64), categories=2).eval()
    with torch.inference_mode():
        coverage = network(torch.randn(1, 3, 64, 96)).coverage.sigmoid()
    assert 0.3 * COVERAGE_PRIOR < coverage.mean() < 3 * COVERAGE_PRIOR


def test_an_input_size_off_the_grid_names_the_nearest_that_fits():
    with pytest.raises(InputError, match=r"input_width_px: 650 is not a multiple of 32\. Use 640"):
        DetectorConfig(input_width_px=650)


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="learning_rat"):
        TrainConfig(learning_rat=1)  # type: ignore[call-arg]


def test_every_choice_is_described_for_the_form():
    for model in (DetectorConfig, TrainConfig):
        for name, field in model.model_fields.items():
            nested = hasattr(field.annotation, "model_fields")
            assert nested or field.description, name
