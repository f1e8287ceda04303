//! The far end dies in the midst of a call, at each stage of it: without a word, or so that its machine still says that
//! nobody listens there any more (ICMP, RFC 3261 §18.4). Each time whom the endpoint belongs to hears of it with a
//! cause, or loses patience by himself where SIP knows no end; and afterwards nothing is left.
#![allow(missing_docs)]

mod support;

use bytes::Bytes;
use sip_core::message::Message;
use sip_core::{Event, HangUp, Input, Invite, LegKey, PeerId, Reliability, SessionPolicy, StatusCode, Terms};
use std::time::Duration;
use support::*;

/// A stage, what brings a call to it, and what is heard after the far end has died in silence, or audibly.
struct Stage {
    name: &'static str,
    reach: fn(&mut Desk) -> LegKey,
    silent: &'static [&'static str],
    audible: &'static [&'static str],
    /// Seconds until the call is over here, at most, if it died in silence.
    within: u64,
}

/// How often whom the endpoint belongs to asks whether an answered call still lives.
const WATCH: Duration = Duration::from_secs(60);
/// How long he lets it ring.
const PATIENCE: u64 = 120;

const POLICY: SessionPolicy = SessionPolicy { expires: 90, min_se: 90, by_update: false };
const OFFERS: &str = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0\r\n";
const BY_US: &str = "Allow: INVITE, UPDATE\nSession-Expires: 90;refresher=uac\n";
const BY_THEM: &str = "Session-Expires: 90;refresher=uas\n";

