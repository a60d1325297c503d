"""Borrowed state: context managers that put it back, whatever happens inside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models.ldm import LdmParts
from ..models.waiting import at_hand, waiting

Arrange = Callable[[], AbstractContextManager[None]]
PAUSE, TRIES = 0.02, 50
"""Seconds between two looks whether another thread has taken the queue, and how many."""


class QueueLock:
    """A host's queue lock, which is not re-entrant, made so for the thread that holds it."""

    def __init__(self, lock: Any) -> None:
        self._lock, self._owner, self._depth = lock, 0, 0

    @property
    def held(self) -> bool:
        """Whether this thread holds it."""
        return self._depth > 0 and self._owner == threading.get_ident()

    def __enter__(self) -> QueueLock:
        if not self.held:
            self._lock.acquire()
            self._owner = threading.get_ident()
        self._depth += 1
        return self

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            self._lock.release()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for it."""
        return bool(getattr(self._lock, "_pending_threads", ()))

    def let_in(self) -> None:
        """Give it to those who wait, and take it again behind them."""
        depth, self._depth, self._owner = self._depth, 0, 0
        self._lock.release()
        try:
            for _ in range(TRIES):  # a thread that was woken has not taken it yet
                time.sleep(PAUSE)
                if not self._lock.acquire(blocking=False):
                    break
                self._lock.release()
        finally:
            self._lock.acquire()
            self._owner, self._depth = threading.get_ident(), depth


class Loan:
    """A host's modules as `arrange` makes them; put aside and taken up again between two steps."""

    def __init__(self, live: Iterable[nn.Module], arrange: Arrange, parts: LdmParts) -> None:
        self._live, self._arrange, self._parts = list(live), arrange, parts
        self._arranged = ExitStack()
        self._bare: list[nn.Module] = []

    def __enter__(self) -> Loan:
        modules = (it for part in self._live for it in part.modules())
        self._bare = [it for it in modules if "forward" not in vars(it)]
        self._take_up()
        return self

    def __exit__(self, *exception: object) -> None:
        self._arranged.close()
        if isinstance(exception[1], RuntimeError):
            self._parts.still_there()  # the model was taken away in a step: that is why

    def _take_up(self) -> None:
        self._arranged.enter_context(self._arrange())
        self._arranged.enter_context(waiting(self._parts.spare))
        self._arranged.enter_context(waiting(self._parts.swapped, pinned=True))

    def whole(self) -> AbstractContextManager[None]:
        """Nothing waits in main memory: a picture is drawn with our adapters on."""
        return at_hand(self._parts.spare, self._parts.device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The modules as the host had them, no adapter on; then again as we had them."""
        with undressed(self._bare), kept_randomness():
            self._arranged.close()
            yield
            self._parts.still_there()
            self._take_up()


@contextmanager
def undressed(modules: Iterable[nn.Module]) -> Iterator[None]:
    """No adapter is on these modules, which had no `forward` of their own."""
    worn = [(it, it.__dict__.pop("forward")) for it in modules if "forward" in it.__dict__]
    try:
        yield
    finally:
        for module, forward in worn:
            module.__dict__["forward"] = forward


@contextmanager
def kept_randomness() -> Iterator[None]:
    """PyTorch's own generators go on where they were."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


@contextmanager
def gradients() -> Iterator[None]:
    """Gradients are recorded and tensors are ordinary ones, whatever the caller had switched."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def swapped(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute has another value."""
    absent = object()
    before = vars(owner).get(name, absent) if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is absent:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def shadowed(module: nn.Module, name: str, value: Any) -> Iterator[None]:
    """One instance has its own method; what the class has stays in force below."""
    before = module.__dict__.get(name)
    setattr(module, name, value)
    try:
        yield
    finally:
        delattr(module, name)
        if before is not None:
            setattr(module, name, before)


@contextmanager
def emptied(items: list[Any]) -> Iterator[None]:
    """A host's list is empty; the very same list, since others hold it too."""
    before = list(items)
    items.clear()
    try:
        yield
    finally:
        items[:] = before


@contextmanager
def kept_file(path: Path) -> Iterator[None]:
    """A file that the host writes at every picture has afterwards the content it had."""
    before = path.read_bytes() if path.is_file() else None
    try:
        yield
    finally:
        if before is not None:
            path.write_bytes(before)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def kept_flags(parts: Iterable[nn.Module]) -> Iterator[None]:
    """Every weight is frozen; requires_grad and train mode are afterwards as they were."""
    modules = [module for part in parts for module in part.modules()]
    modes = [(module, module.training) for module in modules]
    flags = [  # by name: what the host loads anew is another object
        (module, name, held.requires_grad)
        for module in modules
        for name, held in module._parameters.items()
        if held is not None
    ]
    for module, name, _ in flags:
        getattr(module, name).requires_grad_(False)
    try:
        yield
    finally:
        for module, name, flag in flags:
            parameter = getattr(module, name)
            with torch.inference_mode(parameter.is_inference()):
                parameter.requires_grad_(flag)
        for module, mode in modes:
            module.training = mode


class NormalTensors:
    """Inference tensors exchanged for ordinary ones that share their memory, and back.

    Autograd refuses a tensor made under inference_mode, and one without a version counter; neither
    `.data =` nor a view mends that. What has moved since is left where it is.
    """

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        self._parts = list(parts)
        self._exchanged: list[tuple[dict[str, Any], str, Tensor, Tensor]] = []
        self._made: dict[int, Tensor] = {}

    def __enter__(self) -> NormalTensors:
        self.renew()
        return self

    def renew(self) -> None:
        """Exchange what the host has spoilt since."""
        for part in self._parts:
            for module in part.modules():
                both: Any = (module._parameters, module._buffers)
                for held in both:
                    for name, tensor in list(held.items()):
                        if tensor is not None and is_spoilt(tensor):
                            fresh = self._fresh(tensor)
                            self._exchanged.append((held, name, tensor, fresh))
                            held[name] = fresh

    def _fresh(self, tensor: Tensor) -> Tensor:
        """The one ordinary twin of a tensor, which several modules may hold."""
        if id(tensor) not in self._made:
            twin = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            place = (tensor.storage_offset(), tensor.shape, tensor.stride())
            twin.set_(tensor.untyped_storage(), *place)
            if isinstance(tensor, nn.Parameter):
                twin = nn.Parameter(twin, requires_grad=tensor.requires_grad)
            self._made[id(tensor)] = twin
        return self._made[id(tensor)]

    def __exit__(self, *exception: object) -> None:
        for held, name, before, fresh in reversed(self._exchanged):
            if held.get(name) is fresh and fresh.data_ptr() == before.data_ptr():
                held[name] = before
        self._exchanged.clear()
        self._made.clear()


def is_spoilt(tensor: Tensor) -> bool:
    """Whether autograd refuses a tensor: an inference one, or one without a version counter."""
    if tensor.is_inference():
        return True
    try:
        tensor._version  # noqa: B018
    except RuntimeError:
        return True
    return False
