//! Which telephones are registered for which agent (RFC 3261 §10.3), until when, and by which way they are reached.
//!
//! A machine: REGISTERs whose senders are known, closed connections, answers to our questions and the time go in;
//! answers, what has come and gone, and whom to ask next come out. Bounded by agents and telephones of each.

mod asked;
mod binding;
pub mod toll;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::{Flow, Message, Reply, StatusCode};

use self::asked::{Asked, Wanted};
pub use self::binding::{Binding, BindingId};
use crate::config::{AgentId, Registrar as Rules};

/// Questions without an answer after which a telephone counts as gone.
const MISSES: u8 = 2;

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    bindings: BTreeMap<BindingId, Binding>,
    by_agent: BTreeMap<AgentId, Vec<BindingId>>,
    deadlines: BTreeSet<(Instant, BindingId)>,
    last: u64,
}

/// A telephone has come or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub agent: AgentId,
    /// Its address, as it wrote it.
    pub contact: String,
    /// The way to it.
    pub flow: Flow,
    /// What it says it is; empty if it does not.
    pub device: String,
    /// `None`: it has come. Else why it is gone.
    pub gone: Option<Gone>,
}

/// Why a telephone is not registered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It said so.
    Unregistered,
    /// Its time was over.
    Expired,
    /// Its connection was closed.
    Closed,
    /// It answered no question.
    Silent,
    /// The agent registered more than he may, and this one would have expired first.
    Displaced,
    /// The configuration has it no more, or another password.
    Removed,
}

impl Gone {
    /// Its words in facts and logs.
    pub fn words(self) -> &'static str {
        match self {
            Gone::Unregistered => "signed off",
            Gone::Expired => "expired",
            Gone::Closed => "connection closed",
            Gone::Silent => "does not answer",
            Gone::Displaced => "too many telephones",
            Gone::Removed => "removed from the configuration",
        }
    }
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A telephone is to be asked whether it is there.
    Ask(BindingId),
    /// One is gone.
    Gone(Change),
}

impl Registrar {
    /// Answers a REGISTER of `agent` that came by `flow`; all of it is done or nothing (§10.3 step 7).
    pub fn register(
        &mut self,
        now: Instant,
        agent: AgentId,
        rules: &Rules,
        flow: Flow,
        request: &Message,
    ) -> (Reply, Vec<Change>) {
        match Asked::read(request, rules).and_then(|asked| self.carry_out(now, agent, rules, flow, asked)) {
            Ok((changes, outbound)) => (self.answer(now, agent, request, outbound), changes),
            Err(refusal) => (*refusal, Vec::new()),
        }
    }

    fn carry_out(
        &mut self,
        now: Instant,
        agent: AgentId,
        rules: &Rules,
        flow: Flow,
        asked: Asked,
    ) -> Result<(Vec<Change>, bool), Box<Reply>> {
        let Wanted::Contacts(contacts) = asked.wanted else {
            let own: Vec<BindingId> = self.ids(agent).to_vec();
            let is_late = |id: &BindingId| self.bindings[id].is_newer_than(&asked.sender);
            if own.iter().any(is_late) {
                return Err(refuse(StatusCode::SERVER_INTERNAL_ERROR));
            }
            return Ok((
                own.into_iter().filter_map(|id| self.remove(id, Gone::Unregistered)).collect(),
                false,
            ));
        };
        let mut plan = Vec::new();
        for contact in contacts {
            let known = self.ids(agent).iter().find(|id| self.bindings[*id].is_same(&contact)).copied();
            if known.is_some_and(|id| self.bindings[&id].is_newer_than(&asked.sender)) {
                return Err(refuse(StatusCode::SERVER_INTERNAL_ERROR)); // an older request is late: §10.3 step 7
            }
            plan.push((known, contact));
        }
        let outbound = plan.iter().any(|(_, contact)| contact.outbound.is_some());
        let mut changes = Vec::new();
        for (known, contact) in plan {
            match (known, contact.expiry.is_zero()) {
                (None, true) => {}
                (Some(id), true) => changes.extend(self.remove(id, Gone::Unregistered)),
                (known, false) => {
                    let fresh = Binding::new(agent, contact, flow, (now, rules.keep_alive), &asked.sender);
                    changes.extend(self.store(known, fresh, rules.max_contacts));
                }
            }
        }
        Ok((changes, outbound))
    }

