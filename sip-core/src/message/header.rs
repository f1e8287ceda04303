//! Header names, long and compact (RFC 3261 §7.3.3, §20, and the registry).

use std::fmt;

macro_rules! headers {
    ($($variant:ident $name:literal $compact:literal $shape:ident,)*) => {
        /// A header known by name. Those that are not known are [`Other`](Header::Other) and kept byte for byte.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Header {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// Any other name: read it from [`Field::name`](super::Field::name).
            Other,
        }

        const KNOWN: &[Header] = &[$(Header::$variant,)*];
        const NAMES: &[&str] = &[$($name,)*];
        const COMPACT: &[&str] = &[$($compact,)*];
        const IS_LIST: &[bool] = &[$(is_list!($shape),)*];
    };
}

macro_rules! is_list {
    (list) => {
        true
    };
    (one) => {
        false
    };
}

headers! {
    Accept "Accept" "" list,
    AcceptContact "Accept-Contact" "a" list,
    AcceptEncoding "Accept-Encoding" "" list,
    AcceptLanguage "Accept-Language" "" list,
    AlertInfo "Alert-Info" "" list,
    Allow "Allow" "" list,
    AllowEvents "Allow-Events" "u" list,
    AuthenticationInfo "Authentication-Info" "" one,
    Authorization "Authorization" "" one,
    CallId "Call-ID" "i" one,
    CallInfo "Call-Info" "" list,
    Contact "Contact" "m" list,
    ContentDisposition "Content-Disposition" "" one,
    ContentEncoding "Content-Encoding" "e" list,
    ContentLanguage "Content-Language" "" list,
    ContentLength "Content-Length" "l" one,
    ContentType "Content-Type" "c" one,
    CSeq "CSeq" "" one,
    Date "Date" "" one,
    Diversion "Diversion" "" list,
    ErrorInfo "Error-Info" "" list,
    Event "Event" "o" one,
    Expires "Expires" "" one,
    From "From" "f" one,
    HistoryInfo "History-Info" "" list,
    Identity "Identity" "y" list,
    IdentityInfo "Identity-Info" "n" one,
    InReplyTo "In-Reply-To" "" list,
    Join "Join" "" one,
    MaxForwards "Max-Forwards" "" one,
    MimeVersion "MIME-Version" "" one,
    MinExpires "Min-Expires" "" one,
    MinSe "Min-SE" "" one,
    Organization "Organization" "" one,
    PAssertedIdentity "P-Asserted-Identity" "" list,
    PPreferredIdentity "P-Preferred-Identity" "" list,
    Path "Path" "" list,
    Priority "Priority" "" one,
    Privacy "Privacy" "" one,
    ProxyAuthenticate "Proxy-Authenticate" "" one,
    ProxyAuthorization "Proxy-Authorization" "" one,
    ProxyRequire "Proxy-Require" "" list,
    RAck "RAck" "" one,
    RSeq "RSeq" "" one,
    Reason "Reason" "" list,
    RecordRoute "Record-Route" "" list,
    ReferSub "Refer-Sub" "" one,
    ReferTo "Refer-To" "r" one,
    ReferredBy "Referred-By" "b" one,
    RejectContact "Reject-Contact" "j" list,
    Replaces "Replaces" "" one,
    ReplyTo "Reply-To" "" one,
    RequestDisposition "Request-Disposition" "d" list,
    Require "Require" "" list,
    RetryAfter "Retry-After" "" one,
    Route "Route" "" list,
    Server "Server" "" one,
    ServiceRoute "Service-Route" "" list,
    SessionExpires "Session-Expires" "x" one,
    SipEtag "SIP-ETag" "" one,
    SipIfMatch "SIP-If-Match" "" one,
    Subject "Subject" "s" one,
    SubscriptionState "Subscription-State" "" one,
    Supported "Supported" "k" list,
    TargetDialog "Target-Dialog" "" one,
    Timestamp "Timestamp" "" one,
    To "To" "t" one,
    Unsupported "Unsupported" "" list,
    UserAgent "User-Agent" "" one,
    UserToUser "User-to-User" "" list,
    Via "Via" "v" list,
    Warning "Warning" "" list,
    WwwAuthenticate "WWW-Authenticate" "" one,
}

impl Header {
    /// The header a name means, in any case, long or compact.
    pub fn named(name: &[u8]) -> Header {
        match *name {
            [] => Header::Other,
            [letter] => compact(letter),
            [..] => long(name),
        }
    }

    /// The full name as the RFCs write it; empty for [`Header::Other`].
    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or("")
    }

    /// True if commas separate several values of equal rank in one field (RFC 3261 §7.3.1).
    pub fn is_list(self) -> bool {
        IS_LIST.get(self as usize).copied().unwrap_or(false)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Header::Other { "unknown header" } else { self.name() })
    }
}

