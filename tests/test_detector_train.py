import errno
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.errors import InputError
from models.detector import grid as grid_module
from models.detector.checkpoint import fill_backbone, load, save
from models.detector.config import DetectorConfig, TrainConfig
from models.detector.grid import GridDetector
from models.detector.samples import BatchPositions, ImageCache, Samples, collate
from models.detector.step import learning_rate
from models.detector.train import train
from tests.detector_shapes import DETECTOR, shapes_data

CONFIG = TrainConfig(steps=6, batch_size=2, score_every=2, log_every=1, accelerator="cpu", precision="fp32")
OFTEN_SAVED = CONFIG.model_copy(update={"save_every": 2})
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return shapes_data(tmp_path_factory.mktemp("shapes"), frames=5)


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load(path)["weights"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def quietly(data, out, config=CONFIG, **options) -> Path:
    return train(data, out, DETECTOR, config, progress=False, **options)


def stop_after(step: int):
    def on_log(now: int, values: dict[str, float]) -> None:
        if now == step:
            raise KeyboardInterrupt

    return on_log


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(data, tmp_path):
    whole = quietly(data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        quietly(data, tmp_path / "cut", OFTEN_SAVED, on_log=stop_after(3))
    assert load(tmp_path / "cut" / "last.pt")["step"] == 2
    resumed = quietly(data, tmp_path / "cut")
    assert same(weights_of(whole), weights_of(resumed))
    assert not list((tmp_path / "cut").glob("*.cache"))


def test_a_run_does_not_depend_on_the_workers_or_the_cache_or_the_global_generators(data, tmp_path):
    one = quietly(data, tmp_path / "one")
    torch.manual_seed(7)
    config = CONFIG.model_copy(update={"workers": 2, "cache_gib": 0})
    assert same(weights_of(one), weights_of(quietly(data, tmp_path / "other", config)))


def test_a_finished_run_is_not_trained_again(data, tmp_path):
    quietly(data, tmp_path)
    logged = []
    quietly(data, tmp_path, on_log=lambda step, values: logged.append(step))
    assert logged == []


def test_a_folder_of_other_inputs_is_refused(data, tmp_path):
    quietly(data, tmp_path)
    with pytest.raises(InputError, match=r"last\.pt.*another configuration"):
        quietly(data, tmp_path, CONFIG.model_copy(update={"seed": 1}))


def test_a_damaged_checkpoint_is_named_with_the_remedy(data, tmp_path):
    last = quietly(data, tmp_path)
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last\.pt.*damaged.*[Dd]elete"):
        quietly(data, tmp_path)


def test_the_best_checkpoint_is_the_one_of_the_highest_score(data, tmp_path):
    scores = {2: 0.1, 4: 0.5, 6: 0.3}
    best = quietly(data, tmp_path, score=lambda path: scores[load(path)["step"]])
    assert best.name == "best.pt" and load(best)["step"] == 4


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(data, tmp_path, monkeypatch):
    honest = grid_module.detector_loss
    calls = []

    def poisoned(*arguments):
        calls.append(1)
        terms = honest(*arguments)
        return terms | {"loss": terms["loss"] * float("nan")} if len(calls) == 4 else terms

    monkeypatch.setattr(grid_module, "detector_loss", poisoned)
    with pytest.raises(InputError, match=r"step 4, frames 000\d, 000\d: the loss is nan"):
        quietly(data, tmp_path, OFTEN_SAVED)
    kept = load(tmp_path / "last.pt")
    assert kept["step"] == 2 and all(value.isfinite().all() for value in kept["weights"].values())


def test_training_starts_from_the_weights_of_an_earlier_checkpoint(data, tmp_path):
    first = quietly(data, tmp_path / "first")
    config = TrainConfig(**CONFIG.model_dump() | {"steps": 1, "learning_rate": 1e-9, "weight_decay": 0})
    second = quietly(data, tmp_path / "second", config, init=first)
    name = "heads.weight"
    assert torch.allclose(weights_of(first)[name], weights_of(second)[name], atol=1e-6)


def test_the_log_holds_every_term_the_rate_and_the_speed(data, tmp_path):
    logged = {}
    quietly(data, tmp_path, on_log=logged.__setitem__)
    assert sorted(logged) == [1, 2, 3, 4, 5, 6]
    terms = {"loss_coverage", "loss_box", "loss_occlusion", "loss_category"}
    assert logged[6].keys() == terms | {"loss", "learning_rate", "images_per_s"}


def test_the_rate_rises_then_falls_to_a_hundredth():
    config = TrainConfig(steps=100, learning_rate=1.0, warm_up=0.1)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.01) and all(np.diff(rates[10:]) < 0)


def test_an_epoch_shows_every_frame_once_over_all_ranks(data, tmp_path):
    cache = ImageCache(tmp_path, len(data), DETECTOR, 1.0)
    cache.create()
    samples = Samples(data, cache, DETECTOR, CONFIG)
    positions = [p for rank in range(2) for batch in BatchPositions(0, 5, 2, rank, 2) for p in batch]
    assert sorted(positions) == list(range(10))
    for epoch in (range(5), range(5, 10)):
        assert sorted(samples[p][3] for p in epoch) == sorted(data.frame_ids())


def test_every_sample_is_changed_in_its_own_way(data, tmp_path):
    cache = ImageCache(tmp_path, len(data), DETECTOR, 1.0)
    cache.create()
    shifts = [tuple(Samples(data, cache, DETECTOR, CONFIG)[p][1].source_shift) for p in range(10)]
    assert len(set(shifts)) == 10


def test_a_cached_image_equals_the_decoded_one(data, tmp_path):
    kept, decoded = ImageCache(tmp_path / "kept", len(data), DETECTOR, 1.0), ImageCache(tmp_path, 5, DETECTOR, 0.0)
    kept.create()
    decoded.create()
    for _ in range(2):
        batches = [collate([Samples(data, c, DETECTOR, CONFIG)[p] for p in range(4)]) for c in (kept, decoded)]
        assert torch.equal(batches[0].images, batches[1].images)


def test_a_disk_without_room_for_the_cache_is_one_warning_and_every_image_decoded(data, tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    quietly(data, tmp_path)
    assert len(caplog.records) == 1 and "No space left" in caplog.text and "cache_gib" in caplog.text


def test_a_cache_takes_its_space_before_it_is_filled(data, tmp_path):
    cache = ImageCache(tmp_path, len(data), DETECTOR, 1.0)
    cache.create()
    assert cache.path.stat().st_blocks * 512 >= cache.path.stat().st_size > 0 and cache.frames == len(data)


def test_a_checkpoint_that_finds_the_disk_full_says_so_and_leaves_nothing_behind(tmp_path):
    save(tmp_path / "last.pt", {"step": 1})
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))  # a write past it fails, as on a full disk
    try:
        with pytest.raises(OSError) as raised:
            save(tmp_path / "last.pt", {"weights": torch.zeros(100_000), "more": torch.zeros(9)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, former)
    assert raised.value.errno == errno.EFBIG
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"] and load(tmp_path / "last.pt")["step"] == 1


def test_backbone_weights_that_do_not_fit_are_named(tmp_path):
    model = GridDetector(DETECTOR, 2)
    state = dict(GridDetector(DetectorConfig(backbone="resnet34"), 2).trunk.state_dict())
    torch.save(state, tmp_path / "resnet34.pth")
    with pytest.raises(InputError, match=r"resnet34\.pth.*unexpected \(layer1\.2"):
        fill_backbone(model, tmp_path / "resnet34.pth")


def test_backbone_weights_are_taken_from_a_torchvision_file(tmp_path):
    source, model = GridDetector(DETECTOR, 2).trunk, GridDetector(DETECTOR, 2)
    torch.save(source.state_dict() | {"fc.weight": torch.zeros(1000, 512)}, tmp_path / "resnet18.pth")
    fill_backbone(model, tmp_path / "resnet18.pth")
    assert same(dict(source.state_dict()), dict(model.trunk.state_dict()))


def test_weights_that_cannot_be_downloaded_name_the_remedy(monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=r"cannot be downloaded.*pass the file's path"):
        fill_backbone(GridDetector(DETECTOR, 2), "torchvision")
