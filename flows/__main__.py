"""The command line: `python -m flows VERB`."""

import re
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from dataset.errors import InputError
from flows import generate, refine
from flows.camera import camera
from flows.console import end_within, prepare_terminal
from flows.processes import check_verb, is_first
from flows.realism import realism
from flows.settings import preset_names, resolve
from tasks.config import CampaignConfig

LINGER_S = 30.0  # after a failure, for what is still to be told to servers

app = typer.Typer(
    help="Find what a driving detector misses, re-create it in a simulator, retrain, and prove the gain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(generate.app, name="generate")
app.add_typer(refine.app, name="refine")
app.command()(realism)
app.command()(camera)

Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="Training data: kitti:, coco:, voc:, yolo:, bdd:, cityscapes:, nuimages:, waymo: or store:PATH"
    ),
]
Val = Annotated[str | None, typer.Option("--val", help="Validation data; else a part of --data")]
Test = Annotated[str | None, typer.Option("--test", help="Test data, only reported; else a part of --data or none")]
Name = Annotated[str | None, typer.Option("--name", help="The run's folder below runs/; by default the data's name")]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help=f"Start from one of: {', '.join(preset_names())}; or from several, as laptop+paper"),
]
File = Annotated[Path | None, typer.Option("--config", help="A YAML file of settings, over the preset")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting, e.g. --set retrain.steps=500; repeatable")
]
Weights = Annotated[
    str | None, typer.Option("--weights", help="Backbone weights: 'torchvision', or a state dict's path")
]
Deterministic = Annotated[
    bool | None, typer.Option("--deterministic", help="Train with kernels that give the same bits every time only")
]
SkipBad = Annotated[bool | None, typer.Option("--skip-bad", help="Leave bad frames out and list them")]
Simulator = Annotated[
    str | None,
    typer.Option(
        "--simulator", envvar="HARDCASE_SIMULATOR", help="embedded, or CARLA servers: carla://host:2000,host:2002"
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Price the run (images, renders, minutes) and stop")]
Detector = Annotated[Path, typer.Option("--detector", help="A checkpoint that training wrote")]
Out = Annotated[Path, typer.Option("--out", help="Folder for what this verb writes")]
Init = Annotated[Path | None, typer.Option("--init", help="A checkpoint of ours to start from")]
Rules = Annotated[str, typer.Option("--rules", help="coco, or kitti: the benchmark's own easy, moderate and hard")]
By = Annotated[
    list[str] | None, typer.Option("--by", help="AP in bins of distance, occlusion, truncation or height; repeatable")
]
Against = Annotated[
    Path | None, typer.Option("--against", help="Another detector's detections.parquet: differences with intervals")
]
Calibrated = Annotated[
    bool, typer.Option("--calibrated", help="Scores as probabilities, by what `evaluate --fit-calibration` left")
]
Errors = Annotated[bool, typer.Option("--errors", help="Kinds of failures and the mAP that each costs")]
FitCalibration = Annotated[
    bool, typer.Option("--fit-calibration", help="Fit scores to probabilities on this data, beside the detector")
]
Mined = Annotated[Path | None, typer.Option("--failures", help="Folder of `mine`: re-create its costliest failures")]
Count = Annotated[int, typer.Option("--count", help="Without --failures: so many random streets")]


@app.callback()
def before(context: typer.Context) -> None:
    check_verb(context.invoked_subcommand)


@app.command()
def demo(plan: Plan = False, set_: Set = None, name: Name = None) -> None:
    """A whole campaign on a rendered stand-in for real data, in minutes.

    Example: python -m flows demo
    """
    config = resolve("demo", flags={"name": name}, overrides=set_)
    _run_campaign(config, plan)


@app.command()
def campaign(
    data: Data = None, val: Val = None, test: Test = None, name: Name = None, preset: Preset = None,
    config: File = None, set_: Set = None, weights: Weights = None, skip_bad: SkipBad = None, plan: Plan = False,
    simulator: Simulator = None, deterministic: Deterministic = None,
) -> None:  # fmt: skip
    """A baseline, then imitation cycles until nothing more is gained or the cap is met. Run again to go on.

    Example: python -m flows campaign --data coco:train.json --val coco:val.json --preset laptop
    """
    settings = _resolve(data, val, test, name, preset, config, set_, weights, skip_bad, simulator, deterministic)
    _run_campaign(settings, plan)


@app.command()
def cycle(
    data: Data = None, val: Val = None, test: Test = None, name: Name = None, preset: Preset = None,
    config: File = None, set_: Set = None, weights: Weights = None, skip_bad: SkipBad = None, plan: Plan = False,
    simulator: Simulator = None, deterministic: Deterministic = None,
) -> None:  # fmt: skip
    """The next single cycle of a campaign (the first one trains the baseline too).

    Example: python -m flows cycle --data kitti:KITTI --preset laptop
    """
    settings = _resolve(data, val, test, name, preset, config, set_, weights, skip_bad, simulator, deterministic)
    if plan:
        _plan(settings, cycles=1)
        return
    from flows.imitation import cycle as cycle_flow

    number = cycle_flow(settings)
    typer.echo(f"cycle {number} is in {settings.runs / settings.name}; its report: report/report.html")


@app.command()
def train(
    data: Data = None, val: Val = None, out: Out = Path("runs/train"), init: Init = None,
    preset: Preset = None, config: File = None, set_: Set = None, weights: Weights = None, skip_bad: SkipBad = None,
    deterministic: Deterministic = None,
) -> None:  # fmt: skip
    """Train a detector on real data alone; with --val the best checkpoint is kept too. Run again to go on.

    Example: python -m flows train --data kitti:KITTI --out runs/train --preset laptop
    """
    from flows.single import train_once

    settings = _resolve(
        data, val, None, None, preset, config, set_, weights, skip_bad, deterministic=deterministic
    )  # fmt: skip
    trained = train_once(settings, out, init)
    if is_first():
        typer.echo(f"detector: {trained}")


@app.command()
def evaluate(
    detector: Detector, data: Data = None, out: Out = Path("runs/evaluate"),
    config: File = None, set_: Set = None, skip_bad: SkipBad = None,
    rules: Rules = "coco", by: By = None, against: Against = None, errors: Errors = False,
    calibrated: Calibrated = False, fit_calibration: FitCalibration = False,
) -> None:  # fmt: skip
    """COCO's average precision of a detector, with bootstrap intervals, or KITTI's official figures; its calibration.

    Example: python -m flows evaluate --detector runs/train/last.pt --data kitti:KITTI --rules kitti --by distance
    """
    from flows.evaluate import evaluate_once

    settings = _resolve(data, None, None, None, None, config, set_, None, skip_bad)
    options = {"errors": errors, "calibrated": calibrated, "fit": fit_calibration}
    typer.echo(evaluate_once(settings, detector, out, rules, by or (), against, **options))


@app.command()
def predict(
    detector: Detector,
    inputs: Annotated[list[str], typer.Argument(help="Images, folders of images, videos")],
    out: Out = Path("runs/predict"),
    draw: Annotated[bool, typer.Option("--draw", help="Write the pictures and videos again, with boxes")] = False,
    draw_from: Annotated[float, typer.Option("--draw-from", help="Weakest score that is drawn")] = 0.3,
    min_score: Annotated[float, typer.Option("--min-score", help="Weakest score that is written")] = 0.01,
    every: Annotated[int, typer.Option("--every", help="Of a video only every n-th frame")] = 1,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad files out and list them")] = False,
    calibrated: Calibrated = False,
) -> None:
    """What a detector (a checkpoint, or an .onnx file of `export`) sees in images and videos without labels.

    Example: python -m flows predict --detector runs/train/last.pt photos drive.mp4 --draw
    """
    from flows.predict import predict_once

    options = {"min_score": min_score, "every": every, "draw": draw, "draw_from": draw_from, "skip_bad": skip_bad}
    typer.echo(predict_once(detector, inputs, out, **options, calibrated=calibrated))


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint that training wrote")],
    out: Annotated[Path, typer.Argument(help="The .onnx file to write")],
    images: Annotated[
        list[str] | None,
        typer.Option("--images", help="Image, folder or video to compare on; by default the training data; repeatable"),
    ] = None,
) -> None:
    """A detector for other programs: an ONNX file, written only when ONNX Runtime's results equal PyTorch's.

    Example: python -m flows export runs/train/last.pt detector.onnx
    """
    from flows.export import export_once

    typer.echo(export_once(checkpoint, out, images or []))


@app.command()
def mine(
    detector: Detector, data: Data = None, out: Out = Path("runs/mine"),
    config: File = None, set_: Set = None, skip_bad: SkipBad = None,
) -> None:  # fmt: skip
    """What a detector gets wrong on labelled data: each failure with its kind, attributes and cost in AP.

    Example: python -m flows mine --detector runs/train/last.pt --data kitti:KITTI
    """
    from flows.single import mine_once

    typer.echo(mine_once(_resolve(data, None, None, None, None, config, set_, None, skip_bad), detector, out))


@app.command()
def render(
    out: Out = Path("runs/render"), mined: Mined = None, count: Count = 24, preset: Preset = None, config: File = None,
    set_: Set = None, simulator: Simulator = None,
    gallery: Annotated[bool, typer.Option("--gallery", help="Instead: a street of each kind under every sky")] = False,
) -> None:  # fmt: skip
    """Labelled frames from the simulator: re-created failures, or random streets. Writes a contact sheet to look at.

    Example: python -m flows render --failures runs/mine --out runs/render
    Or: python -m flows render --gallery --out runs/gallery
    """
    from flows.single import gallery_once, render_once

    if gallery and mined is not None:
        raise InputError("--gallery", "it shows streets of its own, no failures", "leave --failures out")
    settings = resolve(preset, config, {"simulator.address": simulator}, set_)
    typer.echo(gallery_once(settings, out) if gallery else render_once(settings, mined, count, out))


@app.command()
def report(run: Annotated[Path, typer.Argument(help="A run's folder, e.g. runs/demo")]) -> None:
    """Write a campaign's HTML report anew.

    Example: python -m flows report runs/demo
    """
    from flows.single import report_once

    typer.echo(report_once(run))


@app.command()
def check(
    carla: Annotated[str | None, typer.Option("--carla", help="A CARLA server's host:port")] = None,
    mlflow: Annotated[str | None, typer.Option("--mlflow", help="An MLflow server's address")] = None,
) -> None:
    """What is there: pins, GPU, Prefect, MLflow, CARLA, the renderer. Exits with 1 when something needed is not.

    Example: python -m flows check --carla localhost:2000
    """
    from flows.check import check_up

    raise typer.Exit(0 if check_up(carla, mlflow) else 1)


@app.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Address to bind; loopback unless you mean it")] = "127.0.0.1",
    prefect_port: Annotated[int, typer.Option("--prefect-port", help="Port of the Prefect UI and API")] = 4200,
    mlflow_port: Annotated[int, typer.Option("--mlflow-port", help="Port of MLflow")] = 5000,
    runs: Annotated[Path, typer.Option("--runs", help="Folder of the runs and of MLflow's database")] = Path("runs"),
    simulator: Simulator = None,
) -> None:
    """Start Prefect and MLflow on this machine and serve the deployments `campaign` and `cycle` until Ctrl-C.

    Example: python -m flows serve
    """
    from flows.serve import serve as serve_all

    serve_all(host, prefect_port, mlflow_port, runs, simulator)


