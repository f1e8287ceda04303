//! Random calls over a link that loses, repeats and reorders: every call ends, and nothing is left.

mod support;

use sip_core::{Event, HangUp, LegKey, StatusCode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use support::*;

#[derive(Clone, Copy, Debug)]
enum Act {
    Call,
    Respond(u16),
    HangUp,
    Reinvite { offer: bool },
    Probe,
}

/// Two users with whims, one at each end.
struct Story {
    pair: Pair,
    plans: BTreeMap<(Instant, u64), (usize, LegKey, Act)>,
    order: u64,
    alive: [BTreeSet<LegKey>; 2],
    outcomes: BTreeMap<String, u32>,
    ladder: Vec<String>,
}

impl Story {
    fn new(seed: u64, loss: f64) -> Story {
        let mut pair = Pair::new(seed);
        (pair.loss, pair.twice, pair.jitter_ms) = (loss, 0.05, 60);
        let alive = [BTreeSet::new(), BTreeSet::new()];
        let mut story = Story {
            pair,
            plans: BTreeMap::new(),
            order: 0,
            alive,
            outcomes: BTreeMap::new(),
            ladder: vec![],
        };
        for call in 0..4 {
            let at = story.pair.random(5_000);
            story.plan(call % 2, LegKey(0), at, Act::Call);
        }
        story
    }

    fn plan(&mut self, end: usize, leg: LegKey, after_ms: u32, act: Act) {
        self.order += 1;
        let at = self.pair.now + Duration::from_millis(after_ms.into());
        self.plans.insert((at, self.order), (end, leg, act));
    }

    fn run(&mut self) {
        for _ in 0..200_000 {
            self.hear();
            let wire = self.pair.next();
            let plan = self.plans.first_key_value().map(|((at, _), _)| *at);
            match (plan, wire) {
                (Some(plan), wire) if wire.is_none_or(|wire| plan <= wire) => self.act(),
                (_, Some(_)) => drop(self.pair.step()),
                _ => return,
            }
        }
        panic!("this never ends");
    }

    fn act(&mut self) {
        let Some(((at, _), (end, leg, act))) = self.plans.pop_first() else { return };
        self.pair.now = self.pair.now.max(at);
        let now = self.pair.now;
        if !matches!(act, Act::Call) && !self.alive[end].contains(&leg) {
            return;
        }
        self.ladder.push(format!("{end} {leg:?} does {act:?}"));
        let endpoint = &mut self.pair.ends[end];
        match act {
            Act::Call => {
                let to = if end == 0 { "udp:10.0.0.2:5060" } else { "udp:10.0.0.1:5060" };
                let leg = endpoint.invite(now, invite(&[to])).unwrap();
                self.alive[end].insert(leg);
                let patience = 5_000 + self.pair.random(25_000);
                self.plan(end, leg, patience, Act::HangUp);
            }
            Act::Respond(code) => {
                endpoint.respond(now, leg, reply(code));
                if code >= 300 && self.pair.random(2) == 0 {
                    self.plan(end, leg, 0, Act::HangUp); // of no effect on a re-INVITE's leg but to end it
                }
            }
            Act::HangUp => {
                endpoint.hang_up(now, leg, HangUp::new(StatusCode::BUSY_HERE));
                self.alive[end].remove(&leg);
                *self.outcomes.entry("hung up".into()).or_default() += 1;
            }
            Act::Reinvite { offer } => endpoint.reinvite(now, leg, sdp().filter(|_| offer)),
            Act::Probe => endpoint.probe(now, leg),
        }
    }

    fn hear(&mut self) {
        self.pair.drain();
        for end in 0..2 {
            for event in std::mem::take(&mut self.pair.events[end]) {
                self.ladder.push(format!("{end} hears {event:?}"));
                *self.outcomes.entry(name(&event)).or_default() += 1;
                self.answer(end, event);
            }
        }
    }

    fn answer(&mut self, end: usize, event: Event) {
        match event {
            Event::Invite { leg, .. } => {
                assert!(self.alive[end].insert(leg), "one INVITE, one leg");
                let ring = self.pair.random(1_000);
                self.plan(end, leg, ring, Act::Respond(180));
                let code = [200, 200, 200, 486, 603][self.pair.random(5) as usize];
                let after = self.pair.random(20_000);
                self.plan(end, leg, after, Act::Respond(code));
                self.plan(end, leg, 60_000, Act::HangUp);
            }
            Event::Answered { leg, .. } => {
                self.pair.ends[end].ack(self.pair.now, leg, None);
                self.in_call(end, leg);
            }
            Event::Acked { leg, .. } => self.in_call(end, leg),
            Event::AckMissing { leg } => self.plan(end, leg, 0, Act::HangUp),
            Event::Reinvite { leg, .. } => {
                let (code, after) = ([200, 488][self.pair.random(2) as usize], self.pair.random(3_000));
                self.plan(end, leg, after, Act::Respond(code));
            }
            Event::Reinvited { leg, status, .. } if [408, 481].contains(&status.code()) => {
                self.plan(end, leg, 0, Act::HangUp);
            }
            Event::Reinvited { leg, .. } => self.pair.ends[end].ack(self.pair.now, leg, None),
            Event::Cancelled { leg, .. } | Event::Failed { leg, .. } | Event::Bye { leg, .. } => {
                assert!(self.alive[end].remove(&leg), "a leg ends once");
            }
            _ => {}
        }
    }

    fn in_call(&mut self, end: usize, leg: LegKey) {
        let acts = [
            Act::HangUp,
            Act::Reinvite { offer: true },
            Act::Reinvite { offer: true },
            Act::Reinvite { offer: false },
            Act::Probe,
        ];
        let (act, after) = (acts[self.pair.random(5) as usize], self.pair.random(8_000));
        self.plan(end, leg, after, act);
    }
}

fn every_call_ends(seed: u64, loss: f64) -> BTreeMap<String, u32> {
    let mut story = Story::new(seed, loss);
    story.run();
    let what = format!("seed {seed} loss {loss}\n{}", story.ladder.join("\n"));
    assert!(story.alive.iter().all(BTreeSet::is_empty), "{:?} never ended: {what}", story.alive);
    story.pair.assert_nothing_left(&what);
    story.outcomes
}

#[test]
fn every_call_ends_and_nothing_is_left_whatever_a_lossy_link_does() {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..1_000 {
        for (what, count) in every_call_ends(seed, [0.0, 0.1, 0.3][seed as usize % 3]) {
            *outcomes.entry(what).or_default() += count;
        }
    }
    // The whims must have met every case, or the test proves less than it says.
    let wanted = [
        "answered",
        "acked",
        "bye",
        "cancelled",
        "failed 486 Response",
        "reinvite",
        "reinvited 200",
        "reinvited 488",
        "reinvited 491",
        "probed true",
        "hung up",
        "progress 180 0",
    ];
    for what in wanted {
        assert!(outcomes.get(what).is_some_and(|count| *count > 3), "{what}: {outcomes:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let ladder = |seed| {
        let mut story = Story::new(seed, 0.2);
        story.run();
        (story.ladder, story.pair.sent)
    };
    assert_eq!(ladder(11), ladder(11));
}
