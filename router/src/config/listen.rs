//! `[listen]`: where SIP and the admin pages are heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sip_core::{Listener, Transport};
use toml::de::DeValue;

use super::listen_tls::ListenTls;
use super::pem::PemFiles;
use super::problem::Report;
use super::raw::{Field, Item, section};
use super::read::bounds;

section! {
    /// Where SIP and the admin pages are heard.
    ListenToml "[listen]" {
        /// Addresses for SIP, a list of `"udp:ADDRESS:PORT"`, `"tcp:ADDRESS:PORT"`, `"tls:ADDRESS:PORT"`, and for telephones in browsers `"ws:ADDRESS:PORT"` and `"wss:ADDRESS:PORT"` (RFC 7118); an entry may be a table `{ bind = "udp:0.0.0.0:5060", advertise = "203.0.113.5:5060" }` when the far end reaches us by another address, or `{ bind = "tls:192.0.2.1:5061", certificate = "certificate.pem", key = "key.pem" }`. Required. Needs a restart.
        sip,
        /// Address of the admin pages, `"ADDRESS:PORT"`, such as `"127.0.0.1:8060"`: `/healthz`, `/readyz`, `/metrics`, `/status`, and orders to agents and queues (`fernamt status`, `agent` and `queue` go there). HTTP without a password and without TLS: whoever reaches it can log agents out and close queues, so bind it where only operators are. Default: none, then these commands do not work. Needs a restart.
        admin,
        /// Receive buffer asked of the system for each SIP socket; the system's `net.core.rmem_max` caps it. `"64k"` to `"1G"`, default `"4M"`. Needs a restart.
        receive_buffer,
        /// Connections (TCP, TLS) open at once; one more is closed at once. 1 to 100000, default 1000. Needs a restart.
        max_connections,
    }
}

section! {
    /// One SIP address that the far end knows by another, or that has certificates. What the files hold is read anew at a reload.
    BindToml "listen.sip = [{ … }]" {
        /// The address to bind, `"udp:0.0.0.0:5060"`. Required.
        bind,
        /// Host and port that we write into Via and Contact. Required when `bind` is `0.0.0.0` or `[::]`; the port may be left out if it is the same.
        advertise,
        /// Of a `tls:` or `wss:` listener, PEM file with the certificate to show, its intermediates behind it. A trunk's own comes first for whoever comes from its addresses or asks for a name of it. Default: none, then some trunk must have one.
        certificate,
        /// PEM file with the key of `certificate`, without a password. Default: the file of `certificate`.
        key,
        /// Whether to want a certificate of whoever connects: `"never"`; `"ask"`, and go on without; `"require"`. Default `"ask"`.
        client_certificates,
        /// PEM file with the roots that such a certificate must grow from, unless the trunk says otherwise. Default: the system's roots.
        trust,
        /// Of a `ws:` or `wss:` listener, the pages that may connect, by their origins: `["https://desk.example.com"]`. Who names no origin is no page of a browser, and may. Default: all.
        origins,
    }
}

/// Where SIP and the admin pages are heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// SIP listeners, at least one; no two overlap.
    pub sip: Vec<Listener>,
    /// The pages that may connect, of listeners for WebSocket that have a list, by their position in `sip`.
    pub origins: BTreeMap<usize, Vec<String>>,
    /// The TLS side of those that have one, by their position in `sip`.
    pub tls: BTreeMap<usize, ListenTls>,
    /// The admin pages, if wanted.
    pub admin: Option<SocketAddr>,
    /// Receive buffer asked of the system for each SIP socket, bytes. 64 KiB to 1 GiB, default 4 MiB.
    pub receive_buffer: usize,
    /// Connections open at once. 1 to 100,000, default 1,000.
    pub max_connections: usize,
}

impl Listen {
    pub(super) fn resolve(raw: &ListenToml<'_>, files: PemFiles<'_>, report: &mut Report) -> Listen {
        let such_as = "sip = [\"udp:192.0.2.1:5060\", \"tcp:192.0.2.1:5060\"]";
        if raw.sip.required(such_as, report).is_some_and(|item| item.list().is_empty()) {
            report.error(&raw.sip.section, &raw.sip.key, format!("nobody could call; write {such_as}"));
        }
        let (mut sip, mut tls): (Vec<Listener>, _) = (Vec::new(), BTreeMap::new());
        let mut origins = BTreeMap::new();
        for item in raw.sip.list() {
            let Some((listener, secured, pages)) = listener(&item, files, report) else { continue };
            match sip.iter().find(|other| overlap(other, &listener)) {
                Some(other) => {
                    item.error(report, format!("{listener} overlaps {other}; take one of them out"))
                }
                None => {
                    if !pages.is_empty() {
                        origins.insert(sip.len(), pages);
                    }
                    if listener.transport.is_secure() {
                        tls.insert(sip.len(), secured);
                    }
                    sip.push(listener);
                }
            }
        }
        let admin = admin(&raw.admin, &sip, report);
        Listen {
            sip,
            origins,
            tls,
            admin,
            receive_buffer: raw.receive_buffer.size(bounds("64k", "1G", "4M"), report) as usize,
            max_connections: raw.max_connections.integer(1..=100_000, 1_000, report) as usize,
        }
    }
}

