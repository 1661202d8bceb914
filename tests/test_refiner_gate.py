"""The label gate: what it measures on made images, and what it does with a refined image that fails."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.ndimage import gaussian_filter

from dataset.errors import InputError
from dataset.schema import EVERY_CATEGORY, Detections, Objects
from models.detector import checkpoint
from models.detector.build import build
from models.detector.config import DetectorConfig, TrainConfig
from models.refiners import gate_table
from models.refiners.gate import GateConfig, LabelGate, blended, faults
from models.refiners.gate_table import GateSummary, RowWriter, read_rows, row, schema_of
from models.refiners.preservation import EdgeAgreement, Found, edges, found, preserved
from tests.detector_shapes import COLOURS

HEIGHT_PX, WIDTH_PX = 64, 128
BOXES = np.array([[10.0, 20, 34, 44], [50, 16, 74, 48], [90, 30, 122, 50]])
CATEGORY = [0, 1, 0]
SCENE = Objects.of(CATEGORY, BOXES)


def street(boxes: np.ndarray = BOXES, seed: int = 0) -> np.ndarray:
    """A textured background with a rectangle in each box, red for category 0 and blue for 1."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(70, 130, (HEIGHT_PX // 8, WIDTH_PX // 8, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2)
    image = gaussian_filter(coarse.astype(float), (2, 2, 0)).astype(np.uint8)
    for kind, (left, top, right, bottom) in zip(CATEGORY, boxes.astype(int), strict=True):
        image[top:bottom, left:right] = COLOURS[kind]
    return image


def sees_colours(images: list[np.ndarray]) -> list[Detections]:
    """A stub detector: the bounding box of what is red or blue in each third of the image, as strong as it is pure."""
    told = []
    for image in images:
        said = []
        for left in (0, 42, 84):
            part = image[:, left : left + 42].astype(int)
            for category, channel in ((0, 0), (1, 2)):
                excess = part[..., channel] - part[..., [i for i in range(3) if i != channel]].max(-1)
                rows, columns = np.nonzero(excess > 60)
                if len(rows):
                    box = [left + columns.min(), rows.min(), left + columns.max() + 1, rows.max() + 1]
                    said.append((category, box, excess[rows, columns].mean() / 200))
        told.append(Detections.of([s[0] for s in said], [s[1] for s in said], [s[2] for s in said]))
    return told


def erased(image: np.ndarray, which: int) -> np.ndarray:
    """The object is painted over with the street beside it."""
    left, top, right, bottom = BOXES[which].astype(int)
    out = image.copy()
    out[top:bottom, left:right] = image[:16, :1].mean((0, 1)).astype(np.uint8)
    return out


def gate(**settings) -> LabelGate:
    return LabelGate(sees_colours, GateConfig(**settings))


def test_an_image_that_was_not_changed_is_kept_as_it_is():
    (judged,) = gate().judge([street()], [street()], [SCENE])
    assert (judged.outcome, judged.share, judged.faults) == ("keep", 1.0, ())
    np.testing.assert_array_equal(judged.image, street())
    assert judged.refined.edge_f1 == judged.refined.worst_edge_f1 == 1
    assert judged.refined.worst_change == judged.refined.background_change == 0
    assert (judged.refined.found_before, judged.refined.lost) == (3, 0)


def test_other_colours_light_and_noise_everywhere_are_kept():
    """What refiners are for must pass, or the gate is a ban."""
    rng = np.random.default_rng(1)
    warm = street() * np.array([1.0, 0.9, 0.8]) * 0.8 + 20 + rng.normal(0, 3, (HEIGHT_PX, WIDTH_PX, 3))
    (judged,) = gate().judge([street()], [np.clip(warm, 0, 255).astype(np.uint8)], [SCENE])
    assert judged.outcome == "keep"


def test_an_image_whose_object_was_erased_is_dropped_and_says_why():
    (judged,) = gate(blends=()).judge([street()], [erased(street(), 1)], [SCENE])
    assert (judged.outcome, judged.image, judged.share, judged.used) == ("drop", None, 0.0, None)
    assert {"objects lost", "objects repainted"} <= set(judged.faults)
    assert judged.refined.lost == 1
    assert judged.refined.after.iou.tolist() == [1, 0, 1]


