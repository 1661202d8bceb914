"""The real carla client and the loopback server's actors: the library, spawning, batches, attachment, motion."""

import time

import pytest

from simulator.carla.loopback.blueprints import library
from tests.carla_loopback import asynchronous, camera, in_client, synchronous


@pytest.fixture
def server(loopback_server):
    """The shared server, put back to an empty street afterwards."""
    yield loopback_server
    loopback_server.reset()


def spawn_each(client):
    import carla

    world = synchronous(client)
    spawned = []
    for blueprint in world.get_blueprint_library():
        place = carla.Transform(carla.Location(x=300.0, y=50.0, z=0.5))
        actor = world.spawn_actor(blueprint, place)
        world.tick()
        box = actor.bounding_box.extent
        there = world.get_actors().find(actor.id)
        attributes = {name: value for name, value in there.attributes.items() if name != "role_name"}
        spawned.append(
            [actor.type_id, type(actor).__name__, [box.z * 2, box.y * 2, box.x * 2], len(attributes), actor.destroy()]
        )
    world.tick()
    left = len(world.get_actors())
    asynchronous(world)
    return {"spawned": spawned, "left": left}


def test_every_blueprint_spawns_as_its_class_with_its_size_and_goes_again(server):
    answer = in_client(spawn_each, server)
    assert answer["left"] == 1  # the spectator
    assert {type_id for type_id, *_ in answer["spawned"]} == set(library())
    classes = {"vehicle": "Vehicle", "walker": "Walker", "static": "Actor", "sensor": None, "controller": None}
    for type_id, class_name, size_hwl_m, attributes, destroyed in answer["spawned"]:
        blueprint = library()[type_id]
        expected = classes[type_id.split(".")[0]]
        assert expected is None or class_name == expected, type_id
        assert size_hwl_m == pytest.approx(blueprint.dimensions_hwl_m, abs=1e-5), type_id
        assert attributes == len([a for a in blueprint.attributes if a.id != "role_name"]), type_id
        assert destroyed


def read_attributes(client):
    blueprints = client.get_world().get_blueprint_library()
    cars = [b for b in blueprints.filter("vehicle.*") if b.get_attribute("base_type").as_str() == "car"]
    children = [b for b in blueprints.filter("walker.*") if b.get_attribute("age").as_str() == "child"]
    bike = blueprints.find("vehicle.bh.crossbike")
    rgb = blueprints.find("sensor.camera.rgb")
    return {
        "cars": len(cars),
        "vehicles": len(blueprints.filter("vehicle.*")),
        "walkers": len(blueprints.filter("walker.pedestrian.*")),
        "children": len(children),
        "props": len(blueprints.filter("static.prop.*")),
        "wheels": bike.get_attribute("number_of_wheels").as_int(),
        "paints": [str(c) for c in cars[0].get_attribute("color").recommended_values][:1],
        "lights": [b.id for b in cars if b.get_attribute("has_lights").as_bool()],
        "gamma": rgb.get_attribute("gamma").as_float(),
        "constant": not bike.get_attribute("base_type").is_modifiable,
    }


def test_the_library_can_be_searched_by_attributes(server):
    found = in_client(read_attributes, server)
    assert found["vehicles"] >= 40 and found["walkers"] >= 50 and found["props"] >= 40
    assert found["cars"] >= 20 and found["children"] >= 5
    assert found["wheels"] == 2 and found["gamma"] == pytest.approx(2.2) and found["constant"]
    assert "vehicle.audi.tt" in found["lights"] and "vehicle.audi.a2" not in found["lights"]


def collide(client):
    import carla

    world = synchronous(client)
    blueprints = world.get_blueprint_library()
    car, walker = blueprints.find("vehicle.audi.tt"), blueprints.find("walker.pedestrian.0001")
    at = world.get_map().get_spawn_points()[0]
    first = world.spawn_actor(car, at)
    refused = world.try_spawn_actor(car, at) is None
    try:
        world.spawn_actor(walker, at)
        text = ""
    except RuntimeError as error:
        text = str(error)
    beside = carla.Transform(at.location + at.get_right_vector() * 2.2, at.rotation)
    second = world.try_spawn_actor(car, beside)
    world.tick()  # before a snapshot holds it, the client takes an actor for dead and does not destroy it
    first.destroy()
    third = world.try_spawn_actor(car, at)
    alive = [actor is not None for actor in (second, third)]
    client.apply_batch_sync([carla.command.DestroyActor(a) for a in (second, third)], True)
    unknown = client.apply_batch_sync([carla.command.DestroyActor(987654)])[0].error
    asynchronous(world)
    return {"refused": refused, "text": text, "alive": alive, "unknown": unknown}


