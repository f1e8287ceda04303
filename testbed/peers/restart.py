"""kill -9 of the house: after the next start its telephones come back by themselves, and calls reach them."""
from baresip import Baresip
from house import kill
from patience import same, until
from phones import spoken_with

AGENTS = {"rita": {"number": "+49340"}, "theo": {"number": "+49341"}, "vera": {"number": "+49342"}}
EXPIRES = 15  # seconds, of which baresip lets nine tenths pass before it registers again
BACK = 60


async def telephones_come_back(house):
    """By UDP, TCP and TLS; one is in a call when the house dies, and that call has a record."""
    phones = [await Baresip(house, name, by=by, expires=EXPIRES).registered()
              for name, by in [("rita", "udp"), ("theo", "tcp"), ("vera", "tls")]]
    cut = await spoken_with(house, phones[0], "+49340")
    await until("its facts on disk", lambda: nothing_waits(house))
    await kill(house.router)
    await cut.kill()
    await house.start()
    for name in AGENTS:
        agent = await house.agent_status(name)
        same(f"{name} after the start", (agent["phones"], agent["unreached"]), ([], True))
    record = await house.record(cut.number)
    same("the call that was cut", (record["cause"], record["fault"]), ("router-restarted", "router"))
    await phones[0].order("hangup")
    for phone in phones:
        name = phone.name
        await house.is_registered(name, patience=BACK)
        await house.agent_is(name, "idle")
        caller = await spoken_with(house, phone, AGENTS[name]["number"])
        await phone.hangs_up()
        await caller.is_content()
        same(f"the record of {name}", (await house.record(caller.number))["cause"], "called-hung-up")
        await house.agent_is(name, "idle")


async def nothing_waits(house):
    return await house.metric("fernamt_journal_facts_waiting") == 0
