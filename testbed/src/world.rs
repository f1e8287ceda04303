//! The world: one router, telephones, a network, and a clock that nobody waits for.

mod graph;
mod recordings;
mod restart;
mod toil;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use media::{Codec, Direction, Engine, MediaLegKey, PortPool, Prompt, sdp::Srtp, srtp::Suite};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use router::{
    callers::Callers,
    clock::Clock,
    config::{self, Config, Names, Surroundings},
    journal::Ledger,
    journal::fact::{AgentState, Fact, Micros, What, Wish},
    prompts::Prompts,
    record::{Record, Records},
    shard::{Input, Output, Shard},
    status::{Door, OrderError},
};
use scheduler::Scheduler;
use sip_core::{Flow, Message, Service, Terms, Transport};

use crate::{
    check,
    net::{Datagram, Link, Net},
    phone::{Behaviour, Deed, HoldBy, Phone, PhoneId, PhoneState, sound_of},
    tone::Tone,
};

pub use graph::Fares;
pub use toil::Cost;

type Answers = Box<dyn FnMut(&Message) -> Vec<(Duration, Bytes)>>;

/// A peer that no telephone would be: for each message it says what it sends, and when.
struct Script {
    address: SocketAddr,
    answers: Answers,
}

/// One second, for stories.
pub const SECOND: Duration = Duration::from_secs(1);
/// One millisecond, for stories.
pub const MILLISECOND: Duration = Duration::from_millis(1);
/// Where the router takes SIP, in every world.
pub const ROUTER: &str = "10.0.0.1:5060";
/// UTC of the first instant: Wednesday, 25 November 2026, 08:00.
pub const MORNING: Micros = 1_795_593_600_000_000;
/// No story takes longer; a world that is not silent by then never will be.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Ports the router keeps in hand.
const STOCK: usize = 8;

/// A router and telephones in virtual time.
pub struct World {
    now: Instant,
    start: Instant,
    seed: u64,
    random: SmallRng,
    net: Net,
    router: SocketAddr,
    names: Names,
    shard: Shard,
    shard_timeout: Option<Instant>,
    scheduler: Arc<Scheduler>,
    config: Arc<Config>,
    engine: Engine,
    engine_timeout: Option<Instant>,
    media: IpAddr,
    pool: PortPool,
    legs_by_port: HashMap<u16, MediaLegKey>,
    ports_by_leg: HashMap<MediaLegKey, u16>,
    phones: Vec<Phone>,
    scripts: Vec<Script>,
    rtp_gap: Duration,
    recordings: recordings::Recordings,
    graph: graph::Graph,
    facts: Vec<Fact>,
    ladder: VecDeque<String>,
    turns: u64,
    /// The router takes its time, if it does.
    toil: Option<toil::Toil>,
    /// Messages sent and legs opened by the router so far.
    work: (u32, u32),
}

impl World {
    /// A world with this seed and configuration: the same story every time.
    pub fn new(seed: u64, config: &str) -> World {
        let mut random = SmallRng::seed_from_u64(seed);
        #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
        let now = Instant::now();
        let mut names = Names::default();
        let config = Arc::new(read_config(config, &mut names));
        let beginning = (now, MORNING);
        let (shard, scheduler) =
            restart::shard(&config, beginning, &mut random, Ledger::default(), Callers::default());
        let engine = restart::engine(&config, now, &mut random);
        let mut world = World {
            now,
            start: now,
            seed,
            net: Net::new(Link::perfect(), SmallRng::seed_from_u64(random.random())),
            random,
            router: ROUTER.parse().expect("an address"),
            names,
            shard,
            shard_timeout: None,
            scheduler,
            media: config.media.address,
            pool: PortPool::new(config.media.ports.clone(), config.media.quarantine),
            config,
            engine,
            engine_timeout: None,
            legs_by_port: HashMap::new(),
            ports_by_leg: HashMap::new(),
            phones: Vec::new(),
            scripts: Vec::new(),
            rtp_gap: Duration::from_millis(20),
            recordings: recordings::Recordings::default(),
            graph: graph::Graph::default(),
            facts: Vec::new(),
            ladder: VecDeque::new(),
            turns: 0,
            toil: None,
            work: (0, 0),
        };
        world.drain_shard();
        world
    }

