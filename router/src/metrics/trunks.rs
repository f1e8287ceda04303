//! The numbers of trunks, and their part of the page.

use std::{collections::BTreeMap, fmt::Error};

use prometheus_client::metrics::MetricType;

use super::page::{Sheet, counter};

/// One trunk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkGauges {
    /// Calls on it now, in either direction.
    pub calls: u64,
    /// Calls refused or not made, by the limit that was reached.
    pub refused: BTreeMap<&'static str, u64>,
    /// Ours at its carrier, if it needs one.
    pub registration: Option<RegistrationGauges>,
    /// Its targets, as configured.
    pub targets: BTreeMap<String, TargetGauges>,
}

/// One target of a trunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TargetGauges {
    /// Calls try it in its turn, not last.
    pub up: bool,
    /// Checks that showed it there.
    pub checks_answered: u64,
    /// Checks that did not.
    pub checks_failed: u64,
    /// Attempts to call that it did not respond to.
    pub calls_unanswered: u64,
}

/// Our registration at the far end of a trunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistrationGauges {
    /// The carrier knows where we are.
    pub registered: bool,
    /// Requests that it took.
    pub taken: u64,
    /// Requests that it refused or did not answer.
    pub failed: u64,
}

impl TrunkGauges {
    /// Adds another shard's numbers. A target is up if every shard thinks so.
    pub(super) fn add(&mut self, other: &TrunkGauges) {
        self.calls += other.calls;
        super::add_counts(&mut self.refused, &other.refused);
        if let Some(more) = other.registration {
            let ours = self.registration.get_or_insert_default();
            ours.registered |= more.registered;
            (ours.taken, ours.failed) = (ours.taken + more.taken, ours.failed + more.failed);
        }
        for (name, more) in &other.targets {
            let target =
                self.targets.entry(name.clone()).or_insert(TargetGauges { up: true, ..Default::default() });
            target.up &= more.up;
            target.checks_answered += more.checks_answered;
            target.checks_failed += more.checks_failed;
            target.calls_unanswered += more.calls_unanswered;
        }
    }
}

/// Writes all trunks.
pub(super) fn write(trunks: &BTreeMap<String, TrunkGauges>, sheet: &mut Sheet<'_>) -> Result<(), Error> {
    let calls = trunks.iter().map(|(name, trunk)| (name.as_str(), trunk.calls));
    sheet.gauges("trunk_calls", "Calls on a trunk, in either direction", "trunk", calls)?;
    let help = "Calls refused or not made because of a trunk's limit";
    let mut family = sheet.family("trunk_refused", help, MetricType::Counter)?;
    for (name, trunk) in trunks {
        for (limit, count) in &trunk.refused {
            counter(family.encode_family(&[("trunk", name.as_str()), ("limit", limit)])?, *count)?;
        }
    }
    registrations(trunks, sheet)?;
    let targets = || {
        let all = trunks.iter();
        all.flat_map(|(name, trunk)| {
            trunk.targets.iter().map(|(target, numbers)| (name.as_str(), target.as_str(), numbers))
        })
    };
    let help = "1 if calls try the target in its turn, 0 if they try it last";
    let mut family = sheet.family("trunk_target_up", help, MetricType::Gauge)?;
    for (trunk, target, numbers) in targets() {
        family
            .encode_family(&[("trunk", trunk), ("target", target)])?
            .encode_gauge(&u64::from(numbers.up))?;
    }
    let help = "Checks of a target by OPTIONS, by what came of them";
    let mut family = sheet.family("trunk_target_checks", help, MetricType::Counter)?;
    for (trunk, target, numbers) in targets() {
        for (outcome, count) in [("answered", numbers.checks_answered), ("failed", numbers.checks_failed)] {
            let labels = [("trunk", trunk), ("target", target), ("outcome", outcome)];
            counter(family.encode_family(&labels)?, count)?;
        }
    }
    let help = "Attempts to call that a target did not respond to";
    let mut family = sheet.family("trunk_target_calls_unanswered", help, MetricType::Counter)?;
    for (trunk, target, numbers) in targets() {
        counter(family.encode_family(&[("trunk", trunk), ("target", target)])?, numbers.calls_unanswered)?;
    }
    Ok(())
}

fn registrations(trunks: &BTreeMap<String, TrunkGauges>, sheet: &mut Sheet<'_>) -> Result<(), Error> {
    let all: Vec<_> =
        trunks.iter().filter_map(|(name, trunk)| Some((name.as_str(), trunk.registration?))).collect();
    let registered = all.iter().map(|(name, ours)| (*name, u64::from(ours.registered)));
    let help = "1 while the carrier of a trunk knows us by a registration of ours";
    sheet.gauges("trunk_registered", help, "trunk", registered)?;
    let help = "Registrations of ours at a carrier, by what came of them";
    let mut family = sheet.family("trunk_registrations", help, MetricType::Counter)?;
    for (trunk, ours) in all {
        for (outcome, count) in [("taken", ours.taken), ("failed", ours.failed)] {
            counter(family.encode_family(&[("trunk", trunk), ("outcome", outcome)])?, count)?;
        }
    }
    Ok(())
}
