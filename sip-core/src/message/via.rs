//! Via: where a request came through and the response goes back (RFC 3261 §20.42, RFC 3581).

use std::net::IpAddr;

use bytes::Bytes;

use super::ParseError;
use super::params::Params;
use super::text::{Cursor, decimal, is_token_byte};
use super::uri::{host_ip, host_length, port};

/// One Via value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS` or any other token, as written.
    pub transport: Bytes,
    /// The sender's own idea of its host, an IPv6 address in brackets.
    pub host: Bytes,
    /// The port beside it; absent means the default of the transport (RFC 3261 §18.2.2).
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

/// What a branch begins with when its sender follows RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

impl Via {
    /// Reads one Via value, unfolded. Blanks may stand around each mark (`SIP / 2.0 / UDP host : 4000 ; ttl=16`).
    ///
    /// # Errors
    /// `Malformed` with the byte in `text`.
    pub fn parse(text: Bytes) -> Result<Via, ParseError> {
        let mut cursor = Cursor::new("Via", &text);
        cursor.skip_blanks();
        let (version, mut via) = sent_through(&mut cursor)?;
        if version != b"2.0" {
            return Err(ParseError::Malformed { part: "Via", offset: 0, expected: "SIP/2.0" });
        }
        via.params = Params::read(&mut cursor)?;
        Ok(via)
    }

    /// Reads as far as host and port, of any version: enough to answer a message that has other faults.
    pub(crate) fn has_sender(text: &Bytes) -> bool {
        let mut cursor = Cursor::new("Via", text);
        cursor.skip_blanks();
        sent_through(&mut cursor).is_ok()
    }

    /// The transaction's name, if one is given.
    pub fn branch(&self) -> Option<&[u8]> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The branch as its own slice of the message.
    pub fn branch_bytes(&self) -> Option<Bytes> {
        self.params.get_bytes("branch").filter(|branch| !branch.is_empty())
    }

    /// True if the branch names a transaction by itself: magic cookie and something behind it (RFC 3261 §17.2.3;
    /// the cookie alone names nothing, RFC 4475 §3.2.1).
    pub fn has_unique_branch(&self) -> bool {
        self.branch().is_some_and(|branch| {
            branch.len() > MAGIC_COOKIE.len()
                && branch[..MAGIC_COOKIE.len()].eq_ignore_ascii_case(MAGIC_COOKIE)
        })
    }

    /// The address a receiver saw, IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").and_then(host_ip)
    }

    /// RFC 3581: `None` if not asked for, `Some(None)` if asked for and not yet filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport")?;
        Some(decimal(value).and_then(|port| u16::try_from(port).ok()))
    }

    /// The multicast or forced address of RFC 3261 §18.2.2.
    pub fn maddr(&self) -> Option<&[u8]> {
        self.params.get("maddr")
    }

    /// The host, if it is an IP address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        host_ip(&self.host)
    }
}

/// `SIP/version/transport host[:port]`, and the version.
fn sent_through<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Via), ParseError> {
    let protocol = cursor.take_while("SIP", is_token_byte)?;
    slash(cursor)?;
    if !protocol.eq_ignore_ascii_case(b"SIP") {
        return Err(cursor.error("SIP/2.0"));
    }
    let version = cursor.take_while("a version", is_token_byte)?;
    slash(cursor)?;
    let transport = cursor.take_while("a transport", is_token_byte)?;
    if cursor.skip_blanks() == 0 {
        return Err(cursor.error("a blank before the host"));
    }
    let length = host_length(cursor.rest()).map_err(|(_, expected)| cursor.error(expected))?;
    let host = cursor.take(length);
    let port = sent_by_port(cursor)?;
    let (transport, host) = (cursor.own(transport), cursor.own(host));
    Ok((version, Via { transport, host, port, params: Params::default() }))
}

fn sent_by_port(cursor: &mut Cursor<'_>) -> Result<Option<u16>, ParseError> {
    cursor.skip_blanks();
    if cursor.peek() != Some(b':') {
        return Ok(None);
    }
    cursor.skip(1);
    cursor.skip_blanks();
    let (value, digits) = port(cursor.rest()).map_err(|(_, expected)| cursor.error(expected))?;
    cursor.skip(digits);
    cursor.skip_blanks();
    Ok(Some(value))
}

fn slash(cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
    cursor.skip_blanks();
    cursor.expect(b'/', "a slash")?;
    cursor.skip_blanks();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Via, ParseError> {
        Via::parse(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn blanks_around_every_mark_change_nothing() {
        let via = parse("SIP / 2.0 / UDP  host.test : 4000 ; ttl=16 ; branch = z9hG4bK1").unwrap();
        assert_eq!(
            (&via.transport[..], &via.host[..], via.port),
            (&b"UDP"[..], &b"host.test"[..], Some(4000))
        );
        assert_eq!((via.params.get("ttl"), via.branch()), (Some(&b"16"[..]), Some(&b"z9hG4bK1"[..])));
    }

    #[test]
    fn an_ipv6_sender_keeps_its_brackets_and_received_may_lack_them() {
        let via = parse("SIP/2.0/TLS [2001:db8::9:1]:5061;received=2001:db8::9:255;rport").unwrap();
        assert_eq!((&via.host[..], via.port), (&b"[2001:db8::9:1]"[..], Some(5061)));
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(via.rport(), Some(None));
        let bracketed = parse("SIP/2.0/UDP h;received=[2001:db8::9:255];rport=9").unwrap();
        assert_eq!((bracketed.received(), bracketed.rport()), (via.received(), Some(Some(9))));
    }

    #[test]
    fn the_cookie_alone_names_no_transaction() {
        assert!(!parse("SIP/2.0/UDP h;branch=z9hG4bK").unwrap().has_unique_branch());
        assert!(parse("SIP/2.0/UDP h;branch=z9hG4bKa").unwrap().has_unique_branch());
        assert!(!parse("SIP/2.0/UDP h;branch=1").unwrap().has_unique_branch());
    }

    #[test]
    fn a_via_without_sender_or_with_a_strange_port_is_a_fault() {
        for bad in [
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 host",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP [2001:db8::1",
            "HTTP/1.1/TCP h",
            "SIP/2.0/UDP h;;",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
