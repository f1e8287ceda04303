//! A shard: calls, and all that decides about them, without a socket or a clock.
//!
//! Give it inputs and the time, then drain [`Shard::poll_output`] until [`Output::Timeout`]. The order of outputs is the
//! order in which the driver must carry them out: a port is opened before the answer that names it leaves.

mod alone;
mod callbacks;
mod calls;
mod hairpin;
mod joins;
mod names;
mod overload;
mod phones;
mod presence;
mod queues;
mod recordings;
mod registrations;
mod reload;
mod sent_back;
mod status;
mod switchboard;
mod trunks;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use media::{Command, Event as MediaEvent, Identity};
use rand::{SeedableRng, rngs::StdRng};
use scheduler::{Match, Scheduler};
use sip_core::{
    Endpoint, Event as SipEvent, Flow, LegKey, Located, Message, PeerId, Reply, ResolveId, Service, Target,
    Transport, UserId, locate::Reach,
};

use self::{
    alone::Alone, calls::Calls, names::NameTroubles, overload::Overload, presence::Presence,
    registrations::Registrations, sent_back::SentBack, switchboard::Names,
};
use crate::{
    agents::Agents,
    call::{Call, Input as CallInput, Why, number_of},
    callbacks::Callbacks,
    callers::Callers,
    clock::Clock,
    config::{AgentId, Config, QueueId, TrunkId},
    estimate::Estimates,
    journal::fact::{Cause, Fact, Fault, Micros, Unanswered, Wish},
    keys::CallKey,
    lost_places::LostPlaces,
    metrics::{Histogram, QualityNumbers},
    presence::{Answer, Ask},
    prompts::Prompts,
    recording::RecorderNews,
    registrar::{Registrar, toll::Toll},
    staff::Staff,
    standing::Chances,
    sums::Sums,
    trunks::Trunks,
};

pub use self::switchboard::Switchboard;

/// Callbacks looked after in one turn, each at the cost of a look at all calls: after a restart thousands may be due.
const CALLBACKS_A_TURN: u32 = 50;

/// What a shard is made of.
pub struct Parts {
    /// The shard's number, in every key it makes.
    pub owner: u8,
    /// Randomness: from the system in the driver, from the seed in the simulated world.
    pub seed: [u8; 32],
    /// UTC of the first instant.
    pub clock: Clock,
    /// UTC at which the process started.
    pub run: Micros,
    /// The shard's SIP, with its listeners.
    pub sip: Endpoint,
    /// Who answers whom: shared by all shards.
    pub scheduler: Arc<Scheduler>,
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Its prompts.
    pub prompts: Arc<Prompts>,
    /// What agents had asked for when the last run ended, by name.
    pub wishes: BTreeMap<String, Wish>,
    /// Queues that were closed by hand when the last run ended, by name.
    pub closed: BTreeSet<String>,
    /// Sums of the queues over all earlier runs.
    pub sums: Sums,
    /// What is remembered of those who called in earlier runs.
    pub callers: Callers,
    /// Places of callers whom an earlier run cut off.
    pub lost_places: LostPlaces,
    /// Customers who are to be called back.
    pub callbacks: Callbacks,
    /// Our certificate for sound of browsers.
    pub identity: Identity,
}

/// What a shard is told.
pub enum Input {
    /// From the network, or about it.
    Sip(sip_core::Input),
    /// From the media worker.
    Media(MediaEvent),
    /// A bound and empty port may be used. Given in advance, so that no answer waits for one.
    Port(u16),
    /// A new configuration with its prompts is in force from now on.
    Reload(Arc<Config>, Arc<Prompts>),
    /// The system clock was stepped.
    Clock(Clock),
    /// Take new calls, or refuse them for this reason.
    Service(Service),
    /// An operator or an agent asks for another state of an agent; [`Shard::order`] does the same by name.
    Agent {
        /// Who.
        agent: AgentId,
        /// To what.
        wish: Wish,
        /// Why, in the words of whoever did.
        reason: String,
    },
    /// An operator closes a queue by hand, or takes that back; [`Shard::switch`] does the same by name.
    Queue {
        /// Which.
        queue: QueueId,
        /// Closed from now on.
        closed: bool,
        /// Why, in the operator's words.
        reason: String,
    },
    /// What came of an [`Output::Graph`].
    Graph {
        /// Of the request.
        number: u64,
        /// What came.
        answer: Answer,
    },
    /// From whoever writes recordings.
    Recorder(RecorderNews),
    /// End all calls now.
    Shutdown,
}

