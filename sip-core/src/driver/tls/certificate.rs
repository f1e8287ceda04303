//! What an operator has to keep in mind of a certificate and a TLS library does not tell (RFC 5280 §4.1): until when it
//! holds, by whom it is issued, and what it is made for.

/// Object identifiers, as DER writes their content (RFC 5280 §4.2.1.12).
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
/// Tags of DER.
const BOOLEAN: u8 = 0x01;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The fields of a certificate that we look at, as they are in it.
pub(super) struct Fields<'c> {
    /// Who has issued it, without the tag.
    pub(super) issuer: &'c [u8],
    /// Whose it is, without the tag.
    pub(super) subject: &'c [u8],
    /// Its last second, in seconds since 1970.
    pub(super) not_after: Option<i64>,
    /// Object identifiers of what it is made for; `None` if it does not say.
    usages: Option<&'c [u8]>,
}

impl<'c> Fields<'c> {
    /// Of a DER certificate; `None` for what is none.
    pub(super) fn of(certificate: &'c [u8]) -> Option<Fields<'c>> {
        let (_, certificate, _) = element(certificate)?;
        let (_, mut rest, _) = element(certificate)?;
        if let (VERSION, _, after) = element(rest)? {
            rest = after; // the first one leaves it out
        }
        let mut next = || {
            let (tag, content, after) = element(rest)?;
            rest = after;
            Some((tag, content))
        };
        let (_serial, _algorithm) = (next()?, next()?);
        let (issuer, validity, subject) = (next()?.1, next()?.1, next()?.1);
        let _public_key = next()?;
        let extensions = std::iter::from_fn(next).find(|(tag, _)| *tag == EXTENSIONS);
        let usages = extensions.and_then(|(_, list)| extension(element(list)?.1, EXTENDED_KEY_USAGE));
        Some(Fields { issuer, subject, not_after: end_of(validity), usages })
    }

    /// Whether it may be shown by whoever connects; `None` if it does not say what it is made for.
    pub(super) fn is_for_clients(&self) -> Option<bool> {
        let mut usages = elements(element(self.usages?)?.1);
        Some(usages.any(|(_, usage)| usage == CLIENT_AUTH || usage == ANY_USAGE))
    }
}

/// Of `Validity` the second date.
fn end_of(validity: &[u8]) -> Option<i64> {
    let (kind, text) = elements(validity).nth(1)?;
    instant(kind, text)
}

/// The value of an extension, out of its OCTET STRING.
fn extension<'c>(list: &'c [u8], wanted: &[u8]) -> Option<&'c [u8]> {
    elements(list).find_map(|(_, extension)| {
        let mut parts = elements(extension);
        parts.next().filter(|(_, id)| *id == wanted)?;
        parts.find(|(tag, _)| *tag != BOOLEAN).map(|(_, value)| value) // whether it is critical may be left out
    })
}

/// Tag and content of one after the other, up to the end or what cannot be read.
fn elements(mut der: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(der)?;
        der = rest;
        Some((tag, content))
    })
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(b, _)| b.len() <= 4)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (tag 23) or `YYYYMMDDHHMMSSZ` (tag 24).
fn instant(kind: u8, text: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(text.strip_suffix(b"Z")?).ok()?;
    let (year, rest) = digits.split_at_checked(if kind == 24 { 4 } else { 2 })?;
    let year: i64 = year.parse().ok()?;
    let year = match kind {
        24 => year,
        _ if year < 50 => 2_000 + year,
        _ => 1_900 + year,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days since 1970 of the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    before + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_of_a_certificate_is_read() {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        for (year, month, day, seconds) in
            [(2026, 11, 30, 1_795_996_800), (2049, 12, 31, 2_524_521_600), (2052, 2, 29, 2_592_777_600)]
        {
            params.not_after = rcgen::date_time_ymd(year, month, day);
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(Fields::of(certificate.der()).unwrap().not_after, Some(seconds), "{year}");
        }
    }

    #[test]
    fn what_a_certificate_is_made_for_is_read_where_it_says() {
        use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
        for (usages, for_clients) in [
            (vec![], None),
            (vec![ServerAuth], Some(false)),
            (vec![ServerAuth, ClientAuth], Some(true)),
            (vec![Any], Some(true)),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            params.extended_key_usages = usages.clone();
            let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let fields = Fields::of(certificate.der()).unwrap();
            assert_eq!(fields.is_for_clients(), for_clients, "{usages:?}");
            assert_eq!(fields.issuer, fields.subject);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_fields() {
        for der in
            [&b""[..], b"\x30", b"\x30\x03\x30\x01\x02", b"\x30\x84\xff\xff\xff\xff", &[0x30, 0x80, 0, 0]]
        {
            assert!(Fields::of(der).is_none());
        }
        assert_eq!(instant(23, b"99"), None);
        assert_eq!(instant(23, "äää".as_bytes()), None);
    }
}
