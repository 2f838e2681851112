"""Where to compute, and what a device says when it cannot.

What belongs here: choosing devices, and telling a full memory or a lost device from other errors.
What does not: what to do about it (`stream.py`).
"""

from __future__ import annotations

import torch

from footagefit.errors import FootagefitError, MissingPart, WrongValue

_LOST = ("cuda error", "device-side assert", "mps backend", "hip error", "device lost",
         "driver shutting down", "no cuda-capable device", "accelerator error")  # fmt: skip
_FULL = ("out of memory", "can't allocate memory", "not enough memory")


class DeviceLost(FootagefitError):
    """A device that stopped answering."""


def pick(asked: str) -> list[torch.device]:
    """Devices by name: `auto`, `cpu`, `cuda`, `cuda:1`, `cuda:0,cuda:1`, `mps`.

    Raises:
        MissingPart: There is no such device here; the message lists those there are.
    """
    if asked == "auto":
        return [there()[0]]
    found = []
    for name in str(asked).split(","):
        try:
            device = torch.device(name.strip())
        except RuntimeError as error:
            raise WrongValue(
                f"device: {name.strip()!r} is not a device", hint="Say device=cpu or device=cuda:0"
            ) from error
        if not _is_there(device):
            names = ", ".join(str(d) for d in there())
            raise MissingPart(f"no device {name.strip()} here", hint=f"There is {names}")
        found.append(device)
    return found


def there() -> list[torch.device]:
    """The devices of this machine, best first."""
    found = [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append(torch.device("mps"))
    return [*found, torch.device("cpu")]


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type in {d.type for d in there()}


def is_full(error: BaseException) -> bool:
    """Whether memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    line = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in line for words in _FULL)


def is_lost(error: BaseException) -> bool:
    """Whether a device stopped answering."""
    line = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in line for words in _LOST)


def empty_cache(device: torch.device) -> None:
    """Give back what the allocator keeps."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
