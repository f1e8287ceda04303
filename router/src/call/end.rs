//! The end of a call: why, whose fault, everybody hung up, everything counted, one record.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{LegStats, quality::Rating, sdp::NegotiationError};
use sip_core::{HangUp, Reply, StatusCode};
use tracing::info;

use super::{
    Answered, CALLER, Call, Stage, Waits,
    arrive::text,
    failure::{Failure, Origin},
    leg::{Leg, NoSound},
    talk::refusal,
};
use crate::{
    config::{AgentId, QueueId, TrunkId},
    journal::fact::{CallId, Cause, Fault, LegMedia, LegNumber, LegQuality, What},
    reason::Reason,
    shard::Switchboard,
    trunks::Limit,
};

/// How long the record waits for the engine's counts. They come within a turn; this is for an engine that died.
const COUNT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call ends, and what the caller is told if his INVITE is still open.
#[derive(Debug)]
pub struct Why {
    cause: Cause,
    fault: Fault,
    reply: Reply,
    /// Reason header seen with the end.
    reason: Option<Bytes>,
}

/// The call is over; the record waits for the counts.
pub(super) struct Ending {
    why: Why,
    /// Where the caller was and with whom.
    queue: Option<QueueId>,
    agents: Vec<AgentId>,
    /// The status sent, if the INVITE was open.
    status: Option<u16>,
    until: Instant,
    recorded: bool,
}

impl Ending {
    pub(super) fn is_recorded(&self) -> bool {
        self.recorded
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.recorded).then_some(self.until)
    }
}

impl Why {
    fn new(cause: Cause, fault: Fault, status: StatusCode) -> Why {
        Why { cause, fault, reply: Reply::new(status), reason: None }
    }

    fn because(mut self, reason: Option<Bytes>) -> Why {
        self.reason = reason;
        self
    }

    /// BYE or CANCEL of the caller; [`leave_stage`](Call::leave_stage) knows whether he gave up waiting.
    pub(super) fn caller_hung_up(reason: Option<Bytes>) -> Why {
        Why::new(Cause::CallerHungUp, Fault::None, StatusCode::REQUEST_TERMINATED).because(reason)
    }

    /// BYE of the called party.
    pub(super) fn called_hung_up(reason: Option<Bytes>) -> Why {
        Why::new(Cause::CalledHungUp, Fault::None, StatusCode::REQUEST_TERMINATED).because(reason)
    }

    /// `hangup`, or the flow ran out after an answer.
    pub(super) fn flow_ended() -> Why {
        Why::new(Cause::FlowEnded, Fault::None, StatusCode::DECLINE)
    }

    /// `reject`.
    pub(super) fn rejected(status: u16) -> Why {
        let status = StatusCode::new(status).unwrap_or(StatusCode::DECLINE);
        Why::new(Cause::Rejected, Fault::None, status)
    }

    /// No `[[number]]` matches.
    pub(super) fn unknown_number() -> Why {
        Why::new(Cause::Rejected, Fault::Configuration, StatusCode::NOT_FOUND)
    }

    /// It came to us before and goes round (RFC 3261 §16.3).
    pub(crate) fn looped() -> Why {
        Why::new(Cause::Rejected, Fault::CallerSide, StatusCode::LOOP_DETECTED)
    }

    /// An agent who rings for this very caller has sent it back to us: for his telephone he is not there.
    pub(crate) fn returned(agent: &str, rung: CallId) -> Why {
        let reason = format!("sent on by {agent}, who rings for this caller in call {rung}");
        Why::new(Cause::Rejected, Fault::None, StatusCode::TEMPORARILY_UNAVAILABLE)
            .because(Some(reason.into()))
    }

    /// No trunk could take a call for help. 503: whoever sent it here may have another way.
    pub(super) fn no_help() -> Why {
        Why::new(Cause::Unreachable, Fault::Configuration, StatusCode::SERVICE_UNAVAILABLE)
    }

    /// An agent's telephone may not call there.
    pub(super) fn forbidden() -> Why {
        Why::new(Cause::Rejected, Fault::None, StatusCode::FORBIDDEN)
    }

