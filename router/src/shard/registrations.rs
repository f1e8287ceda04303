//! Our registrations at carriers: what they ask for is sent, what becomes of them is told, and calls come by them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use rand::Rng;
use sip_core::{
    Ask, FailCause, Flow, LegKey, Message, OwnName, PeerId, Service, Sources, auth::digest::Login,
    message::Method,
};
use tracing::{debug, info, warn};

use super::{Shard, Switchboard};
use crate::{
    config::{Trunk, TrunkId, TrunkRegister},
    journal::fact::Micros,
    metrics::RegistrationGauges,
    registration::{Answer, News, Registration, Request, State, Trouble},
    status::RegistrationStatus,
};

/// All of them, by their trunks.
#[derive(Default)]
pub(super) struct Registrations {
    by_trunk: BTreeMap<TrunkId, Held>,
    /// Requests under way: whose, and of the so manyth registration.
    asked: HashMap<LegKey, (TrunkId, u64)>,
    begun: u64,
}

/// One, and what it goes by.
struct Held {
    settings: TrunkRegister,
    login: Option<Arc<Login>>,
    timeout: Duration,
    /// What its Contact calls us, if not as the listener does.
    own_name: Option<OwnName>,
    /// The so manyth of this process: what was asked by an earlier one of this trunk is not answered to it.
    number: u64,
    machine: Registration,
    /// The way of the last request that was taken: by it calls come.
    flow: Option<Flow>,
    /// Its state, and since when.
    since: (State, Micros),
    taken: u64,
    failed: u64,
}

impl Registrations {
    /// Calls come from where we have registered.
    pub(super) fn allow(&self, sources: &mut Sources) {
        for (trunk, held) in &self.by_trunk {
            if let Some(flow) = held.flow.filter(|_| held.machine.state() == State::Registered) {
                let remote = flow.remote;
                sources.allow(IpNet::from(remote.ip()), Some(remote.port()), PeerId::from(*trunk));
            }
        }
    }

    /// Of several accounts at one carrier the one whose Contact is called.
    fn trunk_called(&self, flow: Flow, invite: &Message) -> Option<TrunkId> {
        let user = invite.request_uri().ok()?.user_decoded()?.into_owned();
        let is_same_way = |own: Flow| own.transport == flow.transport && own.remote.ip() == flow.remote.ip();
        let is_meant = |held: &Held| {
            held.machine.state() == State::Registered
                && held.flow.is_some_and(is_same_way)
                && held.settings.contact_user.as_bytes() == user
        };
        self.by_trunk.iter().find(|(_, held)| is_meant(held)).map(|(trunk, _)| *trunk)
    }
}

impl Switchboard {
    /// The configuration in force wants these. One that it has no more, or elsewhere, signs off; one that has changed
    /// otherwise is told anew, in its series: a second series with the same Contact could be undone by a sign-off that
    /// comes late (RFC 3261 §10.3).
    pub(super) fn take_on_registrations(&mut self) {
        let config = self.config.clone();
        let wanted = |trunk| config.trunk(trunk).and_then(|settings: &Trunk| settings.register.as_ref());
        let stays = |id, held: &Held| wanted(id).is_some_and(|wanted| wanted.is_same_account(&held.settings));
        let vain = self.registrations.by_trunk.iter().filter(|(id, held)| !stays(**id, held));
        for trunk in vain.map(|(trunk, _)| *trunk).collect::<Vec<_>>() {
            self.signs_off(trunk);
            self.registrations.by_trunk.remove(&trunk);
        }
        for (trunk, settings) in config.trunks() {
            let Some(register) = &settings.register else { continue };
            let own_name = settings.own_name.clone();
            if let Some(held) = self.registrations.by_trunk.get_mut(&trunk) {
                held.timeout = settings.response_timeout;
                let login = settings.account.login.clone();
                if (&held.settings, &held.login, &held.own_name) != (register, &login, &own_name) {
                    (held.settings, held.login, held.own_name) = (register.clone(), login, own_name);
                    held.machine.renew(self.now, register.expires);
                }
            } else if self.service != Service::Draining {
                let call_id = format!("{:032x}@{}", self.random::<u128>(), register.domain);
                let machine = Registration::new(self.now, call_id, register.expires);
                self.registrations.begun += 1;
                let held = Held {
                    settings: register.clone(),
                    login: settings.account.login.clone(),
                    timeout: settings.response_timeout,
                    own_name,
                    number: self.registrations.begun,
                    machine,
                    flow: None,
                    since: (State::Trying, self.at),
                    taken: 0,
                    failed: 0,
                };
                self.registrations.by_trunk.insert(trunk, held);
            }
        }
        self.renew_sources();
    }