const STAGES: &[Stage] = &[
    Stage {
        name: "our INVITE",
        reach: |desk| inviting(desk, "").0,
        silent: &["failed 408 TimedOut"],
        audible: &["failed 503 Unreachable"],
        within: 8,
    },
    Stage {
        name: "our INVITE, 100",
        reach: |desk| inviting(desk, "100").0,
        silent: &[IMPATIENT],
        audible: &[IMPATIENT],
        within: PATIENCE,
    },
    Stage {
        name: "our INVITE, 180",
        reach: |desk| inviting(desk, "180").0,
        silent: &[IMPATIENT],
        audible: &[IMPATIENT],
        within: PATIENCE,
    },
    Stage {
        name: "our INVITE, reliable 183, our PRACK",
        reach: |desk| {
            let (leg, invite) = inviting(desk, "");
            let prack = desk.hear(&raw_response(&invite, 183, "bo", "Require: 100rel\nRSeq: 1\n"));
            assert_eq!(lines(&prack), ["PRACK"]);
            leg
        },
        silent: &["progress 183 0", IMPATIENT],
        audible: &["progress 183 0", IMPATIENT],
        within: PATIENCE,
    },
    Stage {
        name: "our INVITE that is being cancelled",
        reach: |desk| {
            let (leg, _) = inviting(desk, "180");
            let how = HangUp::new(StatusCode::REQUEST_TERMINATED);
            assert_eq!(lines(&desk.act(|e, now| e.hang_up(now, leg, how)).1), ["CANCEL"]);
            leg
        },
        silent: &[],
        audible: &[],
        within: 0,
    },
    Stage {
        name: "their 200, before our ACK",
        reach: |desk| {
            let (leg, invite) = inviting(desk, "180");
            desk.hear(&raw_response(&invite, 200, "bo", ""));
            leg
        },
        silent: &["answered", "probed false"],
        audible: &["answered", "probed false"],
        within: 100,
    },
    Stage {
        name: "a call of ours",
        reach: |desk| called(desk, ""),
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "a call of ours that we refresh by re-INVITE",
        reach: |desk| called(desk, BY_US.trim_start_matches("Allow: INVITE, UPDATE\n")),
        silent: &["refresh due", "refresh due", "session expired"],
        audible: &["refresh due", "reinvited 503"],
        within: 60,
    },
    Stage {
        name: "a call of ours that they refresh",
        reach: |desk| called(desk, BY_THEM),
        silent: &["session expired"],
        audible: &["session expired"],
        within: 60,
    },
    Stage {
        name: "our re-INVITE",
        reach: |desk| {
            let leg = called(desk, "");
            desk.act(|e, now| e.reinvite(now, leg, sdp()));
            leg
        },
        silent: &["reinvited 408"],
        audible: &["reinvited 503"],
        within: 32,
    },
    Stage {
        name: "our re-INVITE, 100",
        reach: |desk| {
            let leg = called(desk, "");
            let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, sdp()));
            desk.hear(&raw_response(&sent[0], 100, "bo", ""));
            leg
        },
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "their 200 to our re-INVITE without offer, before our ACK",
        reach: |desk| {
            let leg = called(desk, "");
            let (_, sent) = desk.act(|e, now| e.reinvite(now, leg, None));
            desk.hear(&raw_response(&sent[0], 200, "bo", ""));
            leg
        },
        silent: &["reinvited 200", "probed false"],
        audible: &["reinvited 200", "probed false"],
        within: 100,
    },
    Stage {
        name: "our UPDATE",
        reach: |desk| {
            let leg = called(desk, "Allow: INVITE, UPDATE\n");
            desk.act(|e, now| e.update(now, leg, sdp()));
            leg
        },
        silent: &["updated 408"],
        audible: &["updated 503"],
        within: 32,
    },
    Stage {
        name: "our REFER",
        reach: |desk| {
            let leg = called(desk, "");
            refer(desk, leg);
            leg
        },
        silent: &["referred 408, the last", "probed false"],
        audible: &["referred 408, the last", "probed false"],
        within: 100,
    },
    Stage {
        name: "our REFER, 202",
        reach: |desk| {
            let leg = called(desk, "");
            let refer = refer(desk, leg);
            desk.hear(&raw_response(&refer, 202, "bo", ""));
            leg
        },
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "their INVITE that rings and is then answered",
        reach: |desk| {
            let leg = invited(desk, "");
            desk.act(|e, now| e.respond(now, leg, reply(180)));
            desk.pass(5 * SECOND);
            desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
            leg
        },
        silent: &["ack missing"],
        audible: &["ack missing"],
        within: 32,
    },
    Stage {
        name: "their INVITE that is then refused",
        reach: |desk| {
            let leg = invited(desk, "");
            desk.act(|e, now| e.respond(now, leg, reply(486)));
            leg
        },
        silent: &[],
        audible: &[],
        within: 0,
    },
    Stage {
        name: "their INVITE, reliable 183",
        reach: |desk| {
            let leg = invited(desk, "Require: 100rel\n");
            desk.act(|e, now| e.respond(now, leg, reply(183).with_body(sdp().unwrap())));
            leg
        },
        silent: &["ack missing"],
        audible: &["ack missing"],
        within: 32,
    },
    Stage {
        name: "their INVITE, reliable 183, and our 200 that waits for the PRACK",
        reach: |desk| {
            let leg = invited(desk, "Require: 100rel\n");
            desk.act(|e, now| e.respond(now, leg, reply(183).with_body(sdp().unwrap())));
            desk.act(|e, now| e.respond(now, leg, reply(200)));
            leg
        },
        silent: &["ack missing"],
        audible: &["ack missing"],
        within: 32,
    },
    Stage {
        name: "their INVITE, our 200 and our BYE that waits for the ACK",
        reach: |desk| {
            let leg = invited(desk, "");
            desk.act(|e, now| e.respond(now, leg, reply(200)));
            desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
            leg
        },
        silent: &[],
        audible: &[],
        within: 0,
    },
    Stage {
        name: "a call of theirs",
        reach: |desk| answered(desk, "").0,
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "a call of theirs that we refresh",
        reach: |desk| answered(desk, "Supported: timer\nSession-Expires: 90\n").0,
        silent: &["refresh due", "refresh due", "session expired"],
        audible: &["refresh due", "reinvited 503"],
        within: 60,
    },
    Stage {
        name: "a call of theirs that they refresh",
        reach: |desk| answered(desk, "Supported: timer\nSession-Expires: 90;refresher=uac\n").0,
        silent: &["session expired"],
        audible: &["session expired"],
        within: 60,
    },
    Stage {
        name: "their re-INVITE, our 200",
        reach: |desk| {
            let (leg, tag) = answered(desk, "");
            desk.hear(&raw_inside("INVITE", 11, "again", &tag, OFFERS));
            desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
            leg
        },
        silent: &["reinvite", "ack missing"],
        audible: &["reinvite", "ack missing"],
        within: 32,
    },
    Stage {
        name: "their UPDATE, answered",
        reach: |desk| {
            let (leg, tag) = answered(desk, "");
            desk.hear(&raw_inside("UPDATE", 11, "u", &tag, OFFERS));
            let Some(Event::Request { key, .. }) = desk.events.pop() else { panic!("no UPDATE") };
            desk.act(|e, now| e.answer_request(now, leg, key, reply(200).with_body(sdp().unwrap())));
            leg
        },
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "their REFER, and our first NOTIFY",
        reach: |desk| {
            let (leg, tag) = answered(desk, "");
            desk.hear(&raw_inside("REFER", 11, "r", &tag, "Refer-To: <sip:cy@far.test>\n"));
            let Some(Event::Refer { key, .. }) = desk.events.pop() else { panic!("no REFER") };
            desk.act(|e, now| e.accept_refer(now, leg, key));
            leg
        },
        silent: &["probed false"],
        audible: &["probed false"],
        within: 100,
    },
    Stage {
        name: "our BYE",
        reach: |desk| {
            let (leg, _) = answered(desk, "");
            desk.act(|e, now| e.hang_up(now, leg, HangUp::new(StatusCode::OK)));
            leg
        },
        silent: &[],
        audible: &[],
        within: 0,
    },
];