    /// We or the trunk are full. No Retry-After: it would stop the SBC altogether (RFC 3261 §21.5.4).
    pub fn overload() -> Why {
        Why::new(Cause::Overload, Fault::Router, StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The trunk by which the call came has reached a limit of its own.
    pub(super) fn beyond(limit: Limit, status: StatusCode) -> Why {
        let reason = Some(Bytes::from_static(limit.in_words().as_bytes()));
        Why::new(Cause::Overload, Fault::Router, status).because(reason)
    }

    /// The call must be recorded and cannot be.
    pub(super) fn unrecorded(policy: &str) -> Why {
        let reason = format!("SIP;cause=503;text=\"cannot be recorded (recording.{policy}.required)\"");
        Why::new(Cause::Rejected, Fault::Router, StatusCode::SERVICE_UNAVAILABLE).because(Some(reason.into()))
    }

    /// The drain deadline came.
    pub fn shutdown() -> Why {
        Why::new(Cause::Shutdown, Fault::None, StatusCode::SERVICE_UNAVAILABLE)
    }

    /// An error of ours.
    pub(super) fn internal() -> Why {
        Why::new(Cause::Internal, Fault::Router, StatusCode::SERVER_INTERNAL_ERROR)
    }

    /// The 200 was never acknowledged (RFC 3261 §13.3.1.4), or a reliable 1xx (RFC 3262 §3).
    pub(super) fn no_ack(leg: LegNumber) -> Why {
        Why::new(Cause::NoAck, side(leg), StatusCode::SERVER_TIMEOUT)
    }

    /// The answer in the ACK cannot be used.
    pub(super) fn unusable_answer(leg: LegNumber) -> Why {
        Why::new(Cause::NoCommonMedia, side(leg), StatusCode::NOT_ACCEPTABLE_HERE)
    }

    /// The far end is silent and answers no question.
    pub(super) fn media_lost(leg: LegNumber) -> Why {
        Why::new(Cause::MediaLost, side(leg), StatusCode::REQUEST_TIMEOUT)
    }

    /// It was a consultation before a transfer.
    pub(super) fn transferred() -> Why {
        Why::new(Cause::Transferred, Fault::None, StatusCode::REQUEST_TERMINATED)
    }

    /// The far end let the session run out, or does not know it any more.
    pub(super) fn session_expired(leg: LegNumber) -> Why {
        Why::new(Cause::SessionExpired, side(leg), StatusCode::REQUEST_TIMEOUT)
    }

    /// The caller's own leg failed under us.
    pub(super) fn caller_unreachable() -> Why {
        Why::new(Cause::Unreachable, Fault::CallerSide, StatusCode::REQUEST_TIMEOUT)
    }

    /// No sound for the caller.
    pub(super) fn no_sound(why: NoSound) -> Box<Why> {
        Box::new(match why {
            NoSound::NoPort => Why::overload(),
            NoSound::Refused(error) => Why::refused(&error),
        })
    }

    fn refused(error: &NegotiationError) -> Why {
        let reply = refusal(error);
        Why { cause: Cause::NoCommonMedia, fault: Fault::CallerSide, reply, reason: None }
    }

    /// The dialled side's last word, for a caller who was never answered.
    pub(super) fn failed(failure: Failure) -> Why {
        let (cause, fault) = match &failure {
            failure if failure.is_busy() => (Cause::Busy, Fault::None),
            failure if failure.is_decline() => (Cause::Declined, Fault::None),
            failure if failure.is_no_answer() => (Cause::NoAnswer, Fault::None),
            failure if failure.origin == Origin::Ourselves => (Cause::Unreachable, Fault::Router),
            _ => (Cause::Unreachable, Fault::CalledSide),
        };
        let mut why = Why::new(cause, fault, failure.status_for_caller());
        if failure.origin == Origin::Remote && why.reply.status == failure.status {
            why.reply.reason = Some(failure.phrase.into()).filter(|phrase: &Bytes| !phrase.is_empty());
        }
        why.reply.headers.extend(failure.reason.clone().map(reason_header));
        why.because(failure.reason)
    }

    /// BYE or CANCEL of the other legs: with the reason that came, if one did (RFC 3326 §2).
    fn hang_up(&self) -> HangUp {
        let headers = self.reason.clone().map(reason_header).into_iter().collect();
        HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) }
    }

    /// True if the call would go on if we did not end.
    pub(super) fn is_our_end(&self) -> bool {
        self.cause == Cause::Shutdown
    }

    /// True if the caller left by himself.
    pub(super) fn is_caller_gone(&self) -> bool {
        self.cause == Cause::CallerHungUp
    }
}

/// For who rings while the caller goes elsewhere: his telephone shows no missed call (RFC 3326 §3.2). When the caller gives
/// up there is no such reason, nor when nobody else is rung for him: he is to see that somebody called.
pub(super) fn completed_elsewhere() -> HangUp {
    let reason = Bytes::from_static(b"SIP;cause=200;text=\"Call completed elsewhere\"");
    HangUp { headers: vec![reason_header(reason)], ..HangUp::new(StatusCode::REQUEST_TERMINATED) }
}

fn reason_header(value: Bytes) -> (Bytes, Bytes) {
    (Bytes::from_static(b"Reason"), value)
}

