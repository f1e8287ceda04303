//! A transfer that was sent back to its trunk and comes to us again. Teams takes a transfer to a number of ours like any
//! other: we call Teams, and Teams calls that number, which is us. So that the caller does not go round by Teams for ever
//! he goes on in his own call, and the two legs by which it went round end.
//!
//! A call is such a one only by what we have put into the INVITE that was sent back; numbers and times prove nothing.

use bytes::Bytes;
use sip_core::{
    LegKey, Message, StatusCode,
    message::{Header, NameAddr},
};
use tracing::info;

use super::{
    Call, GRACE, Parties, Stage, Waits,
    arrive::text,
    failure::{Failure, Origin},
    leg::Leg,
    parties::escape_user,
    ring::{Purpose, Ring},
    target::Target,
};
use crate::{
    config::{Rejoin, TrunkId},
    journal::fact::{LegNumber, TransferStep, What},
    shard::Switchboard,
};

/// Entries of History-Info that are read.
const MOST_ENTRIES: usize = 32;
/// Bytes of a token that is remembered; Teams' is a GUID.
const LONGEST: usize = 128;

/// What an INVITE that was sent back has in it, and one that comes of it has too.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// `x-ti` of Referred-By: by it Teams knows the leg of whoever transferred.
    Referrer(Bytes),
    /// `rejoin` of an entry of ours in History-Info.
    Entry(Bytes),
}

impl Token {
    fn of_referrer(referred_by: &[u8]) -> Option<Token> {
        Token::read(referred_by, "x-ti").map(Token::Referrer)
    }

    fn read(address: &[u8], name: &str) -> Option<Bytes> {
        let address = NameAddr::parse(Bytes::copy_from_slice(address)).ok()?;
        let value = address.uri.param(name).filter(|value| (1..=LONGEST).contains(&value.len()));
        value.map(Bytes::copy_from_slice)
    }

    /// All of an INVITE that has come.
    pub(crate) fn all_in(invite: &Message) -> Vec<Token> {
        let referrer = invite.value(Header::ReferredBy).and_then(|value| Token::of_referrer(&value));
        let entries = invite.values(Header::HistoryInfo).take(MOST_ENTRIES);
        let entries = entries.filter_map(|entry| Token::read(&entry, "rejoin").map(Token::Entry));
        referrer.into_iter().chain(entries).collect()
    }

    /// The entry of History-Info that has it, if it is one of those (RFC 7044 §5).
    pub(super) fn entry(&self, called: &str, host: &str) -> Option<Bytes> {
        let Token::Entry(token) = self else { return None };
        let at = if called.is_empty() { String::new() } else { format!("{}@", escape_user(called)) };
        Some(format!("<sip:{at}{host};rejoin={}>;index=1", text(token)).into())
    }
}

/// Going out.
impl Call {
    /// What a transfer that is sent back by this trunk is known by.
    pub(super) fn tokens_for(
        trunk: Option<TrunkId>,
        referred_by: Option<&Bytes>,
        board: &mut Switchboard,
    ) -> Vec<Token> {
        let settings = trunk.and_then(|trunk| board.config.trunk(trunk));
        let Rejoin { by_referrer, by_entry } =
            settings.map(|trunk| trunk.transfer.rejoin).unwrap_or_default();
        let referrer = referred_by.filter(|_| by_referrer).and_then(|value| Token::of_referrer(value));
        let entry = by_entry.then(|| Token::Entry(format!("{:032x}", board.random::<u128>()).into()));
        referrer.into_iter().chain(entry).collect()
    }

    /// The leg may come to us again, until it is closed.
    pub(super) fn may_come_round(&mut self, number: LegNumber, tokens: Vec<Token>, board: &mut Switchboard) {
        let key = self.key;
        let Some(leg) = self.leg_mut(number).filter(|_| !tokens.is_empty()) else { return };
        if let Some(trunk) = leg.trunk {
            board.sent_back.add(trunk, &tokens, (key, number));
            leg.tokens = tokens;
        }
    }
}

