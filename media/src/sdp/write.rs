//! A description to bytes, in the order of RFC 8866 §9.

use std::fmt::{self, Write};
use std::net::IpAddr;

use bytes::Bytes;

use super::description::{Attribute, Connection, Crypto, Description, Direction, Format, Media};

pub(super) fn description(description: &Description) -> Bytes {
    let mut text = String::with_capacity(512);
    // Writing into a String cannot fail.
    let _ = session(description, &mut text);
    for section in &description.media {
        let _ = media(section, &mut text);
    }
    Bytes::from(text)
}

fn session(description: &Description, out: &mut String) -> fmt::Result {
    let origin = &description.origin;
    let family = family(origin.address.parse().ok());
    write!(out, "v=0\r\no={} {} {}", origin.user, origin.session_id, origin.version)?;
    write!(out, " IN {family} {}\r\ns=-\r\n", origin.address)?;
    connection(description.connection.as_ref(), out)?;
    bandwidths(description.rtcp_senders, description.rtcp_receivers, out)?;
    out.push_str("t=0 0\r\n");
    direction(description.direction, out)?;
    attributes(&description.attributes, out)
}

fn media(media: &Media, out: &mut String) -> fmt::Result {
    write!(out, "m={} {} {}", media.kind.name(), media.port, media.protocol)?;
    for format in &media.formats {
        write!(out, " {}", format.name)?;
    }
    out.push_str("\r\n");
    connection(media.connection.as_ref(), out)?;
    bandwidths(media.rtcp_senders, media.rtcp_receivers, out)?;
    formats(&media.formats, out)?;
    milliseconds("ptime", media.ptime, out)?;
    milliseconds("maxptime", media.max_ptime, out)?;
    rtcp(media, out)?;
    for Crypto(crypto) in &media.crypto {
        write!(out, "a=crypto:{crypto}\r\n")?;
    }
    attributes(&media.attributes, out)?;
    direction(media.direction, out)
}

fn formats(formats: &[Format], out: &mut String) -> fmt::Result {
    for Format { name, encoding, parameters } in formats {
        if let Some(encoding) = encoding {
            write!(out, "a=rtpmap:{name} {}/{}", encoding.name, encoding.clock_rate)?;
            if encoding.channels != 1 {
                write!(out, "/{}", encoding.channels)?;
            }
            out.push_str("\r\n");
        }
        if let Some(parameters) = parameters {
            write!(out, "a=fmtp:{name} {parameters}\r\n")?;
        }
    }
    Ok(())
}

fn rtcp(media: &Media, out: &mut String) -> fmt::Result {
    if let Some(rtcp) = &media.rtcp {
        write!(out, "a=rtcp:{}", rtcp.port)?;
        if let Some(address) = rtcp.address {
            write!(out, " IN {} {address}", family(Some(address)))?;
        }
        out.push_str("\r\n");
    }
    if media.rtcp_mux {
        out.push_str("a=rtcp-mux\r\n");
    }
    Ok(())
}

fn connection(connection: Option<&Connection>, out: &mut String) -> fmt::Result {
    match connection {
        Some(Connection::Ip(address)) => write!(out, "c=IN {} {address}\r\n", family(Some(*address))),
        Some(Connection::Other(line)) => write!(out, "c={line}\r\n"),
        None => Ok(()),
    }
}

fn bandwidths(senders: Option<u32>, receivers: Option<u32>, out: &mut String) -> fmt::Result {
    for (kind, bandwidth) in [("RS", senders), ("RR", receivers)] {
        if let Some(bandwidth) = bandwidth {
            write!(out, "b={kind}:{bandwidth}\r\n")?;
        }
    }
    Ok(())
}

fn milliseconds(name: &str, value: Option<u8>, out: &mut String) -> fmt::Result {
    value.map_or(Ok(()), |ms| write!(out, "a={name}:{ms}\r\n"))
}

fn direction(direction: Option<Direction>, out: &mut String) -> fmt::Result {
    direction.map_or(Ok(()), |direction| write!(out, "a={}\r\n", direction.name()))
}

fn attributes(attributes: &[Attribute], out: &mut String) -> fmt::Result {
    for Attribute { name, value } in attributes {
        match value {
            Some(value) => write!(out, "a={name}:{value}\r\n")?,
            None => write!(out, "a={name}\r\n")?,
        }
    }
    Ok(())
}

/// Names in o= count as IP4: RFC 8866 wants a word there.
fn family(address: Option<IpAddr>) -> &'static str {
    match address {
        Some(IpAddr::V6(_)) => "IP6",
        Some(IpAddr::V4(_)) | None => "IP4",
    }
}
