"""Agents' telephones: register by UDP, TCP and TLS, are rung, speak, press keys, hold, resume, transfer, hang up."""
from baresip import Baresip
from patience import fail, same, until
from sipp import Called, Caller

AGENTS = {
    "ute": {"number": "+49301"}, "tom": {"number": "+49302"},
    "gesa": {"number": "+49305"}, "olga": {"number": "+49306"},
    "tilda": {"number": "+49303", "srtp": "required"}, "zoe": {"number": "+49304", "srtp": "required"},
}


async def sound_both_ways(caller, phone):
    """The caller hears the agent's tone, and then his own come back from the agent's telephone."""
    await caller.ear.hears("agent")
    await phone.echoes()
    await caller.ear.hears("caller")


async def spoken_with(house, phone, number, by="udp"):
    """A customer is put through to that telephone."""
    await phone.speaks()
    caller = await Caller(house, number, by=by).call()
    await phone.answers_call()
    await sound_both_ways(caller, phone)
    return caller


async def holds_and_resumes(caller, phone):
    await phone.order("hold")
    await caller.ear.hears("music")
    await phone.speaks()  # its bridge does not come through a hold
    await phone.order("resume")
    await sound_both_ways(caller, phone)


async def keys_open(house):
    """A key comes by TLS, and sound by UDP may overtake it, for less than a second; whose key does not fit is told of."""
    refused = await house.metric("fernamt_srtp_refused")
    if refused >= 50:
        fail(f"{refused:.0f} packets were refused by SRTP")
    same("what the log says of keys", [line for line in house.lines() if "SRTP key does not open" in line], [])


def talked(record, agent, cause):
    """The record says who talked with whom, that sound went both ways, and how it ended."""
    same("agent in the record", record["agent"], agent)
    same("cause in the record", (record["cause"], record["fault"]), (cause, "none"))
    same("status of the agent's leg", record["legs"][1]["status"], 200)
    for leg in record["legs"][:2]:
        if min(leg["media"]["packets_in"], leg["media"]["packets_out"]) < 50:
            fail(f"too little sound at leg {leg['leg']}: {leg['media']}")
    if record["sound_ms"] is None:
        fail("the record knows of no sound both ways")


async def by_udp(house):
    """Talks, presses a key, holds, resumes, and hangs up."""
    phone = await Baresip(house, "ute").registered()
    caller = await spoken_with(house, phone, "+49301")
    await phone.order("sndcode", "5")
    await until("the key at the caller's", lambda: caller.ear.keys == "5")
    await holds_and_resumes(caller, phone)
    await phone.hangs_up()
    await caller.is_content()
    record = await house.record(caller.number)
    talked(record, "ute", "called-hung-up")
    if record["hold_ms"] == 0:
        fail("the record knows of no hold")
    await house.agent_is("ute", "idle")


async def with_codec(house, name, number, codec):
    """A telephone that speaks nothing that the caller does: sound is converted both ways, also after a hold."""
    phone = await Baresip(house, name, codec=codec).registered()
    caller = await spoken_with(house, phone, number)
    await holds_and_resumes(caller, phone)
    await phone.hangs_up()
    await caller.is_content()
    record = await house.record(caller.number)
    talked(record, name, "called-hung-up")
    same("codecs in the record", [leg["media"]["codec"] for leg in record["legs"][:2]], ["PCMA", codec.split("/")[0]])
    await house.agent_is(name, "idle")


async def with_g722(house):
    await with_codec(house, "gesa", "+49305", "G722/16000")


async def with_opus(house):
    await with_codec(house, "olga", "+49306", "opus/48000/2")


async def by_tcp(house):
    """Holds, resumes, and transfers blind to a telephone number at the carrier's."""
    phone = await Baresip(house, "tom", by="tcp").registered()
    called = await Called(house).start()
    caller = await spoken_with(house, phone, "+49302", by="tcp")
    await holds_and_resumes(caller, phone)
    await phone.order("transfer", f"sip:+49891234@{house.address}")
    await caller.ear.hears("called")
    await called.ear.hears("caller")
    await house.agent_is("tom", "idle")
    await caller.kill()  # SIPp cannot be told to hang up
    await called.is_content(60)
    record = await house.record(caller.number)
    same("transfers in the record", [transfer["status"] for transfer in record["transfers"]], [200])
    same("who was spoken with", [segment.get("agent") for segment in record["segments"]], ["tom", None])
    same("how it ended", record["cause"], "media-lost")


async def by_tls(house):
    """With SRTP: talks, presses a key, holds, resumes, and transfers blind to another agent, who hangs up."""
    phone = await Baresip(house, "tilda", by="tls", srtp=True).registered()
    colleague = await Baresip(house, "zoe", by="tls", srtp=True, tone="other.wav").registered()
    caller = await spoken_with(house, phone, "+49303")
    await phone.order("sndcode", "#")
    await until("the key at the caller's", lambda: caller.ear.keys == "#")
    await holds_and_resumes(caller, phone)
    await phone.order("transfer", f"sip:zoe@{house.address}")
    await colleague.answers_call()
    await caller.ear.hears("other")
    await colleague.echoes()
    await caller.ear.hears("caller")
    await house.agent_is("tilda", "idle")
    await colleague.hangs_up()
    await caller.is_content()
    record = await house.record(caller.number)
    talked(record, "zoe", "called-hung-up")
    same("transfers in the record", [transfer["status"] for transfer in record["transfers"]], [200])
    same("who was spoken with", [segment.get("agent") for segment in record["segments"]], ["tilda", "zoe"])
    await keys_open(house)
    await house.agent_is("zoe", "idle")
