//! How the shard is at this instant: its numbers for `/metrics`, its state for `fernamt status`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use scheduler::Line;

use super::{Input, Shard};
use crate::{
    agents::{Agents, Desk},
    call::{Call, StageName},
    callbacks::Callbacks,
    clock::millis,
    config::{Agent, AgentId, Queue, QueueId},
    credit::{Claims, credits, order_key},
    metrics::{AgentsByState, CallsByStage, Invites, PhoneNumbers, QueueGauges, SipCounters, Snapshot},
    registrar::{Binding, Registrar},
    service::Service,
    staff::Crew,
    status::{
        AgentStatus, Door, LiveCall, Order, OrderError, PhoneStatus, QueueStatus, RecordingStatus, Status,
    },
};

/// Names told when an order names an agent who does not exist.
const KNOWN_TOLD: usize = 20;

/// For those who look: the admin listener, the simulated world.
impl Shard {
    /// Live calls, those that only wait for their record included.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter()
    }

    /// How many live calls there are.
    pub fn live_calls(&self) -> usize {
        self.calls.live()
    }

    /// As many calls as `limits.max_calls` allows.
    pub fn is_full(&self) -> bool {
        self.calls.is_full()
    }

    /// SIP dialogs and early ones, those that only linger included.
    pub fn live_legs(&self) -> usize {
        self.board.sip.live_legs()
    }

    /// Whether a far end is still to answer or acknowledge something.
    pub fn is_awaiting(&self) -> bool {
        self.board.sip.is_awaiting() || self.board.is_signing_off()
    }

    /// Dialogs that are known to belong to a call.
    pub fn known_legs(&self) -> usize {
        self.board.legs.len()
    }

    /// What calls have lent each other or owe others, by name; nothing of it outlives them.
    pub fn loose_ends(&self) -> [(&'static str, usize); 4] {
        let board = &self.board;
        [
            ("transfers that may come round", board.sent_back.len()),
            ("media legs in other calls than their own", board.rehomed.len()),
            ("calls on trunks", board.trunks.live_calls()),
            ("calls that agents pay for", board.toll.under_way()),
        ]
    }

    /// SIP transactions, lingering ones included.
    pub fn live_transactions(&self) -> usize {
        self.board.sip.live_transactions()
    }

    /// All agents.
    pub fn agents(&self) -> &Agents {
        &self.board.agents
    }

    /// How many wait in a line of a queue, and how many agents are idle for them.
    pub fn on_line(&self, line: Line) -> (u32, u32) {
        (self.board.scheduler.waiting(line), self.board.scheduler.idle(line))
    }

    /// Customers who are to be called back.
    pub fn callbacks(&self) -> &Callbacks {
        &self.board.callbacks
    }

    /// Where callers wait for `agent` alone.
    pub fn line_of(&self, agent: AgentId) -> Line {
        self.board.line_of(agent)
    }

    /// Callers who wait in a queue and are rung for nobody.
    pub fn waiting(&self, queue: QueueId) -> u32 {
        self.board.waiting(queue)
    }

    /// Idle agents of a queue.
    pub fn idle(&self, queue: QueueId) -> u32 {
        self.board.idle(queue)
    }

    /// Who is at work for a queue.
    pub fn crew(&self, queue: QueueId) -> Crew {
        self.board.crew(queue)
    }

    /// By its configuration or by hand.
    pub fn is_closed(&self, queue: &Queue) -> bool {
        self.board.is_closed(queue)
    }

    /// Carries out an order of an operator or an agent.
    ///
    /// # Errors
    /// There is no agent of that name.
    pub fn order(
        &mut self,
        now: Instant,
        name: &str,
        order: Order,
        reason: &str,
    ) -> Result<AgentStatus, OrderError> {
        let found = self.board.config.agents().find(|(_, agent)| agent.name == name).map(|(id, _)| id);
        let Some(agent) = found else { return Err(self.unknown(name)) };
        self.handle_input(now, Input::Agent { agent, wish: order.wish(), reason: reason.to_owned() });
        self.agent_status(agent).ok_or_else(|| self.unknown(name))
    }

    /// Closes a queue by hand, or takes that back.
    ///
    /// # Errors
    /// There is no queue of that name, or the configuration closes what is to be opened.
    pub fn switch(
        &mut self,
        now: Instant,
        name: &str,
        door: Door,
        reason: &str,
    ) -> Result<QueueStatus, OrderError> {
        let config = Arc::clone(&self.board.config);
        let Some((queue, settings)) = config.queues().find(|(_, queue)| queue.name == name) else {
            let known = config.queues().take(KNOWN_TOLD).map(|(_, queue)| queue.name.clone()).collect();
            return Err(OrderError::UnknownQueue { name: name.to_owned(), known });
        };
        let closed = door == Door::Close;
        self.handle_input(now, Input::Queue { queue, closed, reason: reason.to_owned() });
        match settings.rules.closed && !closed {
            true => Err(OrderError::ClosedInFile { name: name.to_owned() }),
            false => Ok(self.queue_status(queue, settings)),
        }
    }

    fn unknown(&self, name: &str) -> OrderError {
        let known =
            self.board.config.agents().take(KNOWN_TOLD).map(|(_, agent)| agent.name.clone()).collect();
        OrderError::UnknownAgent { name: name.to_owned(), known }
    }

    fn agent_status(&self, id: AgentId) -> Option<AgentStatus> {
        let (agent, desk) = (self.board.config.agent(id)?, self.board.agents.get(id)?);
        Some(AgentStatus {
            name: agent.name.clone(),
            state: desk.state,
            wish: desk.wish,
            since: desk.since,
            queues: agent.queues.iter().map(|own| self.board.queue_name(own.queue)).collect(),
            answered: desk.standing.answered,
            presence: self.board.agent_presence(id),
            phones: self.board.registrar.of(id).map(|phone| self.phone_status(phone)).collect(),
            unreached: !desk.is_reached(),
        })
    }

    fn phone_status(&self, phone: &Binding) -> PhoneStatus {
        PhoneStatus {
            contact: phone.contact.to_string(),
            flow: phone.flow.to_string(),
            device: phone.device.clone(),
            expires_s: phone.expires.saturating_duration_since(self.board.now).as_secs(),
        }
    }

    /// Which telephones are registered.
    pub fn registrar(&self) -> &Registrar {
        &self.board.registrar
    }

    /// The shard's numbers. Ports, latencies, media and socket drops are the driver's to fill in.
    pub fn numbers(&self) -> Snapshot {
        let mut numbers = Snapshot {
            generation: self.board.config.generation,
            calls: self.calls_by_stage(),
            dialogs: self.live_legs() as u64,
            legs: self.calls().map(|call| call.live_legs() as u64).sum(),
            transactions: self.live_transactions() as u64,
            calls_arrived: self.board.arrived,
            calls_ended: self.board.ended.clone(),
            unanswered: self.board.unanswered.clone(),
            voicemails: self.board.voicemails.clone(),
            transfers: self.board.transfers.clone(),
            emergency_calls: self.board.emergency_calls,
            callers_known: self.board.callers.len() as u64,
            callers_forgotten: self.board.callers.forgotten(),
            two_way_sound: self.board.two_way_sound.clone(),
            quality: self.board.quality.clone(),
            presence: self.board.presence_numbers(),
            phones: self.phone_numbers(),
            sip: self.sip_counters(),
            ..Snapshot::default()
        };
        let mut agents: BTreeMap<QueueId, AgentsByState> = BTreeMap::new();
        for (agent, desk) in self.agents_at_work() {
            numbers.agents.count(desk.state);
            for own in &agent.queues {
                agents.entry(own.queue).or_default().count(desk.state);
            }
        }
        for (id, queue) in self.board.config.queues() {
            let agents = agents.remove(&id).unwrap_or_default();
            numbers.queues.insert(queue.name.clone(), self.gauges(id, queue, agents));
        }
        numbers.trunks = self.trunk_gauges();
        numbers
    }

    fn phone_numbers(&self) -> PhoneNumbers {
        let counters = self.board.sip.counters();
        PhoneNumbers {
            registered: self.board.registrar.len() as u64,
            registers: counters.registers,
            challenged: counters.challenged,
            proofs_wrong: counters.proofs_wrong,
            lockouts: counters.lockouts,
            locked_out: self.board.sip.locked_out(self.board.now) as u64,
            toll_refused: self.board.toll_refused.clone(),
        }
    }

    fn agents_at_work(&self) -> impl Iterator<Item = (&Agent, &Desk)> {
        self.board.config.agents().filter_map(|(id, agent)| Some((agent, self.board.agents.get(id)?)))
    }

    fn gauges(&self, id: QueueId, queue: &Queue, agents: AgentsByState) -> QueueGauges {
        QueueGauges {
            waiting: u64::from(self.waiting(id)),
            closed: self.board.is_closed(queue),
            estimate: self.estimate(id, queue),
            estimates: self.board.estimates.score(id),
            agents,
            sums: self.board.sums.queue(&queue.name),
        }
    }

    fn calls_by_stage(&self) -> CallsByStage {
        let mut by_stage = CallsByStage::default();
        for call in self.calls() {
            *match call.stage() {
                StageName::InFlow => &mut by_stage.in_flow,
                StageName::Waiting => &mut by_stage.waiting,
                StageName::Ringing => &mut by_stage.ringing,
                StageName::Talking => &mut by_stage.talking,
                StageName::Ended => &mut by_stage.ended,
            } += 1;
        }
        by_stage
    }

    fn sip_counters(&self) -> SipCounters {
        let counters = self.board.sip.counters();
        SipCounters {
            invites: Invites {
                read: counters.invites_read,
                admitted: counters.invites_admitted,
                challenged: counters.invites_challenged,
                refused: counters.invites_refused,
                dropped: counters.invites_dropped,
            },
            invites_sent: counters.invites_sent,
            responses_in: counters.responses_in.iter().collect(),
            responses_out: counters.responses_out.iter().collect(),
            parse_errors: counters.parse_errors.clone(),
            shed: counters.shed,
            unknown_source: counters.unknown_source,
            retransmissions: counters.resent,
            sessions_expired: self.board.sessions_expired,
            backlog: 0,
            backlog_drops: 0,
            socket_drops: 0,
            connections: 0,
            mishaps: BTreeMap::new(),
            name_troubles: self.board.name_troubles.counts(),
        }
    }

    /// The node as this shard sees it, with `live` live calls at most. Ports are the driver's to fill in.
    pub fn status(&self, live: usize, service: Service) -> Status {
        Status {
            node: self.board.config.node.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            service,
            now: self.board.at,
            started_at: self.board.run,
            generation: self.board.config.generation,
            arrived: self.board.arrived,
            calls: self.live_calls() as u64,
            legs: self.calls().map(|call| call.live_legs() as u64).sum(),
            transactions: self.live_transactions() as u64,
            ports: (0, 0),
            queues: self.board.config.queues().map(|(id, queue)| self.queue_status(id, queue)).collect(),
            agents: self.board.config.agents().filter_map(|(id, _)| self.agent_status(id)).collect(),
            trunks: self.trunk_status(),
            presence: self.board.presence_status(),
            live: self.live_told(live),
        }
    }

    fn queue_status(&self, id: QueueId, queue: &Queue) -> QueueStatus {
        QueueStatus {
            name: queue.name.clone(),
            closed: self.board.is_closed(queue),
            waiting: u64::from(self.waiting(id)),
            idle: u64::from(self.idle(id)),
            logged_in: u64::from(self.board.crew(id).logged_in),
            estimate_ms: self.estimate(id, queue).map(millis),
            estimates: self.board.estimates.score(id),
            longest_since: self.calls.queued(id).filter_map(Call::waits_since).min(),
            sums: self.board.sums.queue(&queue.name),
        }
    }

    /// For a caller without credit who enters now.
    fn estimate(&self, id: QueueId, queue: &Queue) -> Option<Duration> {
        let credits = credits(queue, Claims::default());
        let arrival = self.board.at.max(self.board.last_arrival + 1);
        self.board.outlook(id, order_key(arrival, &credits)).wait
    }

    fn live_told(&self, most: usize) -> Vec<LiveCall> {
        let mut calls: Vec<&Call> = self.calls().collect();
        calls.sort_by_key(|call| call.arrived());
        calls.truncate(most);
        calls.into_iter().map(|call| self.live_call(call)).collect()
    }

    fn live_call(&self, call: &Call) -> LiveCall {
        LiveCall {
            call: call.id().to_string(),
            arrived_at: call.arrived(),
            stage: call.stage().to_string(),
            from: call.parties().caller.clone(),
            to: call.parties().called.clone(),
            queue: call.queue().map(|queue| self.board.queue_name(queue)),
            agents: call
                .agents()
                .chain(call.speaks_besides())
                .map(|agent| self.board.agent_name(agent))
                .collect(),
            recording: call.recorded_in().map(|_| RecordingStatus::of(call)),
        }
    }
}
