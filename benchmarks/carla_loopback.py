"""The CARLA loopback server under the real carla client: ticks and pictures a second.

    python -m benchmarks.carla_loopback [--ticks 500] [--pictures 20] [--maps DIR_OF_XODR] [--device cpu]

The server runs in a process of its own, the client in this one, in synchronous mode. Ticks are
compared with the 200 a second that were asked for; pictures over the wire with the same painter called directly in
its own process, without server and client. The last line is a JSON list of {"name", "ours", "peer", "unit", "ratio"};
ratio is ours / peer.
"""

import argparse
import json
import queue
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.carla_loopback import Running, asynchronous, camera, running_server, synchronous

ASKED_TICKS_S = 200.0
VEHICLES = 100
WIDTH_PX, HEIGHT_PX, FOV_DEG = 800, 450, 90.0
EYE = {"x": 20.0, "y": -1.75, "z": 1.6}


def rate(count: int, work: Callable[[], Any]) -> float:
    """Calls of `work` a second; the first is not counted."""
    work()
    start = time.perf_counter()
    for _ in range(count):
        work()
    return count / (time.perf_counter() - start)


def figure(name: str, ours: float, peer: float, unit: str) -> dict[str, Any]:
    print(f"{name:70} {ours:10.1f} {unit} (peer {peer:.1f})")
    return {"name": name, "ours": round(ours, 2), "peer": round(peer, 2), "unit": unit, "ratio": round(ours / peer, 4)}


def ticks(client: Any, count: int) -> list[dict[str, Any]]:
    """Ticks without cameras: an empty street, parked traffic, driving traffic."""
    import carla

    command = carla.command
    world = synchronous(client)
    figures = [figure("ticks, empty street (peer: asked for)", rate(count, world.tick), ASKED_TICKS_S, "ticks/s")]
    car = world.get_blueprint_library().find("vehicle.tesla.model3")
    places = [
        carla.Transform(carla.Location(x=8.0 * (i // 4), y=-30.0 - 4.0 * (i % 4), z=0.5)) for i in range(VEHICLES)
    ]
    spawned = client.apply_batch_sync([command.SpawnActor(car, place) for place in places], True)
    lost = [response.error for response in spawned if response.error]
    if lost:
        raise RuntimeError(f"{len(lost)} of {VEHICLES} vehicles were not spawned: {lost[0]}")
    for _ in range(40):  # until they have settled
        world.tick()
    parked = figure(f"ticks, {VEHICLES} parked vehicles", rate(count, world.tick), ASKED_TICKS_S, "ticks/s")
    go = carla.VehicleControl(throttle=0.5, steer=0.1)
    client.apply_batch_sync([command.ApplyVehicleControl(r.actor_id, go) for r in spawned], True)
    driving = figure(f"ticks, {VEHICLES} driving vehicles", rate(count, world.tick), ASKED_TICKS_S, "ticks/s")
    client.apply_batch_sync([command.DestroyActor(r.actor_id) for r in spawned], True)
    asynchronous(world)
    return [
        *figures,
        parked,
        driving,
    ]


def pictures(client: Any, kind: str, count: int) -> float:
    """Frames a second of one camera: tick, then wait for that frame's image."""
    import carla

    world = synchronous(client)
    eye = carla.Transform(carla.Location(**EYE))
    size = {"image_size_x": WIDTH_PX, "image_size_y": HEIGHT_PX, "fov": FOV_DEG}
    sensor, images = camera(world, kind, eye, **size), queue.Queue()
    sensor.listen(images.put)
    time.sleep(0.5)

    def one() -> None:
        frame = world.tick()
        image = images.get(timeout=60)
        if image.frame != frame:
            raise RuntimeError(f"image of frame {image.frame}, frame {frame} was asked for")

    frames_s = rate(count, one)
    sensor.stop()
    sensor.destroy()
    asynchronous(world)
    return frames_s


def _paint(maps: str | None, device: str, color: bool, count: int, result: Connection) -> None:
    from simulator.carla.loopback.maps import Maps
    from simulator.carla.loopback.painter import Painter
    from simulator.carla.loopback.records import View, Weather
    from simulator.carla.loopback.town import Town
    from simulator.carla.unreal import Transform

    known = Maps(Path(maps) if maps else None)
    town = Town(known.opendrive(known.names[0]), known.names[0])
    painter = Painter(town, device)
    view = View(WIDTH_PX, HEIGHT_PX, FOV_DEG, Transform(EYE["x"], EYE["y"], EYE["z"]))
    result.send(rate(count, lambda: painter.paint(view, [], Weather(), color=color, frame=1)))


def painted(maps: Path | None, device: str, color: bool, count: int) -> float:
    """Pictures a second of the painter alone."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_paint, args=(maps and str(maps), device, color, count, sender))
    process.start()
    sender.close()
    pictures_s = receiver.recv()
    process.join()
    return pictures_s


def measure(server: Running, options: argparse.Namespace) -> list[dict[str, Any]]:
    import carla

    client = carla.Client("127.0.0.1", server.port, 1)
    client.set_timeout(60.0)
    figures = ticks(client, options.ticks)
    for kind, color in (("instance_segmentation", False), ("rgb", True)):
        over_the_wire = pictures(client, kind, options.pictures)
        alone = painted(options.maps, options.device, color, options.pictures)
        name = f"{kind} {WIDTH_PX}x{HEIGHT_PX} over the wire (peer: painter alone)"
        figures.append(figure(name, over_the_wire, alone, "frames/s"))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=500)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--maps", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    maps = ["--maps", str(options.maps)] if options.maps else []
    with running_server("--device", options.device, *maps) as server:
        figures = measure(server, options)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