/// Not an event: nothing ends such an INVITE but who has sent it (RFC 3261 §17.1.1.2).
const IMPATIENT: &str = "(he has no more patience)";

/// Our INVITE, and a provisional response to it if any.
fn inviting(desk: &mut Desk, progress: &str) -> (LegKey, Message) {
    let terms = Terms { session: Some(POLICY), reliable: Reliability::Offered };
    let call = Invite { terms, ..invite(&["udp:10.0.0.2:5060"]) };
    let (leg, sent) = desk.act(|e, now| e.invite(now, call).unwrap());
    if let Ok(code) = progress.parse() {
        desk.hear(&raw_response(&sent[0], code, "bo", ""));
    }
    desk.events.clear();
    (leg, sent[0].clone())
}

fn called(desk: &mut Desk, extra: &str) -> LegKey {
    let (leg, invite) = inviting(desk, "180");
    desk.hear(&raw_response(&invite, 200, "bo", extra));
    desk.act(|e, now| e.ack(now, leg, None));
    desk.events.clear();
    leg
}

fn refer(desk: &mut Desk, leg: LegKey) -> Message {
    let to = (Bytes::from_static(b"Refer-To"), Bytes::from_static(b"<sip:cy@far.test>"));
    desk.act(|e, now| e.refer(now, leg, vec![to])).1.remove(0)
}

/// Their INVITE.
fn invited(desk: &mut Desk, extra: &str) -> LegKey {
    let terms = Terms { session: Some(POLICY), reliable: Reliability::Never };
    desk.endpoint.set_terms([(PeerId(1), terms)].into());
    desk.hear(&raw_invite("a", extra));
    let Some(Event::Invite { leg, .. }) = desk.events.pop() else { panic!("no INVITE") };
    leg
}

fn answered(desk: &mut Desk, extra: &str) -> (LegKey, String) {
    let leg = invited(desk, extra);
    let (_, sent) = desk.act(|e, now| e.respond(now, leg, reply(200).with_body(sdp().unwrap())));
    let tag = tag_of(&sent[0]);
    desk.hear(&raw_inside("ACK", 10, "ack", &tag, ""));
    desk.events.clear();
    (leg, tag)
}

/// Whom the endpoint belongs to, after the far end has died.
struct Owner {
    leg: LegKey,
    heard: Vec<String>,
    over_after: Option<Duration>,
    /// A refresh of his has no end yet.
    refreshes: bool,
    audible: bool,
}

