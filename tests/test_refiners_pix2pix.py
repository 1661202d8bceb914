"""pix2pix: its networks, losses, label planes, palette, and what a small training makes of maps."""

from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from dataset.errors import InputError
from models.refiners.crops import CropConfig
from models.refiners.gan_lesson import falling
from models.refiners.label_sets import CARLA_AS, LABELS, numbered, planes
from models.refiners.painting import overview, painted
from models.refiners.palette import PaletteMaps, fit_palette, k_means
from models.refiners.patch_gan import PatchGan, discriminator_loss, generator_loss
from models.refiners.picture_norm import PictureNorm, statistics_of
from models.refiners.pictures import Pictures
from models.refiners.pix2pix import Pix2pixConfig, Pix2pixLesson, Pix2pixRefiner
from models.refiners.tiling import reach_px
from models.refiners.training import run_lesson, seeded
from models.refiners.unet import UNet

pytestmark = pytest.mark.usefixtures("one_thread")
ROAD, CAR = 3, 8  # CamVid
CARLA_ROAD, CARLA_CAR = 1, 14
Network = TypeVar("Network", bound=torch.nn.Module)
COLOURS = np.array([[40, 60, 200], [200, 60, 40]], np.uint8)  # of road and car


def photos(folder: Path, count: int = 4, size: tuple[int, int] = (32, 48), ids: tuple[int, int] = (ROAD, CAR)) -> Path:
    """Pictures of two colours with a soft noise, and beside them the maps of what is where."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        where = np.zeros(size, np.uint8)
        y, x = rng.integers(2, size[0] // 2), rng.integers(2, size[1] // 2)
        where[y : y + size[0] // 3, x : x + size[1] // 3] = 1
        Image.fromarray(COLOURS[where] + rng.integers(0, 8, (*size, 3), np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(np.array(ids, np.uint8)[where]).save(folder / f"{i}.semantic.png")
    return folder


def tiny(**changes) -> Pix2pixConfig:
    crops = CropConfig(width_px=24, height_px=24, batch=2, scale_range=(0.6, 1.0), semantic=True)
    fields = {"crops": crops, "width": 8, "discriminator_width": 4, "levels": 3, "steps": 6, "source_labels": "camvid"}
    return Pix2pixConfig(**fields | changes)


def lively(net: Network) -> Network:
    """Weights so large that the painting spans all colours, which those of a first step do not."""
    with seeded(3), torch.no_grad():
        for value in net.parameters():
            if value.ndim == 4:
                value.normal_(0, 2.0 / value[0].numel() ** 0.5)
    return net.eval()


# Networks


def test_unet_and_discriminator_have_the_published_number_of_weights():
    generator, discriminator = UNet(3), PatchGan(6)
    assert sum(w.numel() for w in generator.parameters()) == pytest.approx(54.414e6, rel=1e-4)
    assert sum(w.numel() for w in discriminator.parameters()) == pytest.approx(2.769e6, rel=1e-3)
    assert sum(isinstance(module, torch.nn.Dropout) for module in generator.modules()) == 3


@pytest.mark.parametrize(("levels", "height", "width"), [(8, 256, 512), (9, 512, 512), (6, 192, 640)])
def test_unet_keeps_the_size_and_halves_down_to_one_pixel(levels, height, width):
    with torch.no_grad():
        net = UNet(5, width=4, levels=levels)
        assert net(torch.zeros(1, 5, height, width)).shape == (1, 3, height, width)
        x = torch.zeros(1, 5, 2**levels, 2**levels)
        for level in net.down:
            x = level(x)
    assert x.shape[2:] == (1, 1)


def test_resized_maps_paint_one_label_in_one_colour_and_transposed_convolutions_a_mesh():
    spread = {}
    for upsampling in ("transposed", "resized"):
        net = lively(UNet(2, 8, 3, upsampling=upsampling))
        with seeded(3), torch.no_grad(), statistics_of(net, torch.randn(1, 2, 160, 160)):
            spread[upsampling] = float(net(torch.ones(1, 2, 160, 160))[..., 64:96, 64:96].std((2, 3)).mean())
    assert spread["resized"] < 1e-6 < 0.02 < spread["transposed"]


@pytest.mark.parametrize(("strides_2", "patch_px"), [(3, 70), (2, 34)])
def test_a_logit_sees_a_patch_of_70_px(strides_2, patch_px):
    with seeded(0):
        net = PatchGan(3, 4, strides_2).eval()
        x = torch.randn(1, 3, 160, 160, requires_grad=True)
        with statistics_of(net, torch.randn(1, 3, 160, 160)):
            logits = net(x)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    seen = gradient.abs().amax((0, 1)) > 0
    assert [int(seen.any(axis).sum()) for axis in (0, 1)] == [patch_px, patch_px]


def test_a_picture_is_painted_alike_whatever_else_is_in_the_batch():
    net = lively(UNet(3, 8, 3))
    with seeded(1), torch.no_grad():
        one, other = torch.randn(2, 1, 3, 32, 40)
        torch.testing.assert_close(net(torch.cat([one, 5 * other]))[:1], net(one), atol=1e-5, rtol=0)


def test_batch_norm_of_one_picture_is_the_norm_here():
    with seeded(2):
        x, norm, batch_norm = torch.randn(1, 4, 6, 7), PictureNorm(4, affine=True), torch.nn.BatchNorm2d(4)
        torch.testing.assert_close(norm(x), batch_norm(x))
        with statistics_of(norm, x):
            torch.testing.assert_close(norm(x), batch_norm(x))


def test_kept_statistics_of_a_far_mean_survive_a_gpus_short_numbers():
    with seeded(4):
        x, norm = torch.randn(1, 4, 16, 16) + 100, PictureNorm(4, affine=False)
    short = x.bfloat16()
    wanted = norm(short.float())
    with statistics_of(norm, short):
        torch.testing.assert_close(norm(short), wanted)


# Losses


@pytest.mark.parametrize("kind", ["vanilla", "lsgan"])
def test_a_discriminator_that_is_right_has_the_lower_loss(kind):
    sure, wrong = torch.full((2, 1, 3, 3), 0.9), torch.full((2, 1, 3, 3), 0.1)
    assert discriminator_loss(kind, sure, wrong) < discriminator_loss(kind, wrong, sure)
    everything_real = discriminator_loss(kind, sure, sure)
    assert discriminator_loss(kind, sure, wrong) < everything_real
    assert generator_loss(kind, sure) < generator_loss(kind, wrong)  # it wants to be taken for real


@pytest.mark.parametrize("kind", ["vanilla", "lsgan"])
def test_adversarial_losses_do_not_depend_on_resolution_or_batch(kind):
    real, fake = torch.randn(2, 1, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    one = discriminator_loss(kind, real, fake)
    many = discriminator_loss(kind, real.tile(3, 1, 2, 2), fake.tile(3, 1, 2, 2))
    torch.testing.assert_close(one, many)
    torch.testing.assert_close(generator_loss(kind, fake), generator_loss(kind, fake.tile(3, 1, 2, 2)))


def test_the_rate_holds_for_half_of_the_steps_and_falls_to_nothing():
    assert [falling(step, 8) for step in (0, 4, 6, 8)] == [1, 1, 0.5, 0]


# Label maps


@pytest.mark.parametrize("labels", ["cityscapes", "camvid", "idd_lite"])
def test_each_of_carlas_tags_has_a_place_in_every_set(labels):
    tags = np.arange(len(CARLA_AS), dtype=np.uint8).reshape(1, 1, -1)
    read = planes(labels, "carla")(tags, "maps")
    assert read.shape == (1, len(LABELS[labels]), 1, len(CARLA_AS))
    assert (read.sum(1) == 1).all()


@pytest.mark.parametrize(
    ("labels", "ids"), [("cityscapes", (7, 26, 23)), ("camvid", (3, 8, 0)), ("idd_lite", (0, 3, 6))]
)
def test_simulator_road_car_and_sky_are_painted_as_the_sets_own(labels, ids):
    tags = np.array([[[CARLA_ROAD, CARLA_CAR, 11]]], np.uint8)
    own = np.array([[ids]], np.uint8)
    assert torch.equal(planes(labels, "carla")(tags, "maps"), planes(labels)(own, "maps"))


def test_an_unknown_label_is_told_with_its_id():
    with pytest.raises(InputError, match=r"map 7: label ids 12, 77 are unknown"):
        planes("camvid")(np.array([[[3, 77, 12]]], np.uint8), "map 7")


def test_maps_of_one_set_are_not_read_as_anothers():
    with pytest.raises(InputError, match="maps of idd_lite cannot be read as camvid"):
        planes("camvid", "idd_lite")


# Palette


def test_the_palette_finds_the_colours_and_numbers_them_alike_in_all_pictures(tmp_path):
    pictures = Pictures.of_folder(photos(tmp_path))
    palette = fit_palette(pictures, pictures, colours=2, position=0, smooth_px=0, seed=0)
    for i in range(len(pictures)):
        own, car = palette.ids_of_photo(pictures.rgb(i)), pictures.semantic(i) == CAR
        assert len({*own[car].tolist()}) == 1
        assert own[car][0] == palette.ids_of_photo(pictures.rgb(0))[pictures.semantic(0) == CAR][0]
        assert (own[car][0] != own[~car]).all()


def test_a_darker_render_gets_the_labels_of_the_photograph(tmp_path):
    mapped = Pictures.of_folder(photos(tmp_path / "maps"))
    for name, car, road in (("photos", 220, 100), ("renders", 90, 20)):
        (tmp_path / name).mkdir()
        for i in range(len(mapped)):
            Image.fromarray(np.where(mapped.semantic(i) == CAR, car, road).astype(np.uint8)).save(
                tmp_path / name / f"{i}.png"
            )
    pictures, renders = (Pictures.of_folder(tmp_path / name) for name in ("photos", "renders"))
    palette = fit_palette(renders, pictures, colours=2, position=0, smooth_px=0, seed=0)
    maps = PaletteMaps(renders, palette, render=True)
    assert np.array_equal(maps.semantic(1), palette.ids_of_photo(pictures.rgb(1)))
    assert not np.array_equal(palette.ids_of_photo(renders.rgb(1)), palette.ids_of_photo(pictures.rgb(1)))
    assert np.array_equal(maps.subset([2, 1]).semantic(1), maps.semantic(1))
    assert maps.spread(2).name(1) == "3.png" and maps.spread(2).semantic(1) is not None
    assert maps.digest == renders.digest


def test_a_constant_picture_has_a_palette_of_one_colour():
    centres = k_means(np.full((50, 5), 7, np.float32), 8, np.random.default_rng(0))
    assert np.array_equal(centres, np.full((1, 5), 7, np.float32))


def test_k_means_reaches_the_means_of_separate_heaps():
    rng = np.random.default_rng(0)
    heaps = np.array([[0, 0], [10, 0], [0, 30]], np.float32)
    points = (heaps[rng.integers(3, size=600)] + rng.normal(0, 0.3, (600, 2))).astype(np.float32)
    found = k_means(points, 3, rng)
    assert np.abs(found[np.lexsort((found[:, 0].round(), found[:, 1].round()))] - heaps).max() < 0.1


# Large pictures


@pytest.mark.parametrize("upsampling", ["transposed", "resized"])
def test_the_halo_reaches_as_far_as_the_generator_looks(upsampling):
    net = lively(UNet(2, 4, 3, upsampling=upsampling))
    with seeded(5), statistics_of(net, torch.randn(1, 2, 160, 160)):
        assert reach_px(net, 2, 160, net.multiple_px) == net.halo_px - 1


@pytest.mark.parametrize(("height", "width", "upsampling"), [(136, 200, "transposed"), (99, 131, "resized")])
def test_a_tiled_painting_is_the_whole_one(height, width, upsampling):
    net = lively(UNet(3, 8, 3, upsampling=upsampling))
    with seeded(6), torch.no_grad():
        x = torch.randn(1, 3, height, width)
        tiles = painted(net, x, whole_px=2000, tile_px=32)
        with statistics_of(net, overview(x, 2000, net.multiple_px)):
            padded = torch.nn.functional.pad(x, (0, -width % 8, 0, -height % 8), mode="reflect")
            whole = net(padded)[..., :height, :width]
    assert whole.std() > 0.2
    assert (tiles - whole).abs().max() <= 2 / 255  # of a range of 2: one step of 255


def test_pictures_of_any_size_are_painted_in_their_size():
    net = lively(UNet(3, 4, 3))
    with torch.no_grad():
        for height, width in ((5, 3), (37, 61), (64, 64)):
            assert painted(net, torch.randn(1, 3, height, width)).shape == (1, 3, height, width)


# Training


def lesson_of(folder: Path, config: Pix2pixConfig) -> Pix2pixLesson:
    pictures = Pictures.of_folder(folder)
    with seeded(0):
        generator, discriminator = UNet(12, config.width, config.levels), PatchGan(15, config.discriminator_width, 2)
    names = planes("camvid")
    return Pix2pixLesson(config, generator, discriminator, pictures, pictures, names, names, seed=0)


def test_an_interrupted_training_ends_bit_equal(tmp_path):
    folder, identity = photos(tmp_path / "photos"), {"data": "these"}

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    whole, first, second = (lesson_of(folder, tiny()) for _ in range(3))
    run_lesson(whole, tmp_path / "whole", 6, 0, identity=identity, save_every=2, log_every=1, progress=False)
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_lesson(first, cut, 6, 0, identity=identity, save_every=2, log_every=1, on_log=stop, progress=False)
    run_lesson(second, cut, 6, 0, identity=identity, save_every=2, log_every=1, progress=False)
    for name, net in whole.nets.items():
        for key, value in net.state_dict().items():
            assert torch.equal(value, second.nets[name].state_dict()[key]), f"{name}.{key}"
    assert (tmp_path / "whole" / "curves.csv").read_bytes() == (cut / "curves.csv").read_bytes()


def test_it_learns_to_paint_each_label_in_its_colour(tmp_path):
    target = Pictures.of_folder(photos(tmp_path / "photos"))
    source = Pictures.of_folder(photos(tmp_path / "renders", ids=(CARLA_ROAD, CARLA_CAR)))
    config = tiny(steps=80, rate=2e-3, dropout=0.0, source_labels="carla")
    refiner = Pix2pixRefiner.fit(source, target, tmp_path / "fit", config, seed=0, progress=False)
    tags = source.semantic(0)
    assert tags is not None
    made = refiner.refine(np.zeros((1, *tags.shape, 3), np.uint8), tags[None])[0].astype(int)
    for tag, colour in ((CARLA_ROAD, COLOURS[0]), (CARLA_CAR, COLOURS[1])):
        assert np.abs(made[tags == tag].mean(0) - colour).max() < 40
    again = Pix2pixRefiner.load(tmp_path / "fit" / "refiner.pt")
    assert again.digest == refiner.digest
    assert np.array_equal(again.refine(made[None].astype(np.uint8), tags[None])[0], made)  # nor does it read colours
    assert (tmp_path / "fit" / "samples" / "step-000080.png").is_file()


def test_photographs_without_maps_are_painted_by_their_palette(tmp_path):
    pictures = Pictures.of_folder(photos(tmp_path / "photos"))
    config = tiny(steps=2, labels="palette", colours=4)
    refiner = Pix2pixRefiner.fit(pictures, pictures, tmp_path / "fit", config, seed=0, progress=False)
    assert not refiner.needs_semantic
    made = refiner.refine(pictures.rgb(0)[None])
    assert made.shape == (1, 32, 48, 3)
    again = Pix2pixRefiner.load(tmp_path / "fit" / "refiner.pt")
    assert np.array_equal(again.refine(pictures.rgb(0)[None]), made)
    content = torch.load(tmp_path / "fit" / "refiner.pt", weights_only=True)
    del content["state"]["palette"]["ours"]
    torch.save(content, tmp_path / "damaged.pt")
    with pytest.raises(InputError, match=r"damaged\.pt: .*1 missing \(ours\)"):
        Pix2pixRefiner.load(tmp_path / "damaged.pt")


def test_a_map_with_unknown_ids_stops_the_fit_before_it_starts(tmp_path):
    target = Pictures.of_folder(photos(tmp_path / "photos"))
    source = Pictures.of_folder(photos(tmp_path / "renders", ids=(1, 99)))
    with pytest.raises(InputError, match="label ids 99 are unknown"):
        Pix2pixRefiner.fit(source, target, tmp_path / "fit", tiny(source_labels="carla"), seed=0, progress=False)
    assert not (tmp_path / "fit").exists()


def test_a_target_without_maps_is_told(tmp_path):
    folder = photos(tmp_path / "photos")
    for path in folder.glob("*.semantic.png"):
        path.unlink()
    pictures = Pictures.of_folder(folder)
    with pytest.raises(InputError, match="has no label map"):
        Pix2pixRefiner.fit(pictures, pictures, tmp_path / "fit", tiny(), seed=0, progress=False)


def test_crops_that_cannot_be_halved_at_every_level_are_told():
    with pytest.raises(InputError, match=r"crops.height_px: 100 is no multiple of 64. Use 128."):
        tiny(levels=6, crops=CropConfig(width_px=192, height_px=100))


def test_planes_of_a_palette_are_its_numbers():
    assert torch.equal(numbered(3)(np.array([[[0, 2]]], np.uint8), "map")[0, :, 0].T, torch.eye(3)[[0, 2]])
