"""The loopback server's bytes: MessagePack, CARLA's layouts and pixel codes, boxes and poses."""

import asyncio
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.carla.loopback import wire
from simulator.carla.loopback.actors import Actor
from simulator.carla.loopback.blueprints import library
from simulator.carla.loopback.faults import Faults
from simulator.carla.loopback.geometry import Box, attached, overlap, rotation_of
from simulator.carla.loopback.records import Picture
from simulator.carla.loopback.rpc import RpcPort
from simulator.carla.messages import Malformed, Unpacker, packed
from simulator.carla.unreal import Transform

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=20), max_leaves=40)


@given(VALUES, st.integers(1, 7))
def test_a_message_survives_the_wire_in_pieces_of_any_size(value, piece_bytes):
    sent, unpacker, received = packed(value), Unpacker(), []
    for start in range(0, len(sent), piece_bytes):
        received += unpacker.feed(sent[start : start + piece_bytes])
    assert received == [value]


def test_two_messages_in_one_piece_are_two_messages():
    assert list(Unpacker().feed(packed([1, "a"]) + packed({"b": [2.5, b"\x00"]}))) == [[1, "a"], {"b": [2.5, b"\x00"]}]


def test_bytes_that_are_no_message_are_refused():
    with pytest.raises(Malformed, match="0xc1"):
        list(Unpacker().feed(b"\xc1"))


def test_values_nested_without_end_are_refused():
    with pytest.raises(Malformed, match="nested"):
        list(Unpacker().feed(b"\x91" * 100_000))


