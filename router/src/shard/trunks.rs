//! Trunks at work: their limits, the way to their targets, the checks of these, and what is told of all that.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::Rng;
use sip_core::{
    Ask, FailCause, Flow, HangUp, LegKey, Message, PeerId, StatusCode, Target,
    message::{Header, Method},
};
use tracing::{info, warn};

use super::{Shard, Switchboard};
use crate::{
    config::{Trunk, TrunkId},
    journal::fact::{TargetState, What},
    metrics::{TargetGauges, TrunkGauges},
    status::{TargetStatus, TrunkStatus},
    trunks::{Finding, Limit, Verdict, Watched, in_words},
};

/// Limits and ways.
impl Switchboard {
    /// A new call is about to begin on a trunk, in either direction.
    ///
    /// # Errors
    /// The trunk's limit that forbids it.
    pub(crate) fn admit_to_trunk(&mut self, trunk: TrunkId) -> Result<(), Limit> {
        let config = Arc::clone(&self.config);
        config.trunk(trunk).map_or(Ok(()), |settings| self.trunks.admit(trunk, settings, self.now))
    }

    pub(crate) fn one_call_more(&mut self, trunk: TrunkId) {
        self.trunks.one_call_more(trunk);
    }

    pub(crate) fn one_call_less(&mut self, trunk: TrunkId) {
        self.trunks.one_call_less(trunk);
    }

    /// What a call by this trunk is answered that is too much.
    pub(crate) fn overload_status(&self, trunk: TrunkId) -> StatusCode {
        let settings = self.config.trunk(trunk);
        settings.map_or(StatusCode::SERVICE_UNAVAILABLE, |trunk| trunk.limits.overload_status)
    }

    /// The targets of a trunk in the order in which a call tries them.
    pub(crate) fn way_by(&mut self, trunk: TrunkId, settings: &Trunk) -> Vec<Target> {
        let Switchboard { trunks, random, now, .. } = self;
        trunks.way(trunk, settings, *now, |below| random.random_range(0..below))
    }
}

/// What calls find.
impl Switchboard {
    /// A target did not respond to a call, or with a status that lets the next one be tried.
    pub(crate) fn target_failed(
        &mut self,
        trunk: TrunkId,
        target: &Target,
        cause: FailCause,
        response: Option<&Message>,
        flow: Option<Flow>,
    ) {
        let config = Arc::clone(&self.config);
        let (Some(settings), now) = (config.trunk(trunk), self.now) else { return };
        let Some(watched) = self.trunks.target_mut(trunk, target) else { return };
        let rest = response.and_then(retry_after);
        let why = match (response, rest) {
            (None, _) if cause == FailCause::Full => return,
            (None, _) => {
                watched.calls_unanswered += 1;
                watched.health.call_failed(now, &settings.health);
                format!("calls are not responded to: {}", in_words(cause))
            }
            (Some(_), Some(rest)) => {
                watched.health.call_answered();
                watched.health.rest(now, rest);
                format!("a call was answered with 503 and Retry-After: {}", rest.as_secs())
            }
            (Some(_), None) => {
                watched.health.call_answered();
                "a call was responded to".to_owned()
            }
        };
        if let Some(flow) = flow.filter(|_| rest.is_some() && settings.failover.close_on_retry_after) {
            self.sip.close(now, flow);
        }
        self.tell_target(trunk, settings, target, &why, Finding::Silent(cause).cure());
    }

    /// The target at which `leg` is tried has responded.
    pub(crate) fn target_responded(&mut self, trunk: TrunkId, leg: LegKey) {
        let Some(target) = self.sip.target(leg) else { return };
        let Some(watched) = self.trunks.target_mut(trunk, target).filter(|known| !known.health.is_spotless())
        else {
            return;
        };
        watched.health.call_answered();
        let (config, target) = (Arc::clone(&self.config), target.clone());
        if let Some(settings) = config.trunk(trunk) {
            self.tell_target(trunk, settings, &target, "a call was responded to", "");
        }
    }
}

/// Checks.
impl Switchboard {
    /// The configuration in force has these trunks.
    pub(super) fn take_on_trunks(&mut self) {
        let Switchboard { trunks, config, random, now, at, .. } = self;
        let vain = trunks.configure(config, (*now, *at), |below| random.random_range(0..below));
        for leg in vain {
            self.sip.hang_up(self.now, leg, HangUp::new(StatusCode::REQUEST_TERMINATED));
        }
        let refusals = self.config.trunks().map(|(id, trunk)| (id.into(), trunk.limits.refusal()));
        self.sip.set_refusals(refusals.collect());
    }

    /// Asks the targets that are to be asked; ends rests that are over.
    pub(super) fn look_after_trunks(&mut self) {
        if self.trunks.deadline().is_none_or(|at| at > self.now) {
            return;
        }
        let config = Arc::clone(&self.config);
        for (trunk, target) in self.trunks.due(self.now) {
            let Some(settings) = config.trunk(trunk) else { continue };
            self.tell_target(trunk, settings, &target, "it was to be left alone until now", "");
            let Switchboard { trunks, random, now, .. } = self;
            let Some(watched) = trunks.target_mut(trunk, &target) else { continue };
            if watched.begins_check(*now, &settings.health, |below| random.random_range(0..below)) {
                self.ask_target(trunk, settings, target);
            }
        }
        self.trunks.plan_next();
    }

