"""The real carla client and the loopback server's world: maps, actors, motion, time, weather."""

import math
import subprocess
import sys
import time

import pytest

from simulator.carla.loopback import control
from tests.carla_loopback import ROOT, asynchronous, camera, in_client, synchronous


@pytest.fixture
def server(loopback_server):
    """The shared server, put back to an empty street afterwards."""
    yield loopback_server
    loopback_server.reset()


def connect(client):
    world = client.get_world()
    carla_map = world.get_map()
    point = carla_map.get_spawn_points()[0]
    on_lane = carla_map.get_waypoint(point.location).transform
    return {
        "version": client.get_server_version(),
        "maps": client.get_available_maps(),
        "map": carla_map.name,
        "off_lane_m": point.location.distance(on_lane.location) - abs(point.location.z - on_lane.location.z),
        "turn_deg": (point.rotation.yaw - on_lane.rotation.yaw + 180) % 360 - 180,
        "snapshot": world.wait_for_tick().frame > 0,
        "settings": world.get_settings().synchronous_mode,
        "lights": len(world.get_lightmanager().get_all_lights()),
        "traffic_lights": len(world.get_actors().filter("traffic.*")),
    }


def test_an_unmodified_client_connects_and_finds_spawn_points_on_the_lanes_of_the_map(server):
    found = in_client(connect, server)
    assert found["version"] == "0.9.16"
    assert found["maps"] == ["/Game/Carla/Maps/Straight"] and found["map"] == "Carla/Maps/Straight"
    assert abs(found["off_lane_m"]) < 0.1 and abs(found["turn_deg"]) < 1
    assert found["snapshot"] and not found["settings"]


def clock(client):
    import time

    world = synchronous(client, 0.05)
    frames, seconds = [], []
    for _ in range(5):
        frames.append(world.tick())
        seconds.append(world.get_snapshot().timestamp.elapsed_seconds)
    time.sleep(0.3)
    frozen = world.get_snapshot().frame == frames[-1]
    asynchronous(world)
    free = [world.wait_for_tick().frame for _ in range(3)]
    return {"frames": frames, "seconds": seconds, "frozen": frozen, "free": free}


def test_synchronous_frames_come_when_asked_for_with_the_fixed_step_and_free_ones_by_themselves(server):
    answer = in_client(clock, server)
    assert [b - a for a, b in zip(answer["frames"], answer["frames"][1:], strict=False)] == [1] * 4
    steps = [b - a for a, b in zip(answer["seconds"], answer["seconds"][1:], strict=False)]
    assert steps == pytest.approx([0.05] * 4)
    assert answer["frozen"] and sorted(set(answer["free"])) == answer["free"]


def weather_and_worlds(client):
    import carla

    world = client.get_world()
    wanted = carla.WeatherParameters(cloudiness=30, sun_altitude_angle=-20, fog_density=55, wetness=70)
    world.set_weather(wanted)
    same = world.get_weather() == wanted
    car = world.get_blueprint_library().find("vehicle.audi.tt")
    ghost = world.spawn_actor(car, world.get_map().get_spawn_points()[0])
    before = world.id
    reloaded = client.load_world("Straight")
    gone = reloaded.get_actors([ghost.id])
    text = {}
    for name, call in {"map": lambda: client.load_world("Atlantis"), "box": lambda: ghost.bounding_box}.items():
        try:
            call()
        except RuntimeError as error:
            text[name] = str(error)
    made = client.generate_opendrive_world(reloaded.get_map().to_opendrive())
    answer = {
        "weather": same,
        "kept": reloaded.get_weather() == wanted,
        "new_episode": before != reloaded.id,
        "gone": len(gone) == 0,
        "text": text,
        "sent_map": made.get_map().name,
    }
    client.load_world("Straight")
    return answer


def test_weather_is_kept_as_set_and_a_load_starts_an_episode_without_the_old_actors(server):
    answer = in_client(weather_and_worlds, server)
    assert answer["weather"] and answer["new_episode"] and answer["gone"]
    assert "Atlantis" in answer["text"]["map"] and "Straight" in answer["text"]["map"]
    assert "not found" in answer["text"]["box"]
    assert answer["sent_map"].endswith("OpenDriveMap")