fn side(leg: LegNumber) -> Fault {
    if leg == CALLER { Fault::CallerSide } else { Fault::CalledSide }
}

impl Call {
    /// The flow is at its end: what the last dial said is passed on, an answered caller is hung up.
    pub(super) fn flow_ran_out(&mut self, board: &mut Switchboard) {
        let why = match self.last_failure.take() {
            Some(failure) if self.is_emergency => Why { reply: Why::no_help().reply, ..Why::failed(failure) },
            Some(failure) => Why::failed(failure),
            None => Why::flow_ended(),
        };
        self.end(why, board);
    }

    /// Ends the call, in whatever stage it is: agents go free, legs are hung up, sound is closed. Ending it again
    /// changes nothing.
    pub(super) fn end(&mut self, mut why: Why, board: &mut Switchboard) {
        if matches!(self.stage, Stage::Ended(_)) {
            return;
        }
        self.stop_recording("the call ended", board);
        self.note_cut_prompt(board);
        self.settle_callback(&why, board);
        let until = board.now + COUNT_TIMEOUT;
        let (queue, agents) = (self.queue(), self.agents().collect());
        let stage = std::mem::replace(&mut self.stage, Stage::InFlow(Waits::Nothing));
        self.leave_stage(stage, &mut why, board);
        let status = self.dismiss_caller(&why, board);
        for number in
            (0..self.legs.len() as LegNumber).filter(|number| *number != self.seat).collect::<Vec<_>>()
        {
            let rings = self.leg(number).is_some_and(Leg::rings);
            let goes_on = why.cause == Cause::Transferred;
            let how = if rings && goes_on { completed_elsewhere() } else { why.hang_up() };
            self.hang_up_with(number, how, board);
        }
        self.close_leg(self.seat, board);
        self.probe_at = None;
        self.stage = Stage::Ended(Ending { why, queue, agents, status, until, recorded: false });
        self.record_if_counted(board);
    }

    /// What a stage owes to others.
    fn leave_stage(&mut self, stage: Stage, why: &mut Why, board: &mut Switchboard) {
        match stage {
            Stage::Talking(talk) => {
                if let Some(agent) = talk.agent() {
                    self.remember_talk(agent, board);
                    board.agent_wraps_up(agent, talk.queue());
                }
                return;
            }
            Stage::InFlow(Waits::Voicemail(visit)) => return self.leave_voicemail(&visit, why, board),
            Stage::Waiting(place) => self.abandon_wait(place, Call::how_left(why), board),
            Stage::Ringing(ring) => self.abandon_assignment(&ring, Call::how_left(why), board),
            Stage::InFlow(_) | Stage::Ended(_) => return,
        }
        if why.cause == Cause::CallerHungUp {
            why.cause = Cause::Abandoned;
        }
    }

    /// The caller's leg: a final status if his INVITE is open, else BYE. Returns the status.
    fn dismiss_caller(&mut self, why: &Why, board: &mut Switchboard) -> Option<u16> {
        let unanswered = matches!(self.answered, Answered::No | Answered::Early);
        let status = why.reply.status.code();
        if let Some(sip) = self.caller().sip.take() {
            board.forget(sip);
            if unanswered {
                board.sip.respond(board.now, sip, why.reply.clone());
            } else {
                board.sip.hang_up(board.now, sip, why.hang_up());
            }
        }
        unanswered.then_some(status)
    }

    /// Hangs up a leg we dialled, if it lives.
    pub(super) fn hang_up_leg(&mut self, number: LegNumber, status: StatusCode, board: &mut Switchboard) {
        self.hang_up_with(number, HangUp::new(status), board);
    }

    pub(super) fn hang_up_with(&mut self, number: LegNumber, hang_up: HangUp, board: &mut Switchboard) {
        let hang_up = self.without_missed_call(number, hang_up, board);
        if let Some(sip) = self.leg_mut(number).and_then(|leg| leg.sip.take()) {
            board.forget(sip);
            board.sip.hang_up(board.now, sip, hang_up);
        }
        self.close_leg(number, board);
    }

    /// The leg counts as a call of its trunk from now on, until it is closed.
    pub(super) fn occupy_trunk(
        &mut self,
        number: LegNumber,
        trunk: Option<TrunkId>,
        board: &mut Switchboard,
    ) {
        if let (Some(leg), Some(trunk)) = (self.leg_mut(number), trunk) {
            leg.trunk = Some(trunk);
            board.one_call_more(trunk);
        }
    }

