"""What all refiners share: pictures, crops, their file, and tiles."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dataset.errors import InputError
from dataset.images import semantic_path
from dataset.schema import Frame, Objects
from dataset.store import Dataset, DatasetWriter
from models.refiners.build import fit_refiner, load_refiner, method_config, refiner_class
from models.refiners.config import MethodConfig, RefinerConfig
from models.refiners.crops import CropConfig, Crops, to_rgb, to_tensor
from models.refiners.histogram import HistogramRefiner
from models.refiners.pictures import Pictures, read_label_map, require_known_ids
from models.refiners.tensor_file import fill
from models.refiners.tiling import reach_px, tiled

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def folder_of(tmp_path: Path, count: int = 3, size: tuple[int, int] = (24, 40)) -> Path:
    for i in range(count):
        save(noise(*size, seed=i), tmp_path / f"{i}.png")
    return tmp_path


# Pictures


def test_grey_rgba_palette_and_16_bit_pictures_are_read_as_rgb(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(8, 32)
    save(grey, tmp_path / "1_grey.png")
    save(np.dstack([grey] * 4), tmp_path / "2_rgba.png")
    save(grey.astype(np.uint16) * 257, tmp_path / "3_deep.png")
    Image.fromarray(np.dstack([grey] * 3)).quantize(256).save(tmp_path / "4_palette.png")
    pictures = Pictures.of_folder(tmp_path)
    assert [pictures.name(i)[2:-4] for i in range(4)] == ["grey", "rgba", "deep", "palette"]
    for i in range(3):
        np.testing.assert_array_equal(pictures.rgb(i), np.dstack([grey] * 3))
    assert pictures.rgb(3).shape == (8, 32, 3)


def test_a_folder_is_read_through_in_order_of_its_paths(tmp_path):
    for name in ("b/2.jpg", "a/9.png", "b/1.png"):
        save(noise(8, 8), tmp_path / name)
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    pictures = Pictures.of_folder(tmp_path)
    assert [pictures.name(i) for i in range(len(pictures))] == ["a/9.png", "b/1.png", "b/2.jpg"]


def test_maps_are_matched_by_relative_name_without_what_data_sets_append(tmp_path):
    for clip in ("a", "b"):  # the same stem in two clips, as IDD has it
        save(noise(8, 8), tmp_path / "images" / clip / "7_image.jpg")
        save(np.full((8, 8), ord(clip), np.uint8), tmp_path / "maps" / clip / "7_label.png")
    pictures = Pictures.of_folder(tmp_path / "images", tmp_path / "maps")
    assert [int(pictures.semantic(i)[0, 0]) for i in range(2)] == [ord("a"), ord("b")]  # type: ignore[index]


def test_a_missing_or_a_second_map_is_told_by_name(tmp_path):
    images = folder_of(tmp_path / "images", 2)
    save(np.zeros((24, 40), np.uint8), tmp_path / "maps" / "0.png")
    with pytest.raises(InputError, match=r"no label map for 1 of 2 images \(1\.png\)"):
        Pictures.of_folder(images, tmp_path / "maps")
    save(np.zeros((24, 40), np.uint8), tmp_path / "maps" / "0_label.png")
    with pytest.raises(InputError, match=r"0_label\.png and 0\.png are both the label map of 0"):
        Pictures.of_folder(images, tmp_path / "maps")


def test_cityscapes_maps_are_its_label_ids_and_not_its_train_ids(tmp_path):
    save(noise(8, 8), tmp_path / "images" / "ulm_0_leftImg8bit.png")
    car = np.full((8, 8), 13, np.uint8)  # of the train ids; a fence among the label ids
    save(car, tmp_path / "maps" / "ulm_0_gtFine_labelTrainIds.png")
    with pytest.raises(InputError, match="no label map for 1 of 1 images"):
        Pictures.of_folder(tmp_path / "images", tmp_path / "maps")
    save(np.full((8, 8), 26, np.uint8), tmp_path / "maps" / "ulm_0_gtFine_labelIds.png")
    ids = Pictures.of_folder(tmp_path / "images", tmp_path / "maps").semantic(0)
    assert ids is not None and (ids == 26).all()


def test_a_store_gives_the_map_that_lies_beside_an_image_and_none_where_there_is_none(tmp_path):
    with DatasetWriter(tmp_path, ["car"], "renders") as writer:
        for i in range(2):
            path = save(noise(8, 16, i), tmp_path / "images" / f"{i}.png")
            writer.add(Frame(f"f{i}", str(path), 16, 8, "town"), Objects.none())
    save(np.full((8, 16), 14, np.uint8), Path(semantic_path(str(tmp_path / "images" / "1.png"))))
    pictures = Pictures.of_store(Dataset.open(tmp_path))
    assert [pictures.name(i) for i in range(2)] == ["f0", "f1"]
    assert pictures.semantic(0) is None
    np.testing.assert_array_equal(pictures.semantic(1), np.full((8, 16), 14))  # type: ignore[arg-type]
    np.testing.assert_array_equal(pictures.rgb(1), noise(8, 16, 1))
    assert len(Pictures.of_folder(tmp_path / "images")) == 2  # the map beside an image is no image


def test_the_digest_knows_other_files_and_other_rows_but_not_other_folders(tmp_path):
    one, moved = folder_of(tmp_path / "one"), folder_of(tmp_path / "moved")
    pictures = Pictures.of_folder(one)
    assert pictures.digest == Pictures.of_folder(moved).digest
    assert pictures.digest != pictures.subset([0, 2]).digest != pictures.subset([2, 0]).digest
    save(noise(24, 41), moved / "1.png")
    assert pictures.digest != Pictures.of_folder(moved).digest


def test_a_subset_of_a_subset_counts_within_it(tmp_path):
    pictures = Pictures.of_folder(folder_of(tmp_path, 5))
    assert pictures.subset([4, 2, 0]).subset([1, 2]).name(0) == "2.png"
    assert [pictures.spread(3).name(i) for i in range(3)] == ["0.png", "2.png", "4.png"]
    with pytest.raises(IndexError):
        pictures.subset([5])


def test_an_empty_folder_and_no_folder_are_told(tmp_path):
    with pytest.raises(InputError, match="no images below"):
        Pictures.of_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        Pictures.of_folder(tmp_path / "none")


def test_a_label_map_is_read_as_ids_and_never_as_colours(tmp_path):
    ids = np.array([[0, 7], [28, 255]], np.uint8)
    np.testing.assert_array_equal(read_label_map(str(save(ids, tmp_path / "grey.png"))), ids)
    palette = Image.fromarray(ids, "P")
    palette.putpalette([value for i in range(256) for value in (255 - i, i, 0)])
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_label_map(str(tmp_path / "palette.png")), ids)
    with pytest.raises(InputError, match="mode RGB, where a map of label ids is expected"):
        read_label_map(str(save(noise(2, 2), tmp_path / "colours.png")))
    with pytest.raises(InputError, match="label ids from 0 to 26001"):  # Cityscapes' instance ids
        read_label_map(str(save(np.array([[0, 26001]], np.uint16), tmp_path / "instances.png")))
    (tmp_path / "cut.png").write_bytes((tmp_path / "grey.png").read_bytes()[:30])
    with pytest.raises(InputError, match="does not decode"):
        read_label_map(str(tmp_path / "cut.png"))


def test_unknown_label_ids_are_named_with_those_known():
    with pytest.raises(InputError, match="label ids 9, 255 are unknown; known are 0, 1"):
        require_known_ids(np.array([[0, 9], [255, 1]], np.uint8), (0, 1), "frame 7")
    require_known_ids(np.array([[0, 1]], np.uint8), (0, 1, 2), "frame 8")


# Crops


CONFIG = CropConfig(width_px=16, height_px=8, batch=2)


def test_a_batch_follows_from_its_step_and_not_from_what_was_asked_before(tmp_path):
    pictures = Pictures.of_folder(folder_of(tmp_path, 5))
    walked, fresh = Crops(pictures, CONFIG, 3, 0), Crops(pictures, CONFIG, 3, 0)
    last = [walked.batch(step) for step in range(9)][-1]
    assert torch.equal(last.rgb, fresh.batch(8).rgb)
    assert not torch.equal(last.rgb, Crops(pictures, CONFIG, 4, 0).batch(8).rgb)
    assert not torch.equal(last.rgb, Crops(pictures, CONFIG, 3, 1).batch(8).rgb)


def test_a_picture_is_cut_otherwise_each_time_it_is_shown(tmp_path):
    crops = Crops(Pictures.of_folder(folder_of(tmp_path, 1)), CONFIG, 3, 0)
    shown = [crop for step in range(3) for crop in crops.batch(step).rgb]
    assert not any(torch.equal(a, b) for i, a in enumerate(shown) for b in shown[:i])


def test_threads_change_no_batch_whatever_is_asked_for_next(tmp_path):
    pictures = Pictures.of_folder(folder_of(tmp_path, 5))
    alone, ahead = Crops(pictures, CONFIG, 3, 0, threads=0), Crops(pictures, CONFIG, 3, 0, threads=2)
    for step in (0, 1, 2, 7, 7, 3):
        ours, theirs = alone.batch(step), ahead.batch(step)
        assert torch.equal(ours.rgb, theirs.rgb) and ours.rows == theirs.rows


def test_what_a_thread_cannot_read_is_told_by_the_batch_that_needs_it(tmp_path):
    pictures = Pictures.of_folder(folder_of(tmp_path, 4))
    crops = Crops(pictures, CONFIG.model_copy(update={"batch": 1}), 0, 0, threads=1)
    first, second = (crops.batch(step).rows[0] for step in (0, 1))
    (tmp_path / f"{second}.png").write_bytes(b"cut")
    crops = Crops(pictures, crops.config, 0, 0, threads=1)
    assert crops.batch(0).rows == [first]
    with pytest.raises(InputError, match=f"{second}.png: the image does not decode"):
        crops.batch(1)


def test_an_epoch_shows_each_picture_once_and_the_next_in_another_order(tmp_path):
    crops = Crops(Pictures.of_folder(folder_of(tmp_path, 6)), CONFIG, 0, 0)
    epochs = [[row for step in range(3 * e, 3 * e + 3) for row in crops.batch(step).rows] for e in range(3)]
    assert all(sorted(rows) == list(range(6)) for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) > 1


def test_fewer_pictures_than_a_batch_are_shown_several_times_in_it(tmp_path):
    crops = Crops(Pictures.of_folder(folder_of(tmp_path, 2)), CONFIG.model_copy(update={"batch": 5}), 0, 0)
    batch = crops.batch(0)
    assert batch.rgb.shape == (5, 3, 8, 16)
    assert {batch.rows.count(0), batch.rows.count(1)} == {2, 3}


def test_no_pictures_at_all_are_refused(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        Crops(Pictures.of_folder(folder_of(tmp_path)).subset([]), CONFIG, 0, 0)


@pytest.mark.parametrize("size", [(8, 16), (3, 5), (200, 30), (30, 200)])
def test_pictures_of_any_size_give_crops_of_one_size(tmp_path, size):
    crops = Crops(Pictures.of_folder(folder_of(tmp_path, 1, size)), CONFIG, 0, 0)
    batch = crops.batch(0)
    assert batch.rgb.shape == (2, 3, 8, 16)
    assert batch.rgb.abs().max() <= 1


def test_source_and_target_of_different_sizes_share_a_scale(tmp_path):
    """A step edge at a third of the height lies there in the crops of a small and of a large picture."""
    for side in (30, 120):
        picture = np.zeros((side, 2 * side, 3), np.uint8)
        picture[side // 3 :] = 255
        save(picture, tmp_path / str(side) / "0.png")
    config = CropConfig(width_px=24, height_px=12, scale_range=(1, 1))
    edges = [
        Crops(Pictures.of_folder(tmp_path / side), config, 0, 0).batch(0).rgb[0, 0, :, 0].gt(0).float().argmax()
        for side in ("30", "120")
    ]
    assert edges[0] == edges[1] == 4


def test_a_map_is_cut_and_mirrored_like_its_picture_and_keeps_its_ids(tmp_path):
    """The picture is painted by its map's ids, so each crop must read the same in both."""
    ids = np.kron(np.array([[0, 9, 3], [5, 1, 255]], np.uint8), np.ones((20, 20), np.uint8))
    save(np.dstack([ids] * 3), tmp_path / "images" / "0.png")
    save(ids, tmp_path / "maps" / "0.png")
    pictures = Pictures.of_folder(tmp_path / "images", tmp_path / "maps")
    crops = Crops(pictures, CropConfig(width_px=24, height_px=16, batch=8, semantic=True), 0, 0)
    batch = crops.batch(0)
    assert batch.semantic is not None and batch.semantic.dtype == torch.int64
    assert set(batch.semantic.unique().tolist()) <= {0, 1, 3, 5, 9, 255}
    painted = torch.from_numpy(to_rgb(batch.rgb)[..., 0].astype(np.int64))
    inside = painted == batch.semantic  # only pixels on an edge are mixtures
    assert inside.float().mean() > 0.8
    assert len({tuple(map(tuple, ids.tolist())) for ids in batch.semantic}) > 1  # the crops differ