def test_a_spawn_into_another_actor_fails_as_in_carla_and_one_beside_it_does_not(server):
    answer = in_client(collide, server)
    assert answer["refused"] and answer["alive"] == [True, True]
    assert "Spawn failed because of collision at spawn position" in answer["text"]
    assert "987654" in answer["unknown"]


def spawn_cameras(client):
    import carla

    world, texts = client.get_world(), []
    for size in ({"image_size_x": 0}, {"image_size_y": -8}, {"fov": 180.0}, {"image_size_x": 8, "image_size_y": 8}):
        try:
            camera(world, "rgb", carla.Transform(), **size).destroy()
            texts.append("")
        except RuntimeError as error:
            texts.append(str(error))
    return texts


def test_a_camera_whose_image_would_have_no_pixels_is_refused(server):
    *refused, taken = in_client(spawn_cameras, server)
    assert all("invalid actor description" in text for text in refused) and taken == ""


def batch_with_follow_ups(client):
    import carla

    world = synchronous(client)
    blueprints, command = world.get_blueprint_library(), carla.command
    at = world.get_map().get_spawn_points()[3]
    car, camera = blueprints.find("vehicle.tesla.model3"), blueprints.find("sensor.camera.rgb")
    lights = carla.VehicleLightState(carla.VehicleLightState.LowBeam)
    seat = carla.Transform(carla.Location(x=1, y=0.5, z=2), carla.Rotation(yaw=90))
    responses = client.apply_batch_sync(
        [
            command.SpawnActor(car, at)
            .then(command.SetSimulatePhysics(command.FutureActor, False))
            .then(command.SetVehicleLightState(command.FutureActor, lights))
            .then(command.SpawnActor(camera, seat, command.FutureActor)),
            command.SpawnActor(car, at),
        ],
        True,
    )
    world.tick()
    spawned = world.get_actor(responses[0].actor_id)
    before = world.get_snapshot().find(spawned.id).get_transform()
    world.tick()
    after = world.get_snapshot().find(spawned.id).get_transform()
    (follower,) = world.get_actors().filter("sensor.*")
    spawned.set_transform(carla.Transform(carla.Location(100, 7, 3), carla.Rotation(yaw=-90)))
    world.tick()
    carried = follower.get_transform()
    answer = {
        "errors": [r.error for r in responses],
        "light": int(spawned.get_light_state()),
        "sank_m": before.location.z - after.location.z,
        "parent": follower.parent.id == spawned.id,
        "carried": [carried.location.x, carried.location.y, carried.location.z, carried.rotation.yaw],
    }
    spawned.destroy()
    world.tick()
    answer["orphan"] = len(world.get_actors().filter("sensor.*"))
    follower.destroy()
    asynchronous(world)
    return answer


def test_a_batch_runs_its_follow_ups_on_the_new_actor(server):
    answer = in_client(batch_with_follow_ups, server)
    assert answer["errors"][0] == "" and "collision" in answer["errors"][1]
    assert answer["light"] == 2  # LowBeam
    assert answer["sank_m"] == 0  # physics was turned off before the first frame


def test_what_is_attached_follows_its_parent_and_outlives_it(server):
    answer = in_client(batch_with_follow_ups, server)
    assert answer["parent"] and answer["orphan"] == 1
    # The parent faces -y: its right is +x.
    assert answer["carried"] == pytest.approx([100.5, 6, 5, 0], abs=1e-4)


