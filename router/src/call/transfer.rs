//! Transfers: a party of a talk asks for the other one to be connected with somebody else (REFER, RFC 3515), and we do
//! it ourselves, as third-party call control: no REFER ever leaves us, for whoever got it might call anybody at our
//! cost, or call us in a circle.
//!
//! The transferred party stays with us. He is led into a queue or a flow at once, or the new party is called for him
//! while he hears music or the ringing tone; if that comes to nothing whoever transferred has his talk back, or if he
//! has hung up meanwhile, the transferred one goes where `[transfers]` says.

use std::time::Instant;

use bytes::Bytes;
use sip_core::{
    LegKey, Message, Reply, RequestKey, StatusCode,
    message::{Header, ParseError, ReferTo, Replaces},
};
use tracing::{info, warn};

use super::{
    ALL_LEGS, Answered, Call, GRACE, Parties, Stage, Waits, Why,
    arrive::text,
    assign::Place,
    failure::Failure,
    flow::Position,
    ring::{Purpose, Ring, Rung},
    talk::Talk,
    target::Target,
};
use crate::{
    config::{AgentId, QueueId, TrunkId, WhenGone},
    journal::fact::{LegNumber, TransferStep, What},
    media_command::play,
    shard::Switchboard,
};

/// A transfer under way.
pub(super) struct Transfer {
    /// Who asked for it.
    pub(super) by: LegNumber,
    /// His dialog: he is told by it how it goes, also after he has hung up (RFC 5057 §4.1).
    sip: LegKey,
    /// The talk that it interrupts.
    talk: Talk,
    /// Who sat where the caller sits, before it.
    before: Seat,
    /// Referred-By, for a new party that may know who transferred.
    referred_by: Option<Bytes>,
    /// It is he who transferred who is rung, because nobody else was reached and he had gone.
    recall: bool,
}

/// A transfer that has just failed: a BYE of whoever asked for it may have crossed with the news.
pub(super) struct Failed {
    transfer: Transfer,
    failure: Failure,
    until: Instant,
}

/// Who is where the caller is.
#[derive(Clone)]
struct Seat {
    leg: LegNumber,
    parties: Parties,
    trunk: TrunkId,
}

/// The agent whom a leg engages though the call talks to somebody else; his wrap-up begins when the leg ends.
pub(super) type Engaged = (AgentId, Option<QueueId>);

impl Transfer {
    pub(super) fn referred_by(&self) -> Option<&Bytes> {
        self.referred_by.as_ref()
    }

    /// The place in a queue that the transferred party came from.
    pub(super) fn place(&self) -> Option<Place> {
        self.talk.place().filter(|_| self.by == self.talk.leg())
    }
}

/// Asking for it.
impl Call {
    /// A REFER: done, or refused with the status that says why. Nothing has changed by one that is refused.
    pub(super) fn asked_to_transfer(
        &mut self,
        by: LegNumber,
        key: RequestKey,
        refer: &Message,
        board: &mut Switchboard,
    ) {
        let (Some(sip), Ok(to)) = (self.sip_of(by), ReferTo::of(refer)) else { return };
        let allowed = self.may_transfer(by, board);
        if let (Ok(()), Some(replaces)) = (allowed, to.replaces()) {
            return self.asked_to_join((by, sip), key, (&to, replaces), board);
        }
        match allowed.and_then(|()| self.target_of(by, &to, board)) {
            Ok(target) => {
                board.sip.accept_refer(board.now, sip, key);
                self.note_asked(by, &to, target.in_words(board), board);
                let referred_by = refer.value(Header::ReferredBy).map(|value| Bytes::copy_from_slice(&value));
                self.begin_transfer((by, sip), target, referred_by, board);
            }
            Err(status) => self.refuse_transfer((by, sip), key, &to, status, board),
        }
    }

