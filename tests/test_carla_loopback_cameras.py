"""The real carla client and the loopback server's cameras: which frame, which pixels, and who is painted for."""

import asyncio
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from simulator.carla.loopback.cameras import Cameras
from simulator.carla.loopback.records import Picture, Weather
from simulator.carla.unreal import Transform
from tests.carla_loopback import (
    ROOT,
    asynchronous,
    camera,
    client_command,
    in_client,
    synchronous,
)

KINDS = ("rgb", "depth", "semantic_segmentation", "instance_segmentation")


@pytest.fixture
def server(loopback_server):
    """The shared server, put back to an empty street afterwards."""
    yield loopback_server
    loopback_server.reset()


def one_car_seen(client):
    """A car 12 m in front of four cameras of one pose."""
    import queue

    import carla
    import numpy as np

    world = synchronous(client)
    blueprints = world.get_blueprint_library()
    at = world.get_map().get_spawn_points()[0]
    for _ in range(60):  # ids that no longer fit into 16 bits
        world.spawn_actor(blueprints.find("controller.ai.walker"), carla.Transform())
    car = world.spawn_actor(blueprints.find("vehicle.tesla.model3"), at)
    lift = carla.Location(z=1.2)
    eye = carla.Transform(at.location + lift - at.get_forward_vector() * 12, at.rotation)
    queues, cameras = {}, []  # a camera that goes out of scope listens no longer
    for kind in KINDS:
        queues[kind] = queue.Queue()
        cameras.append(camera(world, kind, eye))
        cameras[-1].listen(queues[kind].put)
    time.sleep(0.3)  # until the server knows of the subscriptions
    frames = []
    for _ in range(12):
        frame = world.tick()
        images = {kind: queues[kind].get(timeout=30) for kind in KINDS}
        frames.append([frame, [image.frame for image in images.values()]])

    def channels(kind):
        image = images[kind]
        return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4).astype(int)

    semantic, instance, depth = (channels(kind) for kind in ("semantic_segmentation", "instance_segmentation", "depth"))
    ids = instance[..., 0] * 256 + instance[..., 1]
    mine = ids == car.id % 65536
    metres = 1000 * (depth[..., 2] + 256 * depth[..., 1] + 65536 * depth[..., 0]) / (2**24 - 1)
    rows, columns = np.nonzero(mine & (instance[..., 2] == 14))
    sky = semantic[..., 2] == 11
    return {
        "frames": frames,
        "id": car.id,
        "same_tags": bool((semantic[..., 2] == instance[..., 2]).all()),
        "car_is_tagged": bool((semantic[..., 2][mine] == 14).all()),
        "pixels": int(mine.sum()),
        "columns": [int(columns.min()), int(columns.max())],
        "rows": [int(rows.min()), int(rows.max())],
        "near_m": float(metres[mine].min()),
        "sky_m": float(metres[sky].min()),
        "colours": len(np.unique(channels("rgb")[..., :3].reshape(-1, 3), axis=0)),
        "fov": images["rgb"].fov,
        "timestamp": images["rgb"].timestamp - world.get_snapshot().timestamp.elapsed_seconds,
        "height_m": 2 * car.bounding_box.extent.z,
        "extent": [car.bounding_box.extent.x, car.bounding_box.extent.y],
    }


def test_four_cameras_of_one_pose_show_one_car_in_every_frame_asked_for(server):
    before = server.state()["painted"]
    seen = in_client(one_car_seen, server)
    assert [frames for frame, frames in seen["frames"]] == [[frame] * 4 for frame, _ in seen["frames"]]
    assert server.state()["painted"] - before == len(seen["frames"])  # one picture for the four
    assert seen["id"] > 65535 and seen["pixels"] > 100  # its low 16 bits are its instance id
    assert seen["same_tags"] and seen["car_is_tagged"]
    assert seen["colours"] > 100 and seen["fov"] == 90 and seen["timestamp"] == pytest.approx(0)
    assert seen["near_m"] == pytest.approx(12 - seen["extent"][0], abs=0.3)
    assert seen["sky_m"] == pytest.approx(1000)
    half_width_px = 80 * seen["extent"][1] / (12 - seen["extent"][0])
    assert seen["columns"] == pytest.approx([80 - half_width_px, 79 + half_width_px], abs=2)
    roof, near, far = (80 * drop_m / m for drop_m, m in ((1.7 - seen["height_m"], 12), (1.7, 9.6), (1.7, 12)))
    assert seen["rows"][0] == pytest.approx(45 + roof, abs=2) and 43 + far < seen["rows"][1] < 46 + near


def unlistened(client):
    world = synchronous(client)
    import carla

    camera(world, "rgb", carla.Transform(carla.Location(z=2)))
    for _ in range(5):
        world.tick()
    asynchronous(world)


def test_nothing_is_painted_for_cameras_that_nobody_listens_to(server):
    before = server.state()["painted"]
    in_client(unlistened, server)
    assert server.state()["painted"] == before


