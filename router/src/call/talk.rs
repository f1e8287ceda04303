//! Two parties talk: hold, re-INVITE, questions in the dialog, and whether the far ends still live.

use std::time::{Duration, Instant};

use bytes::Bytes;
use media::{Command, Direction};
use sip_core::{HangUp, LegKey, Message, Reply, RequestKey, StatusCode, message::Method};
use smallvec::SmallVec;
use tracing::warn;

use super::{
    Call, Stage, Why,
    arrive::{sdp, text},
    assign::Place,
    dead_air::rule,
    hold::HoldMusic,
    leg::Leg,
};
use crate::{
    config::{AgentId, DeadAirCure, QueueId},
    journal::fact::{LegNumber, Unanswered, What},
    reason,
    shard::Switchboard,
};

/// The caller and one dialled leg are connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talk {
    leg: LegNumber,
    agent: Option<AgentId>,
    /// The place in the queue that brought them together, or from which the caller has come by way of a transfer.
    place: Option<Place>,
    since: Instant,
    heard_both: bool,
    pub(super) hold_music: HoldMusic,
}

/// An agent's leg that ends sooner was no conversation: his telephone crashed, or a machine answered and hung up.
const NO_CONVERSATION: Duration = Duration::from_secs(2);

/// For whoever looks after the agents' telephones.
const NO_SOUND: &str = "answered and sent no sound, so the caller waits on (queue key dead_air): look whether the telephone has a \
                        working microphone, whether a firewall lets its UDP through to media.ports, and whether the address \
                        in its SDP can be reached";

/// RFC 3326 §2; ITU-T Q.850 cause 41 is a temporary failure.
const NO_SOUND_REASON: &[u8] = b"Q.850;cause=41;text=\"No sound came from this telephone\"";

impl Talk {
    pub(super) fn new(leg: LegNumber, agent: Option<AgentId>, place: Option<Place>, since: Instant) -> Talk {
        Talk { leg, agent, place, since, heard_both: false, hold_music: HoldMusic::default() }
    }

    /// The same talk, which goes on at another leg; nothing plays there yet.
    pub(super) fn at_leg(self, leg: LegNumber) -> Talk {
        Talk { leg, hold_music: HoldMusic::default(), ..self }
    }

    /// The dialled leg.
    pub(super) fn leg(&self) -> LegNumber {
        self.leg
    }

    /// The agent who talks.
    pub(super) fn agent(&self) -> Option<AgentId> {
        self.agent
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.place
    }

    /// The queue that brought them together.
    pub(super) fn queue(&self) -> Option<QueueId> {
        self.place.map(|place| place.queue)
    }
}

impl Call {
    /// The first moment at which sound had gone both ways since the bridge.
    pub(super) fn sound_went_both_ways(&mut self, at: Instant, board: &mut Switchboard) {
        if let Stage::Talking(talk) = &mut self.stage
            && !std::mem::replace(&mut talk.heard_both, true)
        {
            let after = at.saturating_duration_since(talk.since);
            let leg = talk.leg;
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.fact(What::TwoWaySound { leg, after_ms }, board);
        }
    }

    /// An agent has answered: within the queue's `dead_air` something ought to be heard of him.
    pub(super) fn expect_sound(&self, number: LegNumber, place: &Place, board: &mut Switchboard) {
        let within = board.config.queue(place.queue).map_or(Duration::ZERO, |queue| queue.dead_air);
        if let Some(leg) = self.leg(number).and_then(Leg::media_key).filter(|_| !within.is_zero()) {
            board.media(Command::Expect { leg, within, on_hold: false });
        }
    }

    /// Nothing was: the caller would take the silence for a hang-up. He goes on waiting, the agent is told good-bye.
    pub(super) fn was_never_heard(&mut self, number: LegNumber, board: &mut Switchboard) {
        let Stage::Talking(Talk { leg, agent: Some(agent), place: Some(place), .. }) = self.stage else {
            return;
        };
        if leg != number {
            return;
        }
        if self.is_tried_again(number, &place, board) {
            return;
        }
        let (name, queue) = (board.agent_name(agent), board.queue_name(place.queue));
        warn!(parent: &self.span, agent = name, queue, "{NO_SOUND}");
        let headers = vec![(Bytes::from_static(b"Reason"), Bytes::from_static(NO_SOUND_REASON))];
        self.hang_up_with(number, HangUp { headers, ..HangUp::new(StatusCode::REQUEST_TERMINATED) }, board);
        self.returns_to_queue(agent, place, Unanswered::Silent, board);
    }

