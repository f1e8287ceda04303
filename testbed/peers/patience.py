"""How the checks wait: for an event, with a generous limit, and never for a length of time."""
import asyncio
import inspect
import time

# Seconds for what is to happen at once; only a failing check waits so long, or one on a machine that does much else.
PATIENCE = 30.0


class Failed(Exception):
    """What a check found otherwise, as a sentence."""


def fail(text):
    raise Failed(text)


async def until(what, condition, patience=PATIENCE):
    """Waits until a condition, plain or to be awaited, gives something true, and returns that."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            fail(f"{what}: did not come about in {patience:.0f} s")
        await asyncio.sleep(0.05)


def same(what, measured, wanted):
    if measured != wanted:
        fail(f"{what}: {measured!r}, not {wanted!r}")
