//! The endpoint, what it said, and the laws.

use super::tape::Tape;
use super::words;
use bytes::Bytes;
use sip_core::message::Message;
use sip_core::{
    Endpoint, Event, Flow, Input, LegKey, Listener, Located, OpenId, Output, PeerId, RequestKey, ResolveId,
    Settings, Sources, StatusCode, Transport,
};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const MOST_LEGS: usize = 8;
const MOST_TRANSACTIONS: usize = 32;
const MOST_PENDING: usize = 8;
const MOST_FORKS: usize = 3;
/// What is remembered of what was said, both ways.
const REMEMBERED: usize = 24;

pub(super) struct Desk {
    pub(super) endpoint: Endpoint,
    pub(super) now: Instant,
    /// Legs that the owner knows, and knew.
    pub(super) legs: Vec<LegKey>,
    over: BTreeSet<LegKey>,
    /// What waits for an answer of the owner.
    pub(super) requests: Vec<(LegKey, RequestKey)>,
    sent: VecDeque<Message>,
    heard: VecDeque<Vec<u8>>,
    opens: Vec<OpenId>,
    resolves: Vec<ResolveId>,
    /// How much the owner has begun.
    pub(super) begun: usize,
    connection: u32,
    counter: u32,
}

impl Desk {
    pub(super) fn new() -> Desk {
        let local: SocketAddr = "10.0.0.1:5060".parse().expect("an address");
        let listeners =
            [Transport::Udp, Transport::Tcp].map(|transport| Listener::new(transport, local)).to_vec();
        let settings = Settings {
            max_legs: MOST_LEGS,
            max_transactions: MOST_TRANSACTIONS,
            max_pending: MOST_PENDING,
            max_forks: MOST_FORKS,
            ..Settings::new([7; 32], listeners)
        };
        let mut endpoint = Endpoint::new(settings);
        let mut sources = Sources::new();
        sources.allow("10.0.0.0/16".parse().expect("a net"), None, PeerId(1));
        sources.allow("10.9.0.0/16".parse().expect("a net"), None, PeerId(9));
        endpoint.set_sources(sources);
        Desk {
            endpoint,
            now: origin(),
            legs: Vec::new(),
            over: BTreeSet::new(),
            requests: Vec::new(),
            sent: VecDeque::new(),
            heard: VecDeque::new(),
            opens: Vec::new(),
            resolves: Vec::new(),
            begun: 0,
            connection: 0,
            counter: 0,
        }
    }

    fn count(&mut self) -> u32 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn hear_beginning(&mut self, tape: &mut Tape<'_>) {
        let (way, counter) = (tape.byte(), self.count());
        self.hear(words::beginning(tape, counter).into_bytes(), way);
    }

    /// In a dialog of something that was said lately.
    pub(super) fn hear_inside(&mut self, tape: &mut Tape<'_>) {
        let said = self.said_lately(tape, words::is_in_dialog);
        said.into_iter().for_each(|said| self.hear_inside_of(tape, &said));
    }

    fn hear_inside_of(&mut self, tape: &mut Tape<'_>, said: &Message) {
        let (way, counter) = (tape.byte(), self.count());
        let text = words::inside(tape, said, counter);
        text.into_iter().for_each(|text| self.hear(text.into_bytes(), way));
    }

    /// An answer to something that was asked lately.
    pub(super) fn hear_response(&mut self, tape: &mut Tape<'_>) {
        let asked = self.said_lately(tape, words::is_asked);
        asked.into_iter().for_each(|asked| self.hear_response_to(tape, &asked));
    }

    fn hear_response_to(&mut self, tape: &mut Tape<'_>, asked: &Message) {
        let (way, counter) = (tape.byte(), self.count());
        let text = words::response(tape, asked, counter);
        text.into_iter().for_each(|text| self.hear(text.into_bytes(), way));
    }

    fn said_lately(&self, tape: &mut Tape<'_>, fits: fn(&Message) -> bool) -> Option<Message> {
        let fitting: Vec<&Message> = self.sent.iter().rev().filter(|said| fits(said)).collect();
        let back = tape.below(REMEMBERED);
        fitting.get(back % fitting.len().max(1)).map(|said| (*said).clone())
    }

    pub(super) fn hear_of_invite(&mut self, tape: &mut Tape<'_>) {
        let text = self.remembered(tape).and_then(|invite| words::of_invite(tape, &invite));
        text.into_iter().for_each(|text| self.hear(text.into_bytes(), 0));
    }