def test_maps_that_are_missing_or_of_another_size_are_told(tmp_path):
    images = folder_of(tmp_path / "images", 1)
    config = CONFIG.model_copy(update={"semantic": True})
    with pytest.raises(InputError, match=r"0\.png: the picture has no label map"):
        Crops(Pictures.of_folder(images), config, 0, 0).batch(0)
    save(np.zeros((12, 20), np.uint8), tmp_path / "maps" / "0.png")
    with pytest.raises(InputError, match="the label map is 20x12, the picture 40x24"):
        Crops(Pictures.of_folder(images, tmp_path / "maps"), config, 0, 0).batch(0)


def test_flip_mirrors_the_share_asked_for(tmp_path):
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, 8:] = 255
    save(picture, tmp_path / "0.png")
    config = CropConfig(width_px=16, height_px=8, batch=200, scale_range=(1, 1), flip=0.25)
    mirrored = Crops(Pictures.of_folder(tmp_path), config, 0, 0).batch(0).rgb[:, 0, 0, 0] > 0
    assert 0.15 < mirrored.float().mean() < 0.35


def test_scales_outside_0_to_1_are_refused():
    for wrong in ((0.0, 1.0), (0.5, 1.2), (0.9, 0.4)):
        with pytest.raises(InputError, match="scale_range"):
            CropConfig(width_px=16, height_px=8, scale_range=wrong)


