//! What tells one transaction from another: RFC 3261 §17.2.3 for servers, §17.1.3 for clients.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Branches that begin so are unique over space and time (RFC 3261 §8.1.1.7).
const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// The identity of a transaction: 128 bits of a keyed hash over the parts that the RFC compares.
///
/// A key costs 16 bytes whatever the far end writes into its branch. Without the seed of [`Keys`] nobody can
/// make two different transactions meet in one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionKey([u64; 2]);

/// The parts of a request that decide which transaction it belongs to, as they stand in the message.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestParts<'a> {
    /// The method, case kept: methods are case-sensitive.
    pub method: &'a [u8],
    /// The `branch` of the topmost Via, if it has one.
    pub branch: Option<&'a [u8]>,
    /// The host of the topmost Via's sent-by.
    pub sent_by_host: &'a [u8],
    /// The port of the topmost Via's sent-by, if one is written.
    pub sent_by_port: Option<u16>,
    /// The Request-URI as written. This and what follows is read only if the branch has no magic cookie.
    pub request_uri: &'a [u8],
    /// The whole topmost Via value as written.
    pub top_via: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// The number in CSeq.
    pub cseq: u32,
    /// The tag of From, if there is one.
    pub from_tag: Option<&'a [u8]>,
    /// The tag of To, if there is one.
    pub to_tag: Option<&'a [u8]>,
}

/// Makes keys. One per endpoint: keys of two different seeds never match.
#[derive(Clone, Debug)]
pub struct Keys {
    hasher: SipHasher13,
}

impl Keys {
    /// `seed` is random and secret.
    pub fn new(seed: &[u8; 16]) -> Keys {
        Keys { hasher: SipHasher13::new_with_key(seed) }
    }

    /// The server transaction that this request opens or repeats. An ACK gets the key of its INVITE.
    pub fn server(&self, request: &RequestParts<'_>) -> TransactionKey {
        match request.method {
            b"ACK" => self.server_for(request, b"INVITE"),
            method => self.server_for(request, method),
        }
    }

    /// The INVITE server transaction that this CANCEL is aimed at (RFC 3261 §9.2).
    pub fn cancelled(&self, cancel: &RequestParts<'_>) -> TransactionKey {
        self.server_for(cancel, b"INVITE")
    }

    /// Our client transaction with this branch: for a response, the branch of its topmost Via and the method
    /// of its CSeq.
    pub fn client(&self, branch: &[u8], method: &[u8]) -> TransactionKey {
        let mut digest = self.digest(b'c');
        digest.part(branch);
        digest.part(method);
        digest.key()
    }

    fn server_for(&self, request: &RequestParts<'_>, method: &[u8]) -> TransactionKey {
        match request.branch {
            Some(branch) if has_cookie(branch) => self.by_branch(request, branch, method),
            _ => self.by_everything(request, method),
        }
    }

    fn by_branch(&self, request: &RequestParts<'_>, branch: &[u8], method: &[u8]) -> TransactionKey {
        let mut digest = self.digest(b's');
        // A branch is repeated byte for byte, and many are base64: case is kept although RFC 3261 §7.3.1
        // would let it be ignored.
        digest.part(branch);
        digest.lower_case_part(request.sent_by_host);
        digest.number(request.sent_by_port.map_or(0, u32::from));
        digest.part(method);
        digest.key()
    }

    /// RFC 2543. The ACK carries the To tag of our response and its INVITE may carry none, so for INVITE, its
    /// ACK and its CANCEL the To tag is left out: Call-ID, CSeq, From tag and the whole Via tell them apart.
    fn by_everything(&self, request: &RequestParts<'_>, method: &[u8]) -> TransactionKey {
        let mut digest = self.digest(b'2');
        digest.part(request.request_uri);
        digest.part(request.top_via);
        digest.part(request.call_id);
        digest.number(request.cseq);
        digest.optional(request.from_tag);
        digest.optional(request.to_tag.filter(|_| method != b"INVITE"));
        digest.part(method);
        digest.key()
    }

    fn digest(&self, kind: u8) -> Digest {
        let mut digest = Digest(self.hasher);
        digest.0.write_u8(kind);
        digest
    }
}

fn has_cookie(branch: &[u8]) -> bool {
    branch.len() > MAGIC_COOKIE.len() && branch[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE)
}

/// Parts go in with their length before them, so that no two lists of parts read alike.
struct Digest(SipHasher13);

impl Digest {
    fn part(&mut self, part: &[u8]) {
        self.number(part.len() as u32);
        self.0.write(part);
    }

    fn lower_case_part(&mut self, part: &[u8]) {
        self.number(part.len() as u32);
        for piece in part.chunks(64) {
            let mut lower = [0; 64];
            lower[..piece.len()].copy_from_slice(piece);
            lower.make_ascii_lowercase();
            self.0.write(&lower[..piece.len()]);
        }
    }