fn compact(letter: u8) -> Header {
    const LETTERS: [Header; 26] = {
        let mut letters = [Header::Other; 26];
        let mut known = 0;
        while known < KNOWN.len() {
            if let [letter] = COMPACT[known].as_bytes() {
                letters[(*letter - b'a') as usize] = KNOWN[known];
            }
            known += 1;
        }
        letters
    };
    match letter | 0x20 {
        lower @ b'a'..=b'z' => LETTERS[(lower - b'a') as usize],
        _ => Header::Other,
    }
}

const BUCKETS: usize = 512;
const FREE: u8 = Header::Other as u8;

/// Where the search for a name begins. First and last letter and the length tell nearly all known names apart.
const fn bucket(name: &[u8]) -> usize {
    let first = (name[0] | 0x20) as usize;
    let last = (name[name.len() - 1] | 0x20) as usize;
    let middle = (name[name.len() / 2] | 0x20) as usize;
    (first * 31 + middle * 7 + last * 3 + name.len() * 67) % BUCKETS
}

static TABLE: [u8; BUCKETS] = {
    let mut table = [FREE; BUCKETS];
    let mut known = 0;
    while known < KNOWN.len() {
        let mut at = bucket(NAMES[known].as_bytes());
        while table[at] != FREE {
            at = (at + 1) % BUCKETS;
        }
        table[at] = known as u8;
        known += 1;
    }
    table
};

fn long(name: &[u8]) -> Header {
    let mut at = bucket(name);
    loop {
        let candidate = TABLE[at];
        if candidate == FREE {
            return Header::Other;
        }
        let known = NAMES[candidate as usize].as_bytes();
        if name.len() == known.len() && same_name(name, known) {
            return KNOWN[candidate as usize];
        }
        at = (at + 1) % BUCKETS;
    }
}

/// Same length and, case aside, same letters. Nearly every name asked for is a known one, so a match must be cheap:
/// whole words, the last overlapping the one before it.
fn same_name(name: &[u8], known: &[u8]) -> bool {
    if let (Some(last), Some(known_last)) = (name.last_chunk(), known.last_chunk()) {
        let mut words = name.as_chunks().0.iter().zip(known.as_chunks().0);
        return same_word(last, known_last) && words.all(|(word, known)| same_word(word, known));
    }
    match (name.first_chunk(), name.last_chunk(), known.first_chunk(), known.last_chunk()) {
        (Some(&[a, b, c, d]), Some(&[e, f, g, h]), Some(&[i, j, k, l]), Some(&[m, n, o, p])) => {
            same_word(&[a, b, c, d, e, f, g, h], &[i, j, k, l, m, n, o, p])
        }
        _ => name.eq_ignore_ascii_case(known),
    }
}

/// Eight bytes at once. `known` has only letters and hyphens; where it has a letter, bit 0x40, the case bit may differ.
fn same_word(name: &[u8; 8], known: &[u8; 8]) -> bool {
    let (name, known) = (u64::from_ne_bytes(*name), u64::from_ne_bytes(*known));
    let may_differ = (known & 0x4040_4040_4040_4040) >> 1;
    (name ^ known) & !may_differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_by_its_letter() {
        for (known, name) in KNOWN.iter().zip(NAMES) {
            assert_eq!(Header::named(name.as_bytes()), *known);
            assert_eq!(Header::named(name.to_uppercase().as_bytes()), *known);
            assert_eq!(Header::named(name.to_lowercase().as_bytes()), *known);
        }
        for (known, letter) in KNOWN.iter().zip(COMPACT).filter(|(_, letter)| !letter.is_empty()) {
            assert_eq!(Header::named(letter.as_bytes()), *known);
            assert_eq!(Header::named(letter.to_uppercase().as_bytes()), *known);
        }
    }

    #[test]
    fn a_name_that_only_looks_like_a_known_one_is_other() {
        for (known, name) in KNOWN.iter().zip(NAMES) {
            for at in 0..name.len() {
                for bit in (0..8).filter(|&bit| bit != 5 || name.as_bytes()[at] == b'-') {
                    let mut other = name.as_bytes().to_vec();
                    other[at] ^= 1 << bit;
                    assert_ne!(Header::named(&other), *known, "{name} with bit {bit} of byte {at} turned");
                }
            }
        }
        for name in ["", "q", "Vi", "Vias", "Frxm", "Call_ID", "Content-Lengte", "NewFangledHeader", "1"] {
            assert_eq!(Header::named(name.as_bytes()), Header::Other, "{name}");
        }
    }
}
