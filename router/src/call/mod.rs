//! A call: one caller's whole stay, from the INVITE to the record.
//!
//! The machine takes what happened on its legs, the scheduler's choice and the time, and acts on the
//! [`Switchboard`]. Each [`Stage`] owns its deadlines, so none outlives its stage. The rooms beside this file follow
//! the way of a call: `arrive`, `flow` (steps), `menu` and `voicemail`, `assign` (queue and agent), `dial`, `talk`, `end`.

mod announce;
mod arrive;
mod assign;
mod attempts;
mod callback;
mod conference;
mod confirm;
mod dead_air;
mod dial;
mod diversion;
mod dtmf;
mod early;
mod emergency;
mod end;
mod enter;
mod failure;
mod flow;
mod hold;
mod identity;
mod join;
mod keys;
mod leg;
mod machine;
mod menu;
mod own;
mod parties;
mod recording;
mod rejoin;
mod ring;
mod rules;
mod secure;
mod session;
mod sticky;
mod talk;
mod target;
mod telling;
mod transfer;
mod voicemail;
mod way;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use media::{Event as MediaEvent, MediaLegKey};
use scheduler::Line;
use sip_core::{Event as SipEvent, LegKey};
use smallvec::SmallVec;
use tracing::Span;

use self::{
    assign::Place, callback::CallingBack, end::Ending, failure::Failure, flow::Position, leg::Leg,
    menu::Menu, recording::Recording, ring::Ring, talk::Talk, voicemail::Voicemail,
};
use crate::{
    config::{AgentId, Config, Language, QueueId, TrunkId},
    credit::Credit,
    journal::fact::{CallId, LegNumber, MessageEnd, Micros, What},
    keys::CallKey,
    shard::Switchboard,
};

pub(crate) use self::emergency::number_of;
pub(crate) use self::rejoin::Token;
pub use self::{
    end::Why,
    join::{Given, Joining},
    parties::Parties,
};

/// Whoever transferred hangs up when he hears that it is done, and so does what it leaves behind; who does not is hung up
/// after so long.
const GRACE: Duration = Duration::from_secs(2);

/// Legs that one call may have: numbers of legs end at 4,095 (`keys`), and somebody may ring at several addresses.
const MOST_LEGS: usize = 3_900;
/// For the log and the record.
const ALL_LEGS: &str = "the call has had as many legs as a call may";

/// The caller's leg, or that of the customer who is called back.
pub(crate) const CALLER: LegNumber = 0;

/// One caller's whole stay.
pub struct Call {
    key: CallKey,
    id: CallId,
    /// The configuration as it was when the call came: it keeps its flow. Queues, agents and trunks are read live.
    config: Arc<Config>,
    trunk: TrunkId,
    parties: Parties,
    arrived: Micros,
    /// When he first came to a queue: by this he is placed in every queue, however often he enters one.
    in_line_since: Option<Micros>,
    /// When he was last transferred into a queue or a flow.
    transferred: Option<Micros>,
    /// What he is credited with in the queue he is in, or was in last.
    credits: Vec<Credit>,
    /// Who is where the caller is: after a transfer by the caller it is whom he had called.
    seat: LegNumber,
    /// The caller first, or the customer who is called back; then the legs we dialled; over ones stay for the record.
    legs: SmallVec<[Leg; 2]>,
    /// The caller's offer, until it is answered.
    offer: Option<Bytes>,
    /// How far the caller's INVITE is answered.
    answered: Answered,
    /// End-to-end header fields of the caller's INVITE for the legs we dial.
    carried: Vec<(Bytes, Bytes)>,
    max_forwards: u8,
    /// In which the caller is spoken to; `None`: the configuration knows no languages.
    language: Option<Language>,
    position: Position,
    stage: Stage,
    plays: u32,
    /// The queue's announcement that the caller hears; music follows.
    announcement: Option<announce::Announcement>,
    /// What he is told of his wait, and when again.
    telling: Option<telling::Telling>,
    /// What the last unsuccessful dial came to: passed on if the flow runs out unanswered.
    last_failure: Option<Failure>,
    /// An agent calls for help.
    is_emergency: bool,
    /// The callback that this call works for, if it is one and the customer is not reached yet.
    calling_back: Option<Box<CallingBack>>,
    /// A transfer that has failed just now.
    failed_transfer: Option<Box<transfer::Failed>>,
    /// It is the call of this agent, from his telephone.
    own: Option<AgentId>,
    /// When to ask the quiet legs whether they live.
    probe_at: Option<Instant>,
    recording: Recording,
    span: Span,
}

