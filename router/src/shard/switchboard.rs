//! What a call may touch: SIP, sound, agents, the scheduler, the configuration, and the paper it writes facts on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use media::{Command, Identity, MediaLegKey, PlayFrom, Playlist, sdp::Policy};
use rand::{Rng, distr::StandardUniform, prelude::Distribution, rngs::StdRng};
use scheduler::{Agent, Caller, Line, Match, Rested, Scheduler, Withdrawn};
use sip_core::{Endpoint, LegKey, Listener, Message, Service};

use super::{
    Output, alone::Alone, names::NameTroubles, overload::Overload, presence::Presence,
    registrations::Registrations, sent_back::SentBack,
};
use crate::{
    agents::{Agents, Desk, Tell},
    call::{Joining, Parties},
    callbacks::Callbacks,
    callers::Callers,
    clock::Clock,
    config::{
        AgentId, Config, Language, Music, MusicStart, PHONES, QueueId, Strategy, Trunk, TrunkId, WayOfSound,
    },
    estimate::Estimates,
    journal::fact::{
        AgentState, CallId, Cause, Fact, Fault, LegNumber, MessageEnd, Micros, TollRefusal, Unanswered, What,
        Wish,
    },
    keys::CallKey,
    lines,
    lost_places::LostPlaces,
    metrics::{Histogram, QualityNumbers},
    prompts::Prompts,
    registrar::{BindingId, Registrar, toll::Toll},
    staff::Staff,
    standing::{Chances, STICKY},
    sums::Sums,
    trunks::Trunks,
};

/// Everything a [`Call`](crate::call::Call) acts on. One per shard; calls are worked on one at a time.
pub struct Switchboard {
    /// The instant of the present turn.
    pub(crate) now: Instant,
    /// The same instant as UTC.
    pub(crate) at: Micros,
    /// When this process started.
    pub(crate) run: Micros,
    /// The shard's SIP.
    pub(crate) sip: Endpoint,
    /// The configuration in force.
    pub(crate) config: Arc<Config>,
    /// Its prompts.
    pub(crate) prompts: Arc<Prompts>,
    pub(super) clock: Clock,
    pub(super) agents: Agents,
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) out: VecDeque<Output>,
    /// Bound and empty ports, oldest first.
    pub(super) ports: VecDeque<u16>,
    /// Which call and leg a dialog belongs to.
    pub(super) legs: HashMap<LegKey, (CallKey, LegNumber)>,
    /// Matches made in this turn whose callers are still to be told.
    pub(super) matches: VecDeque<Match>,
    /// Somebody became idle, or there are ports again: calls for whom too few agents ring are to be looked after.
    pub(super) look_again: bool,
    /// What is known of the trunks.
    pub(super) trunks: Trunks,
    pub(super) overload: Overload,
    /// What went wrong with names of far ends.
    pub(super) name_troubles: NameTroubles,
    /// Ours at carriers.
    pub(super) registrations: Registrations,
    /// Telephones that are registered, and those that are asked whether they are there.
    pub(super) registrar: Registrar,
    pub(super) asking_phones: HashMap<LegKey, BindingId>,
    /// What agents call by trunks, and what they were refused, by why.
    pub(crate) toll: Toll,
    pub(super) toll_refused: BTreeMap<TollRefusal, u64>,
    pub(super) random: StdRng,
    /// Calls admitted, and calls ended by cause and fault, since the process started.
    pub(super) arrived: u64,
    pub(super) ended: BTreeMap<(Cause, Fault), u64>,
    /// Assignments that came to nothing since then, by why.
    pub(super) unanswered: BTreeMap<Unanswered, u64>,
    /// Messages left since then, by what ended them.
    pub(super) voicemails: BTreeMap<MessageEnd, u64>,
    /// Transfers since then, by how they went.
    pub(super) transfers: BTreeMap<&'static str, u64>,
    /// Calls for help since then.
    pub(super) emergency_calls: u64,
    /// Legs since then whose session was over without a BYE.
    pub(crate) sessions_expired: u64,
    pub(super) two_way_sound: Histogram,
    /// How legs sounded that are over.
    pub(super) quality: QualityNumbers,
    /// How far each queue that chooses by chance has come.
    pub(super) chances: Chances,
    /// The latest arrival in a queue.
    pub(super) last_arrival: Micros,
    /// What went into each queue and came out of it.
    pub(super) sums: Sums,
    pub(super) names: Names,
    /// What is remembered of those who call.
    pub(crate) callers: Callers,
    /// Places of callers whom an earlier run cut off.
    pub(crate) lost_places: LostPlaces,
    /// Customers who are to be called back.
    pub(crate) callbacks: Callbacks,
    /// Whether new calls are taken.
    pub(super) service: Service,
    pub(super) alone: Alone,
    /// Callers who wait alone for agents who have gone in this turn; they are still to be told.
    pub(super) let_down: VecDeque<CallKey>,
    /// Attended transfers of this turn.
    pub(super) joinings: VecDeque<Joining>,
    /// Engine legs that belong to another call than the one that opened them.
    pub(super) rehomed: HashMap<MediaLegKey, (CallKey, LegNumber)>,
    /// Transfers that may come to us again.
    pub(crate) sent_back: SentBack,
    /// Queues that choose by chance.
    pub(super) by_chance: Vec<QueueId>,
    pub(super) staff: Staff,
    /// Queues that have found or lost those who serve them in this turn; their callers are still to be told.
    pub(super) restaffed: VecDeque<QueueId>,
    pub(super) presence: Presence,
    /// How long callers wait.
    pub(super) estimates: Estimates,
    /// Why recordings cannot be written; `None`: they can.
    pub(crate) recorder_trouble: Option<String>,
    /// Queues closed by hand, by name: one that comes by a later reload is closed too.
    pub(super) closed: BTreeSet<String>,
    /// Our certificate for sound of browsers.
    pub(super) identity: Identity,
}