def slow_camera(client):
    import carla

    world = synchronous(client, 0.05)
    frames: list[int] = []
    slow = camera(world, "semantic_segmentation", carla.Transform(carla.Location(z=2)), sensor_tick=0.2)
    slow.listen(lambda image: frames.append(image.frame))
    time.sleep(0.3)
    first = world.tick()
    for _ in range(12):
        world.tick()
    time.sleep(1.0)
    return {"first": first, "frames": frames}


def test_a_camera_with_a_sensor_tick_sends_at_its_period(server):
    seen = in_client(slow_camera, server)
    assert seen["frames"] == [seen["first"] + step for step in (0, 4, 8, 12)]


def riding_camera(client):
    import queue

    import carla

    world = synchronous(client)
    at = world.get_map().get_spawn_points()[0]
    car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), at)
    eyes = camera(world, "depth", carla.Transform(carla.Location(x=0.5, z=1.5), carla.Rotation(pitch=-5)), car)
    images = queue.Queue()
    eyes.listen(images.put)
    car.set_target_velocity(carla.Vector3D(-8, 0, 0))
    time.sleep(0.3)
    apart = []
    for _ in range(5):
        world.tick()
        image = images.get(timeout=30)
        snapshot = world.get_snapshot()
        assert snapshot.frame == image.frame
        there = snapshot.find(car.id).get_transform()
        expected = there.transform(carla.Location(x=0.5, z=1.5))
        apart.append([image.transform.location.distance(expected), image.transform.rotation.pitch])
    eyes.stop()
    return {"apart": apart, "moved_m": at.location.distance(car.get_location())}


def test_a_camera_rides_with_its_car_and_says_where_it_was(server):
    seen = in_client(riding_camera, server)
    assert seen["moved_m"] > 1
    for distance_m, pitch_deg in seen["apart"]:
        assert distance_m < 1e-3 and pitch_deg == pytest.approx(-5, abs=0.01)


def listen_for_ever(client):
    import carla

    world = synchronous(client)
    cameras = [camera(world, kind, carla.Transform(carla.Location(z=2))) for kind in KINDS]
    for eye in cameras:
        eye.listen(lambda image: None)
    print("LISTENING", flush=True)
    while True:
        world.tick()
        time.sleep(0.02)


def test_subscriptions_of_a_killed_client_are_dropped_and_its_actors_stay(server):
    command = client_command(listen_for_ever, server)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "LISTENING"
        deadline_s = time.monotonic() + 20
        while server.state()["subscriptions"] < 5 and time.monotonic() < deadline_s:  # the cameras and the world
            time.sleep(0.05)
        assert server.state()["subscriptions"] == 5
        process.kill()
    while server.state()["subscriptions"] and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(0.5)  # a picture that was being painted is done
    left = server.state()
    assert (left["subscriptions"], left["sensors"], left["synchronous"]) == (0, 4, True)
    assert left["connections"] == 1  # this question's own
    painted = in_client(unlistened, server)  # the next client works
    assert painted is None and server.state()["painted"] == left["painted"]


class SlowInColour:
    """Paints grey; colour takes longer than labels."""

    def paint(self, view, bodies, weather, *, color, frame):
        time.sleep(0.15 if color else 0.0)
        size = (view.height_px, view.width_px)
        rgb = np.full((*size, 3), 128, np.uint8) if color else None
        return Picture(rgb, np.zeros(size, np.uint32), np.zeros(size, np.uint8), np.ones(size, np.float32))


def test_images_leave_in_the_order_of_their_frames_whichever_is_painted_first():
    attributes = {"image_size_x": "8", "image_size_y": "4", "fov": "90"}

    def sensor(number, kind, x_m) -> Any:
        blueprint = SimpleNamespace(id=f"sensor.camera.{kind}")
        at = Transform(x_m, 0.0, 0.0)
        return SimpleNamespace(
            actor_id=number, stream_id=number, blueprint=blueprint, attributes=attributes, transform=at
        )

    def episode(frame, sensors) -> Any:
        return SimpleNamespace(
            episode_id=1,
            settings=SimpleNamespace(no_rendering=False),
            ids=SimpleNamespace(frame=frame, simulated_s=0.1 * frame),
            weather=Weather(),
            bodies=list,
            sensors=lambda: sensors,
        )

    sent = []
    streams: Any = SimpleNamespace(
        listened=lambda stream_id: True, send_image=lambda stream_id, message: sent.append(stream_id)
    )
    color, labels = sensor(1, "rgb", 0.0), sensor(2, "instance_segmentation", 5.0)

    async def three_frames():
        with ThreadPoolExecutor(1) as thread:
            cameras = Cameras(streams, lambda episode: SlowInColour(), thread)
            await cameras.prepare(episode(0, []))
            cameras.take(episode(1, [color]))
            cameras.take(episode(2, [labels]))
            cameras.take(episode(3, [labels, color]))
            await cameras.until_idle()
            assert cameras.painted == 4
            cameras.close()

    asyncio.run(three_frames())
    assert sent == [1, 2, 2, 1]
