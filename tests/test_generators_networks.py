"""DCGAN's networks, its losses, and its training through the common loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.errors import InputError
from models.generators.classes import by_folder
from models.generators.config import GeneratorConfig
from models.generators.dcgan import Discriminator, Generator
from models.generators.fit import Fitted, fit
from models.generators.generator import SceneGenerator
from models.generators.lesson import discriminator_loss, equally_often, generator_loss
from models.refiners.pictures import Pictures

TINY = GeneratorConfig(
    size_px=16, latent=5, generator_channels=(8, 8), discriminator_channels=(8, 8), batch_size=4, steps=4,
    discriminator_rate=1e-3, mirror=True, average=0.9,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


def folder(where: Path, count: int = 24, classes: tuple[str, ...] = ("day", "night")) -> Path:
    """Pictures of several sizes and modes, the second class dark."""
    rng = np.random.default_rng(0)
    for i in range(count):
        name = classes[i % len(classes)]
        brightest = 256 if name == classes[0] else 64
        pixels = rng.integers(0, brightest, (20 + i % 5, 30 + 3 * (i % 4), 3), np.uint8)
        place = where / name / f"{i:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        (image.convert("L") if i % 7 == 0 else image).save(place)
    return where


def trained(images: Path, out: Path, config: GeneratorConfig = TINY, conditional: bool = False, **options):
    pictures = Pictures.of_folder(images)
    names = [pictures.name(i) for i in range(len(pictures))]
    classes = by_folder(names) if conditional else None
    return fit(
        pictures,
        out,
        config,
        seed=1,
        groups=[""] * len(names),
        classes=classes,
        save_every=2,
        progress=False,
        **options,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, Fitted]:
    """Pictures, and a training on them with classes that nothing interrupted."""
    place = tmp_path_factory.mktemp("whole")
    return place, trained(folder(place / "images"), place / "out", conditional=True)


def state(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


def flat(value) -> list:
    if isinstance(value, dict):
        return [leaf for key in sorted(value, key=str) for leaf in flat(value[key])]
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, list | tuple) else [value]


def same(a, b) -> bool:
    pairs = zip(flat(a), flat(b), strict=True)
    return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs)


def test_the_papers_networks_have_12_8_and_3_8_million_weights():
    config = GeneratorConfig.preset("paper")
    counts = [sum(p.numel() for p in net(config).parameters()) for net in (Generator, Discriminator)]
    assert [round(count / 1e6, 1) for count in counts] == [12.8, 3.8]


@pytest.mark.parametrize("preset", ["paper", "small"])
def test_pictures_and_opinions_have_the_presets_size(preset):
    config = GeneratorConfig.preset(preset)
    pictures = Generator(config)(torch.randn(2, config.latent))
    assert pictures.shape == (2, 3, config.size_px, config.size_px)
    assert pictures.abs().max() <= 1
    real, kinds = Discriminator(config, 3)(pictures)
    assert real.shape == (2,) and kinds.shape == (2, 3)


def test_every_tap_of_the_first_layer_is_used():
    network = Generator(TINY)
    first = network.layers[0]
    assert isinstance(first, torch.nn.ConvTranspose2d)
    network(torch.randn(4, TINY.latent)).square().sum().backward()
    assert first(torch.zeros(1, TINY.latent, 1, 1)).shape[2:] == (4, 4)
    assert first.weight.grad is not None and (first.weight.grad.abs().sum((0, 1)) > 0).all()


def test_a_discriminator_that_is_right_has_the_lower_loss():
    sure = torch.full((4,), 3.0)
    assert discriminator_loss(real=sure, generated=-sure) < discriminator_loss(real=0 * sure, generated=0 * sure)
    assert discriminator_loss(real=0 * sure, generated=0 * sure) < discriminator_loss(real=-sure, generated=sure)


def test_a_generator_taken_for_real_has_the_lower_loss():
    assert (
        generator_loss(torch.full((4,), 3.0)) < generator_loss(torch.zeros(4)) < generator_loss(torch.full((4,), -3.0))
    )


def test_the_loss_does_not_depend_on_the_batch_size():
    logits = torch.tensor([1.0, -2.0])
    assert discriminator_loss(logits, logits) == pytest.approx(discriminator_loss(logits.repeat(8), logits.repeat(8)))


def test_rare_classes_are_shown_as_often_as_frequent_ones():
    kinds = np.array([0] * 10 + [1] * 3 + [-1] * 2)
    shown = equally_often(np.arange(13), kinds)
    assert np.bincount(kinds[shown]).tolist() == [10, 10]
    assert set(shown) == set(range(13))


def test_an_interrupted_training_equals_an_uninterrupted_one(whole, tmp_path):
    def killed(step: int, _: np.ndarray) -> None:  # past the checkpoint of step 2, before that of step 4
        if step == 4:
            raise KeyboardInterrupt

    place, fitted = whole
    with pytest.raises(KeyboardInterrupt):
        trained(place / "images", tmp_path, conditional=True, on_samples=killed)
    assert state(tmp_path)["step"] == 2
    resumed = trained(place / "images", tmp_path, conditional=True)
    assert same(state(tmp_path), state(place / "out"))
    assert (tmp_path / "curves.csv").read_text() == (place / "out" / "curves.csv").read_text()
    assert resumed.record == fitted.record


def test_the_average_of_a_short_training_forgets_the_first_weights(tmp_path):
    patient = TINY.model_copy(update={"average": 0.999})
    trained(folder(tmp_path / "images"), tmp_path / "out", patient)
    nets = state(tmp_path / "out")["nets"]
    name = "layers.1.running_var"  # begins at 1, far above what the small first weights give
    mean, now = nets["average"][name], nets["generator"][name]
    assert (mean - now).abs().mean() < 0.5 * (1 - now).abs().mean()


def test_other_pictures_do_not_resume_a_training(whole, tmp_path):
    place, _ = whole
    with pytest.raises(InputError, match="set of pictures"):
        trained(folder(tmp_path / "more", count=26), place / "out", conditional=True)


def test_a_saved_generator_makes_the_same_pictures_again(whole):
    place, fitted = whole
    loaded = SceneGenerator.load(place / "out" / "generator.pt")
    assert loaded.digest == fitted.generator.digest
    assert np.array_equal(loaded.sample(6, seed=3), fitted.generator.sample(6, seed=3))


def test_picture_number_i_does_not_depend_on_how_many_are_made(whole):
    _, fitted = whole
    many = fitted.generator.sample(6, seed=3).astype(int)
    assert np.abs(many[4:] - fitted.generator.sample(2, seed=3, first=4)).max() <= 1
    assert not np.array_equal(many[0], many[2])


def test_the_class_changes_the_picture(whole):
    _, fitted = whole
    latent = np.zeros((1, TINY.latent), np.float32)
    assert fitted.generator.classes == ("day", "night")
    assert not np.array_equal(fitted.generator.draw(latent, [0]), fitted.generator.draw(latent, [1]))


def test_pictures_of_the_dark_class_are_dark(tmp_path):
    config = TINY.model_copy(update={"steps": 150, "generator_rate": 3e-3, "discriminator_rate": 3e-3})
    generator = trained(folder(tmp_path / "images"), tmp_path / "out", config, conditional=True).generator
    day, night = (generator.sample(32, seed=0, kind=kind).mean() for kind in (0, 1))
    assert day > night + 25  # of the real ones' 96, after so few steps


def test_the_way_between_two_pictures_begins_and_ends_with_them(whole):
    _, fitted = whole
    strip = fitted.generator.between(seed=5, strips=1, steps=4).astype(int)
    ends = fitted.generator.sample(2, seed=5, kind=0)
    assert np.abs(strip[[0, 3]] - ends).max() <= 1
    assert not np.array_equal(strip[1], strip[2])


def test_a_training_that_diverges_stops_and_keeps_the_last_good_state(tmp_path):
    images = folder(tmp_path / "images")
    wild = TINY.model_copy(update={"generator_rate": 1e38, "steps": 50})
    with pytest.raises(InputError, match="step"):
        trained(images, tmp_path / "out", wild)
    assert not (tmp_path / "out" / "generator.pt").exists()


def test_fewer_pictures_than_a_batch_are_refused(tmp_path):
    with pytest.raises(InputError, match="3 pictures to train on, a batch takes 4"):
        trained(folder(tmp_path / "images", count=4, classes=("a", "b", "c", "d")[:1]), tmp_path / "out")


def test_constant_pictures_train_and_are_told_to_be_copied(tmp_path):
    for i in range(12):
        place = tmp_path / "images" / f"{i}.png"
        place.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 24), (90, 90, 90)).save(place)
    record = trained(tmp_path / "images", tmp_path / "out").record
    assert all(told["median_held_out"] == 0 for told in record["copying"])


def test_a_file_of_another_kind_is_no_generator(tmp_path):
    torch.save({"format": "other", "weights": {}}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="no generator of hardcase: it holds format, weights"):
        SceneGenerator.load(tmp_path / "x.pt")


def test_weights_of_another_layout_are_named(whole, tmp_path):
    place, _ = whole
    content = torch.load(place / "out" / "generator.pt", weights_only=True)
    content["config"]["latent"] = 7
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"layers\.0\.weight"):
        SceneGenerator.load(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("change", "told"),
    [({"size_px": 100}, "no power of two"), ({"generator_channels": (8,)}, "Give 2 positive numbers")],
)
def test_sizes_that_do_not_fit_are_refused(change, told):
    with pytest.raises(InputError, match=told):
        GeneratorConfig(**(TINY.model_dump() | change))
