"""Every check against its house, all at once; one line for each, and what differed under each that failed."""
import asyncio
import pathlib
import signal
import sys
import tempfile
import time
import traceback

import attended
import killed
import make
import phones
import restart
import scanners
import strangers
import trunk_tls
from house import House, kill
from patience import Failed, fail, until

failures = []


async def check(sentence, work):
    """Prints how a check went; a house is left to the others whatever becomes of one."""
    start = time.monotonic()
    try:
        await work
        print(f"ok      {sentence} ({time.monotonic() - start:.0f} s)", flush=True)
    except Exception as found:  # a check that breaks off has failed, whatever the reason
        failures.append(sentence)
        what = str(found) if isinstance(found, Failed) else traceback.format_exc()
        print(f"FAILED  {sentence} ({time.monotonic() - start:.0f} s)", flush=True)
        print("        " + what[-3000:].replace("\n", "\n        "), flush=True)


async def nothing_is_left(house):
    """Every gauge is back at zero once the telephones are gone without a word, and the router ends in order."""
    for process in house.processes:
        await kill(process)
    left = "?"

    async def is_idle():
        nonlocal left
        left = await house.levels()
        return not left
    try:
        await until("zero in every gauge", is_idle, 90)
    except Failed:
        fail(f"these gauges are not zero: {left}")
    await house.stop()


async def in_house(binaries, folder, address, checks, *, agents={}, prepare=None, more="", **settings):
    """Checks against one house, all at once, and then whether anything is left of them."""
    folder.mkdir()
    house, before = House(address, binaries, folder, **settings), len(failures)
    make.certificates(house)
    make.sounds(house)
    if prepare:
        prepare(house)
    for name, about in agents.items():
        await house.agent(name, **about)
    house.write(more)
    try:
        await house.start()
        await asyncio.gather(*(check(sentence, work(house)) for sentence, work in checks.items()))
        await check(f"... every gauge of {address} is back at zero, and it ends in order", nothing_is_left(house))
    finally:
        if len(failures) > before:
            print(*(f"fernamt at {address}: {line}" for line in house.lines()[-15:]), sep="\n", flush=True)
        await house.close()


TELEPHONES = {
    "baresip by UDP: is rung, sound both ways, a key, hold and resume, hangs up": phones.by_udp,
    "baresip by TCP: hold and resume, a blind transfer to a telephone number": phones.by_tcp,
    "baresip with G.722 only: the caller's G.711 is converted both ways, hold and resume": phones.with_g722,
    "baresip with Opus only: the same": phones.with_opus,
    "baresip by TLS with SRTP: a key, hold and resume, a blind transfer to an agent": phones.by_tls,
    "linphonec: an attended transfer": attended.attended_transfer,
}
SCANNED = {
    "svwar: a user who exists and one who does not get one answer": scanners.who_is_there,
    "svcrack: locked out, the operator is told, the telephone stays": scanners.whose_password,
}
STRICT = {"svmap, svwar and sipsak from a source that is not known: nothing": scanners.a_strange_source}
TRUNK = {
    "baresip as an SBC by TLS with SRTP; seven strangers and four bad SBCs meanwhile": trunk_tls.a_call_by_tls,
    "sipsak from a trunk's address, but without its certificate: nothing": scanners.without_a_certificate,
}
RESTART = {
    "kill -9 of the router: telephones by UDP, TCP and TLS come back": restart.telephones_come_back,
}
DEATHS = {
    "a caller who waits": killed.a_caller_who_waits,
    "a caller for whom it rings: it stops": killed.a_caller_for_whom_it_rings,
    "a caller in a talk, by TCP": killed.a_caller_in_a_talk,
    "a caller on hold": killed.a_caller_on_hold,
    "a caller whose sound goes on: the session timer": killed.a_caller_whose_sound_goes_on,
    "a caller while he is transferred": killed.a_caller_in_a_transfer,
    "a telephone that rings, by UDP: a colleague has the caller": killed.a_telephone_that_rings,
    "a telephone that rings, by TLS: a colleague has the caller": killed.a_telephone_that_rings_by_tls,
    "a telephone in a talk, by UDP": killed.a_telephone_in_a_talk,
    "a telephone in a talk, by TLS": killed.a_telephone_in_a_talk_by_tls,
    "a telephone that holds": killed.a_telephone_that_holds,
    "a telephone that is frozen, not dead": killed.a_frozen_telephone,
    "a telephone that has transferred: the transfer goes on": killed.a_telephone_that_transfers,
    "a telephone that is transferred to: the caller comes back": killed.a_telephone_to_be_transferred_to,
}
# Each house with its address, its checks, and what is special about it.
HOUSES = {
    "telephones": ("127.0.60.1", TELEPHONES, {"agents": {**phones.AGENTS, **attended.AGENTS}}),
    "scanned": ("127.0.62.1", SCANNED, {"agents": scanners.AGENTS}),
    "strict": ("127.0.64.1", STRICT, {"agents": scanners.AGENTS, "phones": scanners.STRICT}),
    "trunk": ("127.0.66.1", TRUNK, {
        "prepare": strangers.certificates, "more": trunk_tls.MORE + strangers.trunks(), "phones": trunk_tls.PHONES}),
    "restart": ("127.0.68.1", RESTART, {"agents": restart.AGENTS}),
    "deaths": ("127.0.70.1", {f"kill -9 of {who}": what for who, what in DEATHS.items()}, {"agents": killed.AGENTS}),
}


async def main(binaries, names):
    """The houses of these names, or all of them."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    with tempfile.TemporaryDirectory(prefix="peers-") as work:
        houses = [(name, HOUSES[name]) for name in names or HOUSES]
        await asyncio.gather(*(
            in_house(binaries, pathlib.Path(work) / name, address, checks, **special)
            for name, (address, checks, special) in houses))
    if failures:
        sys.exit(f"FAILED: {len(failures)} checks of peers")


try:
    asyncio.run(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
except asyncio.CancelledError:
    sys.exit("ended by a signal")