    /// Who may talk to us: whom the configuration names, and where we have registered.
    pub(super) fn renew_sources(&mut self) {
        let mut sources = self.config.sources();
        self.registrations.allow(&mut sources);
        self.sip.set_sources(sources);
    }

    /// When a registration has something due.
    pub(super) fn registration_deadline(&self) -> Option<Instant> {
        self.registrations.by_trunk.values().filter_map(|held| held.machine.poll_timeout()).min()
    }

    pub(super) fn look_after_registrations(&mut self) {
        let due = |held: &Held| held.machine.poll_timeout().is_some_and(|at| at <= self.now);
        let due = self.registrations.by_trunk.iter().filter(|(_, held)| due(held));
        for trunk in due.map(|(trunk, _)| *trunk).collect::<Vec<_>>() {
            let Some(held) = self.registrations.by_trunk.get_mut(&trunk) else { continue };
            let was = held.machine.state();
            let request = held.machine.handle_timeout(self.now);
            if was == State::Registered && held.machine.state() == State::Failed {
                self.tell_end_of_registration(trunk);
                self.renew_sources();
            }
            self.note_registration(trunk);
            request.into_iter().for_each(|request| self.register(trunk, request));
        }
    }

    fn register(&mut self, trunk: TrunkId, request: Request) {
        let Some(held) = self.registrations.by_trunk.get(&trunk) else { return };
        let TrunkRegister { registrar, domain, user, contact_user, .. } = &held.settings;
        let (address, number) = (format!("<sip:{user}@{domain}>"), held.number);
        let ask = Ask {
            peer: Some(PeerId::from(trunk)),
            method: Method::Register,
            flow: None,
            target: registrar.clone(),
            uri: format!("sip:{domain}").into(),
            from: address.clone().into(),
            to: address.into(),
            contact: None,
            contact_user: Some(contact_user.clone().into()),
            headers: vec![("Expires".into(), request.expires.as_secs().to_string().into())],
            series: Some((request.call_id.into(), request.cseq)),
            login: held.login.clone(),
            timeout: held.timeout,
        };
        match self.sip.ask(self.now, ask) {
            Some(leg) => drop(self.registrations.asked.insert(leg, (trunk, number))),
            None => self.registration_heard(trunk, Answer::None(FailCause::Full), None),
        }
    }

    /// The end of a REGISTER of ours. False if `leg` was none.
    pub(super) fn registration_answered(
        &mut self,
        leg: LegKey,
        answer: &Result<Message, FailCause>,
        flow: Option<Flow>,
    ) -> bool {
        let Some((trunk, number)) = self.registrations.asked.remove(&leg) else { return false };
        let held = self.registrations.by_trunk.get(&trunk).filter(|held| held.number == number);
        if let Some(held) = held {
            let answer = Answer::of(answer, &held.settings.contact_user);
            self.registration_heard(trunk, answer, flow);
        }
        true
    }

    fn registration_heard(&mut self, trunk: TrunkId, answer: Answer, flow: Option<Flow>) {
        let Switchboard { registrations, random, now, .. } = self;
        let Some(held) = registrations.by_trunk.get_mut(&trunk) else { return };
        let before = held.machine.trouble.clone();
        let news = held.machine.answered(*now, answer, |below| random.random_range(0..below));
        match news {
            News::Registered { .. } | News::Renewed => {
                held.taken += 1;
                held.flow = flow;
            }
            News::Trouble(..) => held.failed += 1,
            News::AskedForLonger | News::Gone | News::Nothing => {}
        }
        self.tell_registration(trunk, &news, before.as_ref());
        self.note_registration(trunk);
        self.renew_sources();
    }

    /// A connection is gone.
    pub(super) fn registrations_hung_up(&mut self, flow: &Flow) {
        let Switchboard { registrations, random, now, .. } = self;
        let mut news = Vec::new();
        for (trunk, held) in &mut registrations.by_trunk {
            if held.flow.as_ref() == Some(flow) {
                held.flow = None;
                let closed = held.machine.closed(*now, |below| random.random_range(0..below));
                news.push((*trunk, closed));
            }
        }
        for (trunk, news) in news {
            self.tell_registration(trunk, &news, None);
            self.note_registration(trunk);
            self.renew_sources();
        }
    }

    /// No more calls are to come.
    pub(super) fn sign_off(&mut self) {
        for trunk in self.registrations.by_trunk.keys().copied().collect::<Vec<_>>() {
            self.signs_off(trunk);
        }
    }

