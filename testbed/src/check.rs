//! The laws of the house (design §1), as predicates over a world. Each returns what is broken, in words.

use std::collections::{BTreeMap, BTreeSet};

use router::{
    agents::Desk,
    call::{Call, StageName},
    config::{AgentId, QueueId},
    journal::fact::{AgentState, CallId, Cause, Fact, LeftQueue, TransferStep, What, Wish},
    lines::{self, Accepting},
    record::Records,
};

use crate::world::World;

/// After every turn: an agent is busy if and only if a live call has him, nobody has two calls, no free agent stands
/// beside a caller whom he may serve or for whom he might ring beside others, and the scheduler has as waiting and as idle who is.
pub fn after_turn(world: &World) -> Vec<String> {
    let mut broken = Vec::new();
    let (mut engaged, mut besides) = (BTreeMap::<_, u32>::new(), BTreeMap::<_, u32>::new());
    for call in world.shard().calls().filter(|call| call.stage() != StageName::Ended) {
        for agent in call.agents() {
            *engaged.entry(agent).or_default() += 1;
        }
        for agent in call.speaks_besides() {
            *besides.entry(agent).or_default() += 1;
        }
    }
    for (id, desk) in world.shard().agents().iter() {
        let calls = engaged.get(&id).copied().unwrap_or(0);
        let own = besides.get(&id).copied().unwrap_or(0);
        let busy = matches!(desk.state, AgentState::Ringing | AgentState::Talking);
        let is_lost = u32::from(desk.own_calls()) != own || (own > 0 && desk.state == AgentState::Idle);
        if is_lost || calls > 1 || (own == 0 && calls != u32::from(busy)) {
            broken.push(format!("agent {id:?} is {:?} and has {calls} calls", desk.state));
        }
    }
    broken.extend(connected(world));
    broken.extend(waiting_alone(world));
    let accepting = Accepting::by(world.config());
    broken.extend(crews_and_doors(world, &accepting));
    let can_dial = world.shard().ports_in_hand() > 0;
    for call in world.shard().calls().filter(|_| can_dial) {
        if let Some((_, line)) = call.wants_agents().filter(|(_, line)| world.shard().on_line(*line).1 > 0) {
            let rung: Vec<AgentId> = call.agents().collect();
            broken.push(format!("{rung:?} ring beside an idle agent of {line:?} who might ring too"));
        }
    }
    for (id, queue) in world.config().queues() {
        let (waiting, idle) = (world.shard().waiting(id), world.shard().idle(id));
        let is_idle = |(agent, desk): &(AgentId, &Desk)| {
            let widest = lines::of_step(id, queue.steps.len() - 1);
            let serves = |agent| accepting.served_by(agent).contains(&widest);
            desk.state == AgentState::Idle && world.config().agent(*agent).is_some_and(serves)
        };
        let desks = world.shard().agents().iter().filter(is_idle).count();
        if desks != idle as usize {
            broken.push(format!("queue {}: {desks} desks are idle, the scheduler knows {idle}", queue.name));
        }
        let waits = |call: &&Call| call.queue() == Some(id) && call.stage() == StageName::Waiting;
        let calls = world.shard().calls().filter(waits).count();
        if calls != waiting as usize {
            broken.push(format!("queue {}: {waiting} are posted and {calls} calls wait", queue.name));
        }
        for line in lines::of_queue(id) {
            let (waiting, idle) = world.shard().on_line(line);
            if waiting > 0 && idle > 0 {
                broken.push(format!(
                    "queue {}, {line:?}: {waiting} wait beside {idle} idle agents",
                    queue.name
                ));
            }
        }
    }
    broken
}

/// Who talk with each other hear each other, and nobody else does.
fn connected(world: &World) -> Vec<String> {
    let connected: Vec<_> = world.shard().calls().filter_map(Call::connected).collect();
    let apart = connected.iter().filter(|(a, b)| world.engine().partner(*a) != Some(*b));
    let mut broken: Vec<String> =
        apart.map(|(a, b)| format!("{a:?} talks to {b:?} and does not hear him")).collect();
    let bridges = world.engine().counters().bridges;
    if bridges != connected.len() as u64 {
        broken.push(format!("{bridges} pairs hear each other, and {} talk", connected.len()));
    }
    broken
}