def test_pixels_survive_the_way_to_the_network_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, -1)
    x = to_tensor(pixels)
    assert (x.min(), x.max()) == (-1, 1)
    np.testing.assert_array_equal(to_rgb(x), pixels)


# The file and the kinds


def test_weights_of_another_layout_are_told_by_their_keys(tmp_path):
    with pytest.raises(InputError, match=r"1 missing \(bias\); 1 unexpected \(scale\); 1 of another shape \(weight"):
        fill(nn.Linear(2, 3), {"weight": torch.zeros(9), "scale": torch.zeros(1)}, tmp_path / "w.pt")


def test_a_file_that_is_no_refiner_is_told_by_what_it_holds(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1), "fc.bias": torch.zeros(1)}, tmp_path / "resnet.pt")
    with pytest.raises(InputError, match=r"no refiner of hardcase: it holds conv1\.weight, fc\.bias"):
        load_refiner(tmp_path / "resnet.pt")
    torch.save({"format": "hardcase-refiner-1", "kind": "lab"}, tmp_path / "part.pt")
    with pytest.raises(InputError, match="lacks config, provenance, state"):
        load_refiner(tmp_path / "part.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(InputError, match="damaged or holds more than tensors"):
        load_refiner(tmp_path / "text.pt")
    with pytest.raises(InputError, match="no such file"):
        load_refiner(tmp_path / "none.pt")


def test_settings_change_a_preset_by_name_and_an_unknown_one_is_refused():
    config = method_config(RefinerConfig(kind="fda", settings={"beta": 0.05}))
    assert config.model_dump()["beta"] == 0.05
    with pytest.raises(InputError, match=r"refiner\.settings\.betta"):
        method_config(RefinerConfig(kind="fda", settings={"betta": 0.05}))
    with pytest.raises(InputError, match="the kind none is unknown"):
        refiner_class("none")


def test_changes_within_a_group_of_settings_leave_the_rest_of_it():
    """Settings hold groups, such as the crops of a training."""

    class Grouped(MethodConfig):
        crops: CropConfig = CONFIG
        steps: int = 10

    class Stub(HistogramRefiner):
        config_type = Grouped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.refiners.build.refiner_class", lambda kind: Stub)
        config = method_config(RefinerConfig(kind="simgan", steps=7, settings={"crops": {"batch": 9}}))
    assert config.model_dump() == {"crops": CONFIG.model_copy(update={"batch": 9}).model_dump(), "steps": 7}


@pytest.mark.parametrize("asks", [True, False])
def test_only_a_method_that_asks_the_gate_is_given_it(asks, tmp_path):
    given: dict[str, object] = {}

    class Stub(HistogramRefiner):
        asks_gate = asks

        @classmethod
        def fit(cls, *places, **options):
            given.update(options)

    pictures = Pictures.of_folder(folder_of(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.refiners.build.refiner_class", lambda kind: Stub)
        fit_refiner(RefinerConfig(kind="histogram"), pictures, pictures, tmp_path, seed=0, gate=lambda refiner: True)
    assert ("gate" in given) == asks


# Tiles


def convolutional() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
            nn.ReLU(),
            nn.Conv2d(8, 3, 3, padding=1),
            nn.Tanh(),
        ).eval()


def strided() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Conv2d(3, 3, 3, padding=1)
        ).eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [(61, 83), (64, 32), (20, 97), (5, 5)])
