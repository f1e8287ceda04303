//! Whom a story has at the telephone, and what they do when.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use media::{Codec, Direction, sdp::Srtp, srtp::Suite};
use rand::Rng;
use sip_core::{Message, Terms};

use super::{ROUTER, SECOND, Script, World};
use crate::{
    phone::{Behaviour, Deed, HoldBy, Manner, Phone, PhoneId},
    tone::Tone,
};

impl World {
    /// A caller behind the carrier, at 10.1.0.x.
    pub fn caller(&mut self, name: &str) -> PhoneId {
        let last = u8::try_from(self.phones.len() % 250).unwrap_or(0) + 1;
        let third = u8::try_from(self.phones.len() / 250).unwrap_or(0);
        self.phone(name, SocketAddr::from(([10, 1, third, last], 5060)), Behaviour::Answers(2 * SECOND))
    }

    /// A telephone at an address of the configuration, reacting like this.
    pub fn phone_at(&mut self, name: &str, address: &str, behaviour: Behaviour) -> PhoneId {
        self.phone(name, address.parse().expect("an address"), behaviour)
    }

    /// A peer at an address of the configuration that answers each message with these datagrams, after these delays.
    pub fn script_at(
        &mut self,
        address: &str,
        answers: impl FnMut(&Message) -> Vec<(Duration, Bytes)> + 'static,
    ) {
        let address = address.parse().expect("an address");
        self.scripts.push(Script { address, answers: Box::new(answers) });
    }

    pub(super) fn phone(&mut self, name: &str, address: SocketAddr, behaviour: Behaviour) -> PhoneId {
        let voice = 0x20 + u8::try_from(self.phones.len() % 0x40).unwrap_or(0);
        let mut phone = Phone::new(name, address, self.router, voice, self.random.random());
        phone.behaviour = behaviour;
        phone.set_rtp_gap(self.rtp_gap);
        self.phones.push(phone);
        PhoneId(self.phones.len() - 1)
    }

    /// The telephone.
    pub fn at(&self, phone: PhoneId) -> &Phone {
        &self.phones[phone.0]
    }

    /// From now on the telephone speaks these codecs only, best first.
    pub fn speaks(&mut self, phone: PhoneId, codecs: &[Codec]) {
        self.phones[phone.0].set_codecs(codecs);
    }

    /// From the next call on it speaks SRTP, or not, and offers these suites.
    pub fn encrypts(&mut self, phone: PhoneId, srtp: Srtp, suites: &[Suite]) {
        self.phones[phone.0].set_srtp(srtp, suites);
    }

    /// From the next call on it speaks a tone of so many hertz.
    pub fn speaks_tone(&mut self, phone: PhoneId, hz: u16) {
        self.phones[phone.0].set_tone(Tone::new(hz));
    }

    /// From now on its INVITEs have this header field too.
    pub fn writes(&mut self, phone: PhoneId, name: &str, value: &str) {
        self.phones[phone.0].add_header(name, value);
    }

    /// From now on its INVITEs have this header field and no other of a story's.
    pub fn writes_only(&mut self, phone: PhoneId, name: &str, value: &str) {
        self.phones[phone.0].forget_headers();
        self.writes(phone, name, value);
    }

    /// From now on what ends its calls, BYE, CANCEL or a refusal, has this Reason.
    pub fn explains(&mut self, phone: PhoneId, reason: &str) {
        self.phones[phone.0].set_reason(reason);
    }

    /// From now on its sound comes and goes at this address, whatever its SIP address is.
    pub fn sounds_at(&mut self, phone: PhoneId, address: &str) {
        self.phones[phone.0].set_sound_address(address.parse().expect("an address"));
    }

    /// From now on the telephone reacts like this.
    pub fn behave(&mut self, phone: PhoneId, behaviour: Behaviour) {
        self.phones[phone.0].behaviour = behaviour;
    }

    /// From the next call on it uses these extensions with the router.
    pub fn agrees_to(&mut self, phone: PhoneId, terms: Terms) {
        self.phones[phone.0].set_terms(terms);
    }

    /// Dials now.
    pub fn dials(&mut self, phone: PhoneId, called: &str) {
        self.dials_in(phone, called, Duration::ZERO);
    }

    /// Dials after this long.
    pub fn dials_in(&mut self, phone: PhoneId, called: &str, after: Duration) {
        self.plan(phone, after, Deed::Dial { called: called.to_owned(), offer: true });
    }

    /// Dials with an INVITE without an offer.
    pub fn dials_without_offer(&mut self, phone: PhoneId, called: &str) {
        self.plan(phone, Duration::ZERO, Deed::Dial { called: called.to_owned(), offer: false });
    }

