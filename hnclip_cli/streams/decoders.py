"""Processes that decode images, so that a bad image can neither crash nor hold up a run.

A process imports Pillow and nothing heavier, so it is there in a tenth of a second and takes
some 50 MB. Requests and answers are JSON and bytes: nothing that a decoder could be made to send
is more than pixels or a message.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from hnclip_cli.errors import HnclipError, InputError
from hnclip_cli.streams.images import ImageRoot, load_image, shown
from hnclip_cli.streams.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image

# Seconds until an image is given up. More than all attempts at a download.
DEADLINE = 120.0
_START_DEADLINE = 60.0
# A worker leaves signals to the process that started it, and ends when that one does.
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
_START = (
    "import sys; sys.path[:] = {path!r}; from hnclip_cli.streams.decoders import serve; serve({fd})"
)

Step = tuple[str, Any]  # ("resize", [what Resize takes, filter]) or ("crop", [height, width])


class Decoders:
    """Loads images in processes; an instance is called like `load_image`, from any thread.

    At most as many calls work at once as there are processes; the others wait. Processes are
    started as they are needed. One that dies or exceeds the deadline costs the image that it had
    in hand, and is replaced.

    Args:
        image_root: where relative paths start, and whether URLs are fetched.
        workers: processes.
        steps: how to resize and crop, see `apply_steps`; done there too.
        deadline: seconds for an image.

    Leaving the ``with`` block ends the processes at once; calls that wait for one fail.
    """

    def __init__(
        self,
        image_root: str | ImageRoot,
        workers: int,
        steps: Sequence[Step] = (),
        deadline: float = DEADLINE,
    ) -> None:
        root = ImageRoot(image_root) if isinstance(image_root, str) else image_root
        self._setup = {"folder": root.folder, "remote": root.remote, "steps": list(steps)}
        self._deadline = deadline
        self._lock = threading.Lock()
        self._processes: set[_Process] = set()
        self._is_closed = False
        self._free: SimpleQueue[_Process | None] = SimpleQueue()  # None: to be started
        for _ in range(workers):
            self._free.put(None)

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            self._is_closed = True
            for process in self._processes:
                process.kill()

    def __call__(self, record: Record, name: str) -> "Image":
        """An image of a record in RGB, resized and cropped.

        Raises:
            InputError: as `load_image`; or decoding crashed, or took too long.
            HnclipError: no process can be started.
        """
        process = self._free.get()
        try:
            if process is None:
                process = self._start()
            return process.load(record, name, self._deadline)
        except _Death as death:
            assert process is not None
            how = self._bury(process, death)
            process = None
            raise record.error(f"image cannot be decoded ({how})", got=shown(name)) from None
        finally:
            self._free.put(process)

    def _start(self) -> "_Process":
        with self._lock:
            if self._is_closed:
                raise HnclipError("the run has ended")
            process = _Process(self._setup)
            self._processes.add(process)
        try:
            process.wait_until_ready()
        except _Death as death:
            raise HnclipError(
                f"a process that decodes images cannot start ({self._bury(process, death)})",
                hint="--workers 0",
            ) from None
        return process

    def _bury(self, process: "_Process", death: "_Death") -> str:
        """How it ended, in words."""
        with self._lock:
            if self._is_closed:
                raise HnclipError("the run has ended")
            self._processes.discard(process)
            code = process.kill(death.grace)
        if death.reason:
            return death.reason
        if code < 0:
            return f"its process was killed by signal {-code}: {signal.strsignal(-code)}"
        return f"its process ended with exit code {code}"


class _Death(Exception):
    """A process that is gone, or has to go."""

    def __init__(self, reason: str = "", grace: float = 5.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.grace = grace


class _Process:
    """One process; it works on one image at a time."""

    def __init__(self, setup: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        with theirs, _signals_blocked():  # the new process inherits what is blocked
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START.format(path=sys.path, fd=theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self._arrival = select.poll()
        self._arrival.register(self._connection, select.POLLIN)
        self._send(setup)

    def wait_until_ready(self) -> None:
        """Raises `_Death` where it does not come up."""
        self._receive(_START_DEADLINE)

    def load(self, record: Record, name: str, deadline: float) -> "Image":
        from PIL import Image

        crop = record.crops.get(name)
        about = {"source": record.source, "line": record.line, "name": name, "crop": crop}
        self._send(about)
        answer = json.loads(self._receive(deadline))
        if "error" in answer:
            raise InputError(answer["error"])
        return Image.frombuffer("RGB", tuple(answer["size"]), self._receive(deadline))

    def kill(self, grace: float = 0.0) -> int:
        """End it, after the time in which it may end by itself; its exit code."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if grace:
                self._process.wait(grace)
        self._process.kill()
        return self._process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        # What is gone while it is spoken to is noticed when it does not answer.
        with contextlib.suppress(ConnectionError):
            self._connection.send_bytes(json.dumps(message).encode())

    def _receive(self, deadline: float) -> bytes:
        try:
            if self._arrival.poll(deadline * 1000):
                return self._connection.recv_bytes()
        except (EOFError, OSError):
            raise _Death from None
        raise _Death(f"not done after {deadline:g} seconds", grace=0.0)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(fd: int) -> None:
    """A process's main: images for names, until the other side closes the socket."""
    threading.Thread(target=_end_with, args=(fd,), daemon=True).start()
    connection = Connection(fd)
    with contextlib.suppress(EOFError, ConnectionError):
        setup = json.loads(connection.recv_bytes())
        root = ImageRoot(setup["folder"], setup["remote"])
        connection.send_bytes(b"ready")
        while True:
            request = json.loads(connection.recv_bytes())
            about = {"image": request["name"], "crops": [request["crop"]]}
            record = Record(about, request["source"], request["line"])
            try:
                image = load_image(record, request["name"], root)
                with preprocessing(record, request["name"]):
                    pixels = apply_steps(image, setup["steps"])
            except InputError as error:
                connection.send_bytes(json.dumps({"error": str(error)}).encode())
            else:
                connection.send_bytes(json.dumps({"size": pixels.size}).encode())
                connection.send_bytes(pixels.tobytes())


def _end_with(fd: int) -> NoReturn:
    """End this process when the other side of the socket does, whatever it is busy with."""
    hangup = select.poll()
    hangup.register(fd, 0)  # of a hang-up poll tells unasked
    hangup.poll()
    os._exit(0)


@contextlib.contextmanager
def preprocessing(record: Record, name: str) -> Iterator[None]:
    """Failures of preprocessing, as on images of strange sizes, are the image's.

    Raises:
        InputError: for any exception.
    """
    try:
        yield
    except Exception as error:
        raise record.error(
            f"image cannot be preprocessed ({error or type(error).__name__})",
            got=shown(name),
        ) from None


def apply_steps(image: "Image", steps: Sequence[Step]) -> "Image":
    """Resize and crop as torchvision does it with Pillow images.

    ``("resize", [size, filter])``: the shorter side to ``size``, or both to ``[height, width]``,
    with a filter of Pillow by its name. ``("crop", [height, width])``: out of the middle.
    """
    from PIL import Image

    for step, arguments in steps:
        width, height = image.size
        if step == "resize":
            size, resample = arguments
            if isinstance(size, list):
                target = (size[1], size[0])
            elif width <= height:
                target = (size, int(size * height / width))
            else:
                target = (int(size * width / height), size)
            if target != image.size:
                image = image.resize(target, Image.Resampling[resample])
        else:
            high, wide = arguments
            top, left = round((height - high) / 2), round((width - wide) / 2)
            image = image.crop((left, top, left + wide, top + high))
    return image