    /// From now on the router's work costs time, and what comes meanwhile waits.
    pub fn takes_time(&mut self, cost: Cost) {
        self.toil = Some(toil::Toil::new(cost, self.config.limits.max_lag, self.now));
    }

    /// Messages that wait for the router.
    pub fn backlog(&self) -> usize {
        self.toil.as_ref().map_or(0, |toil| toil.backlog.len())
    }

    /// How datagrams travel from now on.
    pub fn link(mut self, link: Link) -> World {
        self.net.set_link(link);
        self
    }

    /// Telephones send a packet this often, instead of every 20 ms: for long or many stories.
    pub fn rtp_every(mut self, gap: Duration) -> World {
        self.rtp_gap = gap;
        self
    }

    /// Loses every datagram of which `lost` says so.
    pub fn lose_if(&mut self, lost: impl FnMut(&Datagram) -> bool + 'static) {
        self.net.lose_if(Box::new(lost));
    }

    /// Loses the first datagram whose start line begins like this, in whichever direction.
    pub fn lose_first(&mut self, start: &'static str) {
        let mut done = false;
        self.lose_if(move |datagram| {
            let hit = !done && datagram.is_sip() && datagram.start_line().starts_with(start);
            done |= hit;
            hit
        });
    }

    /// A caller behind the carrier, at 10.1.0.x.
    pub fn caller(&mut self, name: &str) -> PhoneId {
        let last = u8::try_from(self.phones.len() % 250).unwrap_or(0) + 1;
        let third = u8::try_from(self.phones.len() / 250).unwrap_or(0);
        self.phone(name, SocketAddr::from(([10, 1, third, last], 5060)), Behaviour::Answers(2 * SECOND))
    }

    /// A telephone at an address of the configuration, reacting like this.
    pub fn phone_at(&mut self, name: &str, address: &str, behaviour: Behaviour) -> PhoneId {
        self.phone(name, address.parse().expect("an address"), behaviour)
    }

    /// A peer at an address of the configuration that answers each message with these datagrams, after these delays.
    pub fn script_at(
        &mut self,
        address: &str,
        answers: impl FnMut(&Message) -> Vec<(Duration, Bytes)> + 'static,
    ) {
        let address = address.parse().expect("an address");
        self.scripts.push(Script { address, answers: Box::new(answers) });
    }

    fn phone(&mut self, name: &str, address: SocketAddr, behaviour: Behaviour) -> PhoneId {
        let voice = 0x20 + u8::try_from(self.phones.len() % 0x40).unwrap_or(0);
        let mut phone = Phone::new(name, address, self.router, voice, self.random.random());
        phone.behaviour = behaviour;
        phone.set_rtp_gap(self.rtp_gap);
        self.phones.push(phone);
        PhoneId(self.phones.len() - 1)
    }

    /// The telephone.
    pub fn at(&self, phone: PhoneId) -> &Phone {
        &self.phones[phone.0]
    }

    /// From now on the telephone speaks these codecs only, best first.
    pub fn speaks(&mut self, phone: PhoneId, codecs: &[Codec]) {
        self.phones[phone.0].set_codecs(codecs);
    }

    /// From the next call on it speaks SRTP, or not, and offers these suites.
    pub fn encrypts(&mut self, phone: PhoneId, srtp: Srtp, suites: &[Suite]) {
        self.phones[phone.0].set_srtp(srtp, suites);
    }

    /// From the next call on it speaks a tone of so many hertz.
    pub fn speaks_tone(&mut self, phone: PhoneId, hz: u16) {
        self.phones[phone.0].set_tone(Tone::new(hz));
    }

    /// From now on its INVITEs have this header field too.
    pub fn writes(&mut self, phone: PhoneId, name: &str, value: &str) {
        self.phones[phone.0].add_header(name, value);
    }

