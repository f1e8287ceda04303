//! The lite agent of ICE (RFC 8445 §2.4, §7.3): it answers checks and sends none. Consent is the peer's to ask for (RFC 7675
//! §5.1); who asks no more is gone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_crypto::RTCCrypto;
use rtc_stun::attributes::{
    ATTR_FINGERPRINT, ATTR_ICE_CONTROLLED, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_UNKNOWN_ATTRIBUTES,
    ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType, RawAttribute,
};
use rtc_stun::error_code::ErrorCode;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Message, Setter};
use rtc_stun::xoraddr::XorMappedAddress;
use smallvec::SmallVec;

use crate::sdp::IceCredentials;

/// Without a check for this long the peer is gone (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// Addresses of one peer that are remembered; with one more the one that was silent longest is forgotten.
const MOST_PAIRS: usize = 8;
/// Nominations in a row by which another address takes over from one of higher priority.
const IN_A_ROW: u8 = 3;
/// Attributes up to here must be understood (RFC 8489 §14).
const REQUIRED: u16 = 0x7fff;

/// Our side of one leg's ICE.
#[derive(Debug)]
pub(super) struct Lite {
    ours: IceCredentials,
    their_ufrag: String,
    pairs: SmallVec<[Pair; 2]>,
    selected: Option<Pair>,
    /// Who else is being nominated, and how often since the selected one was checked last.
    rival: Option<(SocketAddr, u8)>,
    /// The last valid check, or since when one is waited for.
    checked_at: Instant,
    /// The credentials are new: with the first check by them the old addresses are forgotten.
    is_restarting: bool,
}

/// An address of the peer's from where it has checked.
#[derive(Debug, Clone, Copy)]
struct Pair {
    remote: SocketAddr,
    priority: u32,
    checked_at: Instant,
}

/// What became of a STUN message.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// It was a check by the right password.
    pub(super) is_valid: bool,
    pub(super) answer: Option<Vec<u8>>,
}

/// Why a request is refused: its error code.
const BAD_REQUEST: ErrorCode = ErrorCode(400);
const UNAUTHORIZED: ErrorCode = ErrorCode(401);
const UNKNOWN_ATTRIBUTE: ErrorCode = ErrorCode(420);
const ROLE_CONFLICT: ErrorCode = ErrorCode(487);

impl Lite {
    pub(super) fn new(now: Instant, ours: IceCredentials, their_ufrag: String) -> Lite {
        Lite {
            ours,
            their_ufrag,
            pairs: SmallVec::new(),
            selected: None,
            rival: None,
            checked_at: now,
            is_restarting: false,
        }
    }

    /// The credentials of a further exchange. Others restart ICE: sound goes on as it did until a check comes by them
    /// (RFC 8445 §9).
    pub(super) fn agree(&mut self, now: Instant, ours: IceCredentials, their_ufrag: String) {
        if ours != self.ours || their_ufrag != self.their_ufrag {
            (self.ours, self.their_ufrag) = (ours, their_ufrag);
            (self.checked_at, self.is_restarting) = (now, true);
        }
    }