/// How far the caller's INVITE has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// 100 at most, or 180 without sound.
    No,
    /// 183 with a description: early sound flows.
    Early,
    /// 200 sent.
    Sent,
    /// ACK received.
    Acknowledged,
}

/// Where a call is, with the deadlines of that place.
enum Stage {
    /// A step of the flow waits for something.
    InFlow(Waits),
    /// In a queue.
    Waiting(Place),
    /// Somebody is being rung.
    Ringing(Ring),
    /// Two parties are connected.
    Talking(Talk),
    /// Over; the last counts and the record are due.
    Ended(Ending),
}

/// What a step of the flow waits for.
enum Waits {
    /// Nothing: one step is done, the next has not begun.
    Nothing,
    /// The caller's ACK.
    Ack,
    /// The end of a prompt.
    Prompt { play: u32 },
    /// A key.
    Menu(Menu),
    /// A message.
    Voicemail(Box<Voicemail>),
    /// That he hangs up, in a conference.
    Conference,
}

/// The name of a stage, for gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageName {
    /// In the flow.
    InFlow,
    /// In a queue.
    Waiting,
    /// Somebody is being rung.
    Ringing,
    /// Two parties are connected.
    Talking,
    /// Over, record due.
    Ended,
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StageName::InFlow => "in-flow",
            StageName::Waiting => "waiting",
            StageName::Ringing => "ringing",
            StageName::Talking => "talking",
            StageName::Ended => "ended",
        })
    }
}

/// What a call can be told.
pub enum Input {
    /// Something happened on the SIP leg with this number.
    Sip(LegNumber, SipEvent),
    /// Something happened in the engine on the leg with this number.
    Media(LegNumber, MediaEvent),
    /// The scheduler chose this agent; the letter is in the caller's ticket.
    Assigned,
    /// There may be idle agents for a caller for whom fewer ring than might.
    Reinforce,
    /// A deadline of the call is due.
    Deadline,
    /// The queue he waits in is set otherwise, is gone, or has found or lost those who serve it.
    QueueChanged,
    /// His queue has something new to say.
    Announcement,
    /// What another call has given for an attended transfer.
    Joins(Box<(Joining, Option<Given>)>),
    /// End now.
    End(Why),
}

impl Call {
    /// The call's key.
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// The trunk it came by.
    pub fn trunk(&self) -> TrunkId {
        self.trunk
    }

    /// UTC of its INVITE.
    pub fn arrived(&self) -> Micros {
        self.arrived
    }

    /// Its name in the journal.
    pub fn id(&self) -> CallId {
        self.id
    }

    /// Who calls whom.
    pub fn parties(&self) -> &Parties {
        &self.parties
    }

    /// The agent for whom the caller waits alone.
    pub fn waits_for(&self) -> Option<AgentId> {
        match &self.stage {
            Stage::Waiting(place) => place.alone.map(|alone| alone.agent),
            _ => None,
        }
    }

    /// Since when the caller is in the queue he is in.
    pub fn waits_since(&self) -> Option<Micros> {
        match &self.stage {
            Stage::Waiting(place) => Some(place.entered),
            Stage::Ringing(ring) => ring.place().map(|place| place.entered),
            _ => None,
        }
    }

    /// The queue in which he waits, or which he leaves if the agent who rings answers.
    pub fn waits_in(&self) -> Option<QueueId> {
        match &self.stage {
            Stage::Waiting(place) => Some(place.queue),
            Stage::Ringing(ring) => ring.place().map(|place| place.queue),
            _ => None,
        }
    }

    /// The span that its log lines belong to. What changes in the course of a call stands in the lines, not here.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Where it is.
    pub fn stage(&self) -> StageName {
        match self.stage {
            Stage::InFlow(_) => StageName::InFlow,
            Stage::Waiting(_) => StageName::Waiting,
            Stage::Ringing(_) => StageName::Ringing,
            Stage::Talking(_) => StageName::Talking,
            Stage::Ended(_) => StageName::Ended,
        }
    }