    /// From now on what ends its calls, BYE, CANCEL or a refusal, has this Reason.
    pub fn explains(&mut self, phone: PhoneId, reason: &str) {
        self.phones[phone.0].set_reason(reason);
    }

    /// From now on its sound comes and goes at this address, whatever its SIP address is.
    pub fn sounds_at(&mut self, phone: PhoneId, address: &str) {
        self.phones[phone.0].set_sound_address(address.parse().expect("an address"));
    }

    /// From now on the telephone reacts like this.
    pub fn behave(&mut self, phone: PhoneId, behaviour: Behaviour) {
        self.phones[phone.0].behaviour = behaviour;
    }

    /// From the next call on it uses these extensions with the router.
    pub fn agrees_to(&mut self, phone: PhoneId, terms: Terms) {
        self.phones[phone.0].set_terms(terms);
    }

    /// Dials now.
    pub fn dials(&mut self, phone: PhoneId, called: &str) {
        self.plan(phone, Duration::ZERO, Deed::Dial { called: called.to_owned(), offer: true });
    }

    /// Dials with an INVITE without an offer.
    pub fn dials_without_offer(&mut self, phone: PhoneId, called: &str) {
        self.plan(phone, Duration::ZERO, Deed::Dial { called: called.to_owned(), offer: false });
    }