    /// Where to send: to the address that was nominated, before that to the best that has checked (§12.1).
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        let best = || self.pairs.iter().max_by_key(|pair| pair.priority);
        self.selected.as_ref().or_else(best).map(|pair| pair.remote)
    }

    /// Whether the peer has checked from here, nominated or not: it may send from any of them (§12.2).
    pub(super) fn knows(&self, from: SocketAddr) -> bool {
        self.pairs.iter().any(|pair| pair.remote == from)
    }

    /// When the peer counts as gone.
    pub(super) fn lost_at(&self) -> Instant {
        self.checked_at + CONSENT
    }

    /// Takes in a STUN message and says what to answer. What is no request is not answered.
    pub(super) fn handle_check(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        crypto: &dyn RTCCrypto,
    ) -> Checked {
        let mut message = Message::new();
        let is_ours = message.unmarshal_binary(datagram).is_ok()
            && message.typ == BINDING_REQUEST
            && FINGERPRINT.check(&message).is_ok();
        if !is_ours {
            return Checked::default();
        }
        match self.judge(&mut message, crypto) {
            Ok(check) => {
                self.note(
                    now,
                    Pair { remote: from, priority: check.priority, checked_at: now },
                    check.nominates,
                );
                Checked { is_valid: true, answer: self.success(&message, from, crypto) }
            }
            Err(why) => Checked { is_valid: false, answer: self.refusal(&message, why, crypto) },
        }
    }

    /// Whether a request is a check of our peer's (§7.3, RFC 8489 §9.1.3).
    fn judge(&self, message: &mut Message, crypto: &dyn RTCCrypto) -> Result<Check, ErrorCode> {
        let username = value(message, ATTR_USERNAME).ok_or(BAD_REQUEST)?;
        value(message, ATTR_MESSAGE_INTEGRITY).ok_or(BAD_REQUEST)?;
        if username != self.username().as_bytes() {
            return Err(UNAUTHORIZED);
        }
        MessageIntegrity::check(message, self.ours.pwd.as_bytes(), crypto).map_err(|_| UNAUTHORIZED)?;
        if unknown(message).next().is_some() {
            return Err(UNKNOWN_ATTRIBUTE);
        }
        // Both cannot wait for the other's nomination, and we never nominate (§7.3.1.1).
        if value(message, ATTR_ICE_CONTROLLED).is_some() {
            return Err(ROLE_CONFLICT);
        }
        let priority = value(message, ATTR_PRIORITY).and_then(|bytes| bytes.try_into().ok());
        let priority = u32::from_be_bytes(priority.ok_or(BAD_REQUEST)?);
        Ok(Check { priority, nominates: value(message, ATTR_USE_CANDIDATE).is_some() })
    }

    fn username(&self) -> String {
        format!("{}:{}", self.ours.ufrag, self.their_ufrag)
    }

    fn note(&mut self, now: Instant, pair: Pair, nominates: bool) {
        self.checked_at = now;
        if std::mem::take(&mut self.is_restarting) {
            self.pairs.clear();
            (self.selected, self.rival) = (None, None);
        }
        match self.pairs.iter_mut().find(|known| known.remote == pair.remote) {
            Some(known) => *known = pair,
            None => self.learn(pair),
        }
        match &mut self.selected {
            Some(selected) if selected.remote == pair.remote => {
                *selected = pair;
                self.rival = None;
            }
            _ if nominates => self.nominate(pair),
            _ => {}
        }
    }

    fn learn(&mut self, pair: Pair) {
        if self.pairs.len() == MOST_PAIRS {
            let selected = self.selected.map(|selected| selected.remote);
            let others = self.pairs.iter().enumerate().filter(|(_, pair)| Some(pair.remote) != selected);
            if let Some((oldest, _)) = others.min_by_key(|(_, pair)| pair.checked_at) {
                self.pairs.swap_remove(oldest);
            }
        }
        self.pairs.push(pair);
    }

    /// Old agents nominate all they check, of which the highest priority counts (RFC 5245 §8.1.1.2); new ones nominate the
    /// one they send by, also when they have moved to a worse network, and check the one they have left no more.
    fn nominate(&mut self, pair: Pair) {
        let times = self.rival.filter(|(remote, _)| *remote == pair.remote).map_or(1, |(_, times)| times + 1);
        if self.selected.is_none_or(|selected| selected.priority <= pair.priority) || times >= IN_A_ROW {
            (self.selected, self.rival) = (Some(pair), None);
        } else {
            self.rival = Some((pair.remote, times));
        }
    }

    fn success(&self, request: &Message, from: SocketAddr, crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
        let mapped = XorMappedAddress { ip: from.ip(), port: from.port() };
        build(&[&BINDING_SUCCESS, request, &mapped, &self.integrity(crypto), &FINGERPRINT])
    }

    /// Without MESSAGE-INTEGRITY where the request had none that is right (RFC 8489 §9.1.3).
    fn refusal(&self, request: &Message, why: ErrorCode, crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
        if [BAD_REQUEST, UNAUTHORIZED].contains(&why) {
            return build(&[&BINDING_ERROR, request, &why, &FINGERPRINT]);
        }
        let unknown = Unknown(unknown(request).flat_map(|unknown| unknown.0.to_be_bytes()).collect());
        build(&[&BINDING_ERROR, request, &why, &unknown, &self.integrity(crypto), &FINGERPRINT])
    }

    fn integrity<'a>(&self, crypto: &'a dyn RTCCrypto) -> MessageIntegrity<'a> {
        MessageIntegrity::new_short_term_integrity_with_provider(self.ours.pwd.clone(), crypto)
    }
}

