//! What `sdp-types` read becomes our model. Attributes that are not as their RFC says are treated as absent.

use std::net::IpAddr;

use super::description::{
    Attribute, Connection, Crypto, Description, Direction, Encoding, Format, Media, MediaKind, Origin, Rtcp,
};

pub(super) fn description(session: sdp_types::Session, origin: Origin) -> Description {
    let (rtcp_senders, rtcp_receivers) = rtcp_bandwidths(&session.bandwidths);
    let mut description = Description {
        origin,
        connection: session.connection.as_ref().map(connection),
        direction: None,
        rtcp_senders,
        rtcp_receivers,
        attributes: Vec::new(),
        media: session.medias.into_iter().map(media).collect(),
    };
    let mut crypto = Vec::new();
    for attribute in session.attributes.into_iter().filter_map(trimmed) {
        match Direction::by_name(&attribute.name) {
            Some(direction) => description.direction = Some(direction),
            None if attribute.name.eq_ignore_ascii_case("crypto") => {
                crypto.push(Crypto(attribute.value.unwrap_or_default()));
            }
            None => description.attributes.push(attribute),
        }
    }
    share(&crypto, &mut description.media);
    description
}

/// `a=crypto` belongs to a medium (RFC 4568 §5). One before all media is meant for the sound that has none of its own.
fn share(crypto: &[Crypto], media: &mut [Media]) {
    for media in media.iter_mut().filter(|media| media.kind == MediaKind::Audio && media.crypto.is_empty()) {
        media.crypto = crypto.to_vec();
    }
}

fn media(section: sdp_types::Media) -> Media {
    let kind = if section.media.eq_ignore_ascii_case("audio") {
        MediaKind::Audio
    } else {
        MediaKind::Other(section.media)
    };
    let formats = section.fmt.split_ascii_whitespace().map(Format::bare).collect();
    let mut media = Media::new(kind, section.port, &section.proto, formats);
    media.connection = section.connections.first().map(connection);
    (media.rtcp_senders, media.rtcp_receivers) = rtcp_bandwidths(&section.bandwidths);
    for attribute in section.attributes.into_iter().filter_map(trimmed) {
        if let Some(unknown) = apply(attribute, &mut media) {
            media.attributes.push(unknown);
        }
    }
    media
}

/// Gives the attribute back when there is no field for it.
fn apply(attribute: Attribute, media: &mut Media) -> Option<Attribute> {
    let value = attribute.value.as_deref().unwrap_or_default();
    match attribute.name.to_ascii_lowercase().as_str() {
        "rtpmap" => map(value, &mut media.formats),
        "fmtp" => parameters(value, &mut media.formats),
        "ptime" => media.ptime = milliseconds(value),
        "maxptime" => media.max_ptime = milliseconds(value),
        "rtcp" => media.rtcp = rtcp(value),
        "rtcp-mux" => media.rtcp_mux = true,
        "crypto" => media.crypto.push(Crypto(value.to_owned())),
        name => match Direction::by_name(name) {
            Some(direction) => media.direction = Some(direction),
            None => return Some(attribute),
        },
    }
    None
}

fn trimmed(attribute: sdp_types::Attribute) -> Option<Attribute> {
    let name = attribute.attribute.trim();
    let value = attribute.value.map(|value| value.trim().to_owned());
    (!name.is_empty()).then(|| Attribute { name: name.to_owned(), value })
}

/// `8 PCMA/8000` or `111 opus/48000/2`. The first for a number counts (RFC 8866 §6.6).
fn map(value: &str, formats: &mut [Format]) {
    let Some((number, encoding)) = value.split_once(|c: char| c.is_ascii_whitespace()) else { return };
    let mut parts = encoding.trim().split('/');
    let (Some(name), Some(Ok(clock_rate))) = (parts.next(), parts.next().map(|rate| rate.trim().parse()))
    else {
        return;
    };
    let channels = parts.next().and_then(|count| count.trim().parse().ok()).unwrap_or(1);
    let unmapped = formats.iter_mut().find(|format| format.name == number && format.encoding.is_none());
    if let Some(format) = unmapped {
        format.encoding = Some(Encoding { name: name.trim().to_owned(), clock_rate, channels });
    }
}

/// `101 0-15`. The first for a number counts.
fn parameters(value: &str, formats: &mut [Format]) {
    let Some((number, parameters)) = value.split_once(|c: char| c.is_ascii_whitespace()) else { return };
    let bare = formats.iter_mut().find(|format| format.name == number && format.parameters.is_none());
    if let Some(format) = bare {
        format.parameters = Some(parameters.trim().to_owned());
    }
}

/// Whole milliseconds; `20.0` occurs. 0 and more than 255 say nothing usable.
fn milliseconds(value: &str) -> Option<u8> {
    value.split('.').next()?.parse().ok().filter(|&ms| ms > 0)
}

/// `53020` or `53020 IN IP4 126.16.64.4` (RFC 3605 §2.1).
fn rtcp(value: &str) -> Option<Rtcp> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    let address = words.nth(2).and_then(ip);
    Some(Rtcp { port, address })
}

fn connection(line: &sdp_types::Connection) -> Connection {
    match ip(&line.connection_address) {
        Some(address) if line.nettype == sdp_types::NetType::In => Connection::Ip(address),
        _ => Connection::Other(format!("{} {} {}", line.nettype, line.addrtype, line.connection_address)),
    }
}

/// Brackets and a multicast TTL around an address are not part of it.
fn ip(text: &str) -> Option<IpAddr> {
    let text = text.split('/').next()?;
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn rtcp_bandwidths(lines: &[sdp_types::Bandwidth]) -> (Option<u32>, Option<u32>) {
    let of = |kind: &str| {
        let line = lines.iter().find(|line| line.bwtype.trim().eq_ignore_ascii_case(kind))?;
        u32::try_from(line.bandwidth).ok()
    };
    (of("RS"), of("RR"))
}
