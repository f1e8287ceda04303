"""kill -9 of the far end at every stage of a call: the right watch ends it, and nothing is left."""
from baresip import Baresip
from house import kill
from patience import same
from phones import spoken_with
from sipp import Caller

AGENTS = {
    **{name: {"number": f"+49350{n:02}"} for n, name in enumerate(
        ["amy", "ben", "cleo", "dan", "eva", "finn", "gil", "hal", "ida", "jon", "kim", "leo", "max", "nils", "olga",
         "pia", "quin"])},
    # Colleagues, who come after them.
    "wim": {"number": "+4935090", "serves": ["finn"]}, "xena": {"number": "+4935091", "serves": ["gil"]},
}
NUMBER = {name: agent["number"] for name, agent in AGENTS.items()}
IN_TIME = 75  # seconds; a telephone that does not answer is asked for 32 s (RFC 3261 §17.1.2.2)


async def ended(house, caller, cause, fault, patience=IN_TIME):
    record = await house.record(caller.number, patience)
    same(f"how the call of {caller.number} ended", (record["cause"], record["fault"]), (cause, fault))
    return record


async def a_caller_who_waits(house):
    """Nobody is there for him; he is killed, and his silence ends it."""
    caller = await Caller(house, NUMBER["amy"]).call()
    await caller.ear.hears("music")
    await caller.kill()
    await ended(house, caller, "media-lost", "caller-side")
    same("callers waiting", await house.metric('fernamt_queue_waiting{queue="amy"}'), 0)


async def a_caller_for_whom_it_rings(house):
    """The telephone stops ringing."""
    phone = await Baresip(house, "ben").registered()
    caller = await Caller(house, NUMBER["ben"]).call()
    await phone.rings()
    await caller.kill()
    await phone.event("CALL_CLOSED", IN_TIME)
    await ended(house, caller, "media-lost", "caller-side")
    await house.agent_is("ben", "idle")


async def a_caller_in_a_talk(house):
    """By TCP: the agent is free again."""
    phone = await Baresip(house, "cleo").registered()
    caller = await spoken_with(house, phone, NUMBER["cleo"], by="tcp")
    await caller.kill()
    await phone.event("CALL_CLOSED", IN_TIME)
    await ended(house, caller, "media-lost", "caller-side")
    await house.agent_is("cleo", "idle")


async def a_caller_on_hold(house):
    phone = await Baresip(house, "dan").registered()
    caller = await spoken_with(house, phone, NUMBER["dan"])
    await phone.order("hold")
    await caller.ear.hears("music")
    await caller.kill()
    await phone.event("CALL_CLOSED", IN_TIME)
    await ended(house, caller, "media-lost", "caller-side")
    await house.agent_is("dan", "idle")


async def a_caller_whose_sound_goes_on(house):
    """Only his signalling is dead, so nothing but the session timer can know (RFC 4028)."""
    phone = await Baresip(house, "eva").registered()
    caller = Caller(house, NUMBER["eva"], scenario="caller-session.xml")
    await caller.call()
    await phone.answers_call()
    await caller.ear.hears("agent")
    await kill(caller.process)
    await phone.event("CALL_CLOSED", 100)
    await ended(house, caller, "session-expired", "caller-side")
    caller.ear.close()


async def a_caller_in_a_transfer(house):
    """He is killed while the new one rings: that stops, and both agents are free."""
    phone, colleague = await Baresip(house, "pia").registered(), await Baresip(house, "quin").registered()
    caller = await spoken_with(house, phone, NUMBER["pia"])
    await phone.order("transfer", f"sip:quin@{house.address}")
    await colleague.rings()
    await caller.kill()
    await colleague.event("CALL_CLOSED", IN_TIME)
    await ended(house, caller, "media-lost", "caller-side")
    for name in ["pia", "quin"]:
        await house.agent_is(name, "idle")


async def killed_while_it_rings(house, name, colleague, by):
    """The caller goes on to a colleague, who has him."""
    phone = await Baresip(house, name, by=by).registered()
    second = await Baresip(house, colleague, tone="other.wav").registered()
    caller = await Caller(house, NUMBER[name]).call()
    await phone.rings()
    await phone.kill()
    await second.answers_call()
    await caller.ear.hears("other")
    await second.echoes()
    await caller.ear.hears("caller")
    await house.is_registered(name, 0)
    await second.hangs_up()
    await caller.is_content()
    record = await ended(house, caller, "called-hung-up", "none")
    same("who had him, and who not", (record["agent"], record["unanswered"]), (colleague, 1))
    await house.agent_is(colleague, "idle")


async def killed_in_a_talk(house, name, by, *, hold=False, end=Baresip.kill):
    phone = await Baresip(house, name, by=by).registered()
    caller = await spoken_with(house, phone, NUMBER[name])
    if hold:
        await phone.order("hold")
        await caller.ear.hears("music")
    await end(phone)
    await caller.is_content(IN_TIME)
    await ended(house, caller, "media-lost", "called-side")


async def a_telephone_that_rings(house):
    await killed_while_it_rings(house, "finn", "wim", "udp")


async def a_telephone_that_rings_by_tls(house):
    await killed_while_it_rings(house, "gil", "xena", "tls")


async def a_telephone_in_a_talk(house):
    await killed_in_a_talk(house, "hal", "udp")


async def a_telephone_in_a_talk_by_tls(house):
    await killed_in_a_talk(house, "ida", "tls")


async def a_telephone_that_holds(house):
    await killed_in_a_talk(house, "jon", "udp", hold=True)


async def a_frozen_telephone(house):
    """Its connection stays open, and nothing ever comes by it."""
    await killed_in_a_talk(house, "kim", "tcp", end=Baresip.freeze)


async def a_telephone_that_transfers(house):
    """It is killed while the colleague rings: the transfer goes on without it."""
    phone = await Baresip(house, "leo").registered()
    colleague = await Baresip(house, "max", tone="other.wav").registered()
    caller = await spoken_with(house, phone, NUMBER["leo"])
    await phone.order("transfer", f"sip:max@{house.address}")
    await colleague.rings()
    await phone.kill()
    await colleague.accepts()
    await caller.ear.hears("other")
    await house.is_registered("leo", 0)
    await colleague.hangs_up()
    await caller.is_content()
    record = await ended(house, caller, "called-hung-up", "none")
    same("transfers in the record", [transfer["status"] for transfer in record["transfers"]], [200])
    await house.agent_is("max", "idle")


async def a_telephone_to_be_transferred_to(house):
    """It is killed while it rings. Whoever transferred is told and hangs up, as baresip does then; so the caller comes
    back into the queue, and to the same agent."""
    phone, colleague = await Baresip(house, "nils").registered(), await Baresip(house, "olga").registered()
    caller = await spoken_with(house, phone, NUMBER["nils"])
    await phone.order("transfer", f"sip:olga@{house.address}")
    await colleague.rings()
    await colleague.kill()
    await phone.event("CALL_CLOSED")
    await caller.ear.hears("music")
    await phone.answers_call()
    await caller.ear.hears("caller")  # its echo
    await phone.hangs_up()
    await caller.is_content()
    record = await ended(house, caller, "called-hung-up", "none")
    same("failed transfers", [transfer["status"] >= 400 for transfer in record["transfers"]], [True])
    await house.agent_is("nils", "idle")