def _resolve(
    data: str | None, val: str | None, test: str | None, name: str | None, preset: str | None, config: Path | None,
    overrides: list[str] | None, weights: str | None, skip_bad: bool | None, simulator: str | None = None,
    deterministic: bool | None = None,
):  # fmt: skip
    flags = {
        "data.train": data, "data.val": val, "data.test": test, "weights": weights, "data.skip_bad": skip_bad,
        "simulator.address": simulator,
        "baseline.deterministic": deterministic, "retrain.deterministic": deterministic,
        "name": name or (None if data is None else run_name(data)),
    }  # fmt: skip
    return resolve(preset, config, flags, overrides)


def run_name(spec: str) -> str:
    """A folder's name from a data spec: kitti:data/kitti31 -> kitti31, coco:a/carla095/train.json -> carla095-train."""
    path = Path(spec.partition(":")[2].partition("?")[0]).absolute().resolve()
    name = f"{path.parent.name}-{path.stem}" if path.suffix else path.name
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "campaign"


def _run_campaign(settings: CampaignConfig, plan: bool) -> None:
    if plan:
        _plan(settings, settings.loop.max_cycles)
        return
    from flows.imitation import campaign as campaign_flow

    reason = campaign_flow(settings)
    folder = settings.runs / settings.name
    typer.echo(f"stopped: {reason}\nreport: {folder / 'report' / 'report.html'}\nrun folder: {folder}")


def _plan(settings: CampaignConfig, cycles: int) -> None:
    from flows.plan import price

    typer.echo(price(settings, cycles))


def main() -> None:
    """Run a verb; a bad input ends with one line and exit code 2."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    prepare_terminal()
    code = 1  # of an error that nobody expected
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        typer.echo("what was finished is kept: run the same command again to go on", err=True)
        code = 2
        sys.exit(code)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        if code:
            end_within(LINGER_S, code)


if __name__ == "__main__":
    main()