/// A check that is right.
struct Check {
    priority: u32,
    nominates: bool,
}

/// The attributes that MESSAGE-INTEGRITY covers, and itself: what stands behind it anybody may have put there (RFC 8489
/// §14.5).
fn covered(message: &Message) -> impl Iterator<Item = &RawAttribute> {
    let attributes = &message.attributes.0;
    let end = attributes.iter().position(|attribute| attribute.typ == ATTR_MESSAGE_INTEGRITY);
    attributes[..end.map_or(attributes.len(), |at| at + 1)].iter()
}

fn value(message: &Message, sought: AttrType) -> Option<&[u8]> {
    covered(message).find(|attribute| attribute.typ == sought).map(|attribute| attribute.value.as_slice())
}

/// Attributes that we do not know and ought to.
fn unknown(message: &Message) -> impl Iterator<Item = AttrType> {
    const KNOWN: [AttrType; 5] =
        [ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_FINGERPRINT];
    let types = covered(message).map(|attribute| attribute.typ);
    types.filter(|typ| typ.0 <= REQUIRED && !KNOWN.contains(typ))
}

/// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13), left out where there are none.
struct Unknown(Vec<u8>);

impl Setter for Unknown {
    fn add_to(&self, message: &mut Message) -> rtc_shared::error::Result<()> {
        if !self.0.is_empty() {
            message.add(ATTR_UNKNOWN_ATTRIBUTES, &self.0);
        }
        Ok(())
    }
}