    fn refuse_transfer(
        &self,
        (by, sip): (LegNumber, LegKey),
        key: RequestKey,
        to: &ReferTo,
        status: StatusCode,
        board: &mut Switchboard,
    ) {
        let refused = TransferStep::Refused { by, to: named(to), status: status.code() };
        self.fact(What::Transfer(refused), board);
        board.sip.answer_request(board.now, sip, key, Reply::new(status));
    }

    /// A REFER that names another dialog. One that is none of ours is not the fault of the REFER's own dialog, so that is
    /// told by NOTIFY: a 481 to the REFER would end the call.
    fn asked_to_join(
        &mut self,
        (by, sip): (LegNumber, LegKey),
        key: RequestKey,
        (to, replaces): (&ReferTo, Result<Replaces, ParseError>),
        board: &mut Switchboard,
    ) {
        let Ok(replaces) = replaces else {
            return self.refuse_transfer((by, sip), key, to, StatusCode::BAD_REQUEST, board);
        };
        board.sip.accept_refer(board.now, sip, key);
        self.note_asked(by, to, "whom he speaks with in another call".to_owned(), board);
        if let Err(status) = self.transfer_attended((by, sip), &replaces, board) {
            self.attended_failed(by, sip, status, board);
        }
    }

    /// Whether this party may transfer, and now.
    fn may_transfer(&self, by: LegNumber, board: &Switchboard) -> Result<(), StatusCode> {
        let leg = self.leg(by).ok_or(StatusCode::FORBIDDEN)?;
        let agent = leg.agent.map(|agent| board.config.agent(agent).is_some_and(|agent| agent.transfers));
        if self.is_emergency && by == self.seat {
            return Err(StatusCode::FORBIDDEN); // whoever has got help keeps it
        }
        let of_trunk = |trunk| board.config.trunk(trunk).is_some_and(|trunk| trunk.transfer.allowed);
        if !agent.unwrap_or(false) && !leg.trunk.is_some_and(of_trunk) {
            return Err(StatusCode::FORBIDDEN);
        }
        if self.is_full() {
            warn!(parent: &self.span, by, "no transfer: {ALL_LEGS}");
            return Err(StatusCode::FORBIDDEN);
        }
        match &self.stage {
            Stage::Talking(talk) if by == talk.leg() || by == self.seat => Ok(()),
            Stage::Ringing(Ring { purpose: Purpose::Transfer(_), .. }) => Err(StatusCode::REQUEST_PENDING),
            _ => Err(StatusCode::FORBIDDEN),
        }
    }

    fn note_asked(&self, by: LegNumber, to: &ReferTo, destination: String, board: &mut Switchboard) {
        let agent = self.leg(by).and_then(|leg| leg.agent).map(|agent| board.agent_name(agent));
        info!(parent: &self.span, by, agent, destination, "transfer");
        let asked = TransferStep::Asked { by, agent, to: named(to), destination };
        self.fact(What::Transfer(asked), board);
    }

    /// The other party of the talk in which `by` speaks.
    pub(super) fn other_party(&self, by: LegNumber) -> Option<LegNumber> {
        match &self.stage {
            Stage::Talking(talk) if by == self.seat => Some(talk.leg()),
            Stage::Talking(talk) if by == talk.leg() => Some(self.seat),
            _ => None,
        }
    }
}

/// Doing it.
impl Call {
    pub(super) fn begin_transfer(
        &mut self,
        (by, sip): (LegNumber, LegKey),
        target: Target,
        referred_by: Option<Bytes>,
        board: &mut Switchboard,
    ) {
        let Some(transfer) = self.steps_aside(by, sip, board) else { return };
        let transfer = Transfer { referred_by, ..transfer };
        let ring_timeout = self.config.transfers.ring_timeout;
        match target {
            Target::Goto(_) | Target::Number { .. } => self.led_to(&transfer, target, board),
            Target::Agent(agent) => {
                let rung = Rung::transferred_to(agent, ring_timeout, board);
                self.ring_for(transfer, rung, board);
            }
            Target::Address(address) => {
                let unknown = Transfer { referred_by: None, ..transfer };
                self.ring_for(unknown, Rung::party(address, None, ring_timeout, board.at), board);
            }
            Target::Back(mut way, agent) => {
                way.tokens = Call::tokens_for(way.trunk, transfer.referred_by(), board);
                let rung = Rung::back(*way, agent, ring_timeout, board.at);
                self.ring_for(transfer, rung, board);
            }
        }
    }

