//! What the stories share: configurations, and the questions asked of a world.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each story uses a part; the names say it")]

pub mod days;

use std::{cell::RefCell, rc::Rc};

use router::{
    journal::fact::{AgentState, Cause, Fault, LeftQueue, What},
    record::Record,
};
use sip_core::{
    Message, StatusCode,
    message::{Header, Method, respond_to},
};
use testbed::{Behaviour, PhoneId, World, net::Datagram, phone::PhoneState, world::SECOND};

/// Node, listeners and trunks of every story: callers at 10.1.x.x, Teams at 10.2.0.1.
pub const HOUSE: &str = r#"
[node]
name = "house"
data_dir = "data"
[listen]
sip = ["udp:10.0.0.1:5060"]
[media]
address = "10.0.0.1"
ports = "10000-10999"
[trunk.carrier]
accept_from = ["10.1.0.0/16"]
[trunk.teams]
accept_from = ["10.2.0.0/16"]
send_to = ["udp:10.2.0.1:5060"]
"#;

/// Everything to Teams.
pub const DIRECT: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "through"
[flow.through]
steps = [{ dial = "{called}@teams" }]
"#;

/// One number with a welcome, a menu (1: the queue, 2: closed) and the queue.
pub const MENU: &str = r#"
[[number]]
match = "+4930123"
trunk = "carrier"
flow = "menu"
[flow.menu]
steps = [
  { play = "prompts/welcome.wav" },
  { menu = { prompt = "prompts/menu.wav", timeout = "5s", tries = 2, keys = { 1 = "queue.support", 2 = "flow.closed" }, otherwise = "queue.support" } },
]
[flow.closed]
steps = [{ play = "prompts/closed.wav" }, "hangup"]
"#;

/// A queue with music, no agents.
pub const QUEUE: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "straight"
[flow.straight]
steps = [{ queue = "support" }, { play = "prompts/closed.wav" }, "hangup"]
[queue.support]
music = "prompts/music.wav"
ring_timeout = "20s"
max_wait = "10m"
"#;

/// [`QUEUE`] with these keys more.
pub fn queue(keys: &str) -> String {
    format!("{QUEUE}{keys}\n")
}

pub const ANNA: &str = "[agent.anna]\ncall = \"sip:anna@10.2.0.11:5060\"\nqueues = [\"support\"]\n";
pub const BO: &str = "[agent.bo]\ncall = \"sip:bo@10.2.0.12:5060\"\nqueues = [\"support\"]\n";

/// The house with these sections.
pub fn house(sections: &[&str]) -> String {
    format!("{HOUSE}{}", sections.concat())
}

/// A world of the house with these sections.
pub fn world(seed: u64, sections: &[&str]) -> World {
    World::new(seed, &house(sections))
}

/// A caller who has reached the queue a second ago.
pub fn caller_in(world: &mut World) -> PhoneId {
    let caller = world.caller("caller");
    world.dials(caller, "+4930999");
    world.run_for(SECOND);
    caller
}

/// He has heard this prompt.
pub fn heard(world: &World, caller: PhoneId, prompt: &str) -> bool {
    world.at(caller).heard.contains_key(&world.voice_of(prompt))
}

pub fn anna(world: &mut World, behaviour: Behaviour) -> PhoneId {
    world.phone_at("anna", "10.2.0.11:5060", behaviour)
}

pub fn bo(world: &mut World, behaviour: Behaviour) -> PhoneId {
    world.phone_at("bo", "10.2.0.12:5060", behaviour)
}

pub fn teams(world: &mut World, behaviour: Behaviour) -> PhoneId {
    world.phone_at("teams", "10.2.0.1:5060", behaviour)
}