def motion(client):
    import carla

    world = synchronous(client)
    blueprints, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
    car, walker = blueprints.find("vehicle.tesla.model3"), blueprints.find("walker.pedestrian.0001")
    driven, pushed, held = (world.spawn_actor(car, points[i]) for i in (0, 4, 8))
    at = carla.Transform(points[12].location, points[12].rotation)
    person = world.spawn_actor(walker, at)
    held.set_enable_gravity(False)
    held.set_simulate_physics(False)
    for _ in range(40):
        world.tick()
    z = [actor.get_location().z for actor in (driven, held, person)]
    ground = points[0].location.z - 0.5
    start = driven.get_transform()
    driven.apply_control(carla.VehicleControl(throttle=1.0, steer=0.3))
    pushed.set_target_velocity(carla.Vector3D(10, 0, 0))
    held.set_target_velocity(carla.Vector3D(10, 0, 0))
    person.apply_control(carla.WalkerControl(carla.Vector3D(0, 1, 0), 1.5))
    before = [actor.get_location() for actor in (pushed, held, person)]
    for _ in range(20):  # one second
        world.tick()
    end = driven.get_transform()
    moved = [actor.get_location() - was for actor, was in zip((pushed, held, person), before, strict=True)]
    answer = {
        "z": [value - ground for value in z],
        "driven_ahead": (end.location - start.location).dot(start.get_forward_vector()),
        "driven_right": (end.location - start.location).dot(start.get_right_vector()),
        "turned": (end.rotation.yaw - start.rotation.yaw + 180) % 360 - 180,
        "throttle": driven.get_control().throttle,
        "moved": [[m.x, m.y] for m in moved],
        "walker_yaw": person.get_transform().rotation.yaw,
        "walker_speed": person.get_velocity().length(),
        "person_height": person.bounding_box.extent.z,
    }
    driven.apply_control(carla.VehicleControl(brake=1.0))
    for _ in range(20):
        world.tick()
    answer["stopped"] = driven.get_velocity().length()
    client.apply_batch_sync([carla.command.DestroyActor(a) for a in (driven, pushed, held, person)], True)
    asynchronous(world)
    return answer


@pytest.fixture(scope="module")
def moved(loopback_server):
    return in_client(motion, loopback_server)


def test_gravity_settles_an_actor_unless_its_physics_is_off(moved):
    on_ground, held, person = moved["z"]
    assert on_ground == pytest.approx(0, abs=0.02)
    assert held == pytest.approx(0.5, abs=0.02)
    assert person == pytest.approx(moved["person_height"], abs=0.02)  # a walker's origin is in its middle


def test_a_steered_car_drives_a_right_hand_bend_and_brakes_to_a_stand(moved):
    assert 1 < moved["driven_ahead"] < 4 and moved["driven_right"] > 0.01 and moved["turned"] > 1
    assert moved["throttle"] == 1.0 and moved["stopped"] == 0


def test_a_target_velocity_moves_what_has_physics_and_nothing_else(moved):
    pushed, held, _ = moved["moved"]
    assert pushed[0] == pytest.approx(10, abs=0.5) and held == [0, 0]


def test_a_walker_walks_and_faces_where_its_control_says(moved):
    assert moved["moved"][2] == pytest.approx([0, 1.5], abs=0.01)
    assert moved["walker_yaw"] == pytest.approx(90) and moved["walker_speed"] == pytest.approx(1.5)


def autopilot(client):
    import carla

    world = synchronous(client)
    manager = client.get_trafficmanager(0)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(3)
    car, points = world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()
    go = carla.command.SetAutopilot(carla.command.FutureActor, True, manager.get_port())  # type: ignore[arg-type]
    # To the left of the road's middle traffic runs towards s = 0: these have the whole road ahead.
    starts = sorted(points, key=lambda p: -p.location.x if abs(p.rotation.yaw) > 90 else 1e9)[:4:2]
    spawned = client.apply_batch_sync([carla.command.SpawnActor(car, at).then(go) for at in starts], True)
    world.tick()
    cars = [world.get_actor(response.actor_id) for response in spawned]
    before = [actor.get_location() for actor in cars]
    for _ in range(120):
        world.tick()
        time.sleep(0.002)  # the manager's thread has its say between two ticks
    carla_map, there = world.get_map(), [actor.get_location() for actor in cars]
    manager.set_synchronous_mode(False)
    return {
        "errors": [response.error for response in spawned],
        "moved_m": [was.distance(now) for was, now in zip(before, there, strict=True)],
        "off_lane_m": [carla_map.get_waypoint(at).transform.location.distance_2d(at) for at in there],
    }


def test_the_traffic_manager_drives_cars_along_their_lanes(server):
    answer = in_client(autopilot, server)
    assert answer["errors"] == ["", ""]
    assert min(answer["moved_m"]) > 10 and max(answer["off_lane_m"]) < 0.5