impl Owner {
    /// What he does when he hears something.
    fn hears(&mut self, desk: &mut Desk) {
        while !desk.events.is_empty() {
            let event = desk.events.remove(0);
            if matches!(event, Event::AttemptFailed { .. }) {
                continue;
            }
            assert_eq!(event.leg(), Some(self.leg));
            let (leg, name) = (self.leg, name(&event));
            match name.as_str() {
                "answered" | "reinvited 200" => self.does(desk, |e, now| e.ack(now, leg, sdp())),
                "refresh due" if std::mem::replace(&mut self.refreshes, true) => {}
                "refresh due" => self.does(desk, |e, now| e.reinvite(now, leg, sdp())),
                "ack missing" | "session expired" | "probed false" => self.hangs_up(desk),
                _ if name.ends_with(" 408") || name.ends_with(" 503") => self.hangs_up(desk),
                _ if event.is_last() => self.over_after = Some(desk.now - desk.start),
                _ => {}
            }
            self.heard.push(name);
        }
    }

    fn hangs_up(&mut self, desk: &mut Desk) {
        let leg = self.leg;
        self.over_after.get_or_insert(desk.now - desk.start);
        self.does(desk, |e, now| e.hang_up(now, leg, HangUp::new(StatusCode::TEMPORARILY_UNAVAILABLE)));
    }

    fn does(&mut self, desk: &mut Desk, act: impl FnOnce(&mut sip_core::Endpoint, std::time::Instant)) {
        let (_, sent) = desk.act(act);
        self.sends_in_vain(desk, sent.len());
    }

    /// To each datagram its machine says that nobody is there.
    fn sends_in_vain(&mut self, desk: &mut Desk, mut sent: usize) {
        while self.audible && sent > 0 {
            sent = desk.input(Input::Unreachable { remote: addr("10.0.0.2:5060") }).len();
        }
    }

    fn lives_until(&mut self, desk: &mut Desk, end: std::time::Instant) {
        self.hears(desk);
        while let Some(at) = desk.deadline().filter(|at| *at <= end) {
            let sent = desk.pass(at.saturating_duration_since(desk.now)).len();
            self.sends_in_vain(desk, sent);
            self.hears(desk);
        }
        desk.now = end;
    }
}

/// Hours after the far end has died; what was heard, and when the call was over.
fn outlived(stage: &Stage, audible: bool) -> (Vec<String>, Duration) {
    let mut desk = Desk::new();
    let leg = (stage.reach)(&mut desk);
    let died = desk.now;
    desk.start = died;
    let mut owner = Owner { leg, heard: vec![], over_after: None, refreshes: false, audible };
    for minute in 1..=60 {
        owner.lives_until(&mut desk, died + minute * WATCH);
        owner.does(&mut desk, |e, now| e.probe(now, leg));
        owner.hears(&mut desk);
        if u64::from(minute) * WATCH.as_secs() >= PATIENCE && owner.over_after.is_none() {
            let how = HangUp::new(StatusCode::TEMPORARILY_UNAVAILABLE);
            let before = desk.endpoint.live_legs();
            owner.does(&mut desk, |e, now| e.hang_up(now, leg, how));
            owner.over_after = Some(desk.now - died);
            if before > 0 {
                owner.heard.push(IMPATIENT.into());
            }
        }
    }
    desk.assert_nothing_left();
    (owner.heard, owner.over_after.unwrap_or_default())
}

#[test]
fn whatever_stage_the_far_end_dies_at_the_cause_is_told_and_nothing_is_left() {
    let mut wrong = vec![];
    for stage in STAGES {
        for (audible, expected) in [(false, stage.silent), (true, stage.audible)] {
            let (heard, over_after) = outlived(stage, audible);
            let in_time = expected.is_empty() || over_after <= Duration::from_secs(stage.within);
            if heard != expected || !in_time {
                wrong.push(format!("{}, audible: {audible}: {heard:?} after {over_after:?}", stage.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
