//! How each fact changes the record of its call.

use super::{Attempt, Leg, Progress, Record, Stage};
use crate::journal::fact::{Fact, LeftQueue, LegNumber, Micros, Unanswered, What};

impl Record {
    /// The record of a call that has just arrived. `None` if `fact` is another one, or belongs to no call.
    pub fn begin(fact: &Fact) -> Option<Record> {
        let (trunk, from, to, source, legs) = match &fact.what {
            What::Arrived { trunk, from, to, sip_call_id, source, diverted_from, hairpin_of, agent } => {
                let caller = Leg {
                    sip_call_id: sip_call_id.clone(),
                    trunk: trunk.clone(),
                    party: from.clone(),
                    diverted_from: diverted_from.clone(),
                    hairpin_of: *hairpin_of,
                    agent: agent.clone(),
                    invited_at: fact.at,
                    ..Leg::default()
                };
                (trunk, from, to, source.clone(), vec![caller])
            }
            What::CallbackBegun { callback, trunk, from, to, .. } => {
                (trunk, from, to, format!("callback of {callback}"), Vec::new())
            }
            _ => return None,
        };
        Some(Record {
            call: fact.call?,
            generation: fact.generation,
            arrived_at: fact.at,
            answered_at: None,
            connected_at: None,
            ended_at: None,
            trunk: trunk.clone(),
            source,
            from: from.clone(),
            to: to.clone(),
            number: String::new(),
            flow: String::new(),
            keys: String::new(),
            queue: None,
            agent: legs.first().and_then(|caller: &Leg| caller.agent.clone()),
            unanswered: 0,
            flow_ms: 0,
            wait_ms: 0,
            ring_ms: 0,
            talk_ms: 0,
            hold_ms: 0,
            sound_ms: None,
            cause: None,
            fault: None,
            status: None,
            q850: None,
            reason: None,
            legs,
            segments: Vec::new(),
            transfers: Vec::new(),
            recordings: Vec::new(),
            went_to: None,
            progress: Progress { since_ms: whole_ms(fact.at), ..Progress::default() },
        })
    }

    /// Takes in one more fact of this call. Facts after the end change nothing.
    pub fn apply(&mut self, fact: &Fact) {
        if self.ended_at.is_some() {
            return;
        }
        self.advance(fact.at);
        let at = fact.at;
        match &fact.what {
            What::Routed { flow, number } => (self.flow, self.number) = (flow.clone(), number.clone()),
            What::Emergency { number, .. } => {
                (self.flow, self.number) = ("emergency".to_owned(), number.clone());
                self.with_leg(0, |leg| leg.emergency = true);
            }
            What::CallerAnswered => self.caller_answered(at),
            What::Chose { key, .. } => self.keys.push_str(key),
            What::Queued { queue, key, arrived, .. } => self.enter(queue, *key, *arrived),
            What::Assigned { .. } => self.assign(),
            What::Unanswered { why: Unanswered::AnsweredElsewhere, .. } => {}
            What::Unanswered { .. } => self.unanswered_assignment(),
            What::Left { how, .. } => self.leave(*how),
            What::Dialled { leg, trunk, to, sip_call_id, agent } => self.dial(Leg {
                leg: *leg,
                sip_call_id: sip_call_id.clone(),
                trunk: trunk.clone(),
                party: to.clone(),
                agent: agent.clone(),
                invited_at: at,
                ..Leg::default()
            }),
            What::AttemptFailed { leg, target, status, phrase, next } => {
                let (target, next) = (target.clone(), next.clone());
                let attempt = Attempt { target, status: *status, phrase: phrase.clone(), ended_at: at, next };
                self.with_leg(*leg, |leg| leg.attempts.push(attempt));
            }
            What::Ringing { leg, .. } => self.with_leg(*leg, |leg| {
                leg.ringing_at.get_or_insert(at);
            }),
            What::LegAnswered { leg } => {
                if *leg == 0 {
                    self.answered_at.get_or_insert(at); // the customer who is called back
                }
                self.with_leg(*leg, |leg| (leg.answered_at, leg.status) = (Some(at), Some(200)));
            }
            What::LegFailed { leg, status, phrase, q850, reason, correlation, remote } => {
                self.with_leg(*leg, |leg| {
                    (leg.ended_at, leg.status, leg.phrase) = (Some(at), Some(*status), Some(phrase.clone()));
                    (leg.q850, leg.remote) = (*q850, Some(*remote));
                    (leg.reason, leg.correlation) = (reason.clone(), correlation.clone());
                });
                self.ringing_may_be_over();
            }
            What::Bridged { leg, agent } => self.bridge(*leg, agent.as_deref(), at),
            What::Transfer(step) => self.transfer(at, step),
            What::TwoWaySound { after_ms, .. } => {
                self.sound_ms.get_or_insert(*after_ms);
            }
            What::DeadAir { leg, why, .. } => self.with_leg(*leg, |leg| leg.dead_air = Some(*why)),
            What::Held { leg, held } => self.hold(*leg, *held),
            What::VoicemailLeft { file, .. } => {
                self.with_leg(0, |leg| leg.recordings.extend(file.iter().cloned()));
            }
            What::Recording(step) => self.recording(at, step),
            What::LegEnded { leg, media } => {
                self.with_leg(*leg, |leg| {
                    leg.ended_at.get_or_insert(at);
                    leg.media = Some(media.clone());
                });
                self.leg_over(*leg);
            }
            What::Ended { .. } => self.end(fact),
            What::CallbackAsked { .. } | What::CallbackAwaited { .. } | What::CallbackBegun { .. } => {}
            What::CallbackPutOff { .. } | What::CallbackOver { .. } => {}
            What::Arrived { .. } | What::Acknowledged | What::PromptStarted { .. } => {}
            What::PromptEnded { .. } | What::HoursChecked { .. } => {}
            What::ConferenceJoined { .. } | What::ConferenceFull => {}
            What::OpenToAll { .. } | What::Widened { .. } | What::Chosen { .. } => {}
            What::Presence { .. } | What::HeldBack { .. } | What::PathBroken { .. } => {}
            What::Started { .. } | What::Stopped | What::ConfigLoaded { .. } | What::Gap { .. } => {}
            What::TollRefused { .. } | What::LockedOut { .. } => {}
            What::Registered { .. } | What::Unregistered { .. } => {}
            What::Wished { .. }
            | What::QueueSwitched { .. }
            | What::Agent { .. }
            | What::TrunkTarget { .. }
            | What::Overload { .. } => {}
        }
        if self.progress.stage != Stage::Talking {
            self.close_segment(at);
        }
    }