def rays(client):
    import carla

    world = synchronous(client)
    at = world.get_map().get_spawn_points()[0]
    car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), at)
    for _ in range(20):
        world.tick()
    above = at.location + carla.Location(z=20)
    points = world.cast_ray(above, at.location - carla.Location(z=5))
    ground = world.ground_projection(at.location + at.get_right_vector() * 1.6 + carla.Location(z=3), 50)
    # parked cars are in the list, too, without an id
    boxes = [box for box in world.get_level_bbs(carla.CityObjectLabel.Car) if box.actor_id]
    answer = {
        "hits": [[p.location.z, int(p.label)] for p in points],
        "ground": [ground.location.z, int(ground.label)],
        "boxes": [[b.actor_id == car.id, b.location.distance(car.get_location()), b.extent.x] for b in boxes],
        "height": car.bounding_box.extent.z * 2,
    }
    car.destroy()
    asynchronous(world)
    return answer


def test_rays_meet_the_roof_before_the_road_and_level_boxes_hold_the_actors(server):
    answer = in_client(rays, server)
    (roof_z, roof_tag), (road_z, road_tag) = answer["hits"]
    assert roof_tag == 14 and roof_z == pytest.approx(answer["height"], abs=0.02)
    assert road_tag in (1, 24) and road_z == pytest.approx(0, abs=0.05)
    assert answer["ground"][0] == pytest.approx(0, abs=0.05)
    ((same, distance_m, half_length_m),) = answer["boxes"]
    assert same and distance_m == pytest.approx(answer["height"] / 2, abs=0.02) and half_length_m == pytest.approx(2.09)


def hide_trees(client):
    import queue

    import carla
    import numpy as np

    world = synchronous(client)
    trees = world.get_environment_objects(carla.CityObjectLabel.Vegetation)
    tree = max(trees, key=lambda t: t.bounding_box.extent.z)
    at = tree.bounding_box.location
    eye = carla.Transform(carla.Location(at.x, at.y, at.z + 3 * tree.bounding_box.extent.z), carla.Rotation(pitch=-90))
    above, images = camera(world, "semantic_segmentation", eye, fov=30), queue.Queue()
    above.listen(images.put)
    time.sleep(0.3)

    def share():
        world.tick()
        image = images.get(timeout=30)
        tags = np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)[..., 2]
        return float((tags == 9).mean())

    shares = [share()]
    for on in (False, True):
        world.enable_environment_objects({t.id for t in trees}, on)
        world.get_weather()  # a call that is answered comes after one that is not
        shares.append(share())
    boxes = world.get_level_bbs(carla.CityObjectLabel.Vegetation)
    return {"trees": len(trees), "boxes": len(boxes), "shares": shares}


def test_environment_objects_are_listed_and_can_be_hidden(server):
    answer = in_client(hide_trees, server)
    assert answer["trees"] == answer["boxes"] > 5
    shown, hidden, again = answer["shares"]
    assert shown > 0.05 and hidden == 0 and again == shown


def two_clients(client, port):
    import carla

    other = carla.Client("127.0.0.1", port, 1)
    other.set_timeout(10.0)
    world, second = client.get_world(), other.get_world()
    car = world.spawn_actor(
        world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()[20]
    )
    world.wait_for_tick()
    second.wait_for_tick()
    seen = second.get_actors().find(car.id) is not None
    destroyed = second.get_actors().find(car.id).destroy()
    world.wait_for_tick()
    world.wait_for_tick()  # the one before may have been on its way already
    return {"seen": seen, "destroyed": destroyed, "left": world.get_actors().find(car.id) is not None}


def test_two_clients_see_one_world(server):
    assert in_client(two_clients, server, port=server.port) == {"seen": True, "destroyed": True, "left": False}


def test_an_unknown_function_is_refused_by_name(server):
    with pytest.raises(Exception, match="make_coffee"):
        control.call(server.port, "make_coffee")


def refused(*options: str) -> str:
    command = [sys.executable, "-m", "simulator.carla.loopback", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_one_clear_error(server):
    text = refused("--port", str(server.port))
    assert str(server.port) in text and "--port" in text


def test_a_folder_without_maps_and_an_unknown_map_are_clear_errors(tmp_path):
    assert ".xodr" in refused("--port", "0", "--maps", str(tmp_path))
    assert "Straight" in refused("--port", "0", "--map", "Nowhere")


def many_ticks(client, count):
    import time

    world = synchronous(client)
    world.tick()
    start = time.perf_counter()
    for _ in range(count):
        world.tick()
    seconds = time.perf_counter() - start
    asynchronous(world)
    return count / seconds


def test_more_than_200_ticks_a_second_without_cameras(server):
    assert in_client(many_ticks, server, count=300) > 200
    assert math.isfinite(server.state()["memory_mib"])
