"""Which maps the server offers: the .xodr files of a folder, or one straight road that needs no file."""

from pathlib import Path

from dataset.errors import InputError

STRAIGHT = "Straight"
FROM_CLIENT = "OpenDriveMap"  # what CARLA calls a map whose text a client sent


class Maps:
    """Maps by name ("Town01"). Raises InputError for a folder without maps."""

    def __init__(self, folder: Path | None):
        self._files: dict[str, Path] = {}
        self._sent: dict[str, str] = {}
        if folder is None:
            return
        if not folder.is_dir():
            raise InputError(folder, "no such folder", "name a folder of OpenDRIVE files, or leave --maps away")
        self._files = {file.stem: file for file in sorted(folder.glob("*.xodr"))}
        if not self._files:
            raise InputError(folder, "no .xodr file in it", "name a folder of OpenDRIVE files, or leave --maps away")

    @property
    def names(self) -> list[str]:
        return [*(self._files or [STRAIGHT]), *self._sent]

    def opendrive(self, name: str) -> str:
        """The map's OpenDRIVE text. Raises InputError for an unknown name or an unreadable file."""
        if name in self._sent:
            return self._sent[name]
        if name not in self.names:
            raise InputError(f"map '{name}'", f"the server has {', '.join(self.names)}", "load one of these")
        if name not in self._files:
            return straight_road()
        try:
            return self._files[name].read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(self._files[name], f"cannot be read: {error}", "mend the file or its rights") from error

    def keep(self, opendrive: str) -> None:
        """A map that a client sent."""
        self._sent[FROM_CLIENT] = opendrive


def straight_road(length_m: float = 600.0, lane_width_m: float = 3.5) -> str:
    """OpenDRIVE text of one straight road: a lane and a sidewalk on each side."""

    def lane(lane_id: int, kind: str, width_m: float, mark: str) -> str:
        return (
            f'<lane id="{lane_id}" type="{kind}" level="false"><link/>'
            f'<width sOffset="0" a="{width_m}" b="0" c="0" d="0"/>'
            f'<roadMark sOffset="0" type="{mark}" weight="standard" color="white" width="0.12"/></lane>'
        )

    center_mark = '<roadMark sOffset="0" type="broken" color="white" width="0.12"/>'
    left = lane(2, "sidewalk", 2.5, "none") + lane(1, "driving", lane_width_m, "solid")
    right = lane(-1, "driving", lane_width_m, "solid") + lane(-2, "sidewalk", 2.5, "none")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OpenDRIVE>
<header revMajor="1" revMinor="4" name="{STRAIGHT}" north="0" south="0" east="0" west="0">
<geoReference><![CDATA[+proj=tmerc +lat_0=49 +lon_0=8 +k=1 +x_0=0 +y_0=0 +datum=WGS84]]></geoReference>
</header>
<road name="{STRAIGHT}" length="{length_m}" id="1" junction="-1"><link/>
<type s="0" type="town"><speed max="50" unit="km/h"/></type>
<planView><geometry s="0" x="0" y="0" hdg="0" length="{length_m}"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
<lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/>
<laneSection s="0">
<left>{left}</left>
<center><lane id="0" type="none" level="false">{center_mark}</lane></center>
<right>{right}</right>
</laneSection></lanes></road>
</OpenDRIVE>
"""