/// Names of all queues and agents of this and earlier configurations: one that was removed still has callers to
/// write about.
#[derive(Default)]
pub(super) struct Names {
    queues: BTreeMap<QueueId, String>,
    agents: BTreeMap<AgentId, String>,
}

impl Names {
    pub(super) fn learn(&mut self, config: &Config) {
        self.queues.extend(config.queues().map(|(id, queue)| (id, queue.name.clone())));
        self.agents.extend(config.agents().map(|(id, agent)| (id, agent.name.clone())));
    }
}

/// What people write into numbers and no exchange wants (RFC 3966 §5.1.1).
const SEPARATORS: [char; 5] = ['-', '.', '(', ')', ' '];

fn host_of(listener: &Listener) -> String {
    match &listener.advertise {
        Some((host, port)) => format!("{host}:{port}"),
        None => listener.local.to_string(),
    }
}

/// Sound, ports and paper.
impl Switchboard {
    pub(crate) fn output(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(crate) fn media(&mut self, command: Command) {
        self.out.push_back(Output::Media(command));
    }

    pub(crate) fn fact(&mut self, call: Option<CallId>, what: What) {
        let fact = Fact { seq: 0, at: self.at, call, generation: self.config.generation, what };
        self.count(&fact);
        self.out.push_back(Output::Fact(fact));
    }

    /// Gauges are folds over the facts, like everything else that is shown.
    fn count(&mut self, fact: &Fact) {
        self.sums.apply(fact);
        self.callbacks.apply(fact);
        match &fact.what {
            What::Arrived { .. } | What::CallbackBegun { .. } => self.arrived += 1,
            What::Ended { cause, fault, .. } => *self.ended.entry((*cause, *fault)).or_default() += 1,
            What::Unanswered { why, .. } => *self.unanswered.entry(*why).or_default() += 1,
            What::VoicemailLeft { end, .. } => *self.voicemails.entry(*end).or_default() += 1,
            What::Transfer(step) => {
                step.outcome().into_iter().for_each(|word| *self.transfers.entry(word).or_default() += 1);
            }
            What::Emergency { .. } => self.emergency_calls += 1,
            What::TollRefused { why, .. } => *self.toll_refused.entry(*why).or_default() += 1,
            What::TwoWaySound { after_ms, .. } => self.two_way_sound.record(Duration::from_millis(*after_ms)),
            What::LegEnded { media, .. } => self.quality.record(media),
            What::DeadAir { why, .. } => *self.quality.dead_air.entry(*why).or_default() += 1,
            _ => {}
        }
    }

    pub(crate) fn take_port(&mut self) -> Option<u16> {
        self.ports.pop_front()
    }

    /// At least one more leg can be opened in this turn.
    pub(crate) fn has_ports(&self) -> bool {
        !self.ports.is_empty()
    }

    pub(crate) fn release_port(&mut self, port: u16) {
        self.out.push_back(Output::ReleasePort(port));
    }

    pub(crate) fn media_address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.config.media.advertise, port)
    }

    /// Some music, and where it is for somebody who begins to hear it.
    pub(crate) fn music(
        &mut self,
        music: &Music,
        language: Option<Language>,
    ) -> Option<(Playlist, PlayFrom)> {
        let list = self.prompts.list(&music.pieces, language)?;
        let from = match music.start {
            MusicStart::Together => PlayFrom::Shared,
            MusicStart::Beginning => PlayFrom::Start,
            MusicStart::Random => PlayFrom::Frame(self.random::<u64>() % list.frame_count()),
        };
        if !music.shuffled {
            return Some((list, from));
        }
        // Who hears the same place of the music hears the same order, another one after each start of the process.
        let seed = if music.start == MusicStart::Together { self.run.unsigned_abs() } else { self.random() };
        Some((list.shuffled(seed), from))
    }

    pub(crate) fn random<T>(&mut self) -> T
    where
        StandardUniform: Distribution<T>,
    {
        self.random.random()
    }

    /// From here to the INVITE on the wire is what an operator calls dispatch latency.
    pub(crate) fn dispatched(&mut self, free_since: Instant) {
        self.out.push_back(Output::Dispatched { free_since });
    }
}

