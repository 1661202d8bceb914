"""Every road of an OpenDRIVE file, and its junctions."""

import xml.etree.ElementTree as xml
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dataset.errors import InputError
from simulator.opendrive.course import Course, Piece
from simulator.opendrive.profile import Cubics
from simulator.opendrive.road import Lane, Road, RoadMark, Section
from simulator.opendrive.strips import Strip, lane_strips

REMEDY = "give an OpenDRIVE 1.4 file (.xodr), as CARLA writes it"
SPEED_UNITS_M_S = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704}
LINE_WIDTH_M = 0.125  # where the file gives none


@dataclass(frozen=True)
class Junction:
    id: str
    connecting_roads: tuple[str, ...]
    incoming_roads: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    roads: dict[str, Road]
    junctions: dict[str, Junction]

    @cached_property
    def lanes(self) -> dict[str, list[Strip]]:
        """The lanes of each road, cut into strips."""
        return {name: list(lane_strips(road)) for name, road in self.roads.items()}

    @cached_property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """x and y of the reference lines: low x, low y, high x, high y."""
        at = np.concatenate([road.point_m(road.stations_m(0, road.length_m), 0.0) for road in self.roads.values()])
        low, high = at.min(axis=0), at.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def network_of(text: str | bytes, where: str) -> Network:
    """The network in the text of an OpenDRIVE file; `where` names it in errors.

    Raises InputError where it is none, and for left-hand traffic: all lanes are taken to be driven on the right.
    """
    if isinstance(text, str) and text.lstrip().startswith("<?xml"):
        text = text.encode()
    try:
        root = xml.fromstring(text)
    except (xml.ParseError, LookupError, ValueError) as problem:  # the latter two: an encoding that nobody reads
        raise InputError(where, f"is not XML: {problem}", REMEDY) from problem
    if root.tag != "OpenDRIVE":
        raise InputError(where, f"its outermost element is <{root.tag}>, not <OpenDRIVE>", REMEDY)
    left_hand = [road.get("id") for road in root.iter("road") if road.get("rule") == "LHT"]
    if left_hand:
        problem = f"{len(left_hand)} of its roads are driven on the left (rule LHT; the first is road {left_hand[0]})"
        raise InputError(where, problem, "name the map of a town that drives on the right")
    try:
        roads = {road.id: road for road in map(_road, root.iter("road"))}
        junctions = {one.id: one for one in map(_junction, root.findall("junction"))}
    except (KeyError, ValueError) as problem:
        raise InputError(where, f"an attribute is missing or no number: {problem}", REMEDY) from problem
    if not roads:
        raise InputError(where, "holds no road", REMEDY)
    return Network(roads, junctions)


def _road(element: xml.Element) -> Road:
    name = f"road {element.attrib['id']}"
    length = float(element.attrib["length"])
    pieces = [_piece(one) for one in element.iterfind("planView/geometry")]
    starts = [float(one.attrib["s"]) for one in element.iterfind("lanes/laneSection")]
    if not pieces or not starts:
        raise ValueError(f"{name} has no geometry or no lane section")
    ends = [*starts[1:], length]
    sections = [
        _section(one, start, end)
        for one, start, end in zip(element.iterfind("lanes/laneSection"), starts, ends, strict=True)
    ]
    junction = element.attrib["junction"]
    return Road(
        id=element.attrib["id"],
        name=element.get("name", ""),
        length_m=length,
        junction=None if junction == "-1" else junction,
        neighbours=tuple(
            one.attrib["elementId"]
            for end in ("predecessor", "successor")
            for one in element.iterfind(f"link/{end}")
            if one.get("elementType") == "road"
        ),
        course=Course(pieces),
        elevation_m=Cubics(_cubics(element.iterfind("elevationProfile/elevation"), "s")),
        lane_offset_m=Cubics(_cubics(element.iterfind("lanes/laneOffset"), "s")),
        # a section of a micrometre shows nothing
        speed_limit_m_s=_speed_m_s(element.find("type/speed")),
        sections=tuple(section for section in sections if section.end_m - section.start_m > 1e-6) or tuple(sections),
    )


def _speed_m_s(element: xml.Element | None) -> float | None:
    if element is None or element.attrib["max"] in ("no limit", "undefined"):
        return None
    return float(element.attrib["max"]) * SPEED_UNITS_M_S[element.get("unit", "m/s")]


def _cubics(elements: Iterator[xml.Element], start: str) -> list[tuple[float, float, float, float, float]]:
    rows = []
    for one in elements:
        s, a, b, c, d = (float(one.attrib[key]) for key in (start, "a", "b", "c", "d"))
        rows.append((s, a, b, c, d))
    return rows


def _piece(element: xml.Element) -> Piece:
    s, x, y, heading, length = (float(element.attrib[key]) for key in ("s", "x", "y", "hdg", "length"))
    straight = Piece(s, x, y, heading, length)
    shape = element[0] if len(element) else None
    kind = "nothing" if shape is None else shape.tag

    def numbers(*keys: str) -> tuple[float, ...]:
        return tuple(float(shape.attrib[key]) for key in keys)  # type: ignore[union-attr]

    if kind == "line":
        return straight
    if kind == "arc":
        (curvature,) = numbers("curvature")
        return straight._replace(curvature_per_m=curvature, end_curvature_per_m=curvature)
    if kind == "spiral":
        first, last = numbers("curvStart", "curvEnd")
        return straight._replace(curvature_per_m=first, end_curvature_per_m=last)
    if kind == "poly3":
        a, b, c, d = numbers("a", "b", "c", "d")
        return straight._replace(u=(0.0, 1.0, 0.0, 0.0), v=(a, b, c, d), p_end=length)
    if kind == "paramPoly3":
        u = numbers("aU", "bU", "cU", "dU")
        v = numbers("aV", "bV", "cV", "dV")
        normalised = shape.get("pRange", "normalized") == "normalized"  # type: ignore[union-attr]
        return straight._replace(u=u, v=v, p_end=1.0 if normalised else length)  # type: ignore[arg-type]
    raise ValueError(
        f"a geometry at s = {s} is made of <{kind}>, which is not one of line, arc, spiral, poly3, paramPoly3"
    )


def _section(element: xml.Element, start_m: float, end_m: float) -> Section:
    lanes = [_lane(one) for one in element.iter("lane")]
    if all(lane.number != 0 for lane in lanes):
        lanes.append(Lane(0, "none", Cubics([]), ()))
    return Section(start_m, end_m, tuple(sorted(lanes, key=lambda lane: -lane.number)))


def _lane(element: xml.Element) -> Lane:
    marks = [
        RoadMark(
            start_m=float(one.attrib["sOffset"]),
            kind=one.get("type", "none"),
            color=one.get("color", "standard"),
            width_m=float(one.get("width", LINE_WIDTH_M)),
        )
        for one in element.iterfind("roadMark")
    ]
    return Lane(
        number=int(element.attrib["id"]),
        kind=element.get("type", "none"),
        width_m=Cubics(_cubics(element.iterfind("width"), "sOffset")),
        marks=tuple(sorted(marks)),
    )


def _junction(element: xml.Element) -> Junction:
    connections = element.findall("connection")
    return Junction(
        id=element.attrib["id"],
        connecting_roads=tuple(dict.fromkeys(one.attrib["connectingRoad"] for one in connections)),
        incoming_roads=tuple(dict.fromkeys(one.attrib["incomingRoad"] for one in connections)),
    )