fn listener(
    item: &Item<'_>,
    files: PemFiles<'_>,
    report: &mut Report,
) -> Option<(Listener, ListenTls, Vec<String>)> {
    let DeValue::Table(table) = item.value.get_ref() else {
        let listener = bound(item, report)?;
        if listener.local.ip().is_unspecified() {
            let port = listener.local.port();
            item.error(report, format!("{listener} is no address the far end could answer to; write it as {{ bind = \"{listener}\", advertise = \"ADDRESS:{port}\" }}, or bind one address"));
            return None;
        }
        return Some((listener, ListenTls::default(), Vec::new()));
    };
    let raw = BindToml::read(table, &item.key, item.value.span(), report);
    let mut listener = bound(raw.bind.required("bind = \"udp:0.0.0.0:5060\"", report)?, report)?;
    let tls = ListenTls::resolve(&raw, &listener, files, report);
    let origins = origins(&raw.origins, &listener, report);
    let such_as = format!("advertise = \"203.0.113.5:{}\"", listener.local.port());
    let advertise = if listener.local.ip().is_unspecified() {
        raw.advertise.required(&such_as, report)
    } else {
        raw.advertise.item.as_ref()
    };
    if let Some(item) = advertise {
        listener.advertise = Some(advertised(item, listener.local.port(), report)?);
    }
    Some((listener, tls, origins))
}

/// `https://HOST` or `https://HOST:PORT`, as a browser writes them (RFC 6454 §6.2).
fn origins(field: &Field<'_>, listener: &Listener, report: &mut Report) -> Vec<String> {
    if let Some(item) = field.item.as_ref().filter(|_| !listener.transport.is_web()) {
        item.error(report, format!("{listener} has no pages; take it out, or listen on wss:"));
        return Vec::new();
    }
    let list = field.list();
    let origins = list.iter().filter_map(|item| {
        let text = item.text("\"https://desk.example.com\"", report)?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        if host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*', '@'])) {
            return Some(text.to_owned());
        }
        let text =
            format!("\"{text}\" is no origin; write it as browsers do, such as \"https://desk.example.com\"");
        item.error(report, text);
        None
    });
    origins.collect()
}

fn bound(item: &Item<'_>, report: &mut Report) -> Option<Listener> {
    let text = item.text("\"udp:192.0.2.1:5060\"", report)?;
    match text.parse::<Listener>() {
        Ok(listener) if listener.local.port() == 0 => {
            item.error(report, format!("\"{text}\" has no fixed port; write one such as 5060"));
            None
        }
        Ok(listener) => Some(listener),
        Err(error) => {
            item.error(report, error);
            None
        }
    }
}

/// `HOST` or `HOST:PORT`, as it will stand in Via and Contact.
fn advertised(item: &Item<'_>, port: u16, report: &mut Report) -> Option<(String, u16)> {
    let text = item.text("\"203.0.113.5:5060\"", report)?;
    match text.parse::<sip_core::Target>() {
        Ok(target)
            if target.transport.is_none() && !target.literal().is_some_and(|ip| ip.is_unspecified()) =>
        {
            Some((target.host.to_string(), target.port.unwrap_or(port)))
        }
        Ok(_) => {
            item.error(report, format!("\"{text}\" is no address to be reached by; write HOST or HOST:PORT"));
            None
        }
        Err(error) => {
            item.error(report, format!("\"{text}\": {error}"));
            None
        }
    }
}

fn admin(field: &Field<'_>, sip: &[Listener], report: &mut Report) -> Option<SocketAddr> {
    let item = field.item.as_ref()?;
    let text = item.text("\"127.0.0.1:8060\"", report)?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        item.error(
            report,
            format!("\"{text}\" is no address with port; write it such as \"127.0.0.1:8060\""),
        );
        return None;
    };
    let own = Listener::new(Transport::Tcp, address);
    if let Some(other) = sip.iter().find(|other| overlap(other, &own)) {
        item.error(report, format!("{address} is also listened on for SIP ({other}); write another port"));
    }
    Some(address)
}

/// Whether the system would refuse to bind both.
fn overlap(a: &Listener, b: &Listener) -> bool {
    let datagrams = |l: &Listener| l.transport == Transport::Udp;
    let same_ip = a.local.ip() == b.local.ip()
        || (a.local.ip().is_unspecified() || b.local.ip().is_unspecified())
            && a.local.is_ipv4() == b.local.is_ipv4();
    datagrams(a) == datagrams(b) && a.local.port() == b.local.port() && same_ip
}