def test_a_blind_detector_does_not_make_the_gate_blind():
    blind = LabelGate(lambda images: [Detections.none() for _ in images], GateConfig(blends=()))
    (judged,) = blind.judge([street()], [erased(street(), 1)], [SCENE])
    assert judged.outcome == "drop"
    assert "objects lost" not in judged.faults


def test_an_image_that_fails_is_blended_back_by_the_largest_share_that_passes():
    judge = gate(blends=(0.75, 0.5, 0.25, 0.05))
    source, refined = street(), erased(street(), 1)
    (judged,) = judge.judge([source], [refined], [SCENE])
    assert judged.outcome == "blend"
    shares = [share for share in judge.config.blends if _passes(judge, source, refined, share)]
    assert judged.share == shares[0] < 0.75
    np.testing.assert_array_equal(judged.image, blended(source, refined, judged.share))
    assert judged.used is not None
    assert faults(judged.used, judge.config) == ()
    assert judged.refined.lost == 1  # the table keeps what the refiner did


def _passes(judge: LabelGate, source: np.ndarray, refined: np.ndarray, share: float) -> bool:
    (alone,) = judge.judge([source], [blended(source, refined, share)], [SCENE])
    return alone.outcome == "keep"


def test_images_of_a_batch_are_judged_each_for_itself():
    sources = [street(seed=seed) for seed in range(3)]
    refined = [sources[0], erased(sources[1], 0), sources[2]]
    together = gate().judge(sources, refined, [SCENE] * 3)
    alone = [gate().judge([a], [b], [SCENE])[0] for a, b in zip(sources, refined, strict=True)]
    assert [j.outcome for j in together] == [j.outcome for j in alone]
    assert [j.share for j in together] == [j.share for j in alone]
    assert [j.outcome for j in together][::2] == ["keep", "keep"]


def test_objects_painted_where_none_are_labelled_fail():
    refined = street()
    for left in (2, 44, 86):  # above the labelled ones
        refined[0:8, left : left + 8] = COLOURS[1 if left != 44 else 0]
    (judged,) = gate(blends=(), max_new_detections=1).judge([street()], [refined], [SCENE])
    assert "new detections" in judged.faults


def test_an_image_without_objects_is_judged_by_its_edges_alone():
    plain, none = street(np.zeros((3, 4))), Objects.none()
    kept, garbled = gate(blends=()).judge(
        [plain, plain], [plain, np.random.default_rng(2).integers(0, 256, plain.shape, np.uint8)], [none, none]
    )
    assert kept.outcome == "keep"
    assert np.isnan(kept.refined.worst_edge_f1)
    assert np.isnan(kept.refined.worst_change)
    assert "edges changed" in garbled.faults


def test_a_constant_image_is_its_own_and_no_other_image():
    flat = np.full((HEIGHT_PX, WIDTH_PX, 3), 90, np.uint8)
    same, ruined = gate(blends=()).judge([flat, street()], [flat, flat], [Objects.none(), SCENE])
    assert same.outcome == "keep"
    assert ruined.outcome == "drop"
    assert ruined.refined.edge_f1 == 0


def test_a_refined_image_of_another_size_is_refused():
    with pytest.raises(InputError, match=r"differs from \(64, 128, 3\) of its source"):
        gate().judge([street()], [street()[:60]], [SCENE])


def test_an_object_is_found_by_the_strongest_detection_of_its_category_that_overlaps_enough():
    box = [[0.0, 0, 10, 10]]
    boxes = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 4]])
    says = Detections.of([0, 0, 1, 0], boxes, [0.9, 0.8, 0.95, 0.99])
    assert found(Objects.of([0], box), says, 0.3, 0.5).iou == pytest.approx([0.9])
    assert found(Objects.of([0], box), says, 0.3, 0.5).spurious == 3  # a copy, another category, too small
    assert found(Objects.of([0], box), says, 0.85, 0.95).iou == pytest.approx([0])
    assert found(Objects.none(), Detections.none(), 0.3, 0.5).iou.shape == (0,)


