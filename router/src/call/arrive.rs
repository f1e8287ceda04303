//! A call arrives: who calls whom, which number, and the first answers to the caller's INVITE.

use std::sync::Arc;

use bytes::Bytes;
use media::sdp::{Policy, Srtp};
use sip_core::{Body, Flow, LegKey, Message, Reply, StatusCode, message::Header};
use smallvec::smallvec;
use tracing::{info, info_span};

use super::{
    Answered, CALLER, Call, Parties, Stage, Waits, Why, flow::Position, leg::Leg, leg::NoSound,
    recording::Recording, secure,
};
use crate::{
    config::{AgentId, TrunkId},
    journal::fact::{CallId, Cause, Fault, LegNumber, What},
    keys::CallKey,
    log::Pii,
    shard::Switchboard,
};

/// The content type of offers and answers (RFC 3261 §13.2.1).
const SDP: &[u8] = b"application/sdp";

/// Header fields that go from the caller's INVITE to the legs we dial, beside all that we do not know: they speak
/// about the call, not about one hop or one dialog (RFC 3261 §20, RFC 5806, 7044, 7433).
const CARRIED: &[&str] = &[
    "subject",
    "priority",
    "organization",
    "alert-info",
    "call-info",
    "accept-language",
    "in-reply-to",
    "diversion",
    "history-info",
    "user-to-user",
    "geolocation",
];

/// Headers that we do not know and that go nowhere: they say who calls, also if he does not want it.
const NOT_CARRIED: &[&str] = &["remote-party-id", "rpid-privacy"];

impl Call {
    /// Admits an INVITE. The call must be told [`begin`](Self::begin) next.
    pub fn arrive(
        key: CallKey,
        sip: LegKey,
        (trunk, agent): (TrunkId, Option<AgentId>),
        invite: &Message,
        flow: Flow,
        board: &mut Switchboard,
    ) -> Call {
        let parties = match agent {
            Some(agent) => board.as_agent(agent, invite),
            None => Parties::of(invite, board.config.trunk(trunk)),
        };
        let sip_call_id = text(invite.call_id().ok().as_deref().unwrap_or_default());
        let span = info_span!("call", key = %format_args!("{:x}", key.0), call_id = %sip_call_id);
        let call = Call {
            key,
            id: CallId { run: board.run, key: key.0 },
            config: Arc::clone(&board.config),
            trunk,
            arrived: board.at,
            in_line_since: None,
            transferred: None,
            credits: Vec::new(),
            seat: CALLER,
            legs: smallvec![Leg { agent, is_web: flow.transport.is_web(), ..Leg::new(CALLER, Some(sip)) }],
            offer: Some(invite.body()).filter(|body| !body.is_empty()),
            answered: Answered::No,
            carried: if agent.is_some() { Vec::new() } else { carried(invite) },
            max_forwards: invite.max_forwards().ok().flatten().unwrap_or(70),
            language: board.config.languages.default(),
            position: Position::default(),
            stage: Stage::InFlow(Waits::Nothing),
            plays: 0,
            announcement: None,
            telling: None,
            last_failure: None,
            is_emergency: false,
            calling_back: None,
            failed_transfer: None,
            own: agent,
            probe_at: None,
            recording: Recording::default(),
            span,
            parties,
        };
        board.adopt(sip, key, CALLER);
        info!(parent: &call.span, from = %Pii(&call.parties.caller), to = %Pii(&call.parties.called), "call arrived");
        let arrived = What::Arrived {
            trunk: board.trunk_name(trunk),
            from: call.parties.caller.clone(),
            to: call.parties.called.clone(),
            sip_call_id,
            source: flow.remote.to_string(),
            diverted_from: Some(call.parties.diverted_from.clone()).filter(|by| !by.is_empty()),
            hairpin_of: board.call_come_back(trunk, invite),
            agent: agent.map(|agent| board.agent_name(agent)),
        };
        call.fact(arrived, board);
        call
    }

    /// The record of a call that was refused before it was one: for want of a slot, or a place that it wanted.
    pub fn note_refused(
        sip: LegKey,
        (trunk, agent): (TrunkId, Option<AgentId>),
        (invite, source): (&Message, &str),
        (cause, fault, status): (Cause, Fault, u16),
        board: &mut Switchboard,
    ) {
        let parties = Parties::of(invite, board.config.trunk(trunk));
        // The dialog's key is as unique as a call's: no call has it, for keys of calls are handed out here only.
        let id = CallId { run: board.run, key: !sip.0 };
        let arrived = What::Arrived {
            trunk: board.trunk_name(trunk),
            from: parties.caller,
            to: parties.called,
            sip_call_id: text(invite.call_id().ok().as_deref().unwrap_or_default()),
            source: source.to_owned(),
            diverted_from: None,
            hairpin_of: None,
            agent: agent.map(|agent| board.agent_name(agent)),
        };
        board.fact(Some(id), arrived);
        board.fact(Some(id), What::Ended { cause, fault, status: Some(status), q850: None, reason: None });
    }