    /// Somebody does the same thing again and again, with other tags, numbers and branches: what is beyond the bounds
    /// does not grow with it.
    pub(super) fn hear_flood(&mut self, tape: &mut Tape<'_>) {
        let (legs, transactions) = (self.endpoint.live_legs(), self.endpoint.live_transactions());
        let (is_answer, is_inside) = (tape.byte() & 1 != 0, tape.byte() & 3 != 0);
        let said = self.said_lately(tape, if is_answer { words::is_asked } else { words::is_in_dialog });
        let from = *tape;
        for _ in 0..64 {
            let mut again = from;
            match &said {
                Some(asked) if is_answer => self.hear_response_to(&mut again, asked),
                Some(said) if is_inside => self.hear_inside_of(&mut again, said),
                _ => self.hear_beginning(&mut again),
            }
        }
        let most = legs.max(MOST_LEGS) + 2 * MOST_FORKS;
        assert!(self.endpoint.live_legs() <= most, "legs: {legs} before, then {}", self.endpoint.live_legs());
        let (most, now) =
            (transactions.max(MOST_TRANSACTIONS) + 4 * MOST_FORKS, self.endpoint.live_transactions());
        assert!(now <= most, "transactions: {transactions} before, then {now}");
    }

    /// What was heard before, the same or not quite.
    pub(super) fn hear_again(&mut self, tape: &mut Tape<'_>) {
        let bytes = self.remembered(tape).unwrap_or_default();
        let way = tape.byte();
        self.hear(words::spoiled(tape, &bytes), way);
    }

    fn remembered(&self, tape: &mut Tape<'_>) -> Option<Vec<u8>> {
        let back = tape.below(REMEMBERED);
        self.heard.iter().rev().nth(back % self.heard.len().max(1)).cloned()
    }

    /// Something comes, mostly by datagrams from 10.0.0.2.
    pub(super) fn hear(&mut self, bytes: Vec<u8>, way: u8) {
        let flow = self.flow(way);
        self.heard.push_back(bytes.clone());
        if self.heard.len() > REMEMBERED {
            self.heard.pop_front();
        }
        let bytes = Bytes::from(bytes);
        let input = if way == 255 { Input::Late { flow, bytes } } else { Input::Received { flow, bytes } };
        self.input(input);
    }

    pub(super) fn flow(&self, way: u8) -> Flow {
        let local = "10.0.0.1:5060".parse().expect("an address");
        let remote = match way {
            0..225 | 255 => SocketAddr::from(([10, 0, 0, 2], 5060)),
            225..228 => SocketAddr::from(([10, 0, 0, 3], 5060)),
            228..232 => SocketAddr::from(([10, 9, 0, 2], 40_404)),
            232..235 => SocketAddr::from(([203, 0, 113, 9], 666)),
            235..255 => {
                return Flow::stream(
                    Transport::Tcp,
                    local,
                    ([10, 0, 0, 3], 5060).into(),
                    1 + u32::from(way & 3),
                );
            }
        };
        Flow::udp(local, remote)
    }

    pub(super) fn input(&mut self, input: Input) {
        self.endpoint.handle_input(self.now, input);
        self.drain();
    }

    /// What the wire and the resolver have to say.
    pub(super) fn wire(&mut self, tape: &mut Tape<'_>) {
        let (what, way) = (tape.byte() & 7, tape.byte());
        let flow = self.flow(way);
        match what {
            0 | 1 => {
                let Some(id) = take(&mut self.opens, tape) else { return };
                self.connection += 1;
                let (local, remote) = (flow.local, SocketAddr::from(([10, 0, 0, 3], 5060)));
                let flow = Flow::stream(Transport::Tcp, local, remote, 100 + self.connection);
                self.input(Input::Opened { id, flow, peer_names: vec![] });
            }
            2 => {
                let id = take(&mut self.opens, tape);
                id.into_iter().for_each(|id| self.input(Input::OpenFailed { id }));
            }
            3 | 4 => {
                let Some(id) = take(&mut self.resolves, tape) else { return };
                let found = ["10.0.0.2:5060", "10.0.0.3:5060", "[2001:db8::1]:5060"];
                let addresses: Vec<SocketAddr> =
                    found[..tape.below(4)].iter().map(|found| found.parse().expect("an address")).collect();
                self.input(Input::Resolved { id, located: Located::at(Transport::Udp, addresses) });
            }
            5 => self.input(Input::Unreachable { remote: flow.remote }),
            6 => {
                let connection = 100 + tape.below(8) as u32;
                let flow = Flow { connection, ..self.flow(235) };
                self.input(Input::Closed {
                    flow: if way & 1 == 0 { flow } else { self.flow(235 + (way & 3)) },
                });
            }
            _ => self.input(Input::Accepted { flow: self.flow(235), peer_names: vec!["far.test".into()] }),
        }
    }