    /// A binding comes, or takes the place of the one it renews.
    fn store(&mut self, known: Option<BindingId>, fresh: Binding, most: usize) -> Vec<Change> {
        let (agent, mut changes) = (fresh.agent, Vec::new());
        let is_news = known.is_none_or(|id| self.bindings[&id].flow != fresh.flow);
        let id = known.unwrap_or_else(|| {
            self.last += 1;
            BindingId(self.last)
        });
        if let Some(old) = self.bindings.get(&id) {
            self.deadlines.remove(&(old.due(), id));
        } else {
            while self.ids(agent).len() >= most.max(1) {
                let first = self.ids(agent).iter().min_by_key(|id| self.bindings[*id].expires).copied();
                changes.extend(first.and_then(|id| self.remove(id, Gone::Displaced)));
            }
            self.by_agent.entry(agent).or_default().push(id);
        }
        if is_news {
            changes.push(fresh.change(None));
        }
        self.deadlines.insert((fresh.due(), id));
        self.bindings.insert(id, fresh);
        changes
    }

    /// The bindings of an agent, in the order in which they came.
    pub fn of(&self, agent: AgentId) -> impl Iterator<Item = &Binding> {
        self.ids(agent).iter().map(|id| &self.bindings[id])
    }

    /// One binding.
    pub fn get(&self, id: BindingId) -> Option<&Binding> {
        self.bindings.get(&id)
    }

    /// Whether a telephone of the agent is registered.
    pub fn has(&self, agent: AgentId) -> bool {
        !self.ids(agent).is_empty()
    }

    /// How many telephones are registered.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// No telephone is registered.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// A connection is gone, and with it what came by it (RFC 5626 §5.3).
    pub fn closed(&mut self, flow: &Flow) -> Vec<Change> {
        let gone: Vec<BindingId> =
            self.bindings.iter().filter(|(_, binding)| binding.flow == *flow).map(|(id, _)| *id).collect();
        gone.into_iter().filter_map(|id| self.remove(id, Gone::Closed)).collect()
    }

    /// Agents who may not have bindings any more.
    pub fn retain(&mut self, may_have: impl Fn(AgentId) -> bool) -> Vec<Change> {
        let gone: Vec<BindingId> =
            self.bindings.iter().filter(|(_, binding)| !may_have(binding.agent)).map(|(id, _)| *id).collect();
        gone.into_iter().filter_map(|id| self.remove(id, Gone::Removed)).collect()
    }

    /// When [`due`](Self::due) has work next.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next thing that is due at `now`.
    pub fn due(&mut self, now: Instant, keep_alive: Duration) -> Option<Due> {
        let &(at, id) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let binding = self.bindings.get_mut(&id)?;
        if binding.expires <= now {
            return self.remove(id, Gone::Expired).map(Due::Gone);
        }
        self.deadlines.remove(&(at, id));
        binding.ask_at = now + keep_alive;
        self.deadlines.insert((binding.due(), id));
        Some(Due::Ask(id))
    }

    /// A telephone answered the question, or not.
    pub fn answered(&mut self, id: BindingId, answered: bool) -> Option<Change> {
        let binding = self.bindings.get_mut(&id)?;
        binding.misses = if answered { 0 } else { binding.misses + 1 };
        if binding.misses < MISSES { None } else { self.remove(id, Gone::Silent) }
    }

    fn ids(&self, agent: AgentId) -> &[BindingId] {
        self.by_agent.get(&agent).map_or(&[], Vec::as_slice)
    }

    fn remove(&mut self, id: BindingId, why: Gone) -> Option<Change> {
        let binding = self.bindings.remove(&id)?;
        self.deadlines.remove(&(binding.due(), id));
        if let Some(ids) = self.by_agent.get_mut(&binding.agent) {
            ids.retain(|own| *own != id);
        }
        Some(binding.change(Some(why)))
    }

    /// 200 with all bindings (§10.3 step 8).
    fn answer(&self, now: Instant, agent: AgentId, request: &Message, outbound: bool) -> Reply {
        let header =
            |name: &'static str, value: String| (Bytes::from_static(name.as_bytes()), Bytes::from(value));
        let mut headers: Vec<_> = self.of(agent).map(|own| header("Contact", own.as_contact(now))).collect();
        headers.extend(asked::path_of(request).into_iter().map(|path| (Bytes::from_static(b"Path"), path)));
        headers.push(header("Supported", "path, outbound".to_owned()));
        if outbound {
            headers.push(header("Require", "outbound".to_owned())); // RFC 5626 §6
        }
        Reply { headers, ..Reply::new(StatusCode::OK) }
    }
}

fn refuse(status: StatusCode) -> Box<Reply> {
    Box::new(Reply::new(status))
}