def test_tiles_differ_from_the_whole_by_less_than_a_255th_up_to_the_borders(size):
    net, x = convolutional(), torch.rand(2, 3, *size) * 2 - 1
    whole = net(x)
    made = tiled(net, x, tile_px=16, halo_px=4)
    assert made.shape == whole.shape
    assert (made - whole).abs().max() < 2 / 255 / 100  # a grey level is 2/255 here; rounding is far below it
    assert np.abs(to_rgb(made).astype(int) - to_rgb(whole)).max() <= 1


@torch.no_grad()
def test_a_halo_smaller_than_the_reach_leaves_seams():
    net, x = convolutional(), torch.rand(1, 3, 64, 64) * 2 - 1
    assert (tiled(net, x, tile_px=16, halo_px=1) - net(x)).abs().max() > 2 / 255


@torch.no_grad()
def test_a_strided_network_is_tiled_in_its_own_phase():
    net, x = strided(), torch.rand(1, 3, 64, 96)
    for tile_px, halo_px in ((16, 6), (13, 5)):  # rounded up to even numbers
        assert (tiled(net, x, tile_px, halo_px, multiple_px=2) - net(x)).abs().max() < 1e-5


@torch.no_grad()
def test_sizes_that_are_no_multiple_are_mirrored_up_and_cut_back():
    net, x = strided(), torch.rand(1, 3, 31, 45)
    made = tiled(net, x, tile_px=64, halo_px=8, multiple_px=4)
    assert made.shape == x.shape
    assert (made - tiled(net, x, tile_px=8, halo_px=8, multiple_px=4)).abs().max() < 1e-5
    assert tiled(net, torch.rand(1, 3, 1, 1), 64, 8, 16).shape == (1, 3, 1, 1)


def test_the_reach_is_measured_as_the_kernels_add_up():
    assert reach_px(convolutional(), 3, 32) == 2 + 1 + 1
    assert reach_px(nn.Identity(), 3, 8) == 0
    assert reach_px(strided(), 3, 32, multiple_px=2) <= 6
    with pytest.raises(InputError, match="farther than 4 px"):
        reach_px(nn.Conv2d(3, 3, 11, padding=5), 3, 8)