    /// Finds the number and runs its flow, or refuses.
    pub fn begin(&mut self, board: &mut Switchboard) {
        if let Some(agent) = self.called_by() {
            return self.begin_own(agent, board);
        }
        if let Err(limit) = board.admit_to_trunk(self.trunk) {
            return self.end(Why::beyond(limit, board.overload_status(self.trunk)), board);
        }
        self.occupy_trunk(CALLER, Some(self.trunk), board);
        let Some(number) = self.config.route(self.trunk, &self.parties.called) else {
            return self.end(Why::unknown_number(), board);
        };
        let flow = self.config.flow(number.flow).map(|flow| flow.name.clone()).unwrap_or_default();
        let routed = What::Routed { flow, number: number.pattern.to_string() };
        self.language = number.language.or(self.language);
        self.position = Position::at(number.flow).behind(number.hours);
        self.recording.named = number.recording.clone();
        self.fact(routed, board);
        self.run(board);
    }

    /// Makes the caller's answer ready without sending it: [`Why`] if there is no common ground.
    pub(super) fn negotiate_caller(&mut self, board: &mut Switchboard) -> Result<(), Box<Why>> {
        let (key, policy) = (self.key.media_leg(CALLER), self.policy_for_caller(board));
        let offer = self.offer.take();
        let caller = self.caller();
        caller.open_sound(key, policy, board).map_err(Why::no_sound)?;
        let Some(offer) = offer else { return Ok(()) };
        caller.answer(&offer, board).map(drop).map_err(|error| {
            secure::log_refusal(&self.span, CALLER, &error);
            Why::no_sound(NoSound::Refused(error))
        })
    }

    /// What we may agree to with the caller's trunk, or with his telephone if he is an agent. Who calls for help is
    /// heard with keys and without.
    fn policy_for_caller(&self, board: &Switchboard) -> Policy {
        let policy = match self.own {
            Some(agent) => board.phone_policy(agent, self.legs[usize::from(CALLER)].is_web),
            None => board.policy(self.trunk),
        };
        if self.is_emergency { Policy { srtp: Srtp::Optional, ..policy } } else { policy }
    }

    /// Sends 200 with our description; the flow goes on with the ACK.
    pub(crate) fn answer_caller(&mut self, board: &mut Switchboard) {
        if self.is_answered() {
            return;
        }
        if let Err(why) = self.negotiate_caller(board) {
            return self.end(*why, board);
        }
        let described = self.is_described_reliably(board);
        let description = if described { None } else { self.caller_description() };
        self.respond(StatusCode::OK, description, board);
        self.answered = Answered::Sent;
        self.caller().taken = true;
        self.fact(What::CallerAnswered, board);
    }

    /// Sends 183 with our description, so that the caller hears us before the answer. False if he made no offer and the
    /// 183 is not reliable: then there is no early sound (RFC 3261 §13.2.1, RFC 3262 §5).
    pub(crate) fn open_early(&mut self, board: &mut Switchboard) -> bool {
        if self.answered != Answered::No {
            return true;
        }
        let reliable = self.caller_sip().is_some_and(|sip| board.sip.is_reliable(sip));
        if self.offer.is_none() && self.caller().sound.is_none() && !reliable {
            return false;
        }
        if let Err(why) = self.negotiate_caller(board) {
            self.end(*why, board);
            return true;
        }
        let description = self.caller_description();
        self.respond(StatusCode::SESSION_PROGRESS, description, board);
        self.answered = Answered::Early;
        true
    }

    /// Our description for the caller: the answer to his offer, or our own offer if he made none.
    fn caller_description(&mut self) -> Option<Bytes> {
        let caller = self.caller();
        let sound = caller.sound.as_mut()?;
        if let Some(description) = sound.negotiation.last_description() {
            return Some(description.clone());
        }
        caller.answer_due_in_ack = true;
        Some(sound.negotiation.offer())
    }

    /// Responds to the caller's INVITE.
    pub(super) fn respond(
        &mut self,
        status: StatusCode,
        description: Option<Bytes>,
        board: &mut Switchboard,
    ) {
        if let Some(sip) = self.caller_sip() {
            board.sip.respond(board.now, sip, Reply { body: description.map(sdp), ..Reply::new(status) });
        }
    }

    /// The ACK of a 2xx of ours: it may carry the answer to our offer.
    pub(super) fn acknowledged(&mut self, leg: LegNumber, ack: &Message, board: &mut Switchboard) {
        let Some(answered) = self.leg_mut(leg) else { return };
        if std::mem::take(&mut answered.answer_due_in_ack) && answered.accept(&ack.body(), board).is_err() {
            return self.end(Why::unusable_answer(leg), board);
        }
        self.note_holds(board);
        if leg == CALLER && self.answered == Answered::Sent {
            self.answered = Answered::Acknowledged;
            self.fact(What::Acknowledged, board);
            if matches!(self.stage, Stage::InFlow(Waits::Ack)) {
                self.run(board);
            }
        }
    }
}

/// A body with an offer or an answer.
pub(super) fn sdp(description: Bytes) -> Body {
    Body { content_type: Bytes::from_static(SDP), bytes: description }
}

fn carried(invite: &Message) -> Vec<(Bytes, Bytes)> {
    let among =
        |names: &[&str], name: &[u8]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    invite
        .fields()
        .filter(|field| field.header == Header::Other || among(CARRIED, field.name))
        .filter(|field| !among(NOT_CARRIED, field.name))
        .map(|field| (Bytes::copy_from_slice(field.name), Bytes::copy_from_slice(field.value)))
        .collect()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