    /// Whoever transfers is no longer in the talk; the other one is where the caller is.
    pub(super) fn steps_aside(
        &mut self,
        by: LegNumber,
        sip: LegKey,
        board: &mut Switchboard,
    ) -> Option<Transfer> {
        let other = self.other_party(by)?;
        let Stage::Talking(talk) = self.stage else { return None };
        self.stage = Stage::InFlow(Waits::Nothing);
        if let (Some(agent), Some(leg)) = (talk.agent(), self.leg_mut(talk.leg())) {
            leg.engaged = Some((agent, talk.queue()));
        }
        if let Some(leg) = self.leg(other).and_then(|leg| leg.media_key()) {
            board.media(media::Command::Unbridge { leg });
        }
        let before = Seat { leg: self.seat, parties: self.parties.clone(), trunk: self.trunk };
        self.takes_seat(other, board);
        self.follow_holds(board);
        Some(Transfer { by, sip, talk, before, referred_by: None, recall: false })
    }

    /// Whoever is where the caller is and the party of `leg` hear each other.
    pub(super) fn connect(&mut self, leg: LegNumber, board: &mut Switchboard) {
        let other = self.leg(leg).and_then(|leg| leg.media_key());
        if let (Some(a), Some(b)) = (self.caller().media_key(), other) {
            board.media(media::Command::Bridge { a, b });
        }
    }

    /// The transferred party talks to the new one.
    pub(super) fn talks_to(
        &mut self,
        leg: LegNumber,
        agent: Option<AgentId>,
        transfer: &Transfer,
        board: &mut Switchboard,
    ) {
        self.connect(leg, board);
        let name = agent.map(|agent| board.agent_name(agent));
        self.fact(What::Bridged { leg, agent: name }, board);
        self.stage = Stage::Talking(Talk::new(leg, agent, transfer.place(), board.now));
        self.guards_sound(board);
        self.follow_holds(board);
        self.transfer_done(transfer, board);
        self.record_talk(board);
    }

    /// To a queue, a flow or a number, where nobody is to be called first.
    pub(super) fn led_to(&mut self, transfer: &Transfer, target: Target, board: &mut Switchboard) {
        self.cut_prompt(board); // music of a hold or of [transfers]: where he comes to there may be none
        self.transfer_done(transfer, board);
        self.transferred = Some(board.arrival());
        self.last_failure = None;
        match target {
            Target::Goto(to) => {
                self.position = Position::default();
                self.go_to(to, board);
            }
            Target::Number { number, flow, hours, pattern } => {
                self.parties.called = number;
                let name = self.config.flow(flow).map(|flow| flow.name.clone()).unwrap_or_default();
                self.fact(What::Routed { flow: name, number: pattern }, board);
                self.position = Position::at(flow).behind(hours);
                self.run(board);
            }
            Target::Agent(_) | Target::Address(_) | Target::Back(..) => {}
        }
    }

    fn ring_for(&mut self, transfer: Transfer, rung: Rung, board: &mut Switchboard) {
        let mut ring = Ring::new(Purpose::Transfer(Box::new(transfer)));
        ring.plays_ringback = self.plays_music_of_transfers(board);
        self.stage = Stage::Ringing(ring);
        self.ring(rung, board);
    }

    /// The music of `[transfers]` instead of the ringing tone; false if there is none.
    pub(super) fn plays_music_of_transfers(&mut self, board: &mut Switchboard) -> bool {
        let music = self.config.transfers.music.as_ref().and_then(|music| board.music(music, self.language));
        let (Some(music), Some(leg)) = (music, self.caller().media_key()) else { return false };
        self.plays += 1;
        board.media(play::music(leg, self.plays, music));
        true
    }

