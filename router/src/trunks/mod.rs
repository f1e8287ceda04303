//! What is known of trunks while they work: their calls, and whether their targets are there.

mod check;
mod health;
mod order;
mod rate;

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use sip_core::{LegKey, Target};

pub(crate) use self::check::in_words;
use self::rate::Bucket;
pub use self::{
    check::{Finding, Verdict},
    health::Health,
    order::order,
};
use crate::{
    config::{Config, Trunk, TrunkHealth, TrunkId},
    journal::fact::Micros,
};

/// All trunks of a shard.
#[derive(Debug, Default)]
pub struct Trunks {
    by_id: BTreeMap<TrunkId, State>,
    /// Checks under way. One at most for each target.
    asked: HashMap<LegKey, (TrunkId, Target)>,
    /// When [`due`](Self::due) has something next.
    next: Option<Instant>,
}

/// One trunk. It outlives its configuration while calls are on it.
#[derive(Debug, Default)]
pub struct State {
    /// Calls on it now, in either direction.
    pub calls: u32,
    bucket: Option<Bucket>,
    /// Calls refused or not made, by the limit that was reached.
    pub refused: BTreeMap<Limit, u64>,
    /// Its targets, in the order of the configuration.
    pub targets: Vec<Watched>,
}

/// A target as it is watched.
#[derive(Debug)]
pub struct Watched {
    /// Where it is.
    pub target: Target,
    /// Whether it is believed to be there.
    pub health: Health,
    /// When it is asked next.
    next_check: Option<Instant>,
    asking: Option<LegKey>,
    /// The last check, and what came of it.
    pub checked: Option<(Micros, Finding)>,
    /// Checks that showed it there, since the start of the process.
    pub checks_answered: u64,
    /// Checks that did not.
    pub checks_failed: u64,
    /// Attempts to call that it did not respond to.
    pub calls_unanswered: u64,
}

/// Which limit of a trunk keeps a call away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// `max_calls`.
    Calls,
    /// `max_calls_per_second`.
    Rate,
}

impl Limit {
    /// Its word in labels.
    pub fn word(self) -> &'static str {
        match self {
            Limit::Calls => "max-calls",
            Limit::Rate => "max-calls-per-second",
        }
    }

    /// For records and logs: what happened, and the key.
    pub fn in_words(self) -> &'static str {
        match self {
            Limit::Calls => "the trunk has as many calls as it may (trunk.max_calls)",
            Limit::Rate => "the trunk has as many new calls a second as it may (trunk.max_calls_per_second)",
        }
    }
}

impl Trunks {
    /// A configuration is in force from now on: targets that stay keep what is known of them. Returns the checks that
    /// nobody waits for any more.
    ///
    /// `chance(n)` gives a number below n.
    pub fn configure(
        &mut self,
        config: &Config,
        (now, at): (Instant, Micros),
        mut chance: impl FnMut(u32) -> u32,
    ) -> Vec<LegKey> {
        for (id, trunk) in config.trunks() {
            let state = self.by_id.entry(id).or_default();
            let mut before = std::mem::take(&mut state.targets);
            for target in &trunk.send_to {
                let known = before.iter().position(|watched| watched.target == target.to);
                let mut watched = match known {
                    Some(known) => before.remove(known),
                    None => Watched::new(target.to.clone(), at),
                };
                watched.plan(now, &trunk.health, &mut chance);
                state.targets.push(watched);
            }
        }
        self.by_id.retain(|id, state| {
            let configured = config.trunk(*id).is_some();
            state.targets.retain(|_| configured);
            configured || state.calls > 0
        });
        let asks = |id: &TrunkId, target: &Target| self.by_id.get(id).is_some_and(|state| state.has(target));
        let vain = self.asked.iter().filter(|(_, (id, target))| !asks(id, target)).map(|(leg, _)| *leg);
        let mut vain: Vec<LegKey> = vain.collect();
        vain.sort_by_key(|leg| leg.0);
        vain.iter().for_each(|leg| drop(self.asked.remove(leg)));
        self.plan_next();
        vain
    }

    /// A trunk that is, or was, configured.
    pub fn get(&self, trunk: TrunkId) -> Option<&State> {
        self.by_id.get(&trunk)
    }

    /// One more call on a trunk.
    pub fn one_call_more(&mut self, trunk: TrunkId) {
        self.by_id.entry(trunk).or_default().calls += 1;
    }

    /// Calls on all trunks.
    pub fn live_calls(&self) -> usize {
        self.by_id.values().map(|state| state.calls as usize).sum()
    }

    /// One less.
    pub fn one_call_less(&mut self, trunk: TrunkId) {
        if let Some(state) = self.by_id.get_mut(&trunk) {
            state.calls = state.calls.saturating_sub(1);
        }
    }

