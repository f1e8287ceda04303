//! Until when a certificate holds (RFC 5280 §4.1.2.5): the one date of it that an operator has to keep in mind.

/// `notAfter` of a DER certificate, in seconds since 1970; `None` for what is no certificate.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if let (0xa0, _, rest) = element(fields)? {
        fields = rest; // the version, which the first one leaves out
    }
    for _ in ["serial number", "signature algorithm", "issuer"] {
        (_, _, fields) = element(fields)?;
    }
    let (_, validity, _) = element(fields)?;
    let (_, _, rest) = element(validity)?;
    let (kind, text, _) = element(rest)?;
    instant(kind, text)
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
            assert_eq!(not_after(certificate.der()), Some(seconds), "{year}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for der in
            [&b""[..], b"\x30", b"\x30\x03\x30\x01\x02", b"\x30\x84\xff\xff\xff\xff", &[0x30, 0x80, 0, 0]]
        {
            assert_eq!(not_after(der), None);
        }
        assert_eq!(instant(23, b"99"), None);
        assert_eq!(instant(23, "äää".as_bytes()), None);
    }
}