/// Coming in.
impl Call {
    /// What the leg `back` was sent has come to us by its trunk, as the INVITE of `sip` to the very number that the transfer
    /// names: the caller is led to that number here. False: it is a call of its own, and nothing has changed.
    pub fn comes_round(
        &mut self,
        back: LegNumber,
        sip: LegKey,
        trunk: TrunkId,
        (invite, source): (&Message, &str),
        board: &mut Switchboard,
    ) -> bool {
        let parties = Parties::of(invite, board.config.trunk(trunk));
        let Some(target) = self.number_sent_back(back, trunk, &parties.called, board) else { return false };
        let new = LegNumber::try_from(self.legs.len()).unwrap_or(LegNumber::MAX);
        // It ends with the leg that it came of: when that is cancelled, so is this one.
        let leg = Leg { taken: true, leaves_at: Some(board.now + GRACE), ..Leg::new(new, Some(sip)) };
        self.legs.push(leg);
        board.adopt(sip, self.key, new);
        self.occupy_trunk(new, Some(trunk), board);
        let came = TransferStep::CameRound {
            leg: new,
            of: back,
            sip_call_id: text(invite.call_id().ok().as_deref().unwrap_or_default()),
            trunk: board.trunk_name(trunk),
            party: parties.caller,
            source: source.to_owned(),
        };
        info!(parent: &self.span, back, "a transfer that was sent back has come round");
        self.fact(What::Transfer(came), board);
        self.goes_there_itself(target, board);
        true
    }

    /// The number that the leg was sent to and this INVITE is for, if it is one that leads somewhere here.
    fn number_sent_back(
        &self,
        back: LegNumber,
        trunk: TrunkId,
        called: &str,
        board: &Switchboard,
    ) -> Option<Target> {
        let Stage::Ringing(Ring { purpose: Purpose::Transfer(_), .. }) = &self.stage else { return None };
        self.leg(back).filter(|leg| leg.rings())?;
        let is_caller = self.leg(self.seat).is_some_and(|seat| seat.agent.is_none());
        let is_named = !called.is_empty() && self.number_of(back, board) == called;
        if !is_caller || !is_named || self.is_full() {
            return None;
        }
        let number = self.config.route(trunk, called)?;
        let (flow, hours, pattern) = (number.flow, number.hours, number.pattern.to_string());
        Some(Target::Number { number: called.to_owned(), flow, hours, pattern })
    }

    fn goes_there_itself(&mut self, target: Target, board: &mut Switchboard) {
        self.hang_up_losers(None, board);
        let stage = std::mem::replace(&mut self.stage, Stage::InFlow(Waits::Nothing));
        let Stage::Ringing(ring) = stage else { return };
        self.spare_losers(&ring, None, board);
        self.no_more_to_pay().into_iter().for_each(|agent| board.toll.ended(agent));
        if let Purpose::Transfer(transfer) = ring.purpose {
            self.led_to(&transfer, target, board);
        }
    }

    /// CANCEL of an INVITE that has come round, as its other end was cancelled by us; true if it was one.
    pub(super) fn round_is_over(&mut self, number: LegNumber, board: &mut Switchboard) -> bool {
        let is_one = self.has_come_round(number);
        if is_one {
            self.note_round(number, Origin::Remote, board);
            self.close_leg(number, board);
        }
        is_one
    }

    /// The same where no CANCEL has come.
    pub(super) fn ends_round(&self, number: LegNumber, board: &mut Switchboard) {
        if self.has_come_round(number) {
            self.note_round(number, Origin::Ourselves, board);
        }
    }

    fn has_come_round(&self, number: LegNumber) -> bool {
        number != super::CALLER && self.leg(number).is_some_and(|leg| leg.taken && leg.sound.is_none())
    }

    fn note_round(&self, number: LegNumber, origin: Origin, board: &mut Switchboard) {
        let over = Failure::found(StatusCode::REQUEST_TERMINATED, "it had come round", origin);
        self.note_failed(number, &over, board);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(headers: &str) -> Vec<Token> {
        let text = format!(
            "INVITE sip:+49@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        Token::all_in(&Message::parse(text.into()).unwrap())
    }

    #[test]
    fn tokens_stand_in_referred_by_and_in_our_entry_and_an_empty_or_endless_one_is_none() {
        let referrer = |value: &str| Token::Referrer(Bytes::copy_from_slice(value.as_bytes()));
        assert_eq!(tokens("Referred-By: <sip:t@h;x-m=8:orgid:1;x-ti=3F0c-7a>\r\n"), [referrer("3F0c-7a")]);
        assert_eq!(tokens("b: <sip:h;x-ti=1>\r\n"), [referrer("1")]);
        let entry = Token::Entry(Bytes::from_static(b"0a"));
        let ours = text(&entry.entry("+49 1", "sbc.example.com:5061").unwrap());
        assert_eq!(ours, "<sip:+49%201@sbc.example.com:5061;rejoin=0a>;index=1");
        assert_eq!(tokens(&format!("History-Info: {ours}, <sip:b@h>;index=1.1\r\n")), [entry]);
        let endless = "x".repeat(LONGEST + 1);
        for none in ["<sip:h>", "<sip:h;x-ti>", "<sip:h;x-ti=>", &format!("<sip:h;x-ti={endless}>"), "x-ti=1"]
        {
            assert_eq!(tokens(&format!("Referred-By: {none}\r\n")), [], "{none}");
        }
    }
}