    /// Hangs up (CANCEL or BYE) after this long.
    pub fn hangs_up_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::HangUp);
    }

    /// Presses a key after this long.
    pub fn presses_in(&mut self, phone: PhoneId, key: char, after: Duration) {
        self.plan(phone, after, Deed::Press(key));
    }

    /// Puts the far end on hold, or takes it back, after this long.
    pub fn holds_in(&mut self, phone: PhoneId, held: bool, after: Duration) {
        self.holds_by(phone, if held { Direction::SendOnly } else { Direction::SendRecv }, after);
    }

    /// The same with a direction of its own choice: Teams and others hold by `inactive`.
    pub fn holds_by(&mut self, phone: PhoneId, direction: Direction, after: Duration) {
        self.plan(phone, after, Deed::Hold(direction));
    }

    /// Puts the far end on hold in this dialect after this long.
    pub fn holds_by_in(&mut self, phone: PhoneId, how: HoldBy, after: Duration) {
        self.plan(phone, after, Deed::HoldBy(how));
    }

    /// Presses a key after this long, and says so by INFO.
    pub fn presses_by_info_in(&mut self, phone: PhoneId, key: char, after: Duration) {
        self.plan(phone, after, Deed::PressByInfo(key));
    }

    /// Knows no telephone-event from the next call on.
    pub fn knows_no_events(&mut self, phone: PhoneId) {
        self.phones[phone.0].forget_events();
    }

    /// Moves its sound to another address by a re-INVITE after this long.
    pub fn moves_in(&mut self, phone: PhoneId, address: &str, after: Duration) {
        self.plan(phone, after, Deed::Move(address.parse().expect("an address")));
    }

    /// Sends a re-INVITE with this body after this long, whatever it says.
    pub fn offers_in(&mut self, phone: PhoneId, body: &str, after: Duration) {
        self.plan(phone, after, Deed::Offer(Bytes::copy_from_slice(body.as_bytes())));
    }

    /// Who the telephone is from now on, when it registers and calls.
    pub fn logs_in(&mut self, phone: PhoneId, user: &str, password: &str) {
        self.phones[phone.0].logs_in(user, password);
    }

    /// Registers this Contact after this long, for so many seconds.
    pub fn registers_in(&mut self, phone: PhoneId, contact: &str, expires: u32, after: Duration) {
        self.plan(phone, after, Deed::Register { contact: contact.to_owned(), expires });
    }

    /// Falls silent for ever after this long: power cut.
    pub fn dies_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::Die);
    }

    /// Sends no sound from then on, or sends again.
    pub fn mutes_in(&mut self, phone: PhoneId, muted: bool, after: Duration) {
        self.plan(phone, after, Deed::Mute(muted));
    }

    /// Asks after this long to have the other party connected with `user` at the router instead.
    pub fn transfers_in(&mut self, phone: PhoneId, user: &str, after: Duration) {
        self.refers_in(phone, &format!("<sip:{user}@{ROUTER}>"), &[], after);
    }

    /// Sends a REFER after this long: `to` is the whole of Refer-To.
    pub fn refers_in(&mut self, phone: PhoneId, to: &str, headers: &[(&str, &str)], after: Duration) {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.plan(phone, after, Deed::Transfer { to: to.to_owned(), headers: owned.collect() });
    }

    /// Asks after this long to have the party of its first call connected with that of its second.
    pub fn transfers_attended_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::TransferAttended);
    }

    /// Hangs up the first of its calls after this long; others go on.
    pub fn hangs_up_first_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::HangUpFirst);
    }

    /// How the router is told which call the first one of this telephone is (Replaces).
    pub fn names_call(&self, phone: PhoneId) -> String {
        self.at(phone).names_call().expect("it is in a call")
    }

    /// From now on the telephone does not hang up by itself when it hears that its transfer is done.
    pub fn stays_after_transfer(&mut self, phone: PhoneId) {
        self.phones[phone.0].transfers.stays = true;
    }

    fn plan(&mut self, phone: PhoneId, after: Duration, deed: Deed) {
        let at = self.now + after;
        self.phones[phone.0].plan(at, deed);
    }

    /// Sends a datagram as it is, from wherever.
    pub fn inject(&mut self, from: &str, bytes: &[u8]) {
        let from = from.parse().expect("an address");
        let datagram = Datagram { from, to: self.router, bytes: Bytes::copy_from_slice(bytes) };
        self.net.send(self.now, datagram);
    }

    /// Sends an RTP packet of this speaker from wherever to the router's `port`.
    pub fn inject_sound(&mut self, from: &str, port: u16, voice: u8) {
        let (from, to) = (from.parse().expect("an address"), SocketAddr::new(self.media, port));
        self.net.send(self.now, Datagram { from, to, bytes: sound_of(voice) });
    }

    /// The operator or the agent changes an agent's state.
    pub fn agent_wish(&mut self, agent: &str, wish: Wish) {
        let (id, _) = self
            .config
            .agents()
            .find(|(_, known)| known.name == agent)
            .expect("an agent of the configuration");
        self.tell(Input::Agent { agent: id, wish, reason: "story".to_owned() });
    }

    /// The operator closes a queue by hand, or takes that back.
    pub fn switch_queue(&mut self, queue: &str, door: Door) {
        self.try_switch(queue, door).expect("a queue that can be switched so");
    }

    /// The same, where the router may refuse.
    ///
    /// # Errors
    /// As the router says.
    pub fn try_switch(&mut self, queue: &str, door: Door) -> Result<(), OrderError> {
        let switched = self.shard.switch(self.now, queue, door, "story").map(drop);
        self.drain_shard();
        switched
    }

    /// SIGTERM, or its end.
    pub fn service(&mut self, service: Service) {
        self.tell(Input::Service(service));
    }

    /// The drain deadline.
    pub fn shut_down(&mut self) {
        self.tell(Input::Shutdown);
    }

    /// SIGHUP with this configuration.
    pub fn reload(&mut self, config: &str) {
        self.config = Arc::new(read_config(config, &mut self.names));
        let prompts = Arc::new(prompts(&self.config));
        self.tell(Input::Reload(Arc::clone(&self.config), prompts));
    }

    /// The system's clock is found to be wrong: it is so much earlier.
    pub fn sets_clock_back(&mut self, by: Duration) {
        // The anchor of a clock that shows MORNING so much later.
        self.tell(Input::Clock(Clock::new(self.start + by, MORNING)));
    }

    /// Time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.next_at().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
    }

    /// Runs until a condition holds; fails the story after `limit`.
    pub fn run_until(&mut self, limit: Duration, mut holds: impl FnMut(&World) -> bool) {
        let end = self.now + limit;
        while !holds(self) {
            match self.next_at().filter(|at| *at <= end) {
                Some(at) => self.step(at),
                None => panic!("did not happen within {limit:?}\n{}", self.ladder()),
            }
        }
    }

    /// Runs until nothing moves any more: no datagram, no timer, no call.
    pub fn run_until_silent(&mut self) -> &mut World {
        while let Some(at) = self.next_at() {
            assert!(self.elapsed() < LONGEST, "never silent\n{}", self.ladder());
            self.step(at);
        }
        self
    }

    /// Nothing outlived its end, and the sums add up (design §1).
    pub fn assert_nothing_left(&self) {
        let mut left = check::sums(&self.facts);
        left.extend(check::records(&self.facts));
        left.extend(check::left_over(self));
        assert!(left.is_empty(), "seed {}: {left:#?}\n{}", self.seed, self.ladder());
    }

    /// All facts so far.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// What happened, without dates.
    pub fn happened(&self) -> impl Iterator<Item = &What> {
        self.facts.iter().map(|fact| &fact.what)
    }

    /// What is in a recording that was finished and kept; `file` as facts name it.
    pub fn recording(&self, file: &str) -> Option<&[i16]> {
        self.recordings.kept(file)
    }

    /// Recordings that were kept.
    pub fn recordings(&self) -> usize {
        self.recordings.len()
    }

    /// The records of all calls that are over, in the order of their ends.
    pub fn records(&self) -> Vec<Record> {
        let mut live = Records::default();
        self.facts.iter().filter_map(|fact| live.apply(fact)).collect()
    }

    /// An agent's state.
    pub fn agent_state(&self, agent: &str) -> AgentState {
        let (id, _) = self
            .config
            .agents()
            .find(|(_, known)| known.name == agent)
            .expect("an agent of the configuration");
        self.shard.agents().get(id).expect("a known agent").state
    }

    /// Callers who wait in a queue.
    pub fn waiting(&self, queue: &str) -> u32 {
        let (id, _) = self
            .config
            .queues()
            .find(|(_, known)| known.name == queue)
            .expect("a queue of the configuration");
        self.shard.waiting(id)
    }

    /// The byte that a prompt's packets carry, so that a story can tell what a telephone heard.
    pub fn voice_of(&self, prompt: &str) -> u8 {
        voice_of(prompt)
    }

    /// Did this telephone hear that one?
    pub fn heard(&self, listener: PhoneId, speaker: PhoneId) -> bool {
        self.at(listener).heard.contains_key(&self.at(speaker).voice())
    }

    /// State of a telephone.
    pub fn state(&self, phone: PhoneId) -> PhoneState {
        self.at(phone).state
    }

    /// The router's decisions.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The router's sound.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who answers whom.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All telephones.
    pub fn phones(&self) -> &[Phone] {
        &self.phones
    }

    /// The router's ports that carry sound now.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.ports_by_leg.values().copied().collect();
        ports.sort_unstable();
        ports
    }

    /// Ports that are neither free nor in hand.
    pub fn ports_in_use(&self) -> usize {
        self.legs_by_port.len()
    }

    /// The last SIP messages, oldest first, for a story that failed.
    pub fn ladder(&self) -> String {
        let lines: Vec<&str> = self.ladder.iter().map(String::as_str).collect();
        format!("seed {}, turn {}\n{}", self.seed, self.turns, lines.join("\n"))
    }

    fn next_at(&self) -> Option<Instant> {
        let phones = self.phones.iter().filter_map(Phone::next_at).min();
        let desk = self.toil.as_ref().and_then(|toil| toil.next_at(self.now));
        let graph = self.graph.next_at();
        [self.net.next_at(), phones, graph, self.shard_timeout, self.engine_timeout, desk]
            .into_iter()
            .flatten()
            .min()
    }

    /// One instant: everything that is due at it.
    fn step(&mut self, at: Instant) {
        self.now = at.max(self.now);
        self.turns += 1;
        if let Some(datagram) = self.net.take_due(self.now) {
            self.deliver(datagram);
        }
        if let Some(answer) = self.graph.take_due(self.now) {
            self.tell(answer);
        }
        if self.shard_timeout.is_some_and(|at| at <= self.now) {
            self.toils(0, |world| {
                world.shard.handle_timeout(world.now);
                world.drain_shard();
            });
        }
        self.work_off();
        if self.engine_timeout.is_some_and(|at| at <= self.now) {
            self.engine.handle_timeout(self.now);
            self.drain_engine();
        }
        for index in 0..self.phones.len() {
            if self.phones[index].next_at().is_some_and(|at| at <= self.now) {
                self.phones[index].handle_timeout(self.now);
                self.post(index);
            }
        }
    }

    fn deliver(&mut self, datagram: Datagram) {
        if datagram.is_sip() {
            self.note(&datagram);
        }
        if datagram.to == self.router {
            let flow =
                Flow { transport: Transport::Udp, local: self.router, remote: datagram.from, connection: 0 };
            return self.hear(sip_core::Input::Received { flow, bytes: datagram.bytes });
        }
        if datagram.to.ip() == self.media {
            return self.deliver_media(datagram);
        }
        let found = self.phones.iter().position(|phone| phone.is_at(datagram.to));
        match found {
            Some(index) => {
                self.phones[index].handle_datagram(self.now, datagram);
                self.post(index);
            }
            None => self.follow_script(&datagram),
        }
    }

    /// At once, or when the router gets to it.
    fn hear(&mut self, input: sip_core::Input) {
        match &mut self.toil {
            Some(toil) => toil.backlog.push(self.now, input),
            None => self.tell(Input::Sip(input)),
        }
    }

    /// One message that waits, if the router is free.
    fn work_off(&mut self) {
        let now = self.now;
        let free = self.toil.as_mut().filter(|toil| toil.next_at(now) == Some(now));
        if let Some(input) = free.and_then(|toil| toil.backlog.pop(now)) {
            self.toils(1, |world| world.tell(Input::Sip(input)));
        }
    }

    /// Work that costs what it makes the router do.
    fn toils(&mut self, read: u32, work: impl FnOnce(&mut World)) {
        let (sent, legs) = self.work;
        work(self);
        let (sent, legs) = (self.work.0 - sent, self.work.1 - legs);
        if let Some(toil) = &mut self.toil {
            toil.spend(self.now, read, sent, legs);
        }
    }

    fn follow_script(&mut self, datagram: &Datagram) {
        let found = self.scripts.iter_mut().find(|script| script.address == datagram.to);
        let (Some(script), Ok(message)) = (found, Message::parse(datagram.bytes.clone())) else { return };
        for (after, bytes) in (script.answers)(&message) {
            self.net.send(self.now + after, Datagram { from: datagram.to, to: datagram.from, bytes });
        }
    }

    fn deliver_media(&mut self, datagram: Datagram) {
        let Some(&leg) = self.legs_by_port.get(&datagram.to.port()) else { return };
        let mut packet = [0; 2048];
        let len = datagram.bytes.len().min(1500);
        packet[..len].copy_from_slice(&datagram.bytes[..len]);
        if let Some(forward) = self.engine.handle_packet(self.now, leg, datagram.from, &mut packet, len) {
            let part = &packet[forward.start..forward.start + forward.len];
            self.send_media(forward.leg, forward.to, Bytes::copy_from_slice(part));
        }
        self.drain_engine();
    }

    fn send_media(&mut self, leg: MediaLegKey, to: SocketAddr, bytes: Bytes) {
        if let Some(port) = self.ports_by_leg.get(&leg) {
            let from = SocketAddr::new(self.media, *port);
            self.net.send(self.now, Datagram { from, to, bytes });
        }
    }

    fn post(&mut self, phone: usize) {
        while let Some(datagram) = self.phones[phone].out.pop_front() {
            self.net.send(self.now, datagram);
        }
    }

    fn tell(&mut self, input: Input) {
        self.shard.handle_input(self.now, input);
        self.drain_shard();
    }

    /// What the driver does, on paper.
    fn drain_shard(&mut self) {
        loop {
            match self.shard.poll_output() {
                Output::Sip(sip_core::Output::Transmit { flow, bytes }) => {
                    self.work.0 += 1;
                    self.net.send(self.now, Datagram { from: self.router, to: flow.remote, bytes });
                }
                Output::Sip(_) | Output::Dispatched { .. } => {}
                Output::OpenMedia { port, open } => {
                    self.work.1 += 1;
                    self.open_media(port, open);
                }
                Output::Media(command) => self.command(command),
                Output::ReleasePort(port) => self.release_port(port),
                Output::Fact(fact) => self.facts.push(fact),
                Output::Graph(ask) => self.graph.ask(self.now, &ask),
                Output::Timeout(at) => {
                    self.shard_timeout = at.map(|(at, _)| at);
                    if !self.stock_up() {
                        break;
                    }
                }
            }
        }
        let broken = check::after_turn(self);
        assert!(broken.is_empty(), "seed {}: {broken:#?}\n{}", self.seed, self.ladder());
    }

    fn stock_up(&mut self) -> bool {
        let wanted = self.shard.ports_in_hand() < STOCK;
        let port = if wanted { self.pool.take(self.now) } else { None };
        if let Some(port) = port {
            self.shard.handle_input(self.now, Input::Port(port));
        }
        port.is_some()
    }

    fn open_media(&mut self, port: u16, open: media::Command) {
        if let media::Command::Open { leg, .. } = &open {
            self.legs_by_port.insert(port, *leg);
            self.ports_by_leg.insert(*leg, port);
        }
        self.command(open);
    }

    fn release_port(&mut self, port: u16) {
        if let Some(leg) = self.legs_by_port.remove(&port) {
            self.ports_by_leg.remove(&leg);
        }
        self.pool.release(self.now, port);
    }

    fn command(&mut self, command: media::Command) {
        self.engine.handle_command(self.now, command);
        self.drain_engine();
    }

    fn drain_engine(&mut self) {
        let mut events = Vec::new();
        loop {
            match self.engine.poll_output() {
                media::Output::Transmit { leg, rtcp: false, to, bytes } => {
                    let bytes = Bytes::copy_from_slice(bytes);
                    self.send_media(leg, to, bytes);
                }
                media::Output::Transmit { .. } => {}
                media::Output::Event(event) => events.push(event),
                media::Output::Recorded(piece) => self.recordings.take(&piece),
                media::Output::Timeout(at) => {
                    self.engine_timeout = at.map(|(at, _)| at);
                    break;
                }
            }
        }
        let told = !events.is_empty();
        for event in events {
            self.shard.handle_input(self.now, Input::Media(event));
        }
        if told {
            self.drain_shard();
        }
    }

    fn note(&mut self, datagram: &Datagram) {
        const KEPT: usize = 200;
        let at = self.elapsed().as_secs_f64();
        self.ladder.push_back(format!(
            "{at:10.3} {} -> {}  {}",
            datagram.from,
            datagram.to,
            datagram.start_line()
        ));
        if self.ladder.len() > KEPT {
            self.ladder.pop_front();
        }
    }
}

fn read_config(text: &str, names: &mut Names) -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    config::parse(text, "story.toml", folder, names, &Surroundings::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// Every prompt is one byte, over and over: what a telephone hears tells which it was.
fn prompts(config: &Config) -> Prompts {
    let files: BTreeMap<_, _> = config
        .prompts()
        .map(|(id, prompt)| {
            let name =
                prompt.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (id, Arc::new(Prompt::from_samples(&vec![level(&name); 8_000 * 2], &name)))
        })
        .collect();
    Prompts::new(files)
}

fn level(prompt: &str) -> i16 {
    prompt.bytes().fold(1_000_i16, |level, byte| level.wrapping_mul(31).wrapping_add(i16::from(byte))) | 0x400
}

fn voice_of(prompt: &str) -> u8 {
    Prompt::from_samples(&[level(prompt); 160], prompt).frame(Codec::Pcma, 0)[0]
}
