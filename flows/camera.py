"""The verb `camera`: what took a data set's frames, as settings that the simulator's camera is drawn from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from dataset.errors import InputError
from flows.console import text
from flows.settings import resolve

if TYPE_CHECKING:
    import numpy as np

    from simulator.camera_fit.pose import Pose
    from simulator.camera_fit.response import Fitted
    from tasks.config import CampaignConfig

POSED = 5000  # frames, evenly spread, whose boxes tell the camera's height: more tell nothing new and take memory
SHOWN = 4  # pictures in a row of the sheet
CELL_PX = 420
MEANINGS = {
    "exposure_ev": "mean luma of the lower picture",
    "contrast": "spread of the lower picture's luma",
    "saturation": "colour differences to grey",
    "temperature_k": "red against blue, log2",
    "blur_px": "sigma of the sharpest edges, px",
    "noise_sigma": "grain in flat blocks",
}


def camera(
    data: Annotated[str, typer.Option("--data", help="The real frames: kitti:DIR, coco:FILE.json, store:DIR, ...")],
    out: Annotated[Path, typer.Option("--out", help="Folder for camera.yaml and camera.png")] = Path("runs/camera"),
    frames: Annotated[int, typer.Option("--frames", help="Real frames that are measured, evenly spread")] = 60,
    streets: Annotated[int, typer.Option("--streets", help="Streets that are rendered to compare with")] = 12,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file of settings")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a setting; repeatable")] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Fit the simulator's camera to real frames taken by day: brightness, contrast, colour, blur, noise, horizon.

    Writes camera.yaml for --config of the other verbs, and a sheet to look at: real, as before, as fitted. Frames that
    have cameras of their own keep them: data.camera is written only where there are none.

    Example: python -m flows camera --data kitti:KITTI --out runs/camera --set simulator.max_width_px=640
    """
    typer.echo(camera_once(resolve(None, config, {"data.train": data}, set_), out, frames, streets, seed))


def camera_once(config: "CampaignConfig", out: Path, frames: int, streets: int, seed: int) -> str:
    """out/camera.yaml and out/camera.png; returns what was found."""
    import numpy as np

    from simulator.camera_fit.frames import real_frames
    from simulator.camera_fit.light import street_light
    from simulator.camera_fit.pose import fit_pose
    from simulator.camera_fit.response import fit_response
    from simulator.casting import Casting
    from tasks.data import import_source

    for name, value in (("--frames", frames), ("--streets", streets)):
        if value < SHOWN:
            raise InputError(name, f"{value} is too few", f"give {SHOWN} or more")
    simulator, casting = config.simulator, config.simulator.recreate.casting
    dataset = import_source(config.data.train, out / "data", config.data)
    told_by = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), POSED)).astype(int))
    pose = fit_pose(dataset.pick(told_by), Casting(dataset.categories, casting), simulator.recreate.camera)
    width_px = min(pose.width_px, simulator.max_width_px or pose.width_px)
    real = real_frames(dataset, pose, width_px, frames)
    light = street_light(
        pose,
        dataset.categories,
        simulator.street.model_copy(update={"casting": casting}),
        simulator.randomisation,
        count=streets,
        width_px=width_px,
        seed=seed,
        device=simulator.device,
    )
    found = fit_response(real.pictures, light, real.quality)
    told = (
        f"{config.data.train}: {len(real.pictures)} frames at {width_px} px width, {pose.objects} boxes on the ground"
    )
    kept = _kept(config, pose)
    write_settings(out / "camera.yaml", told, width_px, pose, found, with_camera=kept is None)
    _sheet(out / "camera.png", real.pictures, light, found)
    horizon = f"horizon at {pose.horizon_share:.3f} of the height, camera {pose.camera.height_m:.2f} m over the ground"
    missed = "".join(f"\n{name} lies at the end of what the simulator's camera can do" for name in found.missed)
    camera = f"\ndata.camera is not written: {kept}" if kept else ""
    files = f"settings: {out / 'camera.yaml'}\nlook at: {out / 'camera.png'}"
    return f"{told}\n{text(_table(found))}{horizon}{missed}{camera}\n{files}"


def _kept(config: "CampaignConfig", pose: "Pose") -> str | None:
    """Why the data keeps the cameras it has; None where it is to take the fitted one. data.camera is every frame's."""
    if config.data.train.startswith("store:"):
        return "a store keeps the cameras it was made with"
    if pose.calibrated and config.data.camera is None:
        return "the frames have cameras of their own"
    return None


def _table(found: "Fitted") -> Table:
    table = Table("setting", "drawn from", "measured by", "real", "fitted")
    for name, meaning in MEANINGS.items():
        low, high = found.ranges[name]
        table.add_row(
            name, f"{low:.4g} to {high:.4g}", meaning, f"{found.wanted[name]:.4f}", f"{found.reached[name]:.4f}"
        )
    return table


def write_settings(path: Path, told: str, width_px: int, pose: "Pose", found: "Fitted", *, with_camera: bool) -> None:
    """Settings for --config, written aside and renamed; with_camera: data.camera among them."""
    import yaml

    camera = {"camera": {name: round(float(value), 4) for name, value in vars(pose.camera).items()}}
    values: dict[str, Any] = {
        **({"data": camera} if with_camera else {}),
        "simulator": {
            "max_width_px": width_px,
            "street": {"pitch_jitter_deg": round(pose.pitch_jitter_deg, 3)},
            "randomisation": {name: [round(low, 5), round(high, 5)] for name, (low, high) in found.ranges.items()},
        },
    }
    aside = path.with_suffix(".partial")
    aside.write_text(f"# The camera of {told}.\n{yaml.safe_dump(values, sort_keys=False, default_flow_style=None)}")
    aside.replace(path)


def _sheet(path: Path, real: Sequence["np.ndarray"], light: Sequence["np.ndarray"], found: "Fitted") -> None:
    """Rows of real pictures, of renders by the neutral camera, and of the same by the fitted one."""
    import numpy as np
    from PIL import Image

    from simulator.embedded.film import develop
    from simulator.scene import CameraResponse
    from tasks.report.gallery import save_sheet

    shown = np.linspace(0, len(real) - 1, SHOWN).astype(int)
    rows = [[real[index] for index in shown]]
    rows += [[develop(one, response, 0) for one in light[:SHOWN]] for response in (CameraResponse(), found.response)]
    size = CELL_PX, round(CELL_PX * real[0].shape[0] / real[0].shape[1])
    cells = [[Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in row] for row in rows]
    save_sheet(cells, path)