    /// The dialog of a leg is over: no sound any more.
    pub(super) fn close_leg(&mut self, number: LegNumber, board: &mut Switchboard) {
        if let Some((agent, queue)) = self.leg_mut(number).and_then(|leg| leg.engaged.take()) {
            self.remember_talk(agent, board);
            board.agent_wraps_up(agent, queue);
        }
        let key = self.key;
        if let Some(leg) = self.leg_mut(number) {
            (leg.leaves_at, leg.whisper) = (None, None);
            std::mem::take(&mut leg.besides).over(board);
            if let Some(trunk) = leg.trunk.take() {
                board.one_call_less(trunk);
                board.sent_back.remove(trunk, std::mem::take(&mut leg.tokens), (key, number));
            }
            if let Some(sip) = leg.sip.take() {
                board.forget(sip);
            }
            leg.close_sound(board);
        }
    }

    /// The caller spoke to this agent; a colleague is no caller.
    fn remember_talk(&self, agent: AgentId, board: &mut Switchboard) {
        if self.leg(self.seat).is_some_and(|seat| seat.agent.is_none()) {
            board.callers.spoke_to(&self.parties.caller, agent, board.at);
        }
    }

    /// The engine's final count of a leg: its port is free, its figures go on record.
    pub(super) fn counted(&mut self, number: LegNumber, stats: &LegStats, board: &mut Switchboard) {
        let Some(sound) = self.leg_mut(number).and_then(|leg| leg.sound.as_mut()) else { return };
        if sound.count.is_some() {
            return;
        }
        let media = leg_media(stats);
        sound.count = Some(media.clone());
        board.release_port(sound.port);
        self.fact(What::LegEnded { leg: number, media }, board);
        self.record_if_counted(board);
    }

    fn record_if_counted(&mut self, board: &mut Switchboard) {
        if !self.legs.iter().any(Leg::is_counting) {
            self.record(board);
        }
    }

    /// Closes the record.
    pub(super) fn record(&mut self, board: &mut Switchboard) {
        let Stage::Ended(ending) = &mut self.stage else { return };
        if std::mem::replace(&mut ending.recorded, true) {
            return;
        }
        let (why, status, queue) = (&ending.why, ending.status, ending.queue);
        let agents = board.agent_names(&ending.agents);
        let (cause, fault) = (why.cause, why.fault);
        let reason = why.reason.as_deref().map(text);
        let q850 = reason.as_deref().and_then(|reason| Reason::q850(reason).cause);
        let ended = What::Ended { cause, fault, status, q850, reason };
        info!(
            parent: &self.span,
            queue = queue.map(|queue| board.queue_name(queue)),
            agent = Some(agents).filter(|names| !names.is_empty()),
            cause = cause.word(),
            fault = fault.word(),
            "call ended"
        );
        self.release_uncounted_ports(board);
        self.fact(ended, board);
    }

    /// Ports whose count never came: the engine is gone, the ports must not be.
    fn release_uncounted_ports(&mut self, board: &mut Switchboard) {
        for sound in self.legs.iter_mut().filter_map(|leg| leg.sound.as_mut()) {
            if sound.count.is_none() {
                sound.count = Some(LegMedia::default());
                board.release_port(sound.port);
            }
        }
    }
}

fn leg_media(stats: &LegStats) -> LegMedia {
    LegMedia {
        codec: stats.codec.map(|codec| codec.name().to_owned()).unwrap_or_default(),
        packets_in: stats.received_packets,
        octets_in: stats.received_octets,
        packets_out: stats.sent_packets,
        octets_out: stats.sent_octets,
        lost: stats.lost,
        jitter_us: stats.jitter_us,
        rejected: stats.rejected,
        srtp: stats.suite.map(|suite| suite.name().to_owned()),
        unauthentic: stats.unauthentic,
        replayed: stats.replayed,
        round_trip_us: stats.round_trip_us,
        quality: stats.rating.map(|rating| leg_quality(stats, rating)),
    }
}

fn leg_quality(stats: &LegStats, rating: Rating) -> LegQuality {
    let (losses, loudness) = (&stats.losses, &stats.loudness);
    let remote = stats.remote_metrics.and_then(|metrics| metrics.listening);
    LegQuality {
        r: rating.r,
        mos_listening: f32::from(rating.listening) / 100.0,
        mos_conversational: f32::from(rating.conversational) / 100.0,
        mos_remote: remote.map(|tenths| f32::from(tenths) / 10.0),
        lost: losses.lost.into(),
        bursts: losses.bursts.into(),
        lost_in_bursts: losses.burst_lost.into(),
        reordered: stats.reordered,
        late: stats.late,
        speech_dbm0: loudness.speech_dbm0(),
        noise_dbm0: loudness.noise_dbm0(),
        clipped_ppm: loudness.clipped_ppm(),
        nothing_percent: loudness.nothing_percent(),
    }
}
