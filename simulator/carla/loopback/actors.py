"""An actor of the loopback server: what was spawned, where it is, and what moves it."""

from dataclasses import dataclass, field

from simulator.carla.loopback.blueprints import Blueprint
from simulator.carla.loopback.geometry import Box
from simulator.carla.loopback.records import Body
from simulator.carla.unreal import Transform

Vector = tuple[float, float, float]
ZERO: Vector = (0.0, 0.0, 0.0)

POSITION_LIGHT, LOW_BEAM, HIGH_BEAM = 1, 2, 4  # bits of CARLA's VehicleLightState


@dataclass
class VehicleControl:
    """CARLA's VehicleControl, in the order of the wire."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


@dataclass
class WalkerControl:
    """CARLA's WalkerControl, in the order of the wire."""

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False


@dataclass
class Actor:
    """One actor. A vehicle's or prop's origin is at its underside, a walker's at half its height, as in CARLA."""

    actor_id: int
    blueprint: Blueprint
    attributes: dict[str, str]
    transform: Transform
    parent: "Actor | None" = None
    relative: Transform | None = None  # to the parent
    stream_id: int = 0  # of a sensor; 0 has none
    physics: bool = False
    gravity: bool = True
    collides: bool = True
    velocity: Vector = ZERO
    acceleration: Vector = ZERO
    angular_velocity_deg: Vector = ZERO
    constant_velocity: Vector | None = None  # in its own frame, metres a second
    vehicle_control: VehicleControl = field(default_factory=VehicleControl)
    walker_control: WalkerControl = field(default_factory=WalkerControl)
    light_flags: int = 0
    vehicle_physics: list | None = None  # as the client set it
    born_frame: int = 0  # the last frame before it was spawned
    settled: bool = False  # at rest on the ground: nothing moves it until it is touched
    children: list["Actor"] = field(default_factory=list)

    @property
    def extent_m(self) -> Vector:
        height, width, length = self.blueprint.dimensions_hwl_m
        return (length / 2, width / 2, height / 2)

    @property
    def origin_height_m(self) -> float:
        """How high the origin lies over the underside."""
        return self.blueprint.dimensions_hwl_m[0] / 2 if self.blueprint.is_walker else 0.0

    @property
    def box_center_m(self) -> Vector:
        """The middle of its bounding box, relative to its origin."""
        return (0.0, 0.0, self.extent_m[2] - self.origin_height_m)

    @property
    def box(self) -> Box:
        """Its bounding box in the world, taken as upright."""
        t = self.transform
        return Box((t.x_m, t.y_m, t.z_m + self.box_center_m[2]), self.extent_m, t.yaw_deg)

    @property
    def is_solid(self) -> bool:
        return self.blueprint.asset is not None and self.collides

    def body(self) -> Body:
        """What the painter needs to know of it."""
        color = self.attributes.get("color")
        t = self.transform
        return Body(
            actor_id=self.actor_id,
            blueprint_id=self.blueprint.id,
            transform=t._replace(z_m=t.z_m - self.origin_height_m),
            color_rgb=None if not color else tuple(int(c) for c in color.split(",")[:3]),  # type: ignore[arg-type]
            lights_on=bool(self.light_flags & (POSITION_LIGHT | LOW_BEAM | HIGH_BEAM)),
        )