    fn optional(&mut self, part: Option<&[u8]>) {
        self.0.write_u8(part.is_some().into());
        self.part(part.unwrap_or_default());
    }

    fn number(&mut self, number: u32) {
        self.0.write(&number.to_le_bytes());
    }

    fn key(&self) -> TransactionKey {
        let hash = self.0.finish128();
        TransactionKey([hash.h1, hash.h2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: RequestParts<'_> = RequestParts {
        method: b"INVITE",
        branch: Some(b"z9hG4bKnashds8"),
        sent_by_host: b"pc33.atlanta.example",
        sent_by_port: None,
        request_uri: b"sip:bob@biloxi.example",
        top_via: b"SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKnashds8",
        call_id: b"a84b4c76e66710",
        cseq: 314_159,
        from_tag: Some(b"1928301774"),
        to_tag: None,
    };
    const OLD: RequestParts<'_> = RequestParts { branch: Some(b"1"), ..INVITE };

    fn keys() -> Keys {
        Keys::new(&[7; 16])
    }

    #[test]
    fn the_ack_of_a_refusal_has_the_key_of_its_invite() {
        let ack = RequestParts { method: b"ACK", to_tag: Some(b"ours"), ..INVITE };
        assert_eq!(keys().server(&INVITE), keys().server(&ack));
    }

    #[test]
    fn a_cancel_is_a_transaction_of_its_own_and_finds_its_invite() {
        let cancel = RequestParts { method: b"CANCEL", ..INVITE };
        assert_ne!(keys().server(&INVITE), keys().server(&cancel));
        assert_eq!(keys().server(&INVITE), keys().cancelled(&cancel));
    }

    #[test]
    fn with_a_cookie_only_branch_sent_by_and_method_count() {
        let looped = RequestParts { request_uri: b"sip:other@x", cseq: 9, call_id: b"other", ..INVITE };
        assert_eq!(keys().server(&INVITE), keys().server(&looped));
        for other in [
            RequestParts { branch: Some(b"z9hG4bKother"), ..INVITE },
            RequestParts { sent_by_host: b"pc34.atlanta.example", ..INVITE },
            RequestParts { sent_by_port: Some(5_070), ..INVITE },
            RequestParts { method: b"OPTIONS", ..INVITE },
        ] {
            assert_ne!(keys().server(&INVITE), keys().server(&other));
        }
    }

    #[test]
    fn the_case_of_the_host_does_not_matter_and_that_of_the_branch_does() {
        let host = RequestParts { sent_by_host: b"PC33.Atlanta.example", ..INVITE };
        assert_eq!(keys().server(&INVITE), keys().server(&host));
        let (long, shout) = ([b'a'; 200], [b'A'; 200]);
        let [long, shout] = [&long, &shout].map(|host| RequestParts { sent_by_host: host, ..INVITE });
        assert_eq!(keys().server(&long), keys().server(&shout));
        let branch = RequestParts { branch: Some(b"z9hG4bKNASHDS8"), ..INVITE };
        assert_ne!(keys().server(&INVITE), keys().server(&branch));
    }

    #[test]
    fn without_a_cookie_the_whole_request_is_compared() {
        let ack = RequestParts { method: b"ACK", to_tag: Some(b"ours"), ..OLD };
        let cancel = RequestParts { method: b"CANCEL", ..OLD };
        assert_eq!(keys().server(&OLD), keys().server(&ack));
        assert_eq!(keys().server(&OLD), keys().cancelled(&cancel));
        for other in [
            RequestParts { request_uri: b"sip:other@x", ..OLD },
            RequestParts { top_via: b"SIP/2.0/UDP other", ..OLD },
            RequestParts { call_id: b"other", ..OLD },
            RequestParts { cseq: 314_160, ..OLD },
            RequestParts { from_tag: None, ..OLD },
            RequestParts { method: b"BYE", ..OLD },
        ] {
            assert_ne!(keys().server(&OLD), keys().server(&other));
        }
    }

    #[test]
    fn a_bare_cookie_is_not_unique_and_so_no_branch() {
        let bare = RequestParts { branch: Some(b"z9hG4bK"), ..INVITE };
        let next = RequestParts { cseq: 314_160, ..bare };
        assert_ne!(keys().server(&bare), keys().server(&next));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let (left, right) = (keys().client(b"ab", b"c"), keys().client(b"a", b"bc"));
        assert_ne!(left, right);
        let tagged = RequestParts { method: b"BYE", to_tag: Some(b""), ..OLD };
        let bare = RequestParts { method: b"BYE", to_tag: None, ..OLD };
        assert_ne!(keys().server(&tagged), keys().server(&bare));
    }

    #[test]
    fn another_seed_makes_other_keys() {
        assert_ne!(keys().server(&INVITE), Keys::new(&[8; 16]).server(&INVITE));
    }
}