    /// `leg` is where the caller was from now on.
    fn takes_seat(&mut self, leg: LegNumber, board: &mut Switchboard) {
        if leg == self.seat {
            return;
        }
        self.fact(What::Transfer(TransferStep::Seated { leg }), board);
        self.sits(leg, board);
        self.answered = Answered::Acknowledged;
        let trunk = self.leg(leg).and_then(|leg| leg.trunk);
        let caller = self.number_of(leg, board);
        self.parties = Parties { caller, called: self.parties.called.clone(), ..Parties::default() };
        self.trunk = trunk.unwrap_or(self.trunk);
    }

    /// The new party rings, or early sound has come: whoever transferred is told.
    pub(super) fn transfer_progresses(&self, status: StatusCode, board: &mut Switchboard) {
        if let Stage::Ringing(Ring { purpose: Purpose::Transfer(transfer), .. }) = &self.stage {
            board.sip.notify(board.now, transfer.sip, status);
        }
    }

    /// The new party is there: whoever transferred is told so, and goes.
    pub(super) fn transfer_done(&mut self, transfer: &Transfer, board: &mut Switchboard) {
        if transfer.recall {
            return;
        }
        board.sip.notify(board.now, transfer.sip, StatusCode::OK);
        self.fact(What::Transfer(TransferStep::Over { by: transfer.by, status: 200 }), board);
        let until = board.now + GRACE;
        if let Some(leg) = self.leg_mut(transfer.by).filter(|leg| leg.sip.is_some()) {
            leg.leaves_at = Some(until);
        }
    }

    /// Legs that have had time enough to hang up.
    pub(super) fn hang_up_leaving(&mut self, board: &mut Switchboard) {
        let due = |leg: &&super::Leg| leg.leaves_at.is_some_and(|at| at <= board.now);
        let due: Vec<LegNumber> = self.legs.iter().filter(due).map(|leg| leg.number).collect();
        for number in due {
            self.ends_round(number, board);
            self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
        }
    }

    /// This leg has been transferred away from, or is about to be: the call does not hang on it.
    pub(super) fn is_leaving(&self, number: LegNumber) -> bool {
        let by = match &self.stage {
            Stage::Ringing(Ring { purpose: Purpose::Transfer(transfer), .. }) => Some(transfer.by),
            _ => None,
        };
        by == Some(number) || self.leg(number).is_some_and(|leg| leg.leaves_at.is_some())
    }
}

/// When it comes to nothing.
impl Call {
    /// The new party is not reached.
    pub(super) fn transfer_failed(&mut self, failure: Failure, board: &mut Switchboard) {
        let stage = std::mem::replace(&mut self.stage, Stage::InFlow(Waits::Nothing));
        let Stage::Ringing(Ring { purpose: Purpose::Transfer(transfer), .. }) = stage else {
            self.stage = stage;
            return;
        };
        self.no_more_to_pay().into_iter().for_each(|agent| board.toll.ended(agent));
        if !transfer.recall {
            self.transfer_over(&transfer, failure.status, board);
        }
        match self.sip_of(transfer.by) {
            Some(_) if !transfer.recall => self.reconnect(*transfer, failure, board),
            _ => self.go_on_without(*transfer, failure, board),
        }
    }

    fn transfer_over(&self, transfer: &Transfer, status: StatusCode, board: &mut Switchboard) {
        board.sip.notify(board.now, transfer.sip, status);
        let over = TransferStep::Over { by: transfer.by, status: status.code() };
        self.fact(What::Transfer(over), board);
    }