/// Legs and trunks.
impl Switchboard {
    pub(crate) fn adopt(&mut self, sip: LegKey, call: CallKey, leg: LegNumber) {
        self.legs.insert(sip, (call, leg));
    }

    /// What we send in the dialog of an INVITE that came by this trunk goes as the trunk says.
    pub(super) fn goes_as_trunk_says(&mut self, leg: LegKey, trunk: TrunkId) {
        if let Some(settings) = self.config.trunk(trunk) {
            self.sip.set_udp_only(leg, settings.udp_only);
            self.sip.set_login(leg, settings.account.login.clone());
        }
    }

    /// The call and leg that a dialog belongs to.
    pub(crate) fn party_at(&self, sip: LegKey) -> Option<(CallKey, LegNumber)> {
        self.legs.get(&sip).copied()
    }

    /// What the engine tells of this leg is for another call from now on, until it is closed.
    pub(crate) fn rehome(&mut self, media: MediaLegKey, call: CallKey, leg: LegNumber) {
        self.rehomed.insert(media, (call, leg));
    }

    /// Two calls are to become one in this turn.
    pub(crate) fn join(&mut self, joining: Joining) {
        self.joinings.push_back(joining);
    }

    pub(crate) fn forget(&mut self, sip: LegKey) {
        self.legs.remove(&sip);
    }

    /// The call of ours that has come back to us: under the Call-ID that we gave it, or as a transfer that we had sent back.
    pub(crate) fn call_come_back(&self, trunk: TrunkId, invite: &Message) -> Option<CallId> {
        let own = || self.legs.get(&self.sip.leg_of_call_id(&invite.call_id().ok()?)?).copied();
        let (call, _) = own().or_else(|| self.sent_back.find(trunk, invite))?;
        Some(CallId { run: self.run, key: call.0 })
    }

    pub(crate) fn trunk_name(&self, trunk: TrunkId) -> String {
        let phones = (trunk == TrunkId::from(PHONES)).then(|| "phone".to_owned());
        self.config.trunk(trunk).map(|trunk| trunk.name.clone()).or(phones).unwrap_or_default()
    }