/// A crew is who wishes to be there of those whom callers accept in the end; nobody waits in a closed queue, or in one
/// that is gone.
fn crews_and_doors(world: &World, accepting: &Accepting) -> Vec<String> {
    let shard = world.shard();
    let mut broken = Vec::new();
    for (id, queue) in world.config().queues() {
        let widest = lines::of_step(id, queue.steps.len() - 1);
        let serving =
            world.config().agents().filter(|(_, agent)| accepting.served_by(agent).contains(&widest));
        let wishes: Vec<Wish> =
            serving.filter_map(|(agent, _)| Some(shard.agents().get(agent)?.effective_wish())).collect();
        let count = |is: fn(&&Wish) -> bool| wishes.iter().filter(is).count() as u32;
        let there = (count(|wish| **wish != Wish::LoggedOut), count(|wish| **wish == Wish::Ready));
        let crew = shard.crew(id);
        if (crew.logged_in, crew.ready) != there {
            broken.push(format!("queue {}: the crew is {crew:?} and there are {there:?}", queue.name));
        }
        if shard.is_closed(queue) && shard.waiting(id) > 0 {
            broken.push(format!("queue {} is closed and {} wait in it", queue.name, shard.waiting(id)));
        }
    }
    let waits = |call: &&Call| call.stage() == StageName::Waiting;
    let is_gone = |call: &&Call| call.queue().is_none_or(|queue| world.config().queue(queue).is_none());
    let lost = shard.calls().filter(waits).filter(is_gone).count();
    if lost > 0 {
        broken.push(format!("{lost} wait in a queue that is gone"));
    }
    broken
}

/// Nobody waits for one agent alone who is idle, or has gone.
fn waiting_alone(world: &World) -> Vec<String> {
    let shard = world.shard();
    let waits = |call: &Call| Some((call.waits_for()?, call.queue()?));
    let vain = |(agent, queue): &(AgentId, QueueId)| {
        let serves = world.config().agent(*agent).is_some_and(|agent| agent.membership(*queue).is_some());
        let wish = shard.agents().get(*agent).map(Desk::effective_wish);
        !serves || wish != Some(Wish::Ready) || shard.on_line(shard.line_of(*agent)).1 > 0
    };
    let broken = shard.calls().filter_map(waits).filter(vain);
    broken.map(|(agent, queue)| format!("somebody waits in {queue:?} for {agent:?} alone, in vain")).collect()
}

/// At silence: nothing outlived its end.
pub fn left_over(world: &World) -> Vec<String> {
    let shard = world.shard();
    let mut left = Vec::new();
    let mut expect_none = |what: &str, count: usize| {
        if count > 0 {
            left.push(format!("{count} {what} left"));
        }
    };
    expect_none("calls", shard.calls().count());
    expect_none("legs", shard.live_legs());
    expect_none("known legs", shard.known_legs());
    shard.loose_ends().into_iter().for_each(|(what, count)| expect_none(what, count));
    expect_none("transactions", shard.live_transactions());
    expect_none("telephones", shard.registrar().len());
    expect_none("callbacks", shard.callbacks().iter().count());
    expect_none("ports", world.ports_in_use());
    expect_none("media legs", world.engine().counters().legs as usize);
    for (id, queue) in world.config().queues() {
        expect_none(&format!("callers in {}", queue.name), shard.waiting(id) as usize);
    }
    let as_wished = |desk: &Desk| match desk.effective_wish() {
        Wish::Ready => desk.state == AgentState::Idle,
        Wish::Paused => desk.state == AgentState::NotReady,
        Wish::LoggedOut => desk.state == AgentState::LoggedOut,
    };
    expect_none(
        "agents not as they wish",
        shard.agents().iter().filter(|(_, desk)| !as_wished(desk)).count(),
    );
    let invites = shard.numbers().sip.invites;
    let told = invites.admitted + invites.challenged + invites.refused + invites.dropped;
    // The router counts from its start; what came before, the journal knows.
    let run = world.facts().rsplit(|fact| matches!(fact.what, What::Started { .. })).next().unwrap_or(&[]);
    // Who takes the place of a party has no call of his own, nor has a transfer that has come round.
    let is_arrival = |what: &What| match what {
        What::Arrived { .. } => true,
        What::Transfer(step) => {
            matches!(step, TransferStep::Replaced { .. } | TransferStep::CameRound { .. })
        }
        _ => false,
    };
    let arrived = run.iter().filter(|fact| is_arrival(&fact.what)).count();
    expect_none("INVITEs of unknown fate", invites.read.abs_diff(told) as usize);
    expect_none("admitted INVITEs without a call", invites.admitted.abs_diff(arrived as u64) as usize);
    for phone in world.phones() {
        expect_none(&format!("dialogs at {}", phone.name), usize::from(!phone.is_silent()));
    }
    left
}