/// `None` only if the library fails.
fn build(setters: &[&dyn Setter]) -> Option<Vec<u8>> {
    let mut message = Message::new();
    message.write_header();
    setters.iter().try_for_each(|setter| setter.add_to(&mut message)).ok()?;
    Some(message.raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    const HIGH: u32 = 2_000_000_000;
    const LOW: u32 = 1_000_000_000;
    const PWD: &str = "our-password-of-22-characters";

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 4_000))
    }

    fn lite() -> Lite {
        let ours = IceCredentials { ufrag: "ours".into(), pwd: PWD.into() };
        Lite::new(origin(), ours, "theirs".into())
    }

    /// An attribute as it is, for whatever a check may carry.
    struct Raw(AttrType, Vec<u8>);

    impl Setter for Raw {
        fn add_to(&self, message: &mut Message) -> rtc_shared::error::Result<()> {
            message.add(self.0, &self.1);
            Ok(())
        }
    }

    /// A check with these attributes before and behind its MESSAGE-INTEGRITY; its answer's code, 0 for none, 200 for success.
    fn check(
        lite: &mut Lite,
        from: SocketAddr,
        username: &str,
        before: Vec<Raw>,
        behind: Vec<Raw>,
    ) -> (bool, u16) {
        let provider = rtc_crypto::default_provider().unwrap();
        let crypto = provider.crypto();
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(PWD.to_owned(), crypto);
        let username = Raw(ATTR_USERNAME, username.as_bytes().to_vec());
        let id = rtc_stun::message::TransactionId([7; 12]);
        let mut setters: Vec<&dyn Setter> = vec![&BINDING_REQUEST, &id, &username];
        setters.extend(before.iter().map(|raw| raw as &dyn Setter));
        setters.push(&integrity);
        setters.extend(behind.iter().map(|raw| raw as &dyn Setter));
        setters.push(&FINGERPRINT);
        let checked = lite.handle_check(origin(), from, &build(&setters).unwrap(), crypto);
        (checked.is_valid, checked.answer.map_or(0, |answer| code(&answer)))
    }

    fn code(answer: &[u8]) -> u16 {
        let mut message = Message::new();
        message.unmarshal_binary(answer).unwrap();
        assert!(FINGERPRINT.check(&message).is_ok() && message.transaction_id.0 == [7; 12]);
        let error = message.attributes.0.iter().find(|raw| raw.typ == rtc_stun::attributes::ATTR_ERROR_CODE);
        error.map_or(200, |raw| u16::from(raw.value[2]) * 100 + u16::from(raw.value[3]))
    }

    fn priority(of: u32) -> Raw {
        Raw(ATTR_PRIORITY, of.to_be_bytes().to_vec())
    }

    fn checks(lite: &mut Lite, from: SocketAddr, of: u32, nominates: bool) {
        let nomination = nominates.then(|| Raw(ATTR_USE_CANDIDATE, vec![]));
        let attributes = std::iter::once(priority(of)).chain(nomination).collect();
        assert_eq!(check(lite, from, "ours:theirs", attributes, vec![]), (true, 200));
    }

    #[test]
    fn before_a_nomination_the_best_address_is_sent_to_and_each_is_heard() {
        let mut lite = lite();
        assert_eq!(lite.peer(), None);
        checks(&mut lite, address(1), LOW, false);
        checks(&mut lite, address(2), HIGH, false);
        assert_eq!(lite.peer(), Some(address(2)));
        assert!(lite.knows(address(1)) && lite.knows(address(2)) && !lite.knows(address(3)));
        checks(&mut lite, address(1), LOW, true);
        assert_eq!(lite.peer(), Some(address(1)), "nominated");
    }

    #[test]
    fn who_nominates_all_it_checks_is_sent_to_at_the_highest_priority() {
        let mut lite = lite();
        for _ in 0..10 {
            checks(&mut lite, address(1), LOW, true);
            checks(&mut lite, address(2), HIGH, true);
            assert_eq!(lite.peer(), Some(address(2)));
        }
    }

    #[test]
    fn who_moves_to_a_worse_network_is_followed_at_the_third_nomination() {
        let mut lite = lite();
        checks(&mut lite, address(2), HIGH, true);
        checks(&mut lite, address(1), LOW, true);
        checks(&mut lite, address(1), LOW, true);
        assert_eq!(lite.peer(), Some(address(2)));
        checks(&mut lite, address(1), LOW, true);
        assert_eq!(lite.peer(), Some(address(1)));
    }

    #[test]
    fn many_addresses_do_not_drive_out_the_one_in_use() {
        let mut lite = lite();
        checks(&mut lite, address(1), HIGH, true);
        (2..100).for_each(|last| checks(&mut lite, address(last), LOW, false));
        assert!(lite.knows(address(1)) && lite.pairs.len() == MOST_PAIRS);
        assert_eq!(lite.peer(), Some(address(1)));
    }

    #[test]
    fn what_is_no_right_check_gets_the_code_of_its_fault_and_opens_nothing() {
        let mut lite = lite();
        let mut refused =
            |username: &str, before: Vec<Raw>| check(&mut lite, address(1), username, before, vec![]);
        assert_eq!(refused("ours:other", vec![priority(HIGH)]), (false, 401));
        assert_eq!(refused("theirs:ours", vec![priority(HIGH)]), (false, 401));
        assert_eq!(refused("ours:theirs", vec![]), (false, 400), "no PRIORITY");
        let unknown = Raw(AttrType(0x7ffe), vec![1, 2, 3, 4]);
        assert_eq!(refused("ours:theirs", vec![priority(HIGH), unknown]), (false, 420));
        let controlled = Raw(ATTR_ICE_CONTROLLED, vec![0; 8]);
        assert_eq!(refused("ours:theirs", vec![priority(HIGH), controlled]), (false, 487));
        assert!(!lite.knows(address(1)) && lite.peer().is_none());
    }

    #[test]
    fn a_nomination_behind_the_integrity_counts_for_nothing() {
        let mut lite = lite();
        checks(&mut lite, address(2), LOW, true);
        let behind = vec![Raw(ATTR_USE_CANDIDATE, vec![])];
        let checked = check(&mut lite, address(1), "ours:theirs", vec![priority(HIGH)], behind);
        assert_eq!((checked, lite.peer()), ((true, 200), Some(address(2))));
    }

    #[test]
    fn every_cut_of_a_check_is_borne() {
        let provider = rtc_crypto::default_provider().unwrap();
        let mut lite = lite();
        let whole =
            build(&[&BINDING_REQUEST, &Raw(ATTR_USERNAME, b"ours:theirs".to_vec()), &FINGERPRINT]).unwrap();
        for end in 0..whole.len() {
            let checked = lite.handle_check(origin(), address(1), &whole[..end], provider.crypto());
            assert!(!checked.is_valid && checked.answer.is_none());
        }
        let checked = lite.handle_check(origin(), address(1), &whole, provider.crypto());
        assert!(!checked.is_valid && checked.answer.is_some_and(|answer| !answer.is_empty()));
    }
}