/// What a shard wants done.
pub enum Output {
    /// Send, resolve, open.
    Sip(sip_core::Output),
    /// Open a leg in the engine on this port, which was given by [`Input::Port`].
    OpenMedia {
        /// The port.
        port: u16,
        /// Always [`Command::Open`].
        open: Command,
    },
    /// For the engine.
    Media(Command),
    /// The engine has closed the leg on this port.
    ReleasePort(u16),
    /// For the journal.
    Fact(Fact),
    /// The outputs before this one carried an assignment's INVITE; the agent was free since then.
    Dispatched {
        /// Beginning of the turn in which caller and agent met.
        free_since: Instant,
    },
    /// Ask the login address or Graph, and say by [`Input::Graph`] what came of it. Nobody waits for that: a request that
    /// is not carried out is given up after some seconds.
    Graph(Ask),
    /// Nothing more to do until this instant, or until the next input; and what the deadline is for.
    Timeout(Option<(Instant, &'static str)>),
}

/// Calls and all that decides about them.
pub struct Shard {
    board: Switchboard,
    calls: Calls,
    sip_timeout: Option<(Instant, &'static str)>,
}

impl Shard {
    /// A shard that knows its agents and waits for calls.
    pub fn new(parts: Parts, now: Instant) -> Shard {
        let capacity = parts.config.limits.max_calls;
        let board = Switchboard {
            now,
            at: parts.clock.at(now),
            run: parts.run,
            sip: parts.sip,
            config: parts.config,
            prompts: parts.prompts,
            clock: parts.clock,
            agents: Agents::default(),
            scheduler: parts.scheduler,
            out: VecDeque::new(),
            ports: VecDeque::new(),
            legs: HashMap::new(),
            matches: VecDeque::new(),
            look_again: false,
            trunks: Trunks::default(),
            overload: Overload::default(),
            name_troubles: NameTroubles::default(),
            registrations: Registrations::default(),
            registrar: Registrar::default(),
            asking_phones: HashMap::new(),
            toll: Toll::default(),
            toll_refused: BTreeMap::new(),
            random: StdRng::from_seed(parts.seed),
            arrived: 0,
            ended: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            voicemails: BTreeMap::new(),
            transfers: BTreeMap::new(),
            emergency_calls: 0,
            sessions_expired: 0,
            two_way_sound: Histogram::default(),
            quality: QualityNumbers::default(),
            chances: Chances::default(),
            last_arrival: 0,
            sums: parts.sums,
            names: Names::default(),
            callers: parts.callers,
            lost_places: parts.lost_places,
            callbacks: parts.callbacks,
            service: Service::Open,
            alone: Alone::default(),
            let_down: VecDeque::new(),
            joinings: VecDeque::new(),
            rehomed: HashMap::new(),
            sent_back: SentBack::default(),
            by_chance: Vec::new(),
            staff: Staff::new(now),
            restaffed: VecDeque::new(),
            closed: parts.closed,
            identity: parts.identity,
            presence: Presence::default(),
            estimates: Estimates::default(),
            recorder_trouble: None,
        };
        let calls = Calls::new(parts.owner, capacity);
        let mut shard = Shard { board, calls, sip_timeout: None };
        shard.board.sip.set_urgent(shard.board.config.urgent());
        shard.board.sip.set_terms(shard.board.config.terms());
        shard.board.sip.set_own_names(shard.board.config.own_names());
        shard.board.sip.set_in_answers(shard.board.config.in_answers());
        shard.board.take_on_trunks();
        shard.board.take_on_registrations();
        shard.reset_phones(None);
        shard.take_on_agents(None, &parts.wishes);
        shard.give_up_callbacks_of_removed_queues();
        shard
    }

    /// Tells the shard something.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.begin_turn(now);
        match input {
            Input::Sip(sip_core::Input::Closed { flow }) => {
                self.board.sip.handle_input(now, sip_core::Input::Closed { flow });
                self.phones_hung_up(&flow);
                self.board.registrations_hung_up(&flow);
            }
            Input::Sip(input) => {
                self.board.sip.handle_input(now, input);
                self.board.note_overload();
            }
            Input::Media(event) => self.handle_media(event),
            Input::Port(port) => {
                self.board.ports.push_back(port);
                self.board.look_again = true;
            }
            Input::Reload(config, prompts) => self.reload(config, prompts),
            Input::Clock(clock) => self.board.clock = clock,
            Input::Service(service) => self.serves(service),
            Input::Agent { agent, wish, reason } => self.board.agent_asked(agent, wish, &reason),
            Input::Queue { queue, closed, reason } => {
                self.board.switch_queue(queue, closed, reason);
                self.tell_queue(queue, || CallInput::QueueChanged);
            }
            Input::Graph { number, answer } => self.graph_answered(number, answer),
            Input::Recorder(news) => self.recorder_says(news),
            Input::Shutdown => self.end_all(),
        }
        self.finish_turn();
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.begin_turn(now);
        self.board.sip.handle_timeout(now);
        self.board.free_due_agents();
        self.board.look_after_trunks();
        self.board.look_after_registrations();
        self.board.end_overload();
        self.presence_due();
        self.look_after_phones();
        while let Some(key) = self.calls.due(now) {
            self.tell(key, CallInput::Deadline);
        }
        self.finish_turn();
    }

    /// The next thing to do; [`Output::Timeout`] when there is no more.
    pub fn poll_output(&mut self) -> Output {
        self.board.out.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    /// Ports the shard would like to have in hand beside those it has: the driver binds them in advance.
    pub fn ports_in_hand(&self) -> usize {
        self.board.ports.len()
    }

    fn deadline(&self) -> Option<(Instant, &'static str)> {
        let calls = self.calls.deadline().map(|at| (at, "call"));
        let agents = self.board.agents.deadline().map(|at| (at, "agent"));
        let callbacks = self.board.callback_deadline().map(|at| (at, "callback"));
        let trunks = self.board.trunk_deadline().map(|at| (at, "trunk"));
        let overload = self.board.overload_deadline().map(|at| (at, "overload"));
        let presence = self.board.presence.deadline().map(|at| (at, "presence"));
        let phones = self.board.registrar.deadline().map(|at| (at, "telephone"));
        let ours = self.board.registration_deadline().map(|at| (at, "registration"));
        [self.sip_timeout, calls, agents, callbacks, trunks, overload, presence, phones, ours]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    fn begin_turn(&mut self, now: Instant) {
        self.board.now = now;
        self.board.at = self.board.clock.at(now);
    }

    /// Whatever SIP and the scheduler have to say is said before the turn ends.
    fn finish_turn(&mut self) {
        let mut callbacks = 0;
        loop {
            self.drain_sip();
            if let Some(made) = self.board.matches.pop_front() {
                self.deliver(made);
            } else if let Some(joining) = self.board.joinings.pop_front() {
                self.join(joining);
            } else if let Some(call) = self.board.let_down.pop_front() {
                self.tell(call, CallInput::QueueChanged);
            } else if let Some(queue) = self.board.restaffed.pop_front() {
                self.tell_queue(queue, || CallInput::QueueChanged);
            } else if std::mem::take(&mut self.board.look_again) {
                self.reinforce();
            } else if callbacks < CALLBACKS_A_TURN && self.look_after_callbacks() {
                callbacks += 1;
            } else {
                break; // callbacks left over are due at once, in a turn of their own
            }
        }
        self.board.ask_graph();
    }

    /// Idle agents for whom nobody waits ring for callers for whom fewer ring than might, smallest key first.
    fn reinforce(&mut self) {
        for (key, line) in self.calls.short_of_agents() {
            if self.board.scheduler.idle(line) > 0 {
                self.tell(key, CallInput::Reinforce);
            }
        }
    }

    fn drain_sip(&mut self) {
        loop {
            match self.board.sip.poll_output() {
                sip_core::Output::Event(event) => self.handle_sip(event),
                sip_core::Output::Timeout(at) => {
                    self.sip_timeout = at;
                    return;
                }
                sip_core::Output::Resolve { id, target, reach, random } => {
                    self.resolve(id, (target, reach), random);
                }
                output => self.board.out.push_back(Output::Sip(output)),
            }
        }
    }

    /// A name that the configuration knows is not asked of DNS.
    fn resolve(&mut self, id: ResolveId, (target, reach): (Target, Reach), random: u64) {
        let transport = target.transport.unwrap_or(Transport::Udp);
        let port = target.port_for(transport);
        let known = self.board.config.hosts.addresses(&target.host.to_string());
        let at = |known: &[IpAddr]| {
            Located::at(transport, known.iter().map(|ip| SocketAddr::new(*ip, port)).collect::<Vec<_>>())
        };
        match known.map(at) {
            Some(located) => {
                let resolved = sip_core::Input::Resolved { id, located };
                self.board.sip.handle_input(self.board.now, resolved);
            }
            None => {
                let asked = sip_core::Output::Resolve { id, target, reach, random };
                self.board.out.push_back(Output::Sip(asked));
            }
        }
    }

    /// A match is a letter in the caller's ticket; this is the knock on his door.
    fn deliver(&mut self, made: Match) {
        match self.calls.in_slot(made.caller.0) {
            Some(key) => self.tell(key, CallInput::Assigned),
            None => self.board.spare_agent(AgentId::from(made.agent.0 as usize), Unanswered::CallerLeft),
        }
    }

    fn handle_sip(&mut self, event: SipEvent) {
        match event {
            SipEvent::Invite { leg, peer, user, flow, replaces: Some(old), request, .. } => {
                self.replace(old, leg, (peer, user), flow, &request);
            }
            SipEvent::Invite { leg, peer, user, flow, request, .. } => {
                self.admit(leg, (peer, user), flow, &request);
            }
            SipEvent::Register { key, user, flow, request } => self.registers(key, user, flow, &request),
            SipEvent::NameTrouble { peer, host, trouble, found } => {
                self.board.name_trouble(peer, &host, trouble, found);
            }
            SipEvent::LockedOut { suspect, source } => self.locked_out(suspect, source),
            SipEvent::Asked { leg, answer, .. } if self.phone_answered(leg, answer.is_ok()) => {}
            SipEvent::Asked { leg, answer, flow } if self.board.registration_answered(leg, &answer, flow) => {
            }
            SipEvent::Asked { leg, answer, .. } => self.board.target_checked(leg, &answer),
            event => {
                let Some(leg) = event.leg() else { return };
                let Some(&(key, number)) = self.board.legs.get(&leg) else { return };
                if event.is_last() {
                    self.board.forget(leg);
                }
                self.tell(key, CallInput::Sip(number, event));
            }
        }
    }

    /// A new call, or the trunk's `overload_status` if there is no room for one.
    fn admit(&mut self, leg: LegKey, from: (PeerId, Option<UserId>), flow: Flow, invite: &Message) {
        let (trunk, agent) = (TrunkId::from(from.0), from.1.map(|user| AgentId(user.0)));
        let trunk = self.board.trunk_called(trunk, flow, invite);
        let help = number_of(&self.board.config, (trunk, agent), invite);
        let source = flow.remote.to_string();
        if help.is_none() && agent.is_none() && self.comes_round(leg, trunk, (invite, &source)) {
            return self.board.goes_as_trunk_says(leg, trunk);
        }
        let key = if help.is_some() { self.calls.reserve_spare() } else { self.calls.reserve() };
        let Some(key) = key else { return self.refuse(leg, invite, (trunk, agent), flow) };
        self.board.goes_as_trunk_says(leg, trunk);
        let mut call = Call::arrive(key, leg, (trunk, agent), invite, flow, &mut self.board);
        let span = call.span().entered();
        match (help, self.comes_back(&call)) {
            (Some(number), _) => call.call_for_help(number, &mut self.board),
            (None, Some(why)) => call.handle(CallInput::End(why), &mut self.board),
            (None, None) => call.begin(&mut self.board),
        }
        drop(span);
        self.put_back(Box::new(call));
    }

    /// No slot: the call has its record all the same, because it was admitted (promise 1).
    fn refuse(&mut self, leg: LegKey, invite: &Message, from: (TrunkId, Option<AgentId>), flow: Flow) {
        let status = self.board.overload_status(from.0);
        self.board.sip.respond(self.board.now, leg, Reply::new(status));
        let ended = (Cause::Overload, Fault::Router, status.code());
        Call::note_refused(leg, from, (invite, &flow.remote.to_string()), ended, &mut self.board);
    }

    fn handle_media(&mut self, event: MediaEvent) {
        let Some((key, number)) = self.owner_of(&event) else { return };
        self.tell(key, CallInput::Media(number, event));
    }

    /// Hands an input to its call; one that is over by it is gone after it.
    fn tell(&mut self, key: CallKey, input: CallInput) {
        let Some(mut call) = self.calls.take(key) else { return };
        let span = call.span().entered();
        call.handle(input, &mut self.board);
        drop(span);
        self.put_back(call);
    }

    fn put_back(&mut self, call: Box<Call>) {
        if call.is_over() {
            self.calls.retire(&call);
        } else {
            self.calls.put(call);
        }
    }

    fn serves(&mut self, service: Service) {
        self.board.service = service;
        self.board.sip.set_service(service);
        if service == Service::Draining {
            self.let_callbacks_go();
            self.board.sign_off();
        }
    }

    fn end_all(&mut self) {
        for key in self.calls.keys() {
            self.tell(key, CallInput::End(Why::shutdown()));
        }
        self.board.sign_off();
    }
}