    /// The sound of the two who talk, or of the caller and whom he hears before his answer.
    pub fn connected(&self) -> Option<(MediaLegKey, MediaLegKey)> {
        let other = match &self.stage {
            Stage::Talking(talk) => talk.leg(),
            Stage::Ringing(ring) => ring.heard?,
            _ => return None,
        };
        Some((self.leg(self.seat)?.media_key()?, self.leg(other)?.media_key()?))
    }

    /// Legs whose dialog lives.
    pub fn live_legs(&self) -> usize {
        self.legs.iter().filter(|leg| leg.sip.is_some()).count()
    }

    /// The queue in which the caller waits, or from which he was given to an agent.
    pub fn queue(&self) -> Option<QueueId> {
        match &self.stage {
            Stage::Waiting(place) => Some(place.queue),
            Stage::Ringing(ring) => ring.place().map(|place| place.queue),
            Stage::Talking(talk) => talk.queue(),
            _ => None,
        }
    }

    /// The agents who ring for the caller, or the one who talks with him, and who have transferred and not hung up yet.
    pub fn agents(&self) -> impl Iterator<Item = AgentId> {
        let (ring, talk) = match &self.stage {
            Stage::Ringing(ring) => (Some(ring), None),
            Stage::Talking(talk) => (None, talk.agent()),
            _ => (None, None),
        };
        let left = self.legs.iter().filter_map(|leg| leg.engaged).map(|(agent, _)| agent);
        ring.into_iter().flat_map(Ring::agents).chain(talk).chain(left)
    }

    /// Fewer agents ring for the caller than might, for want of idle ones: the key by which he comes first, and the
    /// line in which one would be idle for him.
    pub fn wants_agents(&self) -> Option<(u64, Line)> {
        let Stage::Ringing(ring) = &self.stage else { return None };
        let place = ring.place().filter(|_| ring.is_short)?;
        Some((place.key, place.line()))
    }