@pytest.mark.parametrize(
    "sent",
    [
        packed([0, 1, "version", [[False]]]) + b"\x81\x91\x01\x02",  # a map with a list as key
        b"\xa2\xff\xfe",  # a text that is no UTF-8
        b"\xc1",
        packed([0, 1, ["version"], [[False]]]),
        packed("hello"),
    ],
)
def test_bytes_that_are_no_request_close_the_connection_with_one_line_in_the_log(sent, caplog):
    async def talk() -> None:
        port = RpcPort(object(), Faults())
        server = await asyncio.start_server(port.serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        with suppress(ConnectionError):
            while await asyncio.wait_for(reader.read(1000), 5):
                pass
        writer.close()
        server.close()

    asyncio.run(talk())
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "connection closed" in caplog.text and "Traceback" not in caplog.text


def test_a_snapshot_is_48_and_36_bytes_and_119_an_actor():
    ids = ("vehicle.tesla.model3", "walker.pedestrian.0001", "static.prop.bin", "sensor.camera.rgb")
    for count in range(len(ids) + 1):
        actors = [Actor(i + 1, library()[name], {}, Transform()) for i, name in enumerate(ids[:count])]
        message = wire.snapshot_message(
            actors, episode_id=1, frame=2, time_s=0.1, wall_s=0.2, delta_s=0.05, map_changed=True
        )
        assert len(message) == 48 + 36 + 119 * count


def test_a_token_is_24_bytes_with_stream_port_and_tcp():
    assert wire.token(7, 2001)[:8] == bytes([7, 0, 0, 0, 2001 & 255, 2001 >> 8, 1, 0])
    assert len(wire.token(7, 2001)) == 24


def picture(**parts: list) -> Picture:
    filled = {"actor_id": [[0]], "tag": [[0]], "depth_m": [[1.0]]} | parts
    return Picture(
        rgb=np.array([[[1, 2, 3]]], np.uint8),
        actor_id=np.array(filled["actor_id"], np.uint32),
        tag=np.array(filled["tag"], np.uint8),
        depth_m=np.array(filled["depth_m"], np.float32),
    )


def pixels(kind: str, shown: Picture) -> np.ndarray:
    """(H, W, 4) B G R A as a client receives it."""
    message = wire.image_message(f"sensor.camera.{kind}", shown, 90.0, 5, 0.25, Transform())
    height, width = shown.tag.shape
    assert len(message) == 48 + 12 + 4 * height * width
    return np.frombuffer(message[60:], np.uint8).reshape(height, width, 4).astype(int)


def test_depth_is_24_bits_over_a_kilometre_and_the_sky_is_at_its_end():
    b, g, r, _ = np.moveaxis(pixels("depth", picture(depth_m=[[0.5, 87.25, 999.0, np.inf]], tag=[[1] * 4])), -1, 0)
    metres = 1000 * (r + 256 * g + 65536 * b) / (2**24 - 1)
    assert np.allclose(metres, [[0.5, 87.25, 999.0, 1000.0]], atol=1e-4)


def test_an_instance_pixel_holds_the_tag_and_16_bits_of_the_actors_id():
    seen = pixels(
        "instance_segmentation", picture(actor_id=[[300, 65536 + 7, 0]], tag=[[14, 12, 11]], depth_m=[[1] * 3])
    )
    assert seen[0, :, 2].tolist() == [14, 12, 11]
    assert (seen[0, :, 0] * 256 + seen[0, :, 1]).tolist() == [300, 7, 0]


def test_scenery_has_an_instance_id_as_unreals_objects_do():
    seen = pixels("instance_segmentation", picture(tag=[[1]]))
    assert seen[0, 0, 0] * 256 + seen[0, 0, 1] >= 0x8000


def test_colours_are_sent_blue_first():
    assert pixels("rgb", picture())[0, 0].tolist() == [3, 2, 1, 255]


def test_a_camera_behind_and_above_a_turned_car_stands_behind_it():
    car = Transform(10, 20, 0, yaw_deg=90)  # faces +y
    seat = attached(car, Transform(-5, 0, 2, yaw_deg=180))
    assert np.allclose(seat[:3], (10, 15, 2))
    assert seat.yaw_deg == pytest.approx(-90)


@given(*[st.floats(-80, 80)] * 3, *[st.floats(-179, 179)] * 3)
def test_attached_rotations_multiply(p1, p2, r1, y1, y2, r2):
    parent, child = Transform(0, 0, 0, p1, y1, r1), Transform(1, 2, 3, p2, y2, r2)
    both = attached(parent, child)
    assert np.allclose(rotation_of(both), rotation_of(parent) @ rotation_of(child), atol=1e-6)


def test_positive_pitch_lifts_the_nose_and_positive_roll_lowers_the_right_side():
    assert rotation_of(Transform(pitch_deg=30))[2, 0] == pytest.approx(0.5)
    assert rotation_of(Transform(roll_deg=30))[2, 1] == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box((4.1, 0, 1), (2, 1, 1), 0), False),  # bumper to bumper
        (Box((3.9, 0, 1), (2, 1, 1), 0), True),
        (Box((3.2, 2.2, 1), (2, 1, 1), 0), False),  # beside
        (Box((3.3, 0, 1), (2, 1, 1), 90), False),  # turned, it is short that way
        (Box((2.9, 0, 1), (2, 1, 1), 90), True),
        (Box((3.4, 2.6, 1), (2, 1, 1), 45), False),  # only the turned box's own axes part these
        (Box((0, 0, 3.1), (2, 1, 1), 0), False),  # above
    ],
)
def test_boxes_overlap_as_turned_rectangles_with_heights(other, expected):
    assert overlap(Box((0, 0, 1), (2, 1, 1), 0), other) is expected


def test_every_blueprint_has_a_shape_of_sane_size_or_cannot_be_seen():
    from simulator.scene import ACTOR_ASSETS, CLUTTER_ASSETS

    for blueprint in library().values():
        if blueprint.asset is None:
            assert blueprint.id.startswith(("sensor.", "controller."))
            continue
        assert blueprint.asset in ACTOR_ASSETS + CLUTTER_ASSETS
        assert all(0.05 < side < 12 for side in blueprint.dimensions_hwl_m), blueprint.id
    assert math.prod(library()["vehicle.mini.cooper_s"].dimensions_hwl_m) < 15
