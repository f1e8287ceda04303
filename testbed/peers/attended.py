"""An attended transfer by linphonec: a customer is on hold, a colleague is asked, and the two are put together."""
from baresip import Baresip
from linphone import Linphone
from patience import same
from sipp import Caller

AGENTS = {"lina": {"number": "+49310"}, "paul": {"number": "+49311"}}


async def attended_transfer(house):
    """The customer comes to whom the agent has asked, with sound both ways; one record tells of it."""
    lina, paul = await Linphone(house, "lina").registered(), await Baresip(house, "paul").registered()
    lina.order(f"play {house.work}/other.wav")
    caller = await Caller(house, "+49310").call()
    await lina.says("incoming call from")
    lina.order("answer")
    await caller.ear.hears("other")
    lina.order("pause")
    await lina.says("is now paused")  # linphonec plays its file on as music of its own
    lina.order(f"call sip:paul@{house.address}")
    await paul.answers_call()
    await lina.says("connected")
    lina.order("transfer 1 --to-call 2")
    await caller.ear.hears("agent")
    await paul.echoes()
    await caller.ear.hears("caller")
    await house.agent_is("lina", "idle")
    await paul.hangs_up()
    await caller.is_content()
    record = await house.record(caller.number)
    same("who talked with the customer", [segment["agent"] for segment in record["segments"]], ["lina", "paul"])
    same("transfers", [transfer["status"] for transfer in record["transfers"]], [200])
    same("the end", record["cause"], "called-hung-up")
    await house.agent_is("paul", "idle")