/// A caller talks to anna, who answers at this telephone within two seconds.
pub fn talks_to_anna(world: &mut World, telephone: PhoneId) -> PhoneId {
    let caller = world.caller("+49301");
    world.dials(caller, "+4930999");
    world.run_for(3 * SECOND);
    let (anna, state) = (world.agent_state("anna"), world.state(telephone));
    assert_eq!((anna, state), (AgentState::Talking, PhoneState::Talking), "{}", world.ladder());
    caller
}

/// Runs to silence, checks that nothing is left, and returns how the only call ended.
pub fn the_end(world: &mut World) -> (Cause, Fault, Option<u16>) {
    world.run_until_silent().assert_nothing_left();
    let ends = ends(world);
    assert_eq!(ends.len(), 1, "{ends:?}\n{}", world.ladder());
    ends[0]
}

pub fn ends(world: &World) -> Vec<(Cause, Fault, Option<u16>)> {
    let end = |what: &What| match what {
        What::Ended { cause, fault, status, .. } => Some((*cause, *fault, *status)),
        _ => None,
    };
    world.happened().filter_map(end).collect()
}

/// How callers left queues, in order.
pub fn left(world: &World) -> Vec<LeftQueue> {
    let how = |what: &What| match what {
        What::Left { how, .. } => Some(*how),
        _ => None,
    };
    world.happened().filter_map(how).collect()
}

/// Names of the agents that were assigned, in order.
pub fn assigned(world: &World) -> Vec<String> {
    let agent = |what: &What| match what {
        What::Assigned { agent, .. } => Some(agent.clone()),
        _ => None,
    };
    world.happened().filter_map(agent).collect()
}

pub fn count(world: &World, is: impl Fn(&What) -> bool) -> usize {
    world.happened().filter(|what| is(what)).count()
}

/// The house whose trunks have these keys too.
pub fn house_with(carrier: &str, teams: &str, sections: &str) -> String {
    let house = HOUSE.replace("[trunk.teams]", &format!("{carrier}\n[trunk.teams]\n{teams}"));
    format!("{house}{sections}")
}

/// What `keep` takes of the SIP messages that are on the wire from now on, in either direction.
pub fn spy<T: 'static>(
    world: &mut World,
    mut keep: impl FnMut(&Datagram, &Message) -> Option<T> + 'static,
) -> Rc<RefCell<Vec<T>>> {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&kept);
    world.lose_if(move |datagram| {
        let message = Some(datagram).filter(|datagram| datagram.is_sip());
        let message = message.and_then(|datagram| Message::parse(datagram.bytes.clone()).ok());
        seen.borrow_mut().extend(message.and_then(|message| keep(datagram, &message)));
        false
    });
    kept
}

/// Legs and agents of who spoke with whom.
pub fn segments(record: &Record) -> Vec<(u16, u16, Option<&str>)> {
    record.segments.iter().map(|segment| (segment.caller, segment.leg, segment.agent.as_deref())).collect()
}

/// INVITEs that came to Teams' address, where everybody is busy.
pub fn busy_teams(world: &mut World) -> Rc<RefCell<Vec<Message>>> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let invites = Rc::clone(&seen);
    world.script_at(callee::ADDRESS, move |message| {
        if message.method() != Method::Invite || !message.is_request() {
            return vec![];
        }
        invites.borrow_mut().push(message.clone());
        let source = "10.0.0.1:5060".parse().unwrap();
        let busy = respond_to(message, source, StatusCode::BUSY_HERE, None, Some(b"b")).finish();
        vec![(SECOND, busy)]
    });
    seen
}

/// A header of a message, which has it.
pub fn value(message: &Message, header: Header) -> String {
    String::from_utf8(message.value(header).expect("the header").into_owned()).unwrap()
}

/// A far end at Teams' address that is written by hand.
pub mod callee {
    use std::net::SocketAddr;

    pub const ADDRESS: &str = "10.2.0.1:5060";

    /// Sound at `address`, A-law with telephone-event.
    pub fn sdp(address: SocketAddr) -> String {
        let (ip, port) = (address.ip(), address.port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        )
    }
}
