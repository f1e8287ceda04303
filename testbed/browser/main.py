"""A real Chromium as an agent's telephone against `fernamt run`; one line for each check, and what differed."""
import asyncio
import pathlib
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "peers"))

import make
from browser import HERE, Browser
from house import House
from patience import Failed, fail, same, until
from sipp import Called, Caller

ADDRESS, AGENT, NUMBER = "127.0.72.1", "ute", "+49301"
failed = False


async def check(sentence, work):
    """What comes after a check that failed is tried all the same."""
    global failed
    start = time.monotonic()
    try:
        await work
        print(f"ok      {sentence} ({time.monotonic() - start:.0f} s)", flush=True)
    except Exception as found:  # a check that breaks off has failed, whatever the reason
        failed = True
        what = str(found) if isinstance(found, Failed) else traceback.format_exc()
        print(f"FAILED  {sentence} ({time.monotonic() - start:.0f} s)", flush=True)
        print("        " + what[-3000:].replace("\n", "\n        "), flush=True)


async def both_ways(caller, browser):
    await caller.ear.hears("agent")
    await browser.hears("caller")


async def in_order(house, number, cause):
    """The record says who talked, that sound went both ways under keys, and how it ended."""
    record = await house.record(number)
    same("agent in the record", record["agent"], AGENT)
    same("cause in the record", (record["cause"], record["fault"]), (cause, "none"))
    media = record["legs"][1]["media"]
    if min(media["packets_in"], media["packets_out"]) < 50 or record["sound_ms"] is None:
        fail(f"too little sound: {media}, both ways after {record['sound_ms']} ms")
    if not media.get("srtp"):
        fail(f"no suite of SRTP in the record: {media}")
    same("packets that our keys do not open", media.get("unauthentic", 0), 0)
    return record


async def is_rung(house, browser):
    caller = await Caller(house, NUMBER).call()
    await browser.answers_call()
    await both_ways(caller, browser)
    await browser.order("hold")
    await browser.event("hold by local")
    await caller.ear.hears("music")
    await browser.order("resume")
    await browser.event("resumed by local")
    await both_ways(caller, browser)
    await browser.order("restart")
    await asyncio.sleep(1)  # the restart has no event in JsSIP
    await both_ways(caller, browser)
    await browser.hangs_up()
    await caller.is_content()
    record = await in_order(house, caller.number, "called-hung-up")
    if record["hold_ms"] == 0:
        fail("the record knows of no hold")
    print(f"        sound both ways {record['sound_ms']} ms after the answer, by {record['legs'][1]['media']['srtp']}")


async def is_left(house, browser):
    await house.agent_is(AGENT, "idle")
    caller = await Caller(house, NUMBER, scenario=HERE / "caller-leaves.xml").call()
    await browser.answers_call()
    await both_ways(caller, browser)
    await browser.event("ended by remote")
    await caller.is_content()
    await in_order(house, caller.number, "caller-hung-up")


async def calls(house, browser):
    called = await Called(house).start()
    await browser.calls("+49891234")
    await called.ear.hears("agent")
    await browser.hears("called")
    await browser.hangs_up()
    await called.is_content()
    same("handshakes", await house.metric('fernamt_browser_legs_total{how="keyed"}'), 3)
    same("broken ways", await house.metric('fernamt_browser_legs_total{how="broken"}'), 0)


async def nothing_is_left(house):
    await until("zero in every gauge", lambda: is_idle(house), 60)
    await house.stop()


async def is_idle(house):
    return await house.levels() == ""


async def main(binaries):
    with tempfile.TemporaryDirectory(prefix="browser-") as work:
        house = House(ADDRESS, binaries, pathlib.Path(work))
        make.certificates(house)
        make.sounds(house)
        await house.agent(AGENT, NUMBER)
        may_call = 'phone = { trunk = "carrier", may_call = ["+49"], '
        house.agents = [agent.replace("phone = { ", may_call) for agent in house.agents]
        house.write()
        try:
            await house.start()
            browser = Browser(house, AGENT)
            await check("Chromium with JsSIP by secure WebSocket: registers", browser.registered())
            print(f"        Chromium {browser.version}")
            await check("is rung, sound both ways, hold, resume, ICE restart, hangs up", is_rung(house, browser))
            await check("is rung, sound both ways, the caller hangs up", is_left(house, browser))
            await check("calls a number by the trunk, sound both ways, hangs up", calls(house, browser))
            if browser.process:
                browser.process.stdin.close()
                await asyncio.wait_for(browser.process.wait(), 20)
            await check("every gauge is back at zero, and it ends in order", nothing_is_left(house))
        finally:
            if failed:
                print(*(f"fernamt: {line}" for line in house.lines()[-30:]), sep="\n", flush=True)
            await house.close()
    if failed:
        sys.exit("FAILED: checks of the browser")


asyncio.run(main(pathlib.Path(sys.argv[1])))
