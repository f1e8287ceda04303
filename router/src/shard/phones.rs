//! Agents' telephones: who registers, who is there, and who is locked out.

use std::time::Duration;

use bytes::Bytes;
use sip_core::{Ask, Flow, LegKey, Message, RequestKey, Target, UserId, auth::Suspect, message::Method};
use tracing::{info, warn};

use super::{Shard, Switchboard};
use crate::{
    config::{AgentId, Config},
    journal::fact::What,
    registrar::{Binding, BindingId, Change, Due},
};

/// How long a telephone may take to say that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

impl Shard {
    /// A telephone that has proved whose it is registers, renews or signs off.
    pub(super) fn registers(&mut self, key: RequestKey, user: UserId, flow: Flow, request: &Message) {
        let board = &mut self.board;
        let (agent, config) = (AgentId(user.0), board.config.clone());
        let (reply, changes) = board.registrar.register(board.now, agent, &config.registrar, flow, request);
        board.sip.answer_register(board.now, key, reply);
        board.note_phones(changes);
    }

    /// Wrong passwords came too often.
    pub(super) fn locked_out(&mut self, suspect: Suspect, source: std::net::IpAddr) {
        let board = &mut self.board;
        let agent = match suspect {
            Suspect::Source(_) => None,
            Suspect::User(user) | Suspect::AtHome(user) => Some(board.agent_name(AgentId(user.0))),
        };
        let (source, length) = (source.to_string(), board.config.registrar.lock_for);
        warn!(source, agent, ?length, "locked out: wrong passwords of a telephone (registrar.lock_after)");
        board.fact(None, What::LockedOut { source, agent });
    }

    /// Telephones whose time is over, or who are to be asked whether they are there.
    pub(super) fn look_after_phones(&mut self) {
        let keep_alive = self.board.config.registrar.keep_alive;
        while let Some(due) = self.board.registrar.due(self.board.now, keep_alive) {
            match due {
                Due::Gone(change) => self.board.note_phones(vec![change]),
                Due::Ask(id) => self.board.asks_phone(id),
            }
        }
    }

    /// A connection is gone.
    pub(super) fn phones_hung_up(&mut self, flow: &Flow) {
        let changes = self.board.registrar.closed(flow);
        self.board.note_phones(changes);
    }

    /// A telephone answered the question whether it is there, or not. False if `leg` was no such question.
    pub(super) fn phone_answered(&mut self, leg: LegKey, answered: bool) -> bool {
        let Some(id) = self.board.asking_phones.remove(&leg) else { return false };
        let gone = self.board.registrar.answered(id, answered);
        self.board.note_phones(gone.into_iter().collect());
        true
    }

    /// The door for telephones as the configuration has it; telephones that it has no more, or with another password,
    /// are gone.
    pub(super) fn reset_phones(&mut self, before: Option<&Config>) {
        let board = &mut self.board;
        let config = board.config.clone();
        board.sip.set_guard(board.now, config.guard());
        let Some(before) = before else { return };
        let same_realm = config.registrar.is_open() && before.registrar.realm == config.registrar.realm;
        let login = |config: &Config, agent| {
            config
                .agent(agent)
                .and_then(|agent| agent.phone.as_ref())
                .map(|phone| (phone.user.clone(), phone.ha1s.clone()))
        };
        let stays = |agent| {
            let (then, now) = (login(before, agent), login(&config, agent));
            same_realm && now.is_some() && then == now
        };
        let changes = board.registrar.retain(stays);
        board.note_phones(changes);
        for (agent, _) in config.agents() {
            board.is_to_be_reached(agent);
        }
    }
}

impl Switchboard {
    /// The telephones of an agent that can be rung.
    pub(crate) fn phones_of(&self, agent: AgentId) -> Vec<Binding> {
        self.registrar.of(agent).cloned().collect()
    }

    fn note_phones(&mut self, changes: Vec<Change>) {
        for Change { agent: id, contact, flow, device, gone } in changes {
            let (agent, source) = (self.agent_name(id), flow.to_string());
            match gone {
                None => {
                    info!(agent, contact, source, device, "telephone registered");
                    self.fact(None, What::Registered { agent, contact, source, device });
                }
                Some(why) => {
                    info!(agent, contact, source, why = why.words(), "telephone not registered any more");
                    self.fact(None, What::Unregistered { agent, contact, why: why.words().to_owned() });
                }
            }
            self.is_to_be_reached(id);
        }
    }

    /// Whether an agent can be rung at all goes for him as a pause does: whom nothing but a telephone would ring that is
    /// not there is given no caller.
    pub(super) fn is_to_be_reached(&mut self, agent: AgentId) {
        let needs_phone = self.config.agent(agent).is_some_and(|settings| settings.needs_phone());
        self.agent_reached(agent, !needs_phone || self.registrar.has(agent));
    }

    fn asks_phone(&mut self, id: BindingId) {
        let Some(binding) = self.registrar.get(id) else { return };
        let us = format!("<sip:fernamt@{}>", self.own_host(None));
        let ask = Ask {
            method: Method::Options,
            flow: Some(binding.flow),
            target: Target::at(binding.flow.transport, binding.flow.remote),
            uri: binding.contact.as_bytes().clone(),
            from: us.into(),
            to: format!("<{}>", binding.contact).into(),
            headers: binding.routes(),
            contact: None,
            contact_user: None,
            series: None,
            login: None,
            peer: None,
            timeout: ANSWER_WITHIN,
        };
        match self.sip.ask(self.now, ask) {
            Some(leg) => drop(self.asking_phones.insert(leg, id)),
            None => tracing::debug!("no room for a question to a telephone"),
        }
    }
}

impl Binding {
    /// Route headers of what is sent there (RFC 3327 §5.2).
    pub(crate) fn routes(&self) -> Vec<(Bytes, Bytes)> {
        self.path.iter().map(|route| (Bytes::from_static(b"Route"), route.clone())).collect()
    }
}