def test_an_object_whose_score_falls_a_little_below_the_limit_is_not_found_but_not_lost_either():
    objects = Objects.of([0, 0, 0], BOXES)
    before, after = (found(objects, Detections.of([0] * 3, BOXES, s), 0.3, 0.5) for s in ([0.31] * 3, [0.5, 0.29, 0.1]))
    now = preserved(street(), street(), objects, before, after)
    assert (now.found_before, now.lost) == (3, 1)
    assert now.after.iou.tolist() == [1, 0, 0]
    assert now.after.spurious == 0


def test_ignore_regions_are_neither_to_be_found_nor_spurious():
    objects = Objects.of([0, EVERY_CATEGORY], [[0, 0, 10, 10], [50, 0, 90, 40]], ignore=[False, True])
    says = Detections.of([0, 1, 1], [[0, 0, 10, 10], [55, 5, 65, 15], [85, 0, 105, 40]], [0.9, 0.9, 0.9])
    told = found(objects, says, 0.3, 0.5)
    assert told.iou.tolist() == [1]
    assert told.spurious == 1  # the last one lies in the region by a quarter
    one_kind = Objects.of([0], [[50, 0, 90, 40]], ignore=[True])
    assert found(one_kind, says.where(np.array([False, True, False])), 0.3, 0.5).spurious == 1


def test_edges_do_not_depend_on_brightness_and_contrast():
    luma = street().mean(-1) / 255
    np.testing.assert_array_equal(edges(luma), edges(0.5 * luma + 0.3))
    assert not edges(np.full((20, 20), 0.4)).any()


def test_edges_may_move_by_the_tolerance_and_no_further():
    line = np.zeros((40, 40), bool)
    line[:, 20] = True
    assert EdgeAgreement(line, np.roll(line, 2, 1)).f1() == 1
    assert EdgeAgreement(line, np.roll(line, 3, 1)).f1() == 0
    half = line.copy()
    half[20:] = False  # all that is there is right, and of what should be there 22 of 40 rows lie near it
    assert EdgeAgreement(line, half).f1() == pytest.approx(2 * 1 * 22 / 40 / (1 + 22 / 40))
    assert EdgeAgreement(line & False, line & False).f1() == 1


