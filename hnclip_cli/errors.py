"""What can go wrong, and the exit codes that say so."""

import re
from enum import IntEnum
from typing import Self

from hnclip_cli.saying import MAX_LINE, shown


class ExitCode(IntEnum):
    """Exit codes of every hnclip command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SKIPPED = 3  # finished, but records were skipped (--on-error skip)
    STOPPED = 75  # stopped by a signal with the state saved: run again to resume
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


class HnclipError(Exception):
    """A failure the user can mend; its text is one line.

    The line reads ``WHERE: what is wrong; got X, expected Y; try Z``, with the parts that are
    known, each as `shown` makes it.
    """

    def __init__(
        self, problem: str, *, where: str = "", got: str = "", expected: str = "", hint: str = ""
    ) -> None:
        compared = [f"got {shown(got)}"] if got else []
        compared += [f"expected {shown(expected, MAX_LINE)}"] if expected else []
        parts = [
            shown(problem, MAX_LINE),
            ", ".join(compared),
            f"try {shown(hint)}" if hint else "",
        ]
        line = "; ".join(part for part in parts if part)
        super().__init__(shown(f"{shown(where)}: {line}" if where else line, MAX_LINE))
        self._said = {"problem": problem, "where": where, "got": got, "expected": expected}

    def with_hint(self, hint: str) -> Self:
        """The same failure with something else to try."""
        return type(self)(**self._said, hint=hint)


class InputError(HnclipError):
    """One record is bad. With ``--on-error skip`` it is counted and the run goes on."""


class ReaderGone(Exception):
    """The process that read our standard output went away."""


class Stopped(BaseException):
    """A signal ended a run whose state is saved; its text says where.

    Like `KeyboardInterrupt` it strikes anywhere, and no ``except Exception`` may take it.
    """


# What torch, CUDA and its libraries, C++ and the system say.
_GPU_MEMORY = re.compile(r"(CUDA|HIP|NCCL|CUBLAS|CUDNN).*(out of memory|ALLOC_FAILED)", re.I | re.S)
_MEMORY = re.compile(
    r"can.?t allocate memory|cannot allocate memory|std::bad_alloc|not enough memory", re.I
)


def lacking_memory(error: BaseException) -> str:
    """``GPU`` or ``host``, where an error is that there was too little memory; else nothing."""
    said = str(error)
    # The first is torch's, which is not imported for it.
    if type(error).__name__ == "OutOfMemoryError" or _GPU_MEMORY.search(said):
        return "GPU"
    return "host" if isinstance(error, MemoryError) or _MEMORY.search(said) else ""
