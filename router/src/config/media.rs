//! `[media]`: addresses, ports and codecs of sound.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use media::Codec;
use sip_core::Transport;
use toml::de::DeTable;

use super::listen::Listen;
use super::problem::Report;
use super::raw::{Field, Item, section};
use super::read::{any_of, bounds};

section! {
    /// Addresses, ports and codecs of sound.
    MediaToml "[media]" {
        /// Address to bind for RTP. Default: the address of the first SIP listener. Needs a restart.
        address,
        /// Address that we write into SDP when the far end reaches us by another one than `address`. Default: `address`. Needs a restart.
        advertise,
        /// Ports for RTP and RTCP, `"FIRST-LAST"`; each call takes four. Keep them below the system's own range (32768 and up). Default `"10000-29999"`. Needs a restart.
        ports,
        /// How long a port rests after a call, so that late packets of the old call never reach a new one. `"0s"` to `"1m"`, default `"2s"`. Needs a restart.
        quarantine,
        /// A call is ended when a far end that should send has sent neither RTP nor RTCP for so long; never while on hold. `"5s"` to `"1h"`, default `"60s"`. Needs a restart.
        silence_timeout,
        /// Codecs, best first: `"pcma"`, `"pcmu"`, `"g722"`, `"opus"`, `"g729"`. The last is passed on only: who speaks it hears no prompts and no music, and talks only to those who speak it too. Prompts are kept in each of them. Default `["pcma", "pcmu"]`.
        codecs,
    }
}

/// Addresses, ports and codecs of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Address to bind for RTP; never unspecified.
    pub address: IpAddr,
    /// Address to write into SDP; equal to `address` unless configured.
    pub advertise: IpAddr,
    /// Ports for RTP (even) and RTCP (odd): begins even, ends odd.
    pub ports: RangeInclusive<u16>,
    /// How long a port rests after a call. 0 s to 1 min, default 2 s.
    pub quarantine: Duration,
    /// Silence of a far end that should send, before its call is given up. 5 s to 1 h, default 60 s.
    pub silence_timeout: Duration,
    /// Codecs, best first; never empty.
    pub codecs: Vec<Codec>,
}

const DEFAULT_PORTS: RangeInclusive<u16> = 10_000..=29_999;

impl Media {
    /// `listen` gives the default address and the ports that are already taken.
    pub(super) fn resolve(raw: &MediaToml<'_>, listen: &Listen, report: &mut Report) -> Media {
        let address = address(raw, listen, report);
        let advertise = raw.advertise.item.as_ref().and_then(|item| ip(item, report)).unwrap_or(address);
        let ports = raw.ports.item.as_ref().and_then(|item| ports(item, report)).unwrap_or(DEFAULT_PORTS);
        refuse_taken_ports(&raw.ports, address, &ports, listen, report);
        Media {
            address,
            advertise,
            ports,
            quarantine: raw.quarantine.duration(bounds("0s", "1m", "2s"), report),
            silence_timeout: raw.silence_timeout.duration(bounds("5s", "1h", "60s"), report),
            codecs: codecs(&raw.codecs, report).unwrap_or_else(|| Codec::G711.to_vec()),
        }
    }

    /// Pairs of ports in the range: an even one for RTP with the odd one above it for RTCP.
    pub fn port_pairs(&self) -> u32 {
        (u32::from(*self.ports.end()) + 1 - u32::from(*self.ports.start())) / 2
    }
}

/// A list of codecs, each once; `None` if the key is absent or wrong.
pub(super) fn codecs(field: &Field<'_>, report: &mut Report) -> Option<Vec<Codec>> {
    let item = field.item.as_ref()?;
    let mut codecs = Vec::new();
    for item in field.list() {
        let Some(name) = item.text("\"pcma\"", report) else { continue };
        match Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name)) {
            Some(codec) if codecs.contains(&codec) => {
                item.error(report, format!("\"{name}\" is named twice; take one out"));
            }
            Some(codec) => codecs.push(codec),
            None => {
                let known = Codec::ALL.map(|codec| format!("\"{}\"", codec.name().to_lowercase()));
                item.error(report, format!("\"{name}\" is no codec of ours; write {}", any_of(&known)));
            }
        }
    }
    if item.list().is_empty() {
        item.error(report, "no codec means no sound; write [\"pcma\", \"pcmu\"], or take the key out");
    }
    Some(codecs).filter(|codecs| !codecs.is_empty())
}