    /// Who calls when an agent does, whatever his telephone says. He dials as people do at his trunk: its number plan
    /// reads what he wants.
    pub(crate) fn as_agent(&self, agent: AgentId, invite: &Message) -> Parties {
        let phone = self.config.agent(agent).and_then(|agent| agent.phone.as_ref());
        let trunk = phone.and_then(|phone| self.config.trunk(phone.trunk?));
        let caller = phone.map(|phone| phone.number.clone()).unwrap_or_default();
        let mut parties = Parties::of(invite, trunk).made_by(caller, self.agent_name(agent));
        // What stands behind the number (`;phone-context=…`, `;ext=…`) would go out with it and call elsewhere than the
        // toll guard has looked: what is checked is what is dialled.
        parties.called.truncate(parties.called.find(';').unwrap_or(parties.called.len()));
        parties.called.retain(|c| !SEPARATORS.contains(&c));
        parties
    }

    /// What we may agree to with a trunk.
    pub(crate) fn policy(&self, trunk: TrunkId) -> Policy {
        let defaults = self.default_policy();
        let Some(trunk) = self.config.trunk(trunk) else { return defaults };
        let codecs = trunk.codecs.clone().unwrap_or_else(|| defaults.codecs.clone());
        let dtls = self.identity_for(trunk.media, false);
        let policy = Policy { codecs, dtls, rtcp_xr: trunk.sound.rtcp_xr, ..defaults };
        trunk.srtp.applied(trunk.sound.dtmf.applied(policy))
    }

    /// What we may agree to with an address that goes by no trunk.
    pub(crate) fn direct_policy(&self, agent: Option<AgentId>) -> Policy {
        let agent = agent.and_then(|agent| self.config.agent(agent));
        agent.map_or_else(|| self.default_policy(), |agent| agent.srtp.applied(self.default_policy()))
    }

    /// What we may agree to with a telephone of an agent's; `is_web`: it has registered by WebSocket.
    pub(crate) fn phone_policy(&self, agent: AgentId, is_web: bool) -> Policy {
        let phone = self.config.agent(agent).and_then(|agent| agent.phone.as_ref());
        let media = phone.map(|phone| phone.media).unwrap_or_default();
        Policy { dtls: self.identity_for(media, is_web), ..self.direct_policy(Some(agent)) }
    }

    fn identity_for(&self, media: WayOfSound, is_web: bool) -> Option<Identity> {
        media.is_webrtc(is_web).then(|| self.identity.clone())
    }

    fn default_policy(&self) -> Policy {
        Policy { codecs: self.config.media.codecs.clone(), ..Policy::default() }
    }

    /// The host that we call ourselves in From of what goes by this trunk: as it knows us, else the first listener's
    /// name.
    pub(crate) fn own_host(&self, trunk: Option<&Trunk>) -> String {
        if let Some(name) = trunk.and_then(|trunk| trunk.own_name.as_ref()) {
            return name.to_string();
        }
        self.config.listen.sip.first().map(host_of).unwrap_or_default()
    }
}

/// Callers and agents.
impl Switchboard {
    /// The instant of an arrival, no two alike: of two who arrive in one turn the first is first, also when the clock
    /// has stepped back.
    pub(crate) fn arrival(&mut self) -> Micros {
        self.last_arrival = self.at.max(self.last_arrival + 1);
        self.last_arrival
    }

    pub(crate) fn post_caller(&mut self, call: CallKey, line: Line, key: u64) {
        let made = self.scheduler.post(Caller(call.slot()), line, key);
        self.matches.extend(made);
    }

    /// The caller waits for `agent` alone.
    pub(crate) fn post_caller_for(&mut self, call: CallKey, queue: QueueId, key: u64, agent: AgentId) {
        self.alone.add(call, queue, key, agent);
        self.post_caller(call, self.line_of(agent), key);
    }

    /// Where callers wait for `agent` alone.
    pub(crate) fn line_of(&self, agent: AgentId) -> Line {
        lines::of_agent(agent, self.scheduler.lines())
    }