    /// If his trunk says so, his telephone is given a second chance by a re-INVITE, and as much time again.
    fn is_tried_again(&mut self, number: LegNumber, place: &Place, board: &mut Switchboard) -> bool {
        let tries =
            self.leg(number).is_some_and(|leg| rule(leg, board).dead_air_cure == DeadAirCure::Reinvite);
        let tried = tries && self.reoffers(number, board);
        if tried {
            self.expect_sound(number, place, board);
        }
        tried
    }

    /// A re-INVITE: sound ends at us, so we answer it here, always from *this* offer (RFC 3264 §8).
    pub(super) fn reoffered(&mut self, number: LegNumber, request: &Message, board: &mut Switchboard) {
        self.prefer_partners_codec(number);
        let Some(leg) = self.leg_mut(number) else { return };
        let Some(sip) = leg.sip else { return };
        let reply = leg.answer_reoffer(request, board);
        board.sip.respond(board.now, sip, reply);
        self.note_holds(board);
    }

    /// Who has put us on hold or taken us back, by offer or by answer, goes on record; who only holds in another way, with
    /// music from elsewhere or without, is listened to anew.
    pub(super) fn note_holds(&mut self, board: &mut Switchboard) {
        let live = self.legs.iter_mut().filter(|leg| leg.sip.is_some() && leg.hold_noted != leg.holding());
        let changed: SmallVec<[(LegNumber, bool, bool); 2]> = live
            .map(|leg| {
                let holding = leg.holding();
                let before = std::mem::replace(&mut leg.hold_noted, holding);
                (leg.number, leg.holds, before.is_some() != leg.holds)
            })
            .collect();
        for &(leg, held, is_news) in &changed {
            if is_news {
                self.fact(What::Held { leg, held }, board);
            }
            self.listens_to_hold(leg, board);
        }
        if !changed.is_empty() {
            self.watch_held_legs(board);
            self.follow_holds(board);
        }
    }

    /// A request in the dialog that is neither BYE nor re-INVITE; other methods the endpoint has answered already.
    pub(super) fn asked(
        &mut self,
        number: LegNumber,
        key: RequestKey,
        request: &Message,
        board: &mut Switchboard,
    ) {
        let Some(sip) = self.leg(number).and_then(|leg| leg.sip) else { return };
        let status = match request.method() {
            Method::Update => return self.updated_by(number, key, request, board),
            Method::Prack => return self.described_by_prack(number, key, request, board),
            Method::Info => self.informed(number, request, board),
            _ => StatusCode::NOT_IMPLEMENTED,
        };
        board.sip.answer_request(board.now, sip, key, Reply::new(status));
    }

    /// No RTP and no RTCP for `media.silence_timeout`: a muted telephone or a dead one. It is asked.
    pub(super) fn fell_silent(&mut self, number: LegNumber, board: &mut Switchboard) {
        self.probe(number, board);
        self.probe_at = Some(board.now + board.config.media.silence_timeout);
    }

    /// A leg on hold sends nothing by agreement, so it is asked now and then.
    fn watch_held_legs(&mut self, board: &mut Switchboard) {
        let anyone = self.legs.iter().any(|leg| (leg.holds || leg.told_held) && leg.sip.is_some());
        let next = board.now + board.config.media.silence_timeout;
        self.probe_at = anyone.then(|| self.probe_at.unwrap_or(next));
    }

    /// Asks all answered legs whether they live, and will ask again.
    pub(super) fn probe_quiet_legs(&mut self, board: &mut Switchboard) {
        let legs: Vec<LegNumber> =
            self.legs.iter().filter(|leg| leg.media_key().is_some()).map(|leg| leg.number).collect();
        for number in legs {
            self.probe(number, board);
        }
        self.probe_at = Some(board.now + board.config.media.silence_timeout);
    }

    fn probe(&self, number: LegNumber, board: &mut Switchboard) {
        let confirmed = number != self.seat || self.is_answered();
        if let Some(sip) = self.leg(number).and_then(|leg| leg.sip).filter(|_| confirmed) {
            board.sip.probe(board.now, sip);
        }
    }

