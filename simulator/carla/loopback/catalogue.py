"""What CARLA 0.9.16's blueprint library holds, as far as the loopback server has it: one table a kind.

Ids, generations and classes are CARLA's. Sizes (height, width, length in metres) are those of CARLA's own models to
a few centimetres; two-wheelers are measured with their rider. The last column is the asset of the embedded simulator
that stands in for the model.
"""

from typing import NamedTuple


class Vehicle(NamedTuple):
    id: str
    base_type: str  # car, van, truck, bus, motorcycle, bicycle; CARLA leaves it empty for one or two of them
    special_type: str  # emergency, taxi, electric or nothing
    generation: int
    dimensions_hwl_m: tuple[float, float, float]
    asset: str
    colors: tuple[str, ...] = ()  # recommended paints; () where the model has no colour attribute
    wheels: int = 4
    doors: bool = False  # that open
    lights: bool = False


PAINTS = ("17,37,103", "66,63,79", "137,0,0", "180,180,180", "0,0,0", "255,255,255")
MUTED = ("28,35,29", "73,79,84", "139,148,142", "33,53,76", "107,31,25", "218,216,208")

VEHICLES = (
    Vehicle("vehicle.audi.a2", "car", "", 1, (1.55, 1.79, 3.71), "car", PAINTS),
    Vehicle("vehicle.audi.etron", "car", "electric", 1, (1.65, 2.03, 4.86), "car", MUTED, lights=True),
    Vehicle("vehicle.audi.tt", "car", "", 1, (1.39, 1.99, 4.18), "car", PAINTS, lights=True),
    Vehicle("vehicle.bmw.grandtourer", "car", "", 1, (1.67, 2.24, 4.61), "car", MUTED),
    Vehicle("vehicle.chevrolet.impala", "car", "", 1, (1.41, 2.03, 5.36), "car", PAINTS, lights=True),
    Vehicle("vehicle.citroen.c3", "car", "", 1, (1.62, 1.85, 3.99), "car", PAINTS),
    Vehicle("vehicle.dodge.charger_2020", "car", "", 2, (1.53, 2.10, 5.01), "car", MUTED, doors=True, lights=True),
    Vehicle("vehicle.dodge.charger_police", "car", "emergency", 1, (1.54, 2.04, 4.97), "car", lights=True),
    Vehicle(
        "vehicle.dodge.charger_police_2020", "car", "emergency", 2, (1.64, 2.10, 5.24), "car", doors=True, lights=True
    ),
    Vehicle("vehicle.ford.crown", "car", "taxi", 2, (1.58, 1.80, 5.37), "car", doors=True, lights=True),
    Vehicle("vehicle.ford.mustang", "car", "", 1, (1.30, 1.89, 4.72), "car", PAINTS, lights=True),
    Vehicle("vehicle.jeep.wrangler_rubicon", "car", "", 1, (1.88, 1.91, 3.87), "car", MUTED),
    Vehicle("vehicle.lincoln.mkz_2017", "car", "", 1, (1.51, 2.13, 4.90), "car", MUTED, lights=True),
    Vehicle("vehicle.lincoln.mkz_2020", "car", "", 2, (1.48, 2.23, 4.89), "car", MUTED, doors=True, lights=True),
    Vehicle("vehicle.mercedes.coupe", "car", "", 1, (1.65, 2.15, 5.03), "car", PAINTS, lights=True),
    Vehicle("vehicle.mercedes.coupe_2020", "car", "", 2, (1.44, 2.00, 4.67), "car", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.micro.microlino", "car", "electric", 1, (1.38, 1.48, 2.21), "car", PAINTS),
    Vehicle("vehicle.mini.cooper_s", "car", "", 1, (1.48, 1.97, 3.81), "car", PAINTS),
    Vehicle("vehicle.mini.cooper_s_2021", "car", "", 2, (1.77, 2.10, 4.55), "car", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.nissan.micra", "car", "", 1, (1.50, 1.85, 3.63), "car", PAINTS),
    Vehicle("vehicle.nissan.patrol", "car", "", 1, (1.85, 1.93, 4.60), "car", MUTED, lights=True),
    Vehicle("vehicle.nissan.patrol_2021", "car", "", 2, (2.05, 2.15, 5.57), "car", MUTED, doors=True, lights=True),
    Vehicle("vehicle.seat.leon", "car", "", 1, (1.47, 1.82, 4.19), "car", PAINTS, lights=True),
    Vehicle("vehicle.tesla.model3", "car", "electric", 1, (1.49, 2.16, 4.79), "car", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.toyota.prius", "car", "electric", 1, (1.52, 2.01, 4.51), "car", MUTED, lights=True),
    Vehicle("vehicle.ford.ambulance", "van", "emergency", 2, (2.43, 2.35, 6.37), "van", doors=True, lights=True),
    Vehicle("vehicle.mercedes.sprinter", "van", "", 2, (2.56, 1.99, 5.92), "van", MUTED, doors=True, lights=True),
    Vehicle("vehicle.volkswagen.t2", "van", "", 1, (2.04, 2.07, 4.48), "van", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.volkswagen.t2_2021", "van", "", 2, (1.99, 1.77, 4.44), "van", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.carlamotors.carlacola", "truck", "", 1, (2.47, 2.63, 5.20), "truck", PAINTS, lights=True),
    Vehicle("vehicle.carlamotors.european_hgv", "truck", "", 2, (3.86, 2.89, 7.94), "truck", MUTED, lights=True),
    Vehicle(
        "vehicle.carlamotors.firetruck", "truck", "emergency", 2, (3.83, 2.89, 8.47), "truck", doors=True, lights=True
    ),
    Vehicle("vehicle.tesla.cybertruck", "truck", "electric", 2, (2.10, 2.39, 6.27), "truck", doors=True, lights=True),
    Vehicle("vehicle.mitsubishi.fusorosa", "bus", "", 2, (4.25, 3.94, 10.27), "bus", PAINTS, doors=True, lights=True),
    Vehicle("vehicle.harley-davidson.low_rider", "motorcycle", "", 1, (1.63, 0.76, 2.36), "motorcyclist", PAINTS, 2),
    Vehicle("vehicle.kawasaki.ninja", "motorcycle", "", 1, (1.55, 0.80, 2.03), "motorcyclist", PAINTS, 2, lights=True),
    Vehicle("vehicle.vespa.zx125", "motorcycle", "", 1, (1.64, 0.86, 1.80), "motorcyclist", PAINTS, 2, lights=True),
    Vehicle("vehicle.yamaha.yzf", "motorcycle", "", 1, (1.57, 0.87, 2.21), "motorcyclist", PAINTS, 2, lights=True),
    Vehicle("vehicle.bh.crossbike", "bicycle", "", 1, (1.72, 0.60, 1.49), "cyclist", PAINTS, 2),
    Vehicle("vehicle.diamondback.century", "bicycle", "", 1, (1.70, 0.55, 1.64), "cyclist", PAINTS, 2),
    Vehicle("vehicle.gazelle.omafiets", "bicycle", "", 1, (1.78, 0.58, 1.84), "cyclist", PAINTS, 2),
)


class Walker(NamedTuple):
    number: int  # walker.pedestrian.NNNN
    gender: str
    age: str  # child, teenager, adult, elder
    generation: int


CHILDREN = (9, 10, 11, 12, 13, 14, 48, 49)
ELDERLY = (6, 7, 8, 24)
TEENAGERS = (19, 27)
POLICE = (30, 32)  # the attribute is there for them, the shape is an adult's
WALKER_NUMBERS = tuple(range(1, 53))
SECOND_GENERATION = frozenset({15, 16, 17, 18, 19, 20, 21, *range(26, 53)})


def walkers() -> tuple[Walker, ...]:
    """Every walker: odd numbers are female, as a fair mixture; ages by the lists above."""

    def age(number: int) -> str:
        if number in CHILDREN:
            return "child"
        if number in ELDERLY:
            return "elder"
        return "teenager" if number in TEENAGERS else "adult"

    return tuple(
        Walker(n, "female" if n % 2 else "male", age(n), 2 if n in SECOND_GENERATION else 1) for n in WALKER_NUMBERS
    )


# Height, width (shoulders, swinging arms) and length (stride) by age.
WALKER_SIZES_HWL_M = {
    "child": (1.10, 0.50, 0.50),
    "teenager": (1.60, 0.50, 0.60),
    "adult": (1.74, 0.56, 0.70),
    "elder": (1.68, 0.56, 0.60),
}


class Prop(NamedTuple):
    name: str  # static.prop.NAME
    size: str  # tiny, small, medium, big: CARLA's attribute
    dimensions_hwl_m: tuple[float, float, float]
    asset: str


PROPS = (
    Prop("advertisement", "medium", (2.60, 1.40, 0.35), "billboard"),
    Prop("atm", "medium", (1.90, 0.90, 0.80), "kiosk"),
    Prop("barrel", "small", (0.95, 0.62, 0.62), "bin"),
    Prop("bin", "small", (1.05, 0.60, 0.60), "bin"),
    Prop("box01", "small", (0.45, 0.50, 0.50), "container"),
    Prop("box02", "small", (0.55, 0.60, 0.60), "container"),
    Prop("box03", "medium", (0.70, 0.80, 0.80), "container"),
    Prop("busstop", "big", (2.70, 1.70, 4.20), "kiosk"),
    Prop("chainbarrier", "small", (0.85, 1.60, 0.15), "barrier"),
    Prop("clothcontainer", "medium", (2.00, 1.20, 1.20), "container"),
    Prop("constructioncone", "small", (0.65, 0.35, 0.35), "bollard"),
    Prop("container", "big", (1.80, 2.10, 4.40), "container"),
    Prop("creasedbox01", "small", (0.40, 0.50, 0.45), "container"),
    Prop("fountain", "big", (2.20, 3.40, 3.40), "kiosk"),
    Prop("foodcart", "medium", (2.40, 1.40, 2.30), "kiosk"),
    Prop("garbage01", "tiny", (0.30, 0.40, 0.40), "bin"),
    Prop("gardenlamp", "small", (0.80, 0.22, 0.22), "bollard"),
    Prop("glasscontainer", "medium", (1.70, 1.30, 1.30), "container"),
    Prop("kiosk_01", "big", (2.90, 2.10, 2.60), "kiosk"),
    Prop("mailbox", "small", (1.30, 0.50, 0.50), "bin"),
    Prop("maptable", "small", (1.90, 1.20, 0.20), "billboard"),
    Prop("pergola", "big", (2.90, 3.00, 4.00), "kiosk"),
    Prop("plantpot01", "medium", (0.95, 1.20, 1.20), "bush"),
    Prop("plantpot02", "small", (0.80, 0.70, 0.70), "bush"),
    Prop("plantpot03", "medium", (1.20, 1.00, 1.00), "bush"),
    Prop("plantpot04", "small", (0.70, 0.60, 0.60), "bush"),
    Prop("plantpot05", "medium", (1.50, 1.10, 1.10), "bush"),
    Prop("plantpot06", "small", (1.00, 0.80, 0.80), "bush"),
    Prop("plantpot08", "medium", (2.20, 1.60, 1.60), "bush"),
    Prop("shoppingcart", "small", (1.00, 0.60, 0.90), "bin"),
    Prop("streetbarrier", "medium", (1.10, 1.90, 0.60), "barrier"),
    Prop("streetfountain", "small", (1.00, 0.45, 0.45), "hydrant"),
    Prop("streetsign", "medium", (0.75, 0.75, 0.08), "traffic_sign"),
    Prop("streetsign01", "medium", (0.90, 0.90, 0.08), "traffic_sign"),
    Prop("streetsign04", "medium", (0.60, 0.60, 0.08), "traffic_sign"),
    Prop("trafficcone01", "small", (0.75, 0.38, 0.38), "bollard"),
    Prop("trafficcone02", "small", (0.50, 0.30, 0.30), "bollard"),
    Prop("trafficwarning", "medium", (1.90, 1.30, 0.90), "billboard"),
    Prop("trashcan01", "small", (1.00, 0.55, 0.55), "bin"),
    Prop("trashcan02", "small", (1.10, 0.70, 0.60), "bin"),
    Prop("trashcan03", "small", (0.95, 0.50, 0.50), "bin"),
    Prop("trashcan04", "small", (1.20, 0.75, 0.70), "bin"),
    Prop("vendingmachine", "medium", (1.90, 1.00, 0.85), "kiosk"),
    Prop("warningaccident", "medium", (0.90, 1.00, 0.60), "barrier"),
    Prop("warningconstruction", "medium", (0.90, 1.00, 0.60), "barrier"),
)