    /// `agent` serves `queue`, is logged in, has not asked for a pause and is not held back.
    pub(crate) fn is_to_be_had(&self, agent: AgentId, queue: QueueId) -> bool {
        let serves = self.config.agent(agent).is_some_and(|agent| agent.membership(queue).is_some());
        serves && self.agents.get(agent).is_some_and(|desk| desk.effective_wish() == Wish::Ready)
    }

    /// The caller waits no longer. An agent who was faster is the answer: the letter is read with it, and he is the
    /// caller's now, to be rung or spared.
    pub(crate) fn withdraw_caller(&mut self, call: CallKey) -> Option<AgentId> {
        self.alone.remove(call);
        match self.scheduler.withdraw(Caller(call.slot())) {
            Withdrawn::Assigned(agent) => Some(AgentId::from(agent.0 as usize)),
            Withdrawn::Gone => None,
        }
    }

    /// One more agent for a caller who has got one: who is first among the idle of `line`. He is the caller's now.
    pub(crate) fn reinforce_caller(&mut self, call: CallKey, line: Line) -> Option<AgentId> {
        let (agent, made) = self.scheduler.reinforce(Caller(call.slot()), line);
        self.matches.extend(made);
        agent.map(|agent| AgentId(agent.0))
    }

    pub(crate) fn take_letter(&mut self, call: CallKey) -> Option<AgentId> {
        let agent = self.scheduler.take_letter(Caller(call.slot()))?;
        self.alone.remove(call);
        Some(AgentId::from(agent.0 as usize))
    }

    /// Why the scheduler gave this agent to a caller who waited on `line`, at `step` and with `key`. To be asked before
    /// he rings.
    pub(crate) fn choice(&self, queue: QueueId, step: usize, line: Line, key: u64, agent: AgentId) -> What {
        let next_agent = self.scheduler.first_idle(line);
        let next_callers = lines::of_queue(queue).filter_map(|line| self.scheduler.first_waiting(line));
        let strategy = match line == self.line_of(agent) {
            true => STICKY,
            false => self.config.queue(queue).map_or("", |queue| queue.strategy.name()),
        };
        What::Chosen {
            strategy: strategy.to_owned(),
            step: step as u8,
            caller_key: key,
            ahead: self.ahead(queue, key),
            waiting: self.waiting(queue),
            next_caller_key: next_callers.map(|(_, key)| key).chain(self.alone.first(queue)).min(),
            agent_key: self.agent_key(agent, line),
            idle: self.scheduler.idle(line),
            next_agent: next_agent.map(|(agent, _)| self.agent_name(AgentId(agent.0))),
            next_agent_key: next_agent.map(|(_, key)| key),
        }
    }

    pub(crate) fn queue_name(&self, queue: QueueId) -> String {
        self.names.queues.get(&queue).cloned().unwrap_or_default()
    }

    pub(crate) fn agent_name(&self, agent: AgentId) -> String {
        self.names.agents.get(&agent).cloned().unwrap_or_default()
    }

    pub(crate) fn agent_names(&self, agents: &[AgentId]) -> String {
        agents.iter().map(|agent| self.agent_name(*agent)).collect::<Vec<_>>().join(", ")
    }

