"""Frame-exact decoding by position: one open container, in one process.

A frame is taken only if its time stamp is the one asked for. Reading on never seeks; a jump seeks
to the keyframe at or before, and if the container lands too late, to the one before that.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from footagefit.errors import UnreadableFrame
from footagefit.footage.movie_index import MovieIndex, open_movie

_READ_ON = 4  # frames it is cheaper to decode than to seek past
_LANDED = object()
_left_to_parent: list[Any] = []
_lately_opened: weakref.ref[MovieDecoder] | None = None


class MovieDecoder:
    """A movie held open at a place.

    Args:
        path: The movie.
        index: Where its frames lie.
        first_frame: The number of its first frame, for errors.
        opened: Container and stream, where they are open already: opening decodes a first frame.
            They are kept until another movie is opened so, unless this one is read first: many
            clips may be opened before one is read, and open files are few.
        threads: That decode; 0 for as many as the machine has.
    """

    def __init__(
        self,
        path: Path,
        index: MovieIndex,
        *,
        first_frame: int,
        opened: tuple[Any, Any] | None = None,
        threads: int = 0,
    ) -> None:
        self._path = path
        self._index = index
        self._first_frame = first_frame
        self._container: Any = None
        self._stream: Any = None
        self._frames: Any = None
        self._frame: Any = None
        self._position = -1
        self.process = os.getpid()
        self.seeks = 0
        self._threads, self._most_threads = 1, threads
        self._rough = False
        if opened is not None:
            self._container, self._stream = opened
            self._wait()

    def frame(self, position: int) -> Any:
        """The decoded frame at a position (0 is the first).

        Raises:
            UnreadableFrame: It does not decode.
        """
        import av

        if position == self._position:
            return self._frame
        # A damaged frame must not take its neighbours with it: decoders on several threads meet
        # it early, so what fails is tried once more from its keyframe on one thread.
        for threads in (self._most_threads or _threads(), 1):
            try:
                return self._reach(position, threads)
            except av.error.FFmpegError as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.close()
            except BaseException:
                self.close()
                raise
        raise self._unreadable(position, reason.lower())

    def run(self, *, rough: bool = False) -> Iterator[Any]:
        """Frame after frame from the first, for as long as each is the one that has to come.

        What then is the matter, and whether anything is, `frame` finds out. Every step in Python
        costs several times as much between two frames as in a loop: decoding fills the cache.

        Args:
            rough: Whether frames that no other is made from are left without their filter.
        """
        import av

        threads = self._most_threads or _threads()
        wanted = self._index.pts.tolist() if self._index.timed else None
        position, total = 0, len(self._index)
        self._rough = rough
        try:
            for frame in self._from_the_start(threads):
                if wanted is not None:
                    stamp = frame.pts
                    if stamp is None or stamp < wanted[position]:
                        continue
                    if stamp > wanted[position] or frame.is_corrupt:
                        break
                yield frame
                del frame  # its memory is the next one's, if nobody else holds it
                position += 1
                if position == total:
                    break
        except av.error.FFmpegError:
            pass
        finally:
            self._rough = False
            self.close()

    def _reach(self, position: int, threads: int) -> Any:
        if self._container is None:
            self._open(threads)
        elif self._frames is None:
            self._rewind(threads)
        if self._is_ahead(position) and self._read_to(position):
            return self._frame
        return self._jump_to(position)

    def _from_the_start(self, threads: int) -> Any:
        if self._container is None or self._frames is not None:
            self.close()
            self._open(threads)
        else:
            self._rewind(threads)
        return self._frames

    def _open(self, threads: int) -> None:
        self._container, self._stream = open_movie(self._path)
        self._position = -1
        self._begin(threads)

    def _begin(self, threads: int) -> None:
        self._threads = threads
        self._stream.codec_context.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads
        if self._rough:
            self._stream.codec_context.options = {"skip_loop_filter": "noref"}
        self._frames = self._container.decode(self._stream)

    def _rewind(self, threads: int) -> None:
        """Begin at the first frame of a container that was read for its index."""
        import av

        try:
            self._container.seek(0)
        except av.error.FFmpegError:  # a stream that cannot go back
            self._container.close()
            self._open(threads)
            return
        self._begin(threads)

    def _wait(self) -> None:
        """Keep what was opened until it is read, or until another movie waits."""
        global _lately_opened
        waiting = _lately_opened() if _lately_opened is not None else None
        if waiting is not None and waiting._frames is None:
            waiting.close()
        _lately_opened = weakref.ref(self)

    def _is_ahead(self, position: int) -> bool:
        if position <= self._position:
            return False
        if position <= self._position + _READ_ON:  # so does the next frame, without a look
            return True
        key = self._index.key_before(position) if self._index.timed else 0
        return key <= self._position + _READ_ON

    def _jump_to(self, position: int) -> Any:
        if not self._index.timed:
            self._seek(None, 0)
            if self._read_to(position):
                return self._frame
            raise self._unreadable(position, "the file ends before it")
        back = 0
        while True:
            key = self._index.key_before(position, back=back)
            if self._seek(int(self._index.pts[key]), key) and self._read_to(position):
                return self._frame
            if key == 0:
                break
            back += 1 if back < 2 else back
        self._seek(None, 0)
        if self._read_to(position):
            return self._frame
        raise self._unreadable(position, "it is in the index but does not decode")

    def _seek(self, stamp: int | None, key: int) -> bool:
        """Go to a keyframe; says whether the container landed at it or before."""
        self.seeks += 1
        self._position = key - 1
        self._frame = None
        if stamp is None:
            self._container.close()
            self._open(self._threads)
            return True
        self._container.seek(stamp, stream=self._stream, backward=True, any_frame=False)
        self._frames = self._decoded_from(stamp)
        return next(self._frames, None) is _LANDED

    def _decoded_from(self, stamp: int) -> Any:
        """Decode from where the container stands; nothing, if that is past the key's stamp."""
        landed = False
        for packet in self._container.demux(self._stream):
            if not landed and packet.pts is not None:
                if packet.pts > stamp:
                    return
                landed = True
                yield _LANDED
            yield from packet.decode()

    def _read_to(self, position: int) -> bool:
        """Decode until the frame at `position` is there; False where it never comes."""
        self._frame = None  # its memory is the next one's, if nobody else holds it
        if not self._index.timed:
            for frame in self._frames:
                self._position, self._frame = self._position + 1, frame
                if self._position == position:
                    return True
            return False
        wanted = int(self._index.pts[position])
        for frame in self._frames:
            if frame.pts is None or frame.pts < wanted:
                continue
            if frame.pts > wanted or frame.is_corrupt:
                return False
            self._position, self._frame = position, frame
            return True
        return False

    def _unreadable(self, position: int, why: str) -> UnreadableFrame:
        return UnreadableFrame(
            f"does not decode ({why})",
            path=self._path,
            frame=self._first_frame + position,
            hint="Copy the movie again from the source, or leave the frame out with frames=",
        )

    def close(self) -> None:
        """Let go of the file.

        What a parent process opened is left to it: its decoding threads did not come along, and
        closing here would wait for them for ever.
        """
        held = (self._container, self._stream, self._frames, self._frame)
        self._container = self._stream = self._frames = self._frame = None
        self._position = -1
        if held[0] is None:
            return
        if self.process != os.getpid():
            _left_to_parent.append(held)
        else:
            held[0].close()


def _threads() -> int:
    """Decoding threads: one in a loader's worker, which has neighbours."""
    loading = sys.modules.get("torch.utils.data")  # whoever loads by workers has it
    if loading is not None and loading.get_worker_info() is not None:
        return 1
    return min(8, os.cpu_count() or 1)