    /// The answer to an OPTIONS in the dialog, or its absence.
    pub(super) fn probed(&mut self, number: LegNumber, alive: bool, board: &mut Switchboard) {
        if !alive {
            self.lost(number, Why::media_lost(number), board);
        }
    }

    /// A party is gone without a BYE: the call ends, unless it has been transferred away from him, or he has not taken it.
    pub(super) fn lost(&mut self, number: LegNumber, why: Why, board: &mut Switchboard) {
        if self.is_leaving(number) {
            return self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
        }
        if let Some(reserved) = self.reserved().filter(|reserved| reserved.leg == number) {
            self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
            return self.agent_left_customer(reserved, None, board);
        }
        if !self.lost_at_whisper(number, board) {
            self.end(why, board);
        }
    }

    /// BYE from a leg.
    pub(super) fn hung_up(&mut self, number: LegNumber, bye: &Message, board: &mut Switchboard) {
        if let Some(leg) = self.leg_mut(number) {
            leg.sip = None;
        }
        let reason = reason::of_message(bye);
        if self.hung_up_unknowing(number, board) {
            return;
        }
        if number == self.seat {
            return self.end(Why::caller_hung_up(reason), board);
        }
        if let Some(reserved) = self.reserved().filter(|reserved| reserved.leg == number) {
            self.close_leg(number, board);
            return self.agent_left_customer(reserved, reason, board);
        }
        if self.hung_up_at_whisper(number, board) {
            return;
        }
        match &self.stage {
            Stage::Talking(Talk { leg, agent: Some(agent), place: Some(place), since, .. })
                if *leg == number && board.now < *since + NO_CONVERSATION =>
            {
                let (agent, place) = (*agent, *place);
                self.close_leg(number, board);
                self.returns_to_queue(agent, place, Unanswered::HungUpAtOnce, board);
            }
            Stage::Talking(talk) if talk.leg == number => self.end(Why::called_hung_up(reason), board),
            _ => self.close_leg(number, board),
        }
    }

    /// CANCEL: the caller gave up before we answered.
    pub(super) fn caller_cancelled(&mut self, cancel: Option<&Message>, board: &mut Switchboard) {
        self.caller().sip = None;
        let reason = cancel.and_then(reason::of_message);
        self.end(Why::caller_hung_up(reason), board);
    }

    /// The SIP key of a leg, while its dialog lives.
    pub fn sip_of(&self, number: LegNumber) -> Option<LegKey> {
        self.leg(number)?.sip
    }
}

impl Leg {
    fn answer_reoffer(&mut self, request: &Message, board: &mut Switchboard) -> Reply {
        let offer = request.body();
        if offer.is_empty() {
            return self.offer_in_answer();
        }
        self.answer_offer(&offer, board)
    }

    /// Their offer, by whatever request it came.
    pub(super) fn answer_offer(&mut self, offer: &[u8], board: &mut Switchboard) -> Reply {
        match self.answer(offer, board) {
            Ok(answer) => Reply::new(StatusCode::OK).with_body(sdp(answer)),
            Err(error) => refusal(&error),
        }
    }

    /// A re-INVITE without an offer asks for ours; the answer comes with the ACK (RFC 3261 §14.2).
    fn offer_in_answer(&mut self) -> Reply {
        self.answer_due_in_ack = true;
        let body =
            self.sound.as_mut().map(|sound| sdp(sound.negotiation.offer_like(Direction::SendRecv, &[])));
        Reply { body, ..Reply::new(StatusCode::OK) }
    }
}

/// A refused offer, with the Warning that says why (RFC 3261 §20.43).
pub(super) fn refusal(error: &media::sdp::NegotiationError) -> Reply {
    let status = StatusCode::new(error.status()).unwrap_or(StatusCode::NOT_ACCEPTABLE_HERE);
    let headers = error.warning().map(|(code, words)| warning(code, &words)).into_iter().collect();
    Reply { headers, ..Reply::new(status) }
}

fn warning(code: u16, words: &str) -> (Bytes, Bytes) {
    let value = format!("{code} fernamt \"{}\"", text(words.as_bytes()).replace(['"', '\\'], "'"));
    (Bytes::from_static(b"Warning"), Bytes::from(value))
}