    fn ask_target(&mut self, trunk: TrunkId, settings: &Trunk, target: Target) {
        let uri = match target.port {
            Some(port) => format!("sip:{}:{port}", target.host),
            None => format!("sip:{}", target.host),
        };
        let question = Ask {
            peer: Some(PeerId::from(trunk)),
            method: Method::Options,
            target: target.clone(),
            to: format!("<{uri}>").into(),
            uri: uri.into(),
            from: format!("<sip:{}>", self.own_host(Some(settings))).into(),
            headers: settings.headers.fixed().collect(),
            series: None,
            flow: None,
            contact: None,
            contact_user: None,
            login: settings.account.login.clone(),
            timeout: settings.response_timeout,
        };
        // Without room to ask nothing is learnt; the next time comes.
        if let Some(leg) = self.sip.ask(self.now, question) {
            self.trunks.asks(trunk, &target, leg);
        }
    }

    /// The end of a question of ours.
    pub(super) fn target_checked(&mut self, leg: LegKey, answer: &Result<Message, FailCause>) {
        let Some((trunk, target)) = self.trunks.asked(leg) else { return };
        let config = Arc::clone(&self.config);
        let (Some(settings), Some(watched)) = (config.trunk(trunk), self.trunks.target_mut(trunk, &target))
        else {
            return;
        };
        let finding = Finding::of(answer);
        let before = watched.checked.replace((self.at, finding)).map(|(_, finding)| finding);
        match finding.verdict() {
            Verdict::There | Verdict::Odd => {
                watched.checks_answered += 1;
                watched.health.check_answered(&settings.health);
            }
            Verdict::Gone => {
                watched.checks_failed += 1;
                watched.health.check_failed(&settings.health);
            }
            Verdict::Nothing => {}
        }
        if finding.verdict() == Verdict::Odd && before != Some(finding) {
            let (trunk, cure) = (&settings.name, finding.cure());
            warn!(trunk, %target, "{finding}: {cure}");
        }
        self.tell_target(trunk, settings, &target, &finding.to_string(), finding.cure());
    }

    /// If a target is otherwise than before, it is told to everybody: journal, operator.
    fn tell_target(&mut self, id: TrunkId, settings: &Trunk, target: &Target, why: &str, cure: &str) {
        let (now, at) = (self.now, self.at);
        let news = self.trunks.target_mut(id, target).and_then(|watched| watched.health.news(now, at, why));
        self.trunks.plan_next();
        let Some((state, _, since)) = news else { return };
        let (trunk, before) = (&settings.name, seconds(since, at));
        match state {
            TargetState::Down => warn!(trunk, %target, "is down, calls try it last: {why}; {cure}"),
            TargetState::Resting => info!(trunk, %target, "rests, calls try it last: {why}"),
            TargetState::Up => info!(trunk, %target, after = ?before, "is up again: {why}"),
        }
        let (trunk, target, why) = (trunk.clone(), target.to_string(), why.to_owned());
        self.fact(None, What::TrunkTarget { trunk, target, state, why });
    }

    /// When the trunks have something due.
    pub(super) fn trunk_deadline(&self) -> Option<Instant> {
        self.trunks.deadline()
    }
}

fn seconds(since: i64, at: i64) -> Duration {
    Duration::from_secs(u64::try_from((at - since) / 1_000_000).unwrap_or(0))
}

/// How long a 503 asks to be left alone (RFC 3261 §20.33); a comment and parameters may follow the number.
fn retry_after(response: &Message) -> Option<Duration> {
    if response.status() != Some(StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let value = response.value(Header::RetryAfter)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds: u64 = std::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|rest| !rest.is_zero())
}

/// For those who look.
impl Shard {
    pub(super) fn trunk_gauges(&self) -> BTreeMap<String, TrunkGauges> {
        let gauges = |(id, trunk): (TrunkId, &Trunk)| {
            let mut gauges = TrunkGauges::default();
            if let Some(state) = self.board.trunks.get(id) {
                gauges.calls = u64::from(state.calls);
                gauges.refused = state.refused.iter().map(|(limit, count)| (limit.word(), *count)).collect();
                gauges.registration = self.registration_gauges(id);
                gauges.targets = state.targets.iter().map(|watched| self.target_gauges(watched)).collect();
            }
            (trunk.name.clone(), gauges)
        };
        self.board.config.trunks().map(gauges).collect()
    }

    fn target_gauges(&self, watched: &Watched) -> (String, TargetGauges) {
        let gauges = TargetGauges {
            up: watched.health.state() == TargetState::Up,
            checks_answered: watched.checks_answered,
            checks_failed: watched.checks_failed,
            calls_unanswered: watched.calls_unanswered,
        };
        (watched.target.to_string(), gauges)
    }

    pub(super) fn trunk_status(&self) -> Vec<TrunkStatus> {
        let status = |(id, trunk): (TrunkId, &Trunk)| {
            let state = self.board.trunks.get(id);
            TrunkStatus {
                name: trunk.name.clone(),
                calls: state.map_or(0, |state| u64::from(state.calls)),
                max_calls: trunk.limits.max_calls,
                registration: self.registration_status(id),
                targets: state.into_iter().flat_map(|state| &state.targets).map(target_status).collect(),
            }
        };
        self.board.config.trunks().map(status).collect()
    }
}

fn target_status(watched: &Watched) -> TargetStatus {
    TargetStatus {
        target: watched.target.to_string(),
        state: watched.health.state(),
        since: watched.health.since,
        why: watched.health.why.clone(),
        checked: watched.checked.map(|(at, finding)| (at, finding.to_string())),
    }
}
