"""Presets, files and overrides: the later wins, and what does not exist is named."""

import pytest

from dataset.errors import InputError
from flows.__main__ import run_name
from flows.plan import price
from flows.settings import preset_names, resolve
from tasks.tracking import redacted


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_a_valid_configuration(preset):
    assert resolve(preset).loop.max_synthetic_share <= 0.5


def test_overrides_beat_flags_which_beat_files_which_beat_presets(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("retrain: {steps: 11, batch_size: 3}\nname: from-file\nloop: {patience: 5}\n")
    config = resolve("smoke", file, {"name": "from-flag", "data.val": None}, ["retrain.steps=13"])
    assert (config.retrain.steps, config.retrain.batch_size, config.name) == (13, 3, "from-flag")
    assert config.loop.patience == 5
    assert config.loop.max_cycles == resolve("smoke").loop.max_cycles, "a file must not reset its section's other keys"


def test_a_key_that_does_not_exist_is_named_with_the_nearest_that_does():
    with pytest.raises(InputError, match=r"retrain\.stepps.*does not exist.*(?s:.*)retrain\.steps"):
        resolve(None, None, None, ["retrain.stepps=5"])


def test_a_value_out_of_range_names_key_value_and_limit():
    with pytest.raises(InputError, match=r"loop\.max_synthetic_share.*less than 1.*1\.5"):
        resolve(None, None, None, ["loop.max_synthetic_share=1.5"])


@pytest.mark.parametrize(
    ("overrides", "named"), [(["retrain.steps"], "no '='"), (["loop.max_cycles=many"], r"loop\.max_cycles.*many")]
)
def test_an_override_that_cannot_be_read_is_quoted(overrides, named):
    with pytest.raises(InputError, match=named):
        resolve(None, None, None, overrides)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("randomisation.contrast=[1.2, 0.8]", r"contrast.*\[1\.2, 0\.8\] begins above its end: name the least first"),
        ("randomisation.blur_px=[0, .inf]", r"blur_px.*\[0, inf\] is no range of finite numbers"),
        ("randomisation.extra_traffic=[.nan, 3]", r"extra_traffic.*\[nan, 3\] is no range of finite numbers"),
        ("randomisation.tone_hardness=[0, 1.5]", r"tone_hardness.*\[0, 1\.5\] reaches beyond 0 to 1"),
        ("randomisation.chromatic_aberration=[-0.1, 0]", r"chromatic_aberration.* beyond -0\.05 to 0\.05"),
        ("randomisation.speed_mps=[-3, 3]", r"speed_mps.*\[-3, 3\] reaches beyond 0 to inf"),
        ("randomisation.exposure_s=[0.01, 2]", r"exposure_s.*\[0\.01, 2\] reaches beyond 1e-06 to 1"),
        ("street.objects=[9, 2]", r"objects.*\[9, 2\] begins above its end"),
        ("street.radial_k1=[0, -0.1]", r"radial_k1.*\[0, -0\.1\] begins above its end"),
    ],
)
def test_a_range_that_cannot_be_drawn_from_is_quoted_with_its_limit(override, told):
    with pytest.raises(InputError, match=told):
        resolve(overrides=[f"simulator.{override}"])


def test_a_range_may_be_one_value():
    assert resolve(overrides=["simulator.street.objects=[3, 3]"]).simulator.street.objects == (3, 3)


def test_presets_joined_by_a_plus_lie_on_top_of_each_other():
    both = resolve("laptop+paper")
    assert both.detector.box_code == "edges" and both.detector.input_width_px == 480
    assert both.baseline.steps == 1200 and both.retrain.loss.coverage_form == "plain"
    with pytest.raises(InputError, match="'papr' is none of"):
        resolve("laptop+papr")


def test_names_that_share_a_yaml_alias_are_changed_apart(tmp_path):
    changed = resolve("laptop+paper", overrides=["baseline.loss.box=2"])
    assert (changed.baseline.loss.box, changed.retrain.loss.box) == (2, 10)
    (tmp_path / "mine.yaml").write_text("retrain: {loss: {giou: 1}}")
    changed = resolve("laptop+paper", file=tmp_path / "mine.yaml")
    assert (changed.baseline.loss.giou, changed.retrain.loss.giou) == (0, 1)


def test_an_unknown_preset_lists_those_there_are():
    with pytest.raises(InputError, match="demo"):
        resolve("nonesuch")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"mine\.yaml: cannot be read"):
        resolve(None, tmp_path / "mine.yaml")


def test_a_run_is_named_after_its_data():
    assert run_name("kitti:data/kitti31") == "kitti31"
    assert run_name("coco:a/carla095/train.json?images=x") == "carla095-train"


def test_a_plan_prices_without_running(tmp_path):
    small = ["stand_in.frames=10", "mining.max_failures=3", "simulator.recreate.variants=2"]
    text = price(resolve("smoke", flags={"runs": str(tmp_path)}, overrides=small), cycles=2)
    assert "up to 34 frames" in text, "10 of the stand-in, and 3 x 2 for each of 2 arms and 2 cycles"
    assert not list(tmp_path.iterdir())


def test_a_password_in_the_configuration_is_refused_since_it_would_be_saved_with_the_run():
    with pytest.raises(InputError, match="holds a password"):
        resolve(None, None, None, ["mlflow.tracking_uri=postgresql://me:secret@host/db"])


def test_the_users_data_replaces_a_presets_stand_in():
    assert resolve("smoke", flags={"data.train": "kitti:mine"}).stand_in is None
    with pytest.raises(InputError, match="stand_in renders the data"):
        resolve("smoke", None, None, ["data.train=kitti:mine"])


def test_a_run_stays_inside_the_folder_of_runs():
    with pytest.raises(InputError, match="config key name"):
        resolve(None, flags={"name": ".."})
    assert ".." not in run_name("kitti:..")


def test_passwords_of_addresses_are_not_written_anywhere():
    assert redacted("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
    assert redacted("http://h/?user=u&password=p") == "http://h/?user=u&password=***"
    assert redacted("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_the_flag_for_determinism_reaches_every_training(monkeypatch):
    from typer.testing import CliRunner

    import flows.single
    from flows.__main__ import app

    seen = []
    monkeypatch.setattr(flows.single, "train_once", lambda settings, out, init: seen.append(settings))
    for arguments in (["train"], ["train", "--deterministic"]):
        assert CliRunner().invoke(app, [*arguments, "--data", "kitti:x"]).exit_code == 0
    held = [(settings.baseline.deterministic, settings.retrain.deterministic) for settings in seen]
    assert held == [(False, False), (True, True)]