/// One record per arrival with nothing after its end, and lengths that add up to the whole time.
pub fn records(facts: &[Fact]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut live = Records::default();
    let mut over = BTreeSet::new();
    for fact in facts {
        if let Some(call) = fact.call.filter(|call| over.contains(call)) {
            broken.push(format!("call {call} is over, and then {:?}", fact.what));
        }
        let Some(record) = live.apply(fact) else { continue };
        over.insert(record.call);
        let whole = record.ended_at.unwrap_or(0) / 1_000 - record.arrived_at / 1_000;
        if i64::try_from(record.total_ms()) != Ok(whole) {
            broken.push(format!("call {} took {whole} ms, its record says {record:?}", record.call));
        }
        if record.legs.iter().any(|leg| leg.ended_at.is_none()) {
            broken.push(format!("a leg of call {} has no end: {:?}", record.call, record.legs));
        }
    }
    broken.extend(live.iter().map(|record| format!("call {} has no end", record.call)));
    broken.extend(callbacks(facts));
    broken.extend(prompts(facts));
    broken
}

/// Each callback that was asked for is over once, and never has two calls at a time.
fn callbacks(facts: &[Fact]) -> Vec<String> {
    let mut pending = BTreeMap::<CallId, Option<CallId>>::new();
    let mut broken = Vec::new();
    for fact in facts {
        match (&fact.what, fact.call) {
            (What::CallbackAsked { .. }, Some(call)) => _ = pending.insert(call, None),
            (What::CallbackBegun { callback, .. }, Some(call)) => match pending.get_mut(callback) {
                Some(working) if working.is_none() => *working = Some(call),
                other => broken.push(format!("callback {callback} begins as {call}, after {other:?}")),
            },
            (What::CallbackOver { callback, .. }, _) if pending.remove(callback).is_none() => {
                broken.push(format!("callback {callback} is over, and was not pending"));
            }
            (What::Ended { .. }, Some(call)) => {
                pending
                    .values_mut()
                    .filter(|working| **working == Some(call))
                    .for_each(|working| *working = None);
            }
            _ => {}
        }
    }
    broken.extend(pending.keys().map(|callback| format!("callback {callback} has no end")));
    broken
}

/// Each prompt that began has ended or was cut, by whatever but a crash.
fn prompts(facts: &[Fact]) -> Vec<String> {
    let mut playing = BTreeMap::<_, i32>::new();
    for fact in facts {
        let Some(call) = fact.call else { continue };
        match fact.what {
            What::PromptStarted { .. } => *playing.entry(call).or_default() += 1,
            What::PromptEnded { .. } => *playing.entry(call).or_default() -= 1,
            What::Ended { cause: Cause::RouterRestarted, .. } => _ = playing.remove(&call),
            _ => {}
        }
    }
    playing.retain(|_, count| *count != 0);
    playing.iter().map(|(call, count)| format!("call {call}: {count} prompts began without an end")).collect()
}

/// One end per arrival, one leave per queue entry, and per queue: entered = answered + abandoned + left otherwise.
pub fn sums(facts: &[Fact]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut calls = BTreeMap::<_, (u32, u32)>::new();
    let mut queues = BTreeMap::<&str, [u32; 4]>::new();
    let mut inside = BTreeSet::new();
    for fact in facts {
        match (&fact.what, fact.call) {
            (What::Arrived { .. } | What::CallbackBegun { .. }, Some(call)) => {
                calls.entry(call).or_default().0 += 1
            }
            (What::Ended { .. }, Some(call)) => calls.entry(call).or_default().1 += 1,
            (What::Queued { queue, .. }, Some(call)) => {
                inside.insert((call, queue));
                queues.entry(queue).or_default()[0] += 1;
            }
            (What::Left { queue, how, .. }, Some(call)) => {
                let sums = queues.entry(queue).or_default();
                sums[column(*how)] += 1;
                // Turned away at the door: entered and left in one.
                if !inside.remove(&(call, queue)) && how.is_of_the_door() {
                    sums[0] += 1;
                }
            }
            _ => {}
        }
    }
    for (call, (arrived, ended)) in calls {
        if (arrived, ended) != (1, 1) {
            broken.push(format!("call {call:?} arrived {arrived} times and ended {ended} times"));
        }
    }
    for (queue, [entered, answered, abandoned, otherwise]) in queues {
        if entered != answered + abandoned + otherwise {
            broken.push(format!(
                "queue {queue}: {entered} entered, {answered} + {abandoned} + {otherwise} left"
            ));
        }
    }
    broken
}

fn column(how: LeftQueue) -> usize {
    match how {
        LeftQueue::Answered => 1,
        LeftQueue::Abandoned => 2,
        _ => 3,
    }
}
