//! Dialling: the legs we call, for a `dial` step or for an assignment, and what becomes of them.

use std::time::Duration;

use bytes::Bytes;
use sip_core::{EarlyId, Invite, Message, PeerId, StatusCode};

use super::{
    ALL_LEGS, Answered, CALLER, Call, Stage, Why,
    arrive::{sdp, text},
    end::completed_elsewhere,
    failure::{Failure, Origin},
    flow::Outcome,
    leg::{Leg, NoSound},
    ring::{Purpose, Ring, Rung},
    talk::Talk,
    way::Way,
};
use crate::{
    config::{Address, AgentId, Goto, Step, TrunkId},
    journal::fact::{LeftQueue, LegNumber, Unanswered, What},
    keys::LAST_LEG,
    reason::Reason,
    shard::Switchboard,
};

/// A `dial` step as it runs.
pub(super) struct Dial {
    address: Address,
    ring_timeout: Duration,
    on_busy: Option<Goto>,
    on_no_answer: Option<Goto>,
    on_failure: Option<Goto>,
}

impl Dial {
    /// What a dial step says; `None` for any other step.
    pub(super) fn of(step: Step) -> Option<Dial> {
        let Step::Dial { address, ring_timeout, on_busy, on_no_answer, on_failure } = step else {
            return None;
        };
        Some(Dial { address, ring_timeout, on_busy, on_no_answer, on_failure })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }
}

impl Call {
    /// The `dial` step.
    pub(super) fn dial(&mut self, dial: Dial, board: &mut Switchboard) -> Outcome {
        self.dial_agent(dial, None, board)
    }

    /// The same for a colleague who is this call's already.
    pub(super) fn dial_agent(
        &mut self,
        dial: Dial,
        agent: Option<AgentId>,
        board: &mut Switchboard,
    ) -> Outcome {
        if !self.is_answered()
            && let Err(why) = self.negotiate_caller(board)
        {
            self.end(*why, board);
            return Outcome::Wait;
        }
        let party = Rung::party(dial.address.clone(), agent, dial.ring_timeout, board.at);
        self.stage = Stage::Ringing(Ring::new(Purpose::Step(Box::new(dial))));
        self.ring(party, board);
        Outcome::Wait
    }

    /// Rings somebody at his next addresses; when there are none left to ring he was rung in vain.
    pub(super) fn ring(&mut self, mut rung: Rung, board: &mut Switchboard) {
        if !self.rings_next(&mut rung, board) {
            return self.rung_in_vain(rung, board);
        }
        if let Stage::Ringing(ring) = &mut self.stage {
            ring.rung.push(rung);
        }
    }

    fn rings_next(&mut self, rung: &mut Rung, board: &mut Switchboard) -> bool {
        loop {
            let (addresses, back) = (rung.next_addresses(), rung.take_back());
            if addresses.is_empty() && back.is_none() {
                return false;
            }
            let trunks = addresses.iter().filter_map(trunk_of).chain(back.as_ref().and_then(|way| way.trunk));
            let cap =
                trunks.filter_map(|trunk| board.config.trunk(trunk)).map(|trunk| trunk.answer_timeout).min();
            let cap = cap.filter(|_| !self.is_emergency);
            rung.until = Some(board.now + cap.map_or(rung.timeout, |cap| rung.timeout.min(cap)));
            let back = back.map(|way| (Ok(way), None));
            let mut ways: Vec<_> = back.into_iter().collect();
            for address in addresses {
                let all = Way::all_to(&address, self, board).into_iter();
                ways.extend(all.map(|way| (way, Some(address.clone()))));
            }
            for (way, address) in ways {
                if let Err(failure) = way.and_then(|way| self.call_out(way, address, rung.agent, board)) {
                    rung.note(failure);
                }
            }
            if self.ringing_legs(rung.agent).next().is_some() {
                return true;
            }
        }
    }

    /// The legs at which `agent` is rung, or whom a `dial` step calls, or the customer's.
    pub(super) fn ringing_legs(&self, agent: Option<AgentId>) -> impl Iterator<Item = &Leg> {
        let customer = self.reserved().map(|_| &self.legs[usize::from(CALLER)]);
        let dialled = self.dialled_legs().chain(customer.filter(|leg| leg.sip.is_some()));
        dialled.filter(move |leg| leg.agent == agent)
    }

