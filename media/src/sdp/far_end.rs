//! Where the far end wants its sound and what it will do, read from one medium of its description.

use std::net::{IpAddr, SocketAddr};

use super::NegotiationError;
use super::description::{Connection, Description, Direction, Media};
use crate::rtp::xr::Wanted;

/// The attribute that asks for extended reports (RFC 3611 §5.1).
pub(super) const RTCP_XR: &str = "rtcp-xr";

/// One medium of the far end, resolved: session defaults applied, hold by address included.
#[derive(Debug, Clone)]
pub(super) struct FarEnd {
    /// `None`: send nothing.
    pub(super) rtp: Option<SocketAddr>,
    pub(super) rtcp: Option<SocketAddr>,
    /// As the far end sees it; an unspecified address means that it does not receive (RFC 3264 §8.4).
    pub(super) direction: Direction,
    /// 10 to 200.
    pub(super) ptime: Option<u8>,
    pub(super) rtcp_wanted: bool,
    pub(super) wanted_reports: Wanted,
}

impl FarEnd {
    /// Of a far end that is found by ICE: what `c=` and `m=` say is one of its candidates, or nothing at all (RFC 8839 §4.2).
    pub(super) fn by_ice(description: &Description, media: &Media) -> FarEnd {
        FarEnd {
            rtp: None,
            rtcp: None,
            direction: description.direction_of(media),
            ptime: ptime(media),
            rtcp_wanted: description.wants_rtcp(media),
            wanted_reports: wanted_reports(description, media),
        }
    }

    /// `local` decides the address family, `mux` whether RTCP shares the port.
    pub(super) fn read(
        description: &Description,
        media: &Media,
        local: IpAddr,
        mux: bool,
    ) -> Result<FarEnd, NegotiationError> {
        let address = address(description.connection_of(media), local)?;
        let rtp = address.map(|ip| SocketAddr::new(ip, media.port));
        let rtcp = if mux { rtp } else { address.and_then(|ip| rtcp(media, ip)) };
        let said = description.direction_of(media);
        Ok(FarEnd {
            rtp,
            rtcp,
            direction: said.and(Direction::new(true, address.is_some())),
            ptime: ptime(media),
            rtcp_wanted: description.wants_rtcp(media),
            wanted_reports: wanted_reports(description, media),
        })
    }
}

/// `None` for the addresses that mean "nowhere".
fn address(connection: Option<&Connection>, local: IpAddr) -> Result<Option<IpAddr>, NegotiationError> {
    let ip = match connection {
        Some(Connection::Ip(ip)) => *ip,
        // RFC 6157 §4.1 and older IPv6 phones: a name under .invalid is their 0.0.0.0.
        Some(Connection::Other(name)) if name.to_ascii_lowercase().ends_with(".invalid") => return Ok(None),
        Some(Connection::Other(name)) => {
            return Err(refuse(name, "names are not looked up, write the IP address"));
        }
        None => return Err(refuse("", "there is no c= line, neither in the session nor in the medium")),
    };
    if ip.is_unspecified() {
        return Ok(None);
    }
    if ip.is_multicast() || ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST) {
        return Err(NegotiationError::Multicast(ip));
    }
    match (ip.is_ipv4(), local.is_ipv4()) {
        (true, false) => Err(refuse(&ip.to_string(), "our media address is IPv6")),
        (false, true) => Err(refuse(&ip.to_string(), "our media address is IPv4")),
        _ => Ok(Some(ip)),
    }
}

fn refuse(address: &str, why: &'static str) -> NegotiationError {
    NegotiationError::Address { address: address.to_owned(), why }
}

/// RFC 3605 where it is written, else the next port (RFC 3550 §11).
fn rtcp(media: &Media, ip: IpAddr) -> Option<SocketAddr> {
    let (port, address) = match &media.rtcp {
        Some(rtcp) => (rtcp.port, rtcp.address.filter(|other| other.is_ipv4() == ip.is_ipv4())),
        None => (media.port.checked_add(1)?, None),
    };
    (port != 0).then(|| SocketAddr::new(address.unwrap_or(ip), port))
}

/// Of the medium, else of the session (RFC 3611 §5.1).
fn wanted_reports(description: &Description, media: &Media) -> Wanted {
    let mut attributes = media.attributes.iter().chain(&description.attributes);
    let asked = attributes.find(|attribute| attribute.name.eq_ignore_ascii_case(RTCP_XR));
    asked.and_then(|attribute| attribute.value.as_deref()).map(Wanted::read).unwrap_or_default()
}

fn ptime(media: &Media) -> Option<u8> {
    let wish = media.ptime.filter(|ms| (10..=200).contains(ms));
    match (wish, media.max_ptime.filter(|&ms| ms >= 10)) {
        (Some(wish), Some(most)) => Some(wish.min(most)),
        (None, Some(most)) if most < 20 => Some(most),
        (wish, _) => wish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<FarEnd, NegotiationError> {
        let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{lines}");
        let description = Description::parse(text.as_bytes()).unwrap();
        FarEnd::read(&description, &description.media[0], "198.51.100.1".parse().unwrap(), false)
    }

    #[test]
    fn rtcp_goes_where_it_is_told_or_one_port_higher() {
        let rtcp = |lines: &str| read(lines).unwrap().rtcp.map(|address| address.to_string());
        assert_eq!(rtcp("m=audio 4000 RTP/AVP 0\r\n").unwrap(), "192.0.2.1:4001");
        assert_eq!(rtcp("m=audio 4000 RTP/AVP 0\r\na=rtcp:5000\r\n").unwrap(), "192.0.2.1:5000");
        let elsewhere = "m=audio 4000 RTP/AVP 0\r\na=rtcp:5000 IN IP4 192.0.2.9\r\n";
        assert_eq!(rtcp(elsewhere).unwrap(), "192.0.2.9:5000");
        assert_eq!(rtcp("m=audio 65535 RTP/AVP 0\r\n"), None, "there is no port 65536");
    }

    #[test]
    fn a_packet_time_nobody_can_mean_is_not_heard() {
        let ptime = |lines: &str| read(&format!("m=audio 4000 RTP/AVP 0\r\n{lines}")).unwrap().ptime;
        assert_eq!(ptime("a=ptime:30\r\n"), Some(30));
        assert_eq!(ptime("a=ptime:0\r\n"), None);
        assert_eq!(ptime("a=ptime:9999\r\n"), None);
        assert_eq!(ptime("a=ptime:40\r\na=maxptime:30\r\n"), Some(30));
        assert_eq!(ptime("a=maxptime:10\r\n"), Some(10));
        assert_eq!(ptime("a=maxptime:150\r\n"), None);
    }
}