    fn signs_off(&mut self, trunk: TrunkId) {
        let held = self.registrations.by_trunk.get_mut(&trunk);
        let request = held.and_then(|held| held.machine.leave());
        self.note_registration(trunk);
        request.into_iter().for_each(|request| self.register(trunk, request));
    }

    /// A carrier is still to hear that we are gone.
    pub(super) fn is_signing_off(&self) -> bool {
        self.registrations.by_trunk.values().any(|held| held.machine.state() == State::Leaving)
    }

    /// The trunk of a call that came over `flow`: of several accounts at one carrier the one whose Contact is called.
    pub(super) fn trunk_called(&self, trunk: TrunkId, flow: Flow, invite: &Message) -> TrunkId {
        let registers = self.config.trunk(trunk).is_some_and(|settings| settings.register.is_some());
        let called = registers.then(|| self.registrations.trunk_called(flow, invite)).flatten();
        called.unwrap_or(trunk)
    }

    fn note_registration(&mut self, trunk: TrunkId) {
        let Some(held) = self.registrations.by_trunk.get_mut(&trunk) else { return };
        let state = held.machine.state();
        if held.since.0 != state {
            held.since = (state, self.at);
        }
    }

    /// Its time is over, and no renewal was taken.
    fn tell_end_of_registration(&self, id: TrunkId) {
        let (trunk, Some(held)) = (self.trunk_name(id), self.registrations.by_trunk.get(&id)) else { return };
        let (registrar, trouble) = (&held.settings.registrar, held.machine.trouble.as_ref());
        let why = trouble.map_or_else(String::new, |trouble| format!(": {trouble}; {}", trouble.cure()));
        warn!(trunk, %registrar, "the registration is over, no calls come by this trunk{why}");
    }

    /// What is as it was is not told again.
    fn tell_registration(&self, id: TrunkId, news: &News, before: Option<&Trouble>) {
        let (trunk, Some(held)) = (self.trunk_name(id), self.registrations.by_trunk.get(&id)) else { return };
        let registrar = &held.settings.registrar;
        match news {
            News::Registered { expires } => {
                info!(trunk, %registrar, ?expires, "registered: calls can come by this trunk");
            }
            News::Renewed => debug!(trunk, %registrar, "registration renewed"),
            News::AskedForLonger => debug!(trunk, %registrar, "registration is asked for longer"),
            News::Trouble(trouble, again_in) if before != Some(trouble) => {
                let what = match held.machine.state() {
                    State::Registered => "the registration could not be renewed",
                    _ => "not registered, no calls come by this trunk",
                };
                warn!(trunk, %registrar, ?again_in, "{what}: {trouble}; {}", trouble.cure());
            }
            News::Trouble(trouble, again_in) => {
                debug!(trunk, %registrar, ?again_in, "still not registered: {trouble}");
            }
            News::Gone => info!(trunk, %registrar, "no longer registered here, or asked for it in vain"),
            News::Nothing => {}
        }
    }
}

/// For those who look.
impl Shard {
    /// No call can come: every trunk that would bring one needs a registration, and has none.
    pub fn is_cut_off(&self) -> bool {
        let registered = |trunk: TrunkId| {
            let held = self.board.registrations.by_trunk.get(&trunk);
            held.is_some_and(|held| held.machine.state() == State::Registered)
        };
        let brings = || self.board.config.trunks().filter(|(_, trunk)| trunk.brings_calls());
        brings().next().is_some() && brings().all(|(id, trunk)| trunk.register.is_some() && !registered(id))
    }

    pub(super) fn registration_status(&self, trunk: TrunkId) -> Option<RegistrationStatus> {
        let held = self.board.registrations.by_trunk.get(&trunk)?;
        let left = held.machine.until().map(|until| until.saturating_duration_since(self.board.now));
        Some(RegistrationStatus {
            registrar: held.settings.registrar.to_string(),
            state: held.since.0.word().to_owned(),
            since: held.since.1,
            ends_in_s: left.map(|left| left.as_secs()),
            why: held.machine.trouble.as_ref().map(ToString::to_string).unwrap_or_default(),
        })
    }

    pub(super) fn registration_gauges(&self, trunk: TrunkId) -> Option<RegistrationGauges> {
        let held = self.board.registrations.by_trunk.get(&trunk)?;
        let registered = held.machine.state() == State::Registered;
        Some(RegistrationGauges { registered, taken: held.taken, failed: held.failed })
    }
}
