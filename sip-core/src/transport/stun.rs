//! STUN Binding on the port of SIP, as telephones behind a NAT use it to hold their mapping open (RFC 5626 §3.5.2, §8).

use bytes::{BufMut, Bytes, BytesMut};
use std::net::{IpAddr, SocketAddr};

const COOKIE: u32 = 0x2112_A442;
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// The answer to a Binding request that came from `remote`: its address as we see it (RFC 5389 §7.3.1, §15.2).
///
/// `None` for whatever else the datagram is, one with an attribute that would have to be understood included: the
/// keep-alive of RFC 5626 has none, and an answer is never much longer than what asked for it.
pub(crate) fn answer(datagram: &[u8], remote: SocketAddr) -> Option<Bytes> {
    let (header, attributes) = datagram.split_at_checked(HEADER)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let is_request = word(0) == BINDING_REQUEST
        && usize::from(word(2)) == attributes.len()
        && header[4..8] == COOKIE.to_be_bytes();
    if !is_request || !are_optional(attributes) {
        return None;
    }
    // Cookie and transaction, which is what the address is veiled with.
    let veil = &header[4..HEADER];
    let mut answer = BytesMut::with_capacity(HEADER + 24);
    let (family, address): (u8, Vec<u8>) = match remote.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().into()),
        IpAddr::V6(ip) => (2, ip.octets().into()),
    };
    let value = 4 + address.len() as u16;
    answer.put_u16(BINDING_SUCCESS);
    answer.put_u16(4 + value);
    answer.put_slice(veil);
    answer.put_u16(XOR_MAPPED_ADDRESS);
    answer.put_u16(value);
    answer.put_slice(&[0, family]);
    answer.put_u16(remote.port() ^ (COOKIE >> 16) as u16);
    answer.extend(address.iter().zip(veil).map(|(byte, veil)| byte ^ veil));
    Some(answer.freeze())
}

/// Whether all attributes may be passed over: their types are 0x8000 and above (RFC 5389 §15).
fn are_optional(mut attributes: &[u8]) -> bool {
    while let [kind, _, high, low, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).next_multiple_of(4);
        match rest.get(length..) {
            Some(behind) if *kind >= 0x80 => attributes = behind,
            _ => return false,
        }
    }
    attributes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let length = (attributes.len() as u16).to_be_bytes();
        [&[0, 1][..], &length, &COOKIE.to_be_bytes(), b"transaction!", attributes].concat()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rfc5389_15_2_the_answer_names_the_source_veiled() {
        let answer = answer(&request(b""), at("192.0.2.1:32853")).unwrap();
        assert_eq!(answer[..4], [1, 1, 0, 12]);
        assert_eq!(&answer[8..20], b"transaction!");
        // 32853 is 0x8055, the test vector of RFC 5769 §2.2.
        assert_eq!(answer[20..], [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    }

    #[test]
    fn an_ipv6_source_is_veiled_with_the_transaction_too() {
        let answer = answer(&request(b""), at("[2001:db8::1]:5060")).unwrap();
        assert_eq!((answer.len(), answer[25]), (44, 2));
        let veil = [&COOKIE.to_be_bytes()[..], b"transaction!"].concat();
        let bare: Vec<u8> = answer[28..].iter().zip(veil).map(|(byte, veil)| byte ^ veil).collect();
        assert_eq!(bare, "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    }

    #[test]
    fn nothing_else_is_answered() {
        let from = at("192.0.2.1:1");
        assert!(answer(&request(b"\x80\x22\0\x03abc\0"), from).is_some(), "SOFTWARE may be passed over");
        assert!(answer(&request(b"\0\x06\0\x04anna"), from).is_none(), "USERNAME may not");
        for cut in 0..20 {
            assert!(answer(&request(b"")[..cut], from).is_none());
        }
        assert!(answer(&[request(b""), vec![0]].concat(), from).is_none(), "a length that is not true");
        assert!(answer(&request(b"\x80\x22\0\xffabc\0"), from).is_none(), "an attribute beyond the end");
        let mut answered = request(b"");
        answered[0] = 1;
        assert!(answer(&answered, from).is_none(), "an answer asks for none, or two of us would never end");
        assert!(answer(b"OPTIONS sip:a SIP/2.0\r\n", from).is_none());
    }
}