    /// Adds the time since the last fact to the length that was running. Lengths are whole milliseconds cut from one
    /// clock, so that they add up exactly.
    fn advance(&mut self, at: Micros) {
        let now_ms = whole_ms(at).max(self.progress.since_ms);
        let passed = now_ms.abs_diff(self.progress.since_ms);
        self.progress.since_ms = now_ms;
        match self.progress.stage {
            Stage::Flow => self.flow_ms += passed,
            Stage::Waiting => self.wait_ms += passed,
            Stage::Ringing => self.ring_ms += passed,
            Stage::Talking => self.talk_ms += passed,
        }
        if self.is_held() {
            self.hold_ms += passed;
        }
    }

    fn caller_answered(&mut self, at: Micros) {
        self.answered_at.get_or_insert(at);
        self.with_leg(0, |leg| {
            leg.answered_at.get_or_insert(at);
            leg.status = Some(200);
        });
    }

    fn enter(&mut self, queue: &str, key: u64, arrived: Micros) {
        self.progress.arrived = arrived;
        self.queue = Some(queue.to_owned());
        self.progress.queued = Some((key, self.progress.since_ms));
        self.progress.bridged = None; // the leg before may be counted later
        self.progress.stage = Stage::Waiting;
    }

    fn assign(&mut self) {
        self.progress.stage = Stage::Ringing;
        self.progress.rung = self.progress.rung.saturating_add(1);
    }

    fn unanswered_assignment(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.progress.rung = self.progress.rung.saturating_sub(1);
        if self.progress.queued.is_some() && self.progress.rung == 0 {
            self.progress.stage = Stage::Waiting;
        }
    }

    fn leave(&mut self, how: LeftQueue) {
        self.progress.queued = None;
        self.progress.rung = 0;
        if how != LeftQueue::Answered {
            self.progress.stage = Stage::Flow;
        }
    }

    fn dial(&mut self, leg: Leg) {
        if self.progress.stage != Stage::Talking {
            self.progress.stage = Stage::Ringing;
        }
        self.legs.push(leg);
    }

    /// A `dial` that failed goes on in the flow. In a queue `Unanswered` says when the caller waits again.
    fn ringing_may_be_over(&mut self) {
        let rings = |leg: &Leg| leg.leg != 0 && leg.answered_at.is_none() && leg.ended_at.is_none();
        let Progress { stage: Stage::Ringing, queued: None, .. } = self.progress else { return };
        if !self.legs.iter().any(rings) {
            self.progress.stage = Stage::Flow;
        }
    }

    fn bridge(&mut self, leg: LegNumber, agent: Option<&str>, at: Micros) {
        self.connected_at.get_or_insert(at);
        self.progress.stage = Stage::Talking;
        self.progress.bridged = Some(leg);
        let rung = self.legs.iter().find(|known| known.leg == leg).and_then(|leg| leg.agent.as_deref());
        let name = agent.or(rung).map(str::to_owned);
        self.open_segment(leg, name.clone(), at);
        let caller = self.legs.iter().find(|leg| leg.leg == 0);
        if caller.is_none_or(|caller| caller.agent.is_none()) {
            self.agent = name.or(self.agent.take());
        }
    }

    fn hold(&mut self, leg: LegNumber, held: bool) {
        self.progress.holding.retain(|holder| *holder != leg);
        if held {
            self.progress.holding.push(leg);
        }
    }

    fn leg_over(&mut self, leg: LegNumber) {
        self.hold(leg, false);
        if self.progress.bridged == Some(leg) {
            self.progress.bridged = None;
            self.progress.stage = Stage::Flow;
        }
        self.ringing_may_be_over();
    }

    fn end(&mut self, fact: &Fact) {
        let What::Ended { cause, fault, status, q850, reason } = &fact.what else { return };
        self.ended_at = Some(fact.at.max(self.arrived_at));
        (self.cause, self.fault, self.status) = (Some(*cause), Some(*fault), *status);
        let failed = self.legs.iter().rev().find(|leg| leg.phrase.is_some()).filter(|_| !self.is_connected());
        self.q850 = q850.or(failed.and_then(|leg| leg.q850));
        self.reason = reason.clone().or_else(|| failed.and_then(|leg| leg.phrase.clone()));
        self.progress = Progress::default();
        for leg in &mut self.legs {
            leg.ended_at = leg.ended_at.or(self.ended_at); // after a crash nobody has said so
        }
        self.with_leg(0, |leg| leg.status = leg.status.or(*status));
    }

    fn with_leg(&mut self, number: LegNumber, change: impl FnOnce(&mut Leg)) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.leg == number) {
            change(leg);
        }
    }
}

/// Whole milliseconds since 1970, rounded down before 1970 too.
fn whole_ms(at: Micros) -> i64 {
    at.div_euclid(1_000)
}