/// Every codec that a leg may agree to, each once: what prompts are needed in. Trunks are looked at as they are written,
/// for prompts are found while they are read.
pub(super) fn codecs_named(root: &DeTable<'_>, media: &Media) -> Vec<Codec> {
    let trunks = root.get("trunk").and_then(|value| value.get_ref().as_table());
    let written = trunks
        .into_iter()
        .flat_map(|trunks| trunks.values())
        .filter_map(|trunk| trunk.get_ref().as_table()?.get("codecs")?.get_ref().as_array());
    let names = written.flat_map(|list| list.iter()).filter_map(|name| name.get_ref().as_str());
    let of = |name: &str| Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name));
    let mut codecs: Vec<Codec> = names.filter_map(of).chain(media.codecs.iter().copied()).collect();
    codecs.sort_unstable();
    codecs.dedup();
    codecs
}

fn address(raw: &MediaToml<'_>, listen: &Listen, report: &mut Report) -> IpAddr {
    if let Some(item) = &raw.address.item {
        return ip(item, report).unwrap_or(IpAddr::from([127, 0, 0, 1]));
    }
    match listen.sip.iter().map(|listener| listener.local.ip()).find(|ip| !ip.is_unspecified()) {
        Some(ip) => ip,
        None => {
            if !listen.sip.is_empty() {
                raw.address.required("address = \"192.0.2.1\"", report);
            }
            IpAddr::from([127, 0, 0, 1])
        }
    }
}

fn ip(item: &Item<'_>, report: &mut Report) -> Option<IpAddr> {
    let text = item.text("\"192.0.2.1\"", report)?;
    match text.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => {
            item.error(
                report,
                format!(
                    "\"{text}\" is no address sound could be sent to; write the address of one interface"
                ),
            );
            None
        }
        Ok(ip) => Some(ip),
        Err(_) => {
            item.error(
                report,
                format!("\"{text}\" is no IP address; write one such as \"192.0.2.1\", without a port"),
            );
            None
        }
    }
}

fn ports(item: &Item<'_>, report: &mut Report) -> Option<RangeInclusive<u16>> {
    let text = item.text("\"10000-29999\"", report)?;
    let such_as = "write FIRST-LAST, such as \"10000-29999\" (default \"10000-29999\")";
    let numbers =
        text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let Some((first, last)): Option<(u16, u16)> = numbers else {
        item.error(report, format!("\"{text}\" is no range of ports from 1024 to 65535; {such_as}"));
        return None;
    };
    if last < first {
        item.error(report, format!("\"{text}\" runs backwards; write \"{last}-{first}\""));
        return None;
    }
    if first < 1024 {
        item.error(report, format!("\"{text}\" reaches below 1024, where the system has its own; {such_as}"));
        return None;
    }
    // Even for RTP, the odd one above it for RTCP: what sticks out at either end is of no use.
    let (start, end) = (first + first % 2, last - (last + 1) % 2);
    if start >= end {
        item.error(
            report,
            format!("\"{text}\" holds no pair of an even port and the odd one above it; {such_as}"),
        );
        return None;
    }
    Some(start..=end)
}

fn refuse_taken_ports(
    field: &Field<'_>,
    address: IpAddr,
    ports: &RangeInclusive<u16>,
    listen: &Listen,
    report: &mut Report,
) {
    let span = field.item.as_ref().map_or(field.section.clone(), |item| item.value.span());
    let udp = listen.sip.iter().filter(|listener| listener.transport == Transport::Udp);
    let same_host = |ip: IpAddr| ip == address || ip.is_unspecified();
    for listener in udp.filter(|l| ports.contains(&l.local.port()) && same_host(l.local.ip())) {
        let (start, end) = (ports.start(), ports.end());
        report.error(
            &span,
            &field.key,
            format!("{start}-{end} holds the port of {listener}; move one of them"),
        );
    }
}
