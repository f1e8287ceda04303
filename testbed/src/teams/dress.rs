//! How Teams' messages look (1.1, 1.4 and 1.18 of the sheet): names of headers in capitals, From and To first, opaque
//! parameters in Contact, a Record-Route of the data centre's own, `Server` and `User-Agent` of its proxy.

use bytes::Bytes;
use sip_core::{Message, message::Method};

/// The next hop of a dialog.
pub(super) const ROUTE: &str = "<sip:sip-du-a-eu.pstnhub.microsoft.com:5061;transport=tls;lr>";
/// Where a dialog's requests are addressed, apart from the user.
pub(super) const CONTACT: &str = "api-du-a-euwe.pstnhub.microsoft.com:443;x-i=3f0c7a52-0f0e-4f7b-9a53-7f2e2d1b8a10;x-c=0A1b2c3d4e5f60718293a4b5c6d7e8f9/s/1/9f8e7d6c5b4a39281706f5e4d3c2b1a0";
const ALLOW: &str = "INVITE,ACK,OPTIONS,CANCEL,BYE,NOTIFY";
const SOFTWARE: &str = "Microsoft.PSTNHub.SIPProxy v.2026.1.1.1 i.EUWE.1";
/// A header of our own between machine and dress: which of a person's devices speaks.
pub(super) const DEVICE: &str = "X-Device";
/// What stands in front, in this order.
const FIRST: [&str; 6] = ["FROM", "TO", "CSEQ", "CALL-ID", "MAX-FORWARDS", "VIA"];

/// A message of ours as it leaves.
pub(super) fn dressed(bytes: &Bytes) -> Bytes {
    let Ok(message) = Message::parse(bytes.clone()) else { return bytes.clone() };
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return bytes.clone() };
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let device = lines.clone().find_map(|line| line.strip_prefix(DEVICE)?.strip_prefix(": "));
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        fields.extend(worn(&message, &name.to_ascii_uppercase(), value.trim(), device));
    }
    if sets_up(&message) && !fields.iter().any(|(name, _)| name == "RECORD-ROUTE") {
        fields.push(("RECORD-ROUTE".to_owned(), ROUTE.to_owned()));
    }
    fields.sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Bytes::from(format!("{start}\r\n{fields}\r\n{body}"))
}

/// A dialog begins with it.
fn sets_up(message: &Message) -> bool {
    let of_invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
    let to_tag = message.to().is_ok_and(|to| to.tag().is_some());
    match message.status() {
        Some(status) => of_invite && status.code() > 100 && !status.is_failure(),
        None => of_invite && !to_tag,
    }
}

fn worn(message: &Message, name: &str, value: &str, device: Option<&str>) -> Option<(String, String)> {
    let value = match name {
        "X-DEVICE" => return None,
        "ALLOW" => ALLOW.to_owned(),
        "SERVER" | "USER-AGENT" => SOFTWARE.to_owned(),
        "TO" => match device.filter(|_| !message.is_request()) {
            Some(device) => format!("{value}-{device}"),
            None => value.to_owned(),
        },
        "CONTACT" if message.cseq().is_ok_and(|cseq| cseq.method != Method::Options) => {
            format!("<sip:{CONTACT}>")
        }
        _ => value.to_owned(),
    };
    Some((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_200_is_in_capitals_with_a_route_and_a_contact_of_its_own_and_is_still_sip() {
        let plain = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n\
                     To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:h>\r\n\
                     Allow: UPDATE, INFO\r\nX-Device: mobile\r\nContent-Length: 4\r\n\r\nv=0\n";
        let dressed = dressed(&Bytes::from_static(plain.as_bytes()));
        let text = String::from_utf8_lossy(&dressed);
        assert!(
            text.starts_with("SIP/2.0 200 OK\r\nFROM: <sip:a@h>;tag=1\r\nTO: <sip:b@h>;tag=2-mobile\r\n"),
            "{text}"
        );
        assert!(text.contains(&format!("RECORD-ROUTE: {ROUTE}\r\n")), "{text}");
        assert!(!text.contains("UPDATE") && !text.contains("X-D"), "{text}");
        let message = Message::parse(dressed.clone()).unwrap();
        assert_eq!(
            message.contact().unwrap().uri.param("x-i"),
            Some(&b"3f0c7a52-0f0e-4f7b-9a53-7f2e2d1b8a10"[..])
        );
        assert_eq!(&message.body()[..], b"v=0\n");
    }
}