    /// He is logged in, whatever he does.
    pub(crate) fn is_at_work(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|desk| desk.wish != Wish::LoggedOut)
    }

    /// He speaks in a call that no queue gave him.
    pub(crate) fn is_in_own_call(&self, agent: AgentId) -> bool {
        self.agents.get(agent).is_some_and(|desk| desk.own_calls() > 0)
    }

    /// He is to be rung for a call that does not wait, and for nobody else meanwhile. False if he has a call already or
    /// is not at work; a pause or his wrap-up does not keep him from being asked by a colleague.
    pub(crate) fn engage_agent(&mut self, agent: AgentId, call: CallKey) -> bool {
        let free = !matches!(self.state_of(agent), None | Some(AgentState::Ringing | AgentState::Talking));
        let engaged = free
            && !self.is_in_own_call(agent)
            && self.is_at_work(agent)
            && self.scheduler.engage(Caller(call.slot()), scheduler_agent(agent));
        if engaged {
            self.agent_rings(agent, None, call);
        }
        engaged
    }

    /// `queue`: whose turn of his this is.
    pub(crate) fn agent_rings(&mut self, agent: AgentId, queue: Option<QueueId>, call: CallKey) {
        queue.into_iter().for_each(|queue| self.agents.takes_turn(agent, queue, &mut self.chances));
        self.change(agent, "assigned", |agents, _, at| {
            agents.rings(agent, call, at);
            Tell::Nothing
        });
    }

    /// He talks on in another call.
    pub(crate) fn agent_moves(&mut self, agent: AgentId, call: CallKey) {
        self.agents.moves(agent, call);
    }

    pub(crate) fn agent_talks(&mut self, agent: AgentId, of_queue: bool) {
        self.change(agent, "answered", |agents, _, at| {
            agents.talks(agent, of_queue, at);
            Tell::Nothing
        });
    }

    /// After a call.
    pub(crate) fn agent_wraps_up(&mut self, agent: AgentId, queue: Option<QueueId>) {
        let wrap_up =
            queue.map(|queue| self.config.queue(queue).map_or(Duration::ZERO, |settings| settings.wrap_up));
        self.scheduler.release(scheduler_agent(agent));
        self.presence.known.talk_over(agent, self.now);
        self.change(agent, "call ended", |agents, now, at| agents.wraps_up(agent, wrap_up, now, at));
    }

    /// After an assignment he did not take.
    pub(crate) fn agent_rests(&mut self, agent: AgentId, rest: Duration, why: Unanswered) {
        self.scheduler.release(scheduler_agent(agent));
        self.change(agent, reason(why), |agents, now, at| match why {
            Unanswered::Router => agents.waits(agent, rest, now, at),
            _ => agents.rests(agent, rest, now, at),
        });
    }

    /// He let an assignment ring or sent no sound; after `limit` in a row he is paused until he says that he is ready. 0: never.
    pub(crate) fn agent_left_unanswered(&mut self, agent: AgentId, limit: u8) {
        let unanswered = self.agents.left_unanswered(agent);
        if limit > 0 && unanswered >= limit {
            self.agent_asked(
                agent,
                Wish::Paused,
                &format!("{unanswered} assignments unanswered or without sound"),
            );
        }
    }

    /// He was chosen, but the caller is gone or another has answered: free as before.
    pub(crate) fn spare_agent(&mut self, agent: AgentId, why: Unanswered) {
        self.scheduler.release(scheduler_agent(agent));
        self.change(agent, reason(why), |agents, now, at| agents.spared(agent, now, at));
    }

    /// The lines that an agent serves from now on.
    pub(super) fn agent_serves(&mut self, agent: AgentId, lines: &[Line]) {
        let order = |line| self.agent_key(agent, line);
        let made = self.scheduler.set_memberships(scheduler_agent(agent), lines, order);
        self.look_again = true;
        self.matches.extend(made);
        self.joins_crews(agent, lines);
        self.let_down.extend(self.alone.of_agent(agent));
    }

    /// Where an agent stands among the idle of a line: the smaller the sooner.
    fn agent_key(&self, agent: AgentId, line: Line) -> u64 {
        let queue = lines::queue_of(line);
        let strategy = self.config.queue(queue).map_or(Strategy::LongestIdle, |queue| queue.strategy);
        let (settings, desk) = (self.config.agent(agent), self.agents.get(agent));
        let membership = settings.and_then(|agent| agent.membership(queue));
        let rank = settings.map_or(0, |agent| agent.rank);
        desk.map_or(0, |desk| desk.standing.key(strategy, queue, membership, rank))
    }

    /// An agent who becomes idle draws anew in each queue that chooses by chance.
    fn draw_chances(&mut self, agent: AgentId) {
        let Some(settings) = self.config.agent(agent) else { return };
        let Some(standing) = self.agents.standing(agent) else { return };
        for &queue in &self.by_chance {
            let weight = settings.membership(queue).map_or(1, |own| own.weight);
            standing.draws(queue, weight, self.random.random(), &self.chances);
        }
    }

    /// He makes a call of his own, or has answered a colleague's: he is given no caller meanwhile.
    pub(crate) fn agent_calls(&mut self, agent: AgentId) {
        self.change(agent, "own call", |agents, _, at| agents.calls(agent, at));
    }

    /// Such a call is over.
    pub(crate) fn agent_call_over(&mut self, agent: AgentId) {
        self.change(agent, "own call ended", |agents, _, at| agents.call_over(agent, at));
    }

    /// He can be rung, or not: then he counts as paused.
    pub(super) fn agent_reached(&mut self, agent: AgentId, reached: bool) {
        if self.agents.get(agent).is_none_or(|desk| desk.is_reached() == reached) {
            return;
        }
        let reason = if reached { "telephone registered" } else { "no telephone registered" };
        self.change(agent, reason, |agents, _, at| agents.reach(agent, reached, at));
        if !reached {
            self.let_down.extend(self.alone.of_agent(agent));
        }
        self.note_held_back(agent);
    }

    /// Somebody asked for another state: it goes on record and survives a restart.
    pub(super) fn agent_asked(&mut self, agent: AgentId, wish: Wish, reason: &str) {
        let wished = What::Wished { agent: self.agent_name(agent), wish, reason: reason.to_owned() };
        self.fact(None, wished);
        self.agent_wish(agent, wish, reason);
    }

    /// A wish as it was, or as the configuration says.
    pub(super) fn agent_wish(&mut self, agent: AgentId, wish: Wish, reason: &str) {
        self.change(agent, reason, |agents, _, at| agents.wish(agent, wish, at));
        if wish != Wish::Ready {
            self.let_down.extend(self.alone.of_agent(agent));
        }
        self.note_held_back(agent);
    }

    /// Wrap-ups and rests that are over.
    pub(super) fn free_due_agents(&mut self) {
        while let Some(before) = self.agents.first_due(self.now) {
            self.change(before, "pause over", |agents, now, at| {
                agents.due(now, at).map_or(Tell::Nothing, |(_, tell)| tell)
            });
        }
    }

    /// Changes an agent, writes the change down, tells the scheduler.
    pub(super) fn change(
        &mut self,
        agent: AgentId,
        reason: &str,
        change: impl FnOnce(&mut Agents, Instant, Micros) -> Tell,
    ) {
        let before = self.state_of(agent);
        let tell = change(&mut self.agents, self.now, self.at);
        let after = self.state_of(agent);
        if let Some(state) = after.filter(|_| before != after) {
            let reason = match self.agents.get(agent).is_some_and(Desk::rests_by_presence) {
                true => format!("presence: {}", self.presence_says(agent)),
                false => reason.to_owned(),
            };
            let agent = self.agent_name(agent);
            self.fact(None, What::Agent { agent, state, reason });
        }
        match tell {
            Tell::Ready => {
                self.look_again = true;
                self.draw_chances(agent);
                let made = self.scheduler.ready(scheduler_agent(agent), |line| self.agent_key(agent, line));
                self.matches.extend(made);
            }
            Tell::Rest => {
                let agent = scheduler_agent(agent);
                // Whoever was claiming him in another thread may leave it to us to tell the caller.
                if let Rested::Assigned(caller) = self.scheduler.rest(agent) {
                    self.matches.push_back(Match { caller, agent });
                }
            }
            Tell::Nothing => {}
        }
    }

    fn state_of(&self, agent: AgentId) -> Option<AgentState> {
        self.agents.get(agent).map(|desk| desk.state)
    }
}

/// Why an agent's state changed after an assignment that he did not take.
fn reason(why: Unanswered) -> &'static str {
    match why {
        Unanswered::NoAnswer => "no answer",
        Unanswered::Busy => "busy",
        Unanswered::Rejected => "rejected",
        Unanswered::Failed => "not reached",
        Unanswered::CallerLeft => "caller left",
        Unanswered::AnsweredElsewhere => "answered elsewhere",
        Unanswered::HungUpAtOnce => "hung up at once",
        Unanswered::Silent => "telephone sends no sound",
        Unanswered::CustomerUnreached => "customer not reached",
        Unanswered::Router => "not rung by our fault",
    }
}

fn scheduler_agent(agent: AgentId) -> Agent {
    Agent(agent.index() as u32)
}
