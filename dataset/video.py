"""Video files, one frame in memory at a time: read as RGB the right way up, written as H.264 in MP4."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from dataset.errors import InputError

RE_ENCODE = "play it to see whether it is whole, and convert it to H.264 in MP4"
WHOLE = 0.9  # share of the frames its header counts from which on a file is whole: edits may leave some out
USUAL_RATE = Fraction(25)  # frames a second, of a file that does not tell
TIME_BASE = Fraction(1, 90_000)  # fine enough for any rate, and for frames at uneven times
QUALITY = {"crf": "20", "preset": "veryfast"}  # x264's: hardly told from the original


class VideoFrame(NamedTuple):
    index: int  # 0, 1, ... of all frames of the file
    time_s: float  # since the start of the stream
    image: np.ndarray  # (H, W, 3) uint8 RGB


class Video:
    """A video file's pictures. Raises InputError where the file is missing, damaged or has none."""

    def __init__(self, path: str | Path):
        self.path = str(path)
        with self._opened() as container:
            stream = container.streams.video[0]
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or USUAL_RATE)  # frames a second
            seconds = (container.duration or 0) / av.time_base
            self.frame_estimate = stream.frames or round(seconds * self.rate)  # as the header says; 0: it does not

    def frames(self, every: int = 1) -> Iterator[VideoFrame]:
        """Every n-th frame from the first on, turned as the file says. InputError where decoding fails."""
        index = -1
        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            start = float((stream.start_time or 0) * (stream.time_base or 0))
            try:
                for index, frame in enumerate(container.decode(stream)):
                    if index % every == 0:
                        time_s = index / float(self.rate) if frame.time is None else frame.time - start
                        image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                        yield VideoFrame(index, time_s, np.ascontiguousarray(image))
            except FFmpegError as error:
                raise InputError(
                    self.path, f"does not decode after frame {index} ({error.strerror})", RE_ENCODE
                ) from None
            if index < 0:
                raise InputError(self.path, "holds no frame that decodes", RE_ENCODE)
            if index + 1 < WHOLE * stream.frames:
                problem = f"ends after {index + 1} of {stream.frames} frames: it was cut short"
                raise InputError(self.path, problem, "fetch it again")

    def _opened(self) -> InputContainer:
        try:
            container = av.open(self.path)
        except FileNotFoundError:
            raise InputError(self.path, "there is no such file", "check the path") from None
        except (FFmpegError, OSError) as error:
            raise InputError(self.path, f"is no video that can be read ({error.strerror})", RE_ENCODE) from None
        if not container.streams.video:
            container.close()
            raise InputError(self.path, "holds no pictures, only sound or data", "name a video")
        return container


class VideoWriter:
    """`with VideoWriter(file, rate) as video: video.add(image, time_s)`; memory holds a few frames.

    Written aside and renamed when the block ends without an error; no file where no frame was added. Sides become
    even, as the format asks.
    """

    def __init__(self, path: Path, rate: Fraction):
        self._path, self._rate = path, rate
        self._partial = path.with_name(f"{path.name}.partial")
        self._stream = None

    def __enter__(self) -> "VideoWriter":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(self._partial), "w", format="mp4")
        return self

    def add(self, image: np.ndarray, time_s: float) -> None:
        """image: (H, W, 3) uint8 RGB; the first one's size is the video's. Times rise from frame to frame."""
        if self._stream is None:
            height_px, width_px = image.shape[:2]
            self._stream = self._container.add_stream("libx264", rate=self._rate, options=QUALITY)
            self._stream.width, self._stream.height = width_px + width_px % 2, height_px + height_px % 2
            self._stream.pix_fmt = "yuv420p"  # what every player shows
            self._stream.codec_context.time_base = TIME_BASE
            self._start_s, self._last = time_s, -1
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(self._stream.width, self._stream.height, "yuv420p")
        frame.pts = self._last = max(round((time_s - self._start_s) / TIME_BASE), self._last + 1)
        frame.time_base = TIME_BASE
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
            with suppress(*([] if error is None else [FFmpegError])):  # the first error is the one to tell
                self._container.close()
            if error is None and self._stream is not None:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)