def test_change_is_measured_beyond_one_gain_and_offset_inside_boxes_and_outside():
    none = Found(np.zeros(3, np.float32), np.zeros(3, bool), 0)
    image = street()
    darker = (image // 2 + 40).astype(np.uint8)
    same = preserved(image, darker, SCENE, none, none)
    assert same.worst_change < 0.005  # rounding
    assert same.background_change < 0.005
    one_gone = preserved(image, erased(image, 1), SCENE, none, none)
    assert one_gone.object_change[1] > 0.1  # blue is dark, the street it became is not
    assert max(one_gone.object_change[[0, 2]].max(), one_gone.background_change) < 0.005
    assert one_gone.object_edge_f1[1] < 0.6 < 0.95 < one_gone.object_edge_f1[[0, 2]].min()
    tiny = Objects.of([0], [[10, 20, 20, 30]])
    assert np.isnan(preserved(image, darker, tiny, none, none).object_change).all()
    whole = Objects.of([0], [[0, 0, WIDTH_PX, HEIGHT_PX]])
    assert np.isnan(preserved(image, darker, whole, none, none).background_change)


def test_an_object_that_nothing_can_judge_is_ignored_and_its_neighbours_stay_labels():
    far = [[4.0, 50, 14, 60], [110, 4, 120, 14]]  # of 100 px2 each; the detector knows the second
    boxes = [far[0], [0, 0, 4, 4], far[1], *BOXES]
    objects = Objects.of([0, EVERY_CATEGORY, 0, *CATEGORY], boxes, ignore=[False, True, *4 * [False]])
    source = street()
    sees = LabelGate(lambda images: [Detections.of([0], [far[1]], [0.9]) for _ in images], GateConfig(blends=()))
    kept, dropped = sees.judge([source] * 2, [source, erased(source, 1)], [objects] * 2)
    assert kept.refined.unjudged.tolist() == [True, False, False, False, False]  # of the labels: no ignore region
    for judged in (kept, dropped):
        assert judged.labels.ignore.tolist() == [True, True, False, False, False, False]
        np.testing.assert_array_equal(judged.labels.box_xyxy_px, objects.box_xyxy_px)
    assert objects.ignore.tolist() == [False, True, False, False, False, False]


def test_the_table_of_verdicts_comes_back_and_sums_up(tmp_path):
    sources = [street(seed=seed) for seed in range(3)]
    refined = [sources[0], erased(sources[1], 1), np.full_like(sources[2], 90)]
    judged = gate(blends=(0.1,)).judge(sources, refined, [SCENE] * 3)
    rows = [row(f"{i:04}", verdict) for i, verdict in enumerate(judged)]
    with RowWriter(tmp_path / "gate.parquet", schema_of(("car", "person"))) as table:
        for each in rows:
            table.add(each)
    assert [path.name for path in tmp_path.iterdir()] == ["gate.parquet"]
    read, categories = read_rows(tmp_path / "gate.parquet")
    assert [r["image"] for r in read] == ["0000", "0001", "0002"]
    summary = GateSummary.of(read, categories)
    assert summary == GateSummary.of(rows, categories)
    assert summary.outcomes == {name: sum(j.outcome == name for j in judged) for name in ("keep", "blend", "drop")}
    assert summary.outcomes["keep"] == 1
    assert summary.recall_before == 1
    assert summary.recall_refined == pytest.approx((3 + 2 + 0) / 9)
    assert summary.matched_iou_refined == 1
    assert summary.silent_images == 0
    assert next(iter(summary.faults)) in {"objects lost", "objects repainted"}


def test_the_table_is_written_in_groups_of_rows_and_a_failure_leaves_none(tmp_path, monkeypatch):
    monkeypatch.setattr(gate_table, "ROWS_AT_ONCE", 4)
    verdict = row("a", gate().judge([street()], [street()], [SCENE])[0])
    file = tmp_path / "gate.parquet"
    with pytest.raises(KeyboardInterrupt), RowWriter(file, schema_of(("car", "person"))) as table:
        table.add(verdict)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with RowWriter(file, schema_of(("car", "person"))) as table:
        for _ in range(10):
            table.add(verdict)
            assert len(table._pending) < 4
    assert pq.ParquetFile(file).num_row_groups == 3
    assert len(read_rows(file)[0]) == 10


def test_the_category_that_lost_most_is_named_first():
    judged = gate(max_lost=1, max_change_ratio=100, min_object_edge_f1=0, min_edge_f1=0, change_slack=1).judge(
        [street()], [erased(street(), 1)], [SCENE]
    )
    used = GateSummary.of([row("a", judged[0])], ("car", "person")).used
    assert GateSummary.of([row("a", judged[0])], ("car", "person")).worst == used[0]
    assert [(u.category, u.objects, u.before, u.after) for u in used] == [("person", 1, 1, 0), ("car", 2, 1, 1)]


def test_a_file_that_is_no_gate_table_is_refused(tmp_path):
    (tmp_path / "gate.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="no gate table can be read"):
        read_rows(tmp_path / "gate.parquet")


@pytest.mark.parametrize("blends", [(0.5, 0.75), (1.0,), (0.5, 0.0)])
def test_shares_to_blend_by_fall_and_lie_between_0_and_1(blends):
    with pytest.raises(InputError, match=r"gate\.blends"):
        GateConfig(blends=blends)


def test_a_detector_of_other_categories_is_refused(tmp_path):
    config = DetectorConfig(input_width_px=64, input_height_px=64)
    told = {"detector": config.model_dump(), "train": TrainConfig().model_dump(), "categories": ["car"]}
    checkpoint.save(tmp_path / "last.pt", told | {"weights": build(config, 1).state_dict()})
    with pytest.raises(InputError, match="labelled with"):
        LabelGate.of_checkpoint(tmp_path / "last.pt", ("car", "person"), GateConfig(), "cpu")
    gate_ = LabelGate.of_checkpoint(tmp_path / "last.pt", ("car",), GateConfig(), "cpu")
    (judged,) = gate_.judge([street()], [street()], [Objects.of([0], BOXES[:1])])
    assert judged.outcome == "keep"