    /// True when the record is written and nothing is left to wait for.
    pub fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Ended(ending) if ending.is_recorded())
    }

    /// When [`Input::Deadline`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::InFlow(Waits::Menu(menu)) => menu.deadline(),
            Stage::InFlow(Waits::Voicemail(visit)) => visit.deadline(),
            Stage::InFlow(_) => None,
            Stage::Waiting(place) => Some(place.deadline()),
            Stage::Ringing(ring) => ring.deadline(),
            Stage::Talking(_) => None,
            Stage::Ended(ending) => return ending.deadline(),
        };
        let leaving = self.legs.iter().filter_map(|leg| leg.leaves_at).min();
        let tells_at = self.tells_at();
        [stage, self.probe_at, leaving, tells_at, self.recording.deadline()].into_iter().flatten().min()
    }

    /// Tells the call what happened; it acts on the board.
    pub fn handle(&mut self, input: Input, board: &mut Switchboard) {
        match input {
            Input::Sip(leg, event) => self.handle_sip(leg, event, board),
            Input::Media(leg, event) => self.handle_media(leg, event, board),
            Input::Assigned => self.assigned(board),
            Input::Reinforce => self.ring_on(board),
            Input::Deadline => self.handle_deadline(board),
            Input::QueueChanged => self.queue_changed(board),
            Input::Announcement => self.hears_news(board),
            Input::Joins(joined) => {
                let (joining, given) = *joined;
                self.joins(&joining, given, board);
            }
            Input::End(why) => self.end(why, board),
        }
    }

    fn handle_sip(&mut self, leg: LegNumber, event: SipEvent, board: &mut Switchboard) {
        match event {
            SipEvent::Cancelled { .. } if self.round_is_over(leg, board) => {}
            SipEvent::Cancelled { request, .. } => self.caller_cancelled(request.as_ref(), board),
            SipEvent::Acked { request, .. } => self.acknowledged(leg, &request, board),
            SipEvent::AckMissing { .. } => self.lost(leg, Why::no_ack(leg), board),
            SipEvent::Bye { request, .. } => self.hung_up(leg, &request, board),
            SipEvent::Progress { early, response, .. } => self.progressed(leg, early, &response, board),
            SipEvent::Answered { early, response, .. } => self.picked_up(leg, early, &response, board),
            SipEvent::AttemptFailed { .. } => self.attempt_failed(leg, &event, board),
            SipEvent::Failed { status, response, cause, .. } => {
                self.leg_failed(leg, Failure::of(status, response.as_ref(), cause), board);
            }
            SipEvent::Reinvite { request, .. } => self.reoffered(leg, &request, board),
            SipEvent::Request { key, request, .. } => self.asked(leg, key, &request, board),
            SipEvent::Refer { key, request, .. } => self.asked_to_transfer(leg, key, &request, board),
            SipEvent::Reinvited { status, response, .. } => {
                self.reinvited(leg, status, response.as_ref(), board);
            }
            SipEvent::RefreshDue { .. } => self.refresh(leg, board),
            SipEvent::SessionExpired { .. } => self.session_expired(leg, board),
            SipEvent::Probed { alive, .. } => self.probed(leg, alive, board),
            _ => {}
        }
    }

    fn handle_media(&mut self, leg: LegNumber, event: MediaEvent, board: &mut Switchboard) {
        match event {
            MediaEvent::Played { play, .. } if self.whispered(leg, play, board) => {}
            MediaEvent::Played { play, .. } => self.played(play, board),
            MediaEvent::Digit { digit, duration_ms, .. } => self.key_by_event(leg, digit, duration_ms, board),
            MediaEvent::Tone { digit, duration_ms, .. } => self.key_by_tone(leg, digit, duration_ms, board),
            MediaEvent::Heard { bridged: false, .. } => self.heard_first(leg, board),
            MediaEvent::Quiet { .. } => self.message_is_over(MessageEnd::Silence, board),
            MediaEvent::Full { .. } => self.conference_is_full(board),
            MediaEvent::TwoWay { at, .. } => self.sound_went_both_ways(at, board),
            MediaEvent::Unauthentic { .. } => self.could_not_be_opened(leg),
            MediaEvent::PathBroken { why, .. } => self.path_broken(leg, &why, board),
            MediaEvent::Silent { .. } => self.fell_silent(leg, board),
            MediaEvent::Unheard { on_hold: true, .. } => self.holds_in_silence(leg, board),
            MediaEvent::Unheard { on_hold: false, .. } => self.was_never_heard(leg, board),
            MediaEvent::DeadAir { why, .. } => self.is_not_heard(leg, why, board),
            MediaEvent::Closed { stats, .. } => self.counted(leg, &stats, board),
            _ => {}
        }
    }

    fn handle_deadline(&mut self, board: &mut Switchboard) {
        self.hang_up_leaving(board);
        self.tell(board);
        if self.probe_at.is_some_and(|at| at <= board.now) {
            self.probe_quiet_legs(board);
        }
        self.recording_due(board);
        match &self.stage {
            Stage::InFlow(Waits::Menu(menu)) if due(menu.deadline(), board) => self.menu_timed_out(board),
            Stage::InFlow(Waits::Voicemail(visit)) if due(visit.deadline(), board) => {
                self.message_is_over(MessageEnd::TooLong, board);
            }
            Stage::Waiting(place) if place.deadline() <= board.now => self.waited(*place, board),
            Stage::Ringing(ring) if due(ring.deadline(), board) => self.rang_too_long(board),
            Stage::Ended(ending) if due(ending.deadline(), board) => self.record(board),
            _ => {}
        }
    }

    fn leg(&self, number: LegNumber) -> Option<&Leg> {
        self.legs.get(usize::from(number))
    }

    fn leg_mut(&mut self, number: LegNumber) -> Option<&mut Leg> {
        self.legs.get_mut(usize::from(number))
    }

    fn caller(&mut self) -> &mut Leg {
        &mut self.legs[usize::from(self.seat)]
    }

    fn caller_sip(&self) -> Option<LegKey> {
        self.legs[usize::from(self.seat)].sip
    }

    /// It has had as many legs as a call may: nobody new comes to it.
    fn is_full(&self) -> bool {
        self.legs.len() >= MOST_LEGS
    }

    fn is_answered(&self) -> bool {
        matches!(self.answered, Answered::Sent | Answered::Acknowledged)
    }

    fn fact(&self, what: What, board: &mut Switchboard) {
        board.fact(Some(self.id), what);
    }
}

fn due(deadline: Option<Instant>, board: &Switchboard) -> bool {
    deadline.is_some_and(|at| at <= board.now)
}
