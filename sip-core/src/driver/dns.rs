//! Questions to DNS servers, by hickory-resolver: over UDP, over TCP if the answer is too long for that.
//!
//! It remembers nothing (the [`Directory`](crate::locate::Directory) does, which knows what to do when DNS dies) and it
//! never blocks: a question is a task with a deadline.

use super::DnsSettings;
use crate::locate::{Answer, Kind, Naptr, Query, Records, Srv, Trouble};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;

/// Where the system says whom to ask.
const SYSTEM: &str = "/etc/resolv.conf";
/// Names that the system knows by itself; they come first.
const HOSTS: &str = "/etc/hosts";

/// Whom we ask.
pub(super) struct Dns {
    settings: DnsSettings,
    /// `None`: nobody can be asked.
    resolver: Option<TokioResolver>,
    /// When the system's files were last written, as far as we go by them.
    written: [Option<SystemTime>; 2],
}

impl Dns {
    pub(super) fn new(settings: DnsSettings) -> Dns {
        let mut dns = Dns { settings, resolver: None, written: [None; 2] };
        dns.rebuild();
        dns
    }

    /// Whether that is something new.
    pub(super) fn renew(&mut self, settings: DnsSettings) -> bool {
        let differs = self.settings != settings;
        if differs {
            self.settings = settings;
            self.rebuild();
        }
        differs
    }

    /// Whether others are to be asked than before: the system's files change with the network.
    pub(super) fn has_moved(&mut self) -> bool {
        let moved = self.written != written(&self.settings);
        if moved {
            self.rebuild();
        }
        moved
    }

    fn rebuild(&mut self) {
        self.written = written(&self.settings);
        self.resolver = resolver(&self.settings);
        if self.resolver.is_none() {
            tracing::warn!(
                "no DNS server is known, so no name will be; write dns.servers, or /etc/resolv.conf"
            );
        }
    }

    /// The question, on its way.
    pub(super) fn ask(&self, query: &Query) -> impl Future<Output = Answer> + Send + use<> {
        // Every attempt with its time, and once more for a change from UDP to TCP.
        let limit = self.settings.timeout * (self.settings.attempts as u32 + 1);
        let (resolver, kind) = (self.resolver.clone(), query.kind);
        let name = absolute(&query.name);
        async move {
            let Some(name) = name else { return failure(Trouble::NotAName) };
            let Some(resolver) = resolver else { return failure(Trouble::NoAnswer) };
            match timeout(limit, resolver.lookup(name, record_type(kind))).await {
                Ok(Ok(lookup)) => answer(&lookup, kind),
                Ok(Err(error)) => no_answer(&error, kind),
                Err(_) => failure(Trouble::NoAnswer),
            }
        }
    }
}

fn written(settings: &DnsSettings) -> [Option<SystemTime>; 2] {
    let at = |path| std::fs::metadata(path).ok()?.modified().ok();
    [at(HOSTS), at(SYSTEM).filter(|_| settings.servers.is_empty())]
}

fn resolver(settings: &DnsSettings) -> Option<TokioResolver> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = match settings.servers.is_empty() {
        true => TokioResolver::builder(provider).ok()?,
        false => {
            let servers = settings.servers.iter().map(|server| name_server(*server)).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, provider)
        }
    };
    limit(builder.options_mut(), settings);
    builder.build().ok()
}

fn limit(options: &mut ResolverOpts, settings: &DnsSettings) {
    options.timeout = settings.timeout;
    options.attempts = settings.attempts.saturating_sub(1);
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Always;
    options.preserve_intermediates = true; // the shortest TTL of a chain counts
    options.edns0 = true;
    options.try_tcp_on_error = true;
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
    NameServerConfig::new(server.ip(), true, connections)
}

/// A name without search domains: what stands in a trunk or a Contact is whole.
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn record_type(kind: Kind) -> RecordType {
    match kind {
        Kind::Naptr => RecordType::NAPTR,
        Kind::Srv => RecordType::SRV,
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
    }
}

fn failure(trouble: Trouble) -> Answer {
    Answer { found: Err(trouble), ttl: None }
}

fn answer(lookup: &Lookup, kind: Kind) -> Answer {
    let ttl = lookup.answers().iter().map(|record| record.ttl).min();
    let mut records = Records::none(kind);
    for record in lookup.answers() {
        match (&record.data, &mut records) {
            (RData::A(ip), Records::A(list)) => list.push(ip.0),
            (RData::AAAA(ip), Records::Aaaa(list)) => list.push(ip.0),
            (RData::SRV(srv), Records::Srv(list)) => list.push(Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: host(&srv.target),
            }),
            (RData::NAPTR(naptr), Records::Naptr(list)) => list.push(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
                service: String::from_utf8_lossy(&naptr.services).into_owned(),
                replacement: host(&naptr.replacement),
            }),
            _ => {} // the names on the way
        }
    }
    let ttl = ttl.map(|seconds| Duration::from_secs(seconds.into()));
    match is_empty(&records) {
        // Names that lead to names, and nowhere in the end.
        true if !lookup.answers().is_empty() => Answer { found: Err(Trouble::Circle), ttl },
        true => Answer { found: Err(Trouble::NoAddress), ttl },
        false => Answer { found: Ok(records), ttl },
    }
}

fn is_empty(records: &Records) -> bool {
    match records {
        Records::Naptr(list) => list.is_empty(),
        Records::Srv(list) => list.is_empty(),
        Records::A(list) => list.is_empty(),
        Records::Aaaa(list) => list.is_empty(),
    }
}

/// As [`Query`] has it; the root is empty.
fn host(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_ascii_lowercase()
}

fn no_answer(error: &NetError, kind: Kind) -> Answer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let trouble = match none.response_code {
                ResponseCode::NXDomain => Trouble::NoSuchName,
                ResponseCode::NoError => Trouble::NoAddress,
                _ => Trouble::Refused,
            };
            let ttl = none.negative_ttl.map(|seconds| Duration::from_secs(seconds.into()));
            Answer { found: Err(trouble), ttl }
        }
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => failure(Trouble::NoSuchName),
        NetError::Dns(_) => failure(Trouble::Refused),
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) | NetError::Busy => {
            failure(Trouble::NoAnswer)
        }
        // An answer that cannot be read is a server's fault, not the name's.
        error => {
            tracing::debug!(%error, ?kind, "DNS");
            failure(Trouble::Refused)
        }
    }
}