    pub(super) fn drain(&mut self) {
        for _ in 0..10_000 {
            match self.endpoint.poll_output() {
                Output::Transmit { bytes, .. } => {
                    let said = Message::parse(bytes.clone());
                    let said =
                        said.unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&bytes)));
                    self.sent.push_back(said);
                    if self.sent.len() > REMEMBERED {
                        self.sent.pop_front();
                    }
                }
                Output::Event(event) => self.told(event),
                Output::Resolve { id, .. } => self.resolves.push(id),
                Output::Open { id, .. } => self.opens.push(id),
                Output::Close { .. } => {}
                Output::Timeout(_) => return,
            }
        }
        panic!("it does not stop talking");
    }

    fn told(&mut self, event: Event) {
        let Some(leg) = event.leg() else { return };
        assert!(!self.over.contains(&leg), "{leg:?} is over: {event:?}");
        match &event {
            Event::Invite { .. } => self.legs.push(leg),
            Event::Request { key, .. } | Event::Refer { key, .. } => self.requests.push((leg, *key)),
            _ => {}
        }
        if event.is_last() {
            self.over.insert(leg);
        }
    }

    /// The owner has hung up.
    pub(super) fn note_over(&mut self, leg: LegKey) {
        self.over.insert(leg);
    }

    fn deadline(&mut self) -> Option<Instant> {
        match self.endpoint.poll_output() {
            Output::Timeout(next) => next.map(|(at, _)| at),
            other => panic!("not drained: {other:?}"),
        }
    }

    /// Time passes: to the next deadline, or by leaps in which nobody is woken, or in which everybody is.
    pub(super) fn pass(&mut self, tape: &mut Tape<'_>) {
        let leap = Duration::from_millis(1 << tape.below(22));
        match tape.byte() & 3 {
            0 => {
                let next = self.deadline().unwrap_or(self.now);
                self.wake(self.now.max(next));
            }
            1 => self.wake(self.now + leap),
            _ => self.pass_until(self.now + leap),
        }
    }

    fn pass_until(&mut self, end: Instant) {
        for _ in 0..100_000 {
            match self.deadline().filter(|at| *at <= end) {
                Some(at) => self.wake(self.now.max(at)),
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("it does not come to rest");
    }

    fn wake(&mut self, now: Instant) {
        self.now = now;
        self.endpoint.handle_timeout(now);
        self.drain();
        let next = self.deadline();
        assert!(next.is_none_or(|at| at > now), "what was due is due again");
    }

    pub(super) fn assert_bounded(&mut self) {
        let known = self.legs.len();
        let legs = MOST_LEGS + 2 * MOST_FORKS * known;
        assert!(self.endpoint.live_legs() <= legs, "{} legs", self.endpoint.live_legs());
        let transactions = MOST_TRANSACTIONS + 8 * (1 + 2 * MOST_FORKS) * known + 4 * self.begun;
        let live = self.endpoint.live_transactions();
        assert!(live <= transactions, "{live} transactions, of {known} legs and {} things begun", self.begun);
        assert!(self.endpoint.counters().live_pending <= MOST_PENDING as u64);
    }

    /// The owner ends everything, and waits.
    pub(super) fn close_up(&mut self) {
        for leg in std::mem::take(&mut self.legs) {
            let how = sip_core::HangUp::new(StatusCode::TEMPORARILY_UNAVAILABLE);
            self.endpoint.hang_up(self.now, leg, how);
            self.note_over(leg);
            self.drain();
        }
        // The longest of all: ten minutes of a REFER's subscription, and as long for its last NOTIFY.
        self.pass_until(self.now + Duration::from_secs(1_400));
        let left = (self.endpoint.live_legs(), self.endpoint.live_transactions(), self.deadline());
        assert_eq!(left, (0, 0, None), "legs, transactions and deadlines that are left");
        let counters = self.endpoint.counters();
        let fates = counters.invites_admitted + counters.invites_challenged;
        let fates = fates + counters.invites_refused + counters.invites_dropped;
        assert_eq!((counters.live_pending, counters.invites_read), (0, fates));
    }
}

fn take<T>(from: &mut Vec<T>, tape: &mut Tape<'_>) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(tape.below(from.len())))
}

#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now() // any instant: from here on time is the tape's
}