    /// Whoever transferred is still there: the talk goes on.
    fn reconnect(&mut self, transfer: Transfer, failure: Failure, board: &mut Switchboard) {
        let (talk, before) = (transfer.talk, transfer.before.clone());
        if before.leg != self.seat {
            self.fact(What::Transfer(TransferStep::Seated { leg: before.leg }), board);
        }
        self.sits(before.leg, board);
        (self.parties, self.trunk) = (before.parties, before.trunk);
        if let Some(leg) = self.leg_mut(talk.leg()) {
            leg.engaged = None;
        }
        self.connect(talk.leg(), board);
        let agent = talk.agent().map(|agent| board.agent_name(agent));
        self.fact(What::Bridged { leg: talk.leg(), agent }, board);
        self.stage = Stage::Talking(talk);
        self.follow_holds_anew(board);
        self.record_talk(board);
        self.failed_transfer = Some(Box::new(Failed { transfer, failure, until: board.now + GRACE }));
    }

    /// BYE of somebody whose transfer has failed a moment ago: he had gone before he heard of it, and does not know that
    /// he has his talk back. False if it is none of those.
    pub(super) fn hung_up_unknowing(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let unknowing = |failed: &mut Box<Failed>| failed.transfer.by == number && board.now < failed.until;
        let Some(failed) = self.failed_transfer.take_if(unknowing) else { return false };
        let (Some(other), Stage::Talking(talk)) = (self.other_party(number), &self.stage) else {
            return false;
        };
        let talk = *talk;
        if let (Some(agent), Some(leg)) = (talk.agent(), self.leg_mut(talk.leg())) {
            leg.engaged = Some((agent, talk.queue()));
        }
        self.stage = Stage::InFlow(Waits::Nothing);
        self.takes_seat(other, board);
        self.follow_holds(board);
        self.close_leg(number, board);
        self.fact(What::Transfer(TransferStep::Left { by: number }), board);
        self.go_on_without(failed.transfer, failed.failure, board);
        true
    }

    /// Nobody is left to give him back to.
    fn go_on_without(&mut self, transfer: Transfer, failure: Failure, board: &mut Switchboard) {
        let back_first = match self.config.transfers.when_gone {
            WhenGone::Goto(to) => {
                self.cut_prompt(board);
                self.last_failure = None;
                self.position = Position::default();
                return self.go_to(to, board);
            }
            WhenGone::Back => true,
            WhenGone::Queue => transfer.place().is_none(),
        };
        let place = transfer.place();
        if back_first && !transfer.recall && self.rings_back(transfer, board) {
            return;
        }
        match place.and_then(|place| Some((place, board.config.queue(place.queue)?.clone()))) {
            Some((place, settings)) => self.waits_as_before(place, &settings, board),
            None => self.end(Why::failed(failure), board),
        }
    }

    /// Rings whoever transferred, if it was we who had called him. False if he cannot be rung.
    fn rings_back(&mut self, transfer: Transfer, board: &mut Switchboard) -> bool {
        let Some(leg) = self.leg(transfer.by) else { return false };
        let (agent, address) = (leg.agent, leg.address.clone());
        let ring_timeout = self.config.transfers.ring_timeout;
        let rung = match (agent, address) {
            (Some(agent), _) if board.engage_agent(agent, self.key) => {
                Rung::transferred_to(agent, ring_timeout, board)
            }
            (None, Some(address)) => Rung::party(address, None, ring_timeout, board.at),
            _ => return false,
        };
        self.fact(What::Transfer(TransferStep::RingsBack { by: transfer.by }), board);
        self.ring_for(Transfer { recall: true, referred_by: None, ..transfer }, rung, board);
        true
    }

    /// The transferred party hangs up, or the call ends otherwise, while the new party rings.
    pub(super) fn abandon_transfer(&self, transfer: &Transfer, board: &mut Switchboard) {
        if !transfer.recall {
            self.transfer_over(transfer, StatusCode::REQUEST_TERMINATED, board);
        }
    }
}

/// Whom a REFER names, for the record.
fn named(to: &ReferTo) -> String {
    match to.uri.user_decoded() {
        Some(user) => text(&user),
        None => text(to.uri.host()),
    }
}