    /// Legs that are called and have not taken the call, apart from a customer's who is called back.
    pub(super) fn dialled_legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.iter().skip(1).filter(|leg| leg.rings())
    }

    /// Calls by one way: port, offer, INVITE.
    fn call_out(
        &mut self,
        way: Way,
        address: Option<Address>,
        agent: Option<AgentId>,
        board: &mut Switchboard,
    ) -> Result<(), Failure> {
        let limited = way.trunk.filter(|_| !self.is_emergency);
        if let Some(Err(limit)) = limited.map(|trunk| board.admit_to_trunk(trunk)) {
            return Err(Failure::no_way(limit.in_words()));
        }
        let number = self.next_leg_number();
        if number > LAST_LEG {
            return Err(Failure::no_way(ALL_LEGS));
        }
        let mut leg = Leg::new(number, None);
        (leg.agent, leg.address, leg.uri) = (agent, address, way.uri.clone());
        leg.called_at = Some(board.now);
        leg.is_web = way.flow.is_some_and(|flow| flow.transport.is_web());
        let offer = self.offer_for(&mut leg, way.trunk, board)?;
        let told = self.told_at(number, agent, &way, board);
        let tokens = way.tokens;
        let invite = Invite {
            flow: way.flow,
            peer: way.trunk.map(PeerId::from),
            login: way.login,
            targets: way.targets,
            retry_on: way.retry_on,
            uri: way.uri.clone().into(),
            uris: way.uris,
            from: told.from.into(),
            to: format!("<{}>", way.uri).into(),
            headers: way.routes.into_iter().chain(told.headers).collect(),
            body: Some(sdp(offer)),
            udp_only: way.udp_only,
            max_forwards: self.max_forwards.saturating_sub(1),
            first_response_timeout: way.response_timeout,
            terms: way.terms,
        };
        let sip = match self.is_emergency {
            true => board.sip.invite_urgently(board.now, invite),
            false => board.sip.invite(board.now, invite),
        };
        leg.sip = sip;
        let sip_call_id = sip.and_then(|sip| board.sip.call_id(sip)).map(|id| text(id)).unwrap_or_default();
        match number {
            CALLER => *self.caller() = leg,
            _ => self.legs.push(leg),
        }
        let agent = agent.map(|agent| board.agent_name(agent));
        self.fact(What::Dialled { leg: number, trunk: way.name, to: way.uri, sip_call_id, agent }, board);
        match sip {
            Some(sip) => {
                board.adopt(sip, self.key, number);
                self.occupy_trunk(number, way.trunk, board);
                self.may_come_round(number, tokens, board);
            }
            None => return Err(self.over_at_once(number, board)),
        }
        Ok(())
    }

    /// Who transferred the caller (RFC 3892 §2.2).
    pub(super) fn referred_by(&self) -> Option<(Bytes, Bytes)> {
        let referred_by = match &self.stage {
            Stage::Ringing(Ring { purpose: Purpose::Transfer(transfer), .. }) => {
                transfer.referred_by().cloned()
            }
            _ => None,
        };
        referred_by.map(|value| (Bytes::from_static(b"Referred-By"), value))
    }

    /// A customer who is called back is the caller of his call.
    fn next_leg_number(&self) -> LegNumber {
        match self.reserved() {
            Some(_) => CALLER,
            None => LegNumber::try_from(self.legs.len()).unwrap_or(LegNumber::MAX),
        }
    }

    fn over_at_once(&mut self, number: LegNumber, board: &mut Switchboard) -> Failure {
        let failure = Failure::no_way("no room for another leg");
        self.note_failed(number, &failure, board);
        self.close_leg(number, board);
        failure
    }

    /// Our offer for a leg: what the other speaks first, so that nothing needs to be converted.
    fn offer_for(
        &mut self,
        leg: &mut Leg,
        trunk: Option<TrunkId>,
        board: &mut Switchboard,
    ) -> Result<Bytes, Failure> {
        let policy = match (trunk, &leg.address) {
            (Some(trunk), _) => board.policy(trunk),
            (None, Some(Address::Phone(agent))) => board.phone_policy(*agent, leg.is_web),
            (None, _) => board.direct_policy(leg.agent),
        };
        let other = self.reserved().map_or(self.seat, |reserved| reserved.leg);
        let other = self.leg(other).and_then(|leg| leg.sound.as_ref()?.negotiation.stream());
        let codec = other.map(|stream| stream.codec);
        if codec.is_some_and(|codec| !policy.codecs.iter().any(|ours| ours.goes_with(codec))) {
            return Err(Failure::no_way("no codec of the trunk's goes with that of the other party"));
        }
        let key = self.key.media_leg(leg.number);
        match leg.open_sound(key, policy, board) {
            Ok(sound) => {
                sound.negotiation.prefer(codec);
                Ok(sound.negotiation.offer())
            }
            Err(NoSound::NoPort | NoSound::Refused(_)) => Err(Failure::no_way("no media port free")),
        }
    }

    /// 2xx of a leg we dialled: it is the winner, unless its description is unusable or it must hear something first.
    pub(super) fn picked_up(
        &mut self,
        number: LegNumber,
        early: Option<EarlyId>,
        response: &Message,
        board: &mut Switchboard,
    ) {
        let Some(sip) = self.leg(number).and_then(|leg| leg.sip) else { return };
        self.target_responded(number, board);
        self.leg_mut(number).into_iter().for_each(|leg| leg.picked_up = true);
        board.sip.ack(board.now, sip, None);
        self.fact(What::LegAnswered { leg: number }, board);
        if let Err(failure) = self.take_answer(number, early, response.body(), board) {
            self.hang_up_leg(number, StatusCode::NOT_ACCEPTABLE_HERE, board);
            return self.leg_failed(number, failure, board);
        }
        if !matches!(self.stage, Stage::Ringing(_)) {
            return self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
        }
        if let Some(why) = self.refused_machine(number, board) {
            self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board);
            return self.leg_failed(number, why, board);
        }
        if !self.whispers(number, board) {
            self.takes_call(number, board);
        }
    }

    /// Who answered at this leg is the winner: the others stop ringing.
    pub(super) fn takes_call(&mut self, number: LegNumber, board: &mut Switchboard) {
        self.leg_mut(number).into_iter().for_each(|leg| leg.taken = true);
        if self.reserved().is_none() {
            self.hang_up_losers(Some(number), board);
        }
        if !self.is_answered() {
            self.answer_caller(board);
        }
        match std::mem::replace(&mut self.stage, Stage::InFlow(super::Waits::Nothing)) {
            Stage::Ringing(ring) if self.calling_back.is_some() && ring.reserved().is_none() => {
                self.call_customer(number, &ring, board);
            }
            Stage::Ringing(ring) => self.connect_parties(number, ring, board),
            ended => self.stage = ended,
        }
    }

    fn connect_parties(&mut self, number: LegNumber, ring: Ring, board: &mut Switchboard) {
        self.note_cut_prompt(board);
        self.customer_reached(board);
        let number = ring.reserved().map_or(number, |reserved| reserved.leg);
        self.connect(number, board);
        self.note_holds(board);
        self.answered_besides(number, board);
        let winner = self.leg(number).and_then(|leg| leg.agent);
        let place = match &ring.purpose {
            Purpose::Transfer(transfer) => transfer.place(),
            _ => ring.place().copied(),
        };
        winner.into_iter().for_each(|agent| board.agent_talks(agent, place.is_some()));
        if let Some((_, place)) = winner.zip(place) {
            self.expect_sound(number, &place, board);
        }
        if let Some(place) = ring.place().filter(|_| winner.is_some()) {
            self.note_left(*place, LeftQueue::Answered, board);
        }
        let name = winner.map(|agent| board.agent_name(agent));
        self.fact(What::Bridged { leg: number, agent: name }, board);
        self.stage = Stage::Talking(Talk::new(number, winner, place, board.now));
        self.guards_sound(board);
        self.follow_holds(board);
        self.spare_losers(&ring, winner, board);
        if let Purpose::Transfer(transfer) = &ring.purpose {
            self.transfer_done(transfer, board);
        }
        self.record_talk(board);
    }

    /// All stop ringing, but for a winner, and show no missed call.
    pub(super) fn hang_up_losers(&mut self, winner: Option<LegNumber>, board: &mut Switchboard) {
        let losers: Vec<LegNumber> =
            self.dialled_legs().map(|leg| leg.number).filter(|leg| Some(*leg) != winner).collect();
        for loser in losers {
            self.hang_up_with(loser, completed_elsewhere(), board);
        }
    }

    /// A leg we dialled came to nothing.
    pub(super) fn leg_failed(&mut self, number: LegNumber, failure: Failure, board: &mut Switchboard) {
        if number == self.seat && self.reserved().is_none() {
            return self.end(Why::caller_unreachable(), board);
        }
        let Some(leg) = self.leg(number) else { return };
        let (agent, failure) = (leg.agent, failure.after_ringing(leg.rang));
        self.note_failed(number, &failure, board);
        self.close_leg(number, board);
        let Stage::Ringing(ring) = &mut self.stage else { return };
        ring.note(agent, failure);
        self.rings_again(number, board);
        if self.ringing_legs(agent).next().is_none() {
            self.next_in_turn(agent, board);
        }
    }

    fn next_in_turn(&mut self, agent: Option<AgentId>, board: &mut Switchboard) {
        if let Stage::Ringing(ring) = &mut self.stage
            && let Some(rung) = ring.take(agent)
        {
            self.ring(rung, board);
            self.ring_on(board);
        }
    }

    pub(super) fn note_failed(&self, leg: LegNumber, failure: &Failure, board: &mut Switchboard) {
        let (status, phrase) = (failure.status.code(), failure.phrase.clone());
        let Reason { cause: q850, text: reason, correlation } = failure.told.clone();
        let remote = failure.origin == Origin::Remote;
        self.fact(What::LegFailed { leg, status, phrase, q850, reason, correlation, remote }, board);
    }

    /// Who has rung long enough is tried at his next addresses, or has not answered.
    pub(super) fn rang_too_long(&mut self, board: &mut Switchboard) {
        while let Stage::Ringing(ring) = &mut self.stage
            && let Some(mut rung) = ring.take_due(board.now)
        {
            // Whom a queue rings next has the caller: who calls back reaches nobody.
            let of_queue = matches!(ring.purpose, Purpose::Assignment(_));
            let legs: Vec<(LegNumber, Failure)> =
                self.ringing_legs(rung.agent).map(|leg| (leg.number, leg.unanswered())).collect();
            for (number, failure) in legs {
                self.note_failed(number, &failure, board);
                match of_queue {
                    true => self.hang_up_with(number, completed_elsewhere(), board),
                    false => self.hang_up_leg(number, StatusCode::REQUEST_TERMINATED, board),
                }
                self.rings_again(number, board);
                rung.note(failure);
            }
            self.ring(rung, board);
        }
        self.ring_on(board);
    }

    /// All addresses of one who was rung are tried.
    fn rung_in_vain(&mut self, rung: Rung, board: &mut Switchboard) {
        let failure = rung.worst.unwrap_or_else(|| Failure::no_way("no address to call"));
        let Stage::Ringing(Ring { purpose, .. }) = &self.stage else { return };
        let (is_transfer, is_step) =
            (matches!(purpose, Purpose::Transfer(_)), matches!(purpose, Purpose::Step(_)));
        match rung.agent {
            // No queue has given him anybody: he stands where he stood.
            Some(agent) if is_step => board.spare_agent(agent, Call::unanswered(&failure)),
            Some(agent) => self.agent_unanswered(agent, rung.since, &failure, board),
            None => {}
        }
        match rung.agent {
            _ if is_transfer => self.transfer_failed(failure, board),
            Some(_) if is_step => self.dial_failed(failure, board),
            Some(_) => {}
            None if self.reserved().is_some() => self.customer_unreached(failure, board),
            None => self.dial_failed(failure, board),
        }
    }

    fn dial_failed(&mut self, failure: Failure, board: &mut Switchboard) {
        let Stage::Ringing(Ring { purpose: Purpose::Step(dial), .. }) = &self.stage else { return };
        let to = match Call::unanswered(&failure) {
            Unanswered::Busy => dial.on_busy,
            Unanswered::NoAnswer => dial.on_no_answer,
            _ => dial.on_failure,
        };
        self.last_failure = Some(failure);
        // In early sound too: the ringing that he hears is ours.
        if self.answered != Answered::No {
            self.cut_prompt(board);
        }
        self.go_to(to.unwrap_or(Goto::Next), board);
    }
}

fn trunk_of(address: &Address) -> Option<TrunkId> {
    match address {
        Address::Number { trunk, .. } => Some(*trunk),
        Address::Uri(_) | Address::Phone(_) => None,
    }
}