    /// A new call on a trunk is about to begin, in either direction.
    ///
    /// # Errors
    /// The limit that forbids it. It is counted.
    pub fn admit(&mut self, trunk: TrunkId, settings: &Trunk, now: Instant) -> Result<(), Limit> {
        let limits = &settings.limits;
        let state = self.by_id.entry(trunk).or_default();
        let limit = match limits.max_calls_per_second {
            _ if limits.max_calls.is_some_and(|most| state.calls >= most) => Some(Limit::Calls),
            Some(rate) if !state.bucket.get_or_insert(Bucket::full(now)).take(now, rate) => Some(Limit::Rate),
            _ => None,
        };
        match limit {
            Some(limit) => {
                *state.refused.entry(limit).or_default() += 1;
                Err(limit)
            }
            None => Ok(()),
        }
    }

    /// The targets of a trunk in the order in which a call tries them.
    pub fn way(
        &self,
        trunk: TrunkId,
        settings: &Trunk,
        now: Instant,
        chance: impl FnMut(u32) -> u32,
    ) -> Vec<Target> {
        let state = self.by_id.get(&trunk);
        let works = |at: usize| {
            let watched = state.and_then(|state| state.targets.get(at));
            watched.is_none_or(|watched| watched.health.works(now, &settings.health))
        };
        let order = order(&settings.send_to, works, chance);
        order.into_iter().map(|at| settings.send_to[at].to.clone()).collect()
    }

    /// A target, to be told something. [`plan_next`](Self::plan_next) must follow.
    pub fn target_mut(&mut self, trunk: TrunkId, target: &Target) -> Option<&mut Watched> {
        self.by_id.get_mut(&trunk)?.targets.iter_mut().find(|watched| watched.target == *target)
    }

    /// When [`due`](Self::due) has something next.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Targets with something due: a check, or the end of a rest.
    pub fn due(&self, now: Instant) -> Vec<(TrunkId, Target)> {
        let all = self.by_id.iter().flat_map(|(id, state)| state.targets.iter().map(|target| (*id, target)));
        let due = all.filter(|(_, watched)| watched.deadline().is_some_and(|at| at <= now));
        due.map(|(id, watched)| (id, watched.target.clone())).collect()
    }

    /// A check is under way.
    pub fn asks(&mut self, trunk: TrunkId, target: &Target, leg: LegKey) {
        self.asked.insert(leg, (trunk, target.clone()));
        if let Some(watched) = self.target_mut(trunk, target) {
            watched.asking = Some(leg);
        }
    }

    /// The check is over: whom it was for, if anybody.
    pub fn asked(&mut self, leg: LegKey) -> Option<(TrunkId, Target)> {
        let (trunk, target) = self.asked.remove(&leg)?;
        if let Some(watched) = self.target_mut(trunk, &target) {
            watched.asking = None;
        }
        Some((trunk, target))
    }

    /// After any change of a target.
    pub fn plan_next(&mut self) {
        self.next = self.by_id.values().flat_map(|state| &state.targets).filter_map(Watched::deadline).min();
    }
}

impl State {
    fn has(&self, target: &Target) -> bool {
        self.targets.iter().any(|watched| watched.target == *target)
    }
}

impl Watched {
    fn new(target: Target, at: Micros) -> Watched {
        Watched {
            target,
            health: Health::new(at),
            next_check: None,
            asking: None,
            checked: None,
            checks_answered: 0,
            checks_failed: 0,
            calls_unanswered: 0,
        }
    }

    /// Settings may be others: the first check comes within a second, for calls may follow at once.
    fn plan(&mut self, now: Instant, settings: &TrunkHealth, chance: &mut impl FnMut(u32) -> u32) {
        match (settings.check_every, self.next_check) {
            (None, _) => {
                self.next_check = None;
                self.health.checks_end();
            }
            (Some(_), None) => {
                self.next_check = Some(now + std::time::Duration::from_millis(chance(1_000).into()))
            }
            (Some(every), Some(at)) => self.next_check = Some(at.min(now + every)),
        }
    }

    /// Whether it is to be asked now; the next check is planned.
    pub fn begins_check(
        &mut self,
        now: Instant,
        settings: &TrunkHealth,
        mut chance: impl FnMut(u32) -> u32,
    ) -> bool {
        let (Some(every), Some(_)) = (settings.check_every, self.next_check.filter(|at| *at <= now)) else {
            return false;
        };
        let tenth = u32::try_from(every.as_millis() / 10).unwrap_or(u32::MAX).max(1);
        self.next_check = Some(now + every + std::time::Duration::from_millis(chance(tenth).into()));
        self.asking.is_none()
    }

    fn deadline(&self) -> Option<Instant> {
        [self.next_check, self.health.deadline()].into_iter().flatten().min()
    }
}