    /// Hangs up (CANCEL or BYE) after this long.
    pub fn hangs_up_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::HangUp);
    }

    /// Presses a key after this long.
    pub fn presses_in(&mut self, phone: PhoneId, key: char, after: Duration) {
        self.plan(phone, after, Deed::Press(key));
    }

    /// Puts the far end on hold, or takes it back, after this long.
    pub fn holds_in(&mut self, phone: PhoneId, held: bool, after: Duration) {
        self.holds_by(phone, if held { Direction::SendOnly } else { Direction::SendRecv }, after);
    }

    /// The same with a direction of its own choice: Teams and others hold by `inactive`.
    pub fn holds_by(&mut self, phone: PhoneId, direction: Direction, after: Duration) {
        self.plan(phone, after, Deed::Hold(direction));
    }

    /// Puts the far end on hold in this dialect after this long.
    pub fn holds_by_in(&mut self, phone: PhoneId, how: HoldBy, after: Duration) {
        self.plan(phone, after, Deed::HoldBy(how));
    }

    /// Presses a key after this long, and says so by INFO.
    pub fn presses_by_info_in(&mut self, phone: PhoneId, key: char, after: Duration) {
        self.plan(phone, after, Deed::PressByInfo(key));
    }

    /// Knows no telephone-event from the next call on.
    pub fn knows_no_events(&mut self, phone: PhoneId) {
        self.phones[phone.0].forget_events();
    }

    /// Moves its sound to another address by a re-INVITE after this long.
    pub fn moves_in(&mut self, phone: PhoneId, address: &str, after: Duration) {
        self.plan(phone, after, Deed::Move(address.parse().expect("an address")));
    }

    /// Sends a re-INVITE with this body after this long, whatever it says.
    pub fn offers_in(&mut self, phone: PhoneId, body: &str, after: Duration) {
        self.plan(phone, after, Deed::Offer(Bytes::copy_from_slice(body.as_bytes())));
    }

    /// Who the telephone is from now on, when it registers and calls.
    pub fn logs_in(&mut self, phone: PhoneId, user: &str, password: &str) {
        self.phones[phone.0].logs_in(user, password);
    }

    /// Registers this Contact after this long, for so many seconds.
    pub fn registers_in(&mut self, phone: PhoneId, contact: &str, expires: u32, after: Duration) {
        self.plan(phone, after, Deed::Register { contact: contact.to_owned(), expires });
    }

    /// Falls silent for ever after this long: power cut.
    pub fn dies_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::Die);
    }

    /// Sends no sound from then on, or sends again.
    pub fn mutes_in(&mut self, phone: PhoneId, muted: bool, after: Duration) {
        self.plan(phone, after, Deed::Mute(muted));
    }

    /// From then on this is what comes out of it.
    pub fn sounds_in(&mut self, phone: PhoneId, manner: Manner, after: Duration) {
        self.plan(phone, after, Deed::Sound(manner));
    }

    /// Asks after this long to have the other party connected with `user` at the router instead.
    pub fn transfers_in(&mut self, phone: PhoneId, user: &str, after: Duration) {
        self.refers_in(phone, &format!("<sip:{user}@{ROUTER}>"), &[], after);
    }

    /// Sends a REFER after this long: `to` is the whole of Refer-To.
    pub fn refers_in(&mut self, phone: PhoneId, to: &str, headers: &[(&str, &str)], after: Duration) {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.plan(phone, after, Deed::Transfer { to: to.to_owned(), headers: owned.collect() });
    }

    /// Asks after this long to have the party of its first call connected with that of its second.
    pub fn transfers_attended_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::TransferAttended);
    }

    /// Hangs up the first of its calls after this long; others go on.
    pub fn hangs_up_first_in(&mut self, phone: PhoneId, after: Duration) {
        self.plan(phone, after, Deed::HangUpFirst);
    }

    /// How the router is told which call the first one of this telephone is (Replaces).
    pub fn names_call(&self, phone: PhoneId) -> String {
        self.call_named(phone).expect("it is in a call")
    }

    /// The same, of a telephone that may have none.
    pub fn call_named(&self, phone: PhoneId) -> Option<String> {
        self.at(phone).names_call()
    }

    /// From now on the telephone does not hang up by itself when it hears that its transfer is done.
    pub fn stays_after_transfer(&mut self, phone: PhoneId) {
        self.phones[phone.0].transfers.stays = true;
    }

    pub(super) fn plan(&mut self, phone: PhoneId, after: Duration, deed: Deed) {
        let at = self.now + after;
        self.phones[phone.0].plan(at, deed);
    }
}
