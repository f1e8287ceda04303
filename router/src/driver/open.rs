//! Opens what the configuration names outside of us: listeners, the address of sound, the journal.
//!
//! Whatever cannot be had is told at once, each with its place in the file, as every other mistake of a configuration.

use std::{fmt::Display, io, io::ErrorKind, net::TcpListener, path::Path};

use media::driver::MediaSocket;
use sip_core::driver::{DnsSettings, DriverSettings, Sockets};

use super::{
    journal_writer::{self, JournalSettings, Prepared},
    recordings_folder,
    shard_thread::utc_now,
    tls,
};
use crate::config::{Config, Problem, Problems, Step};

/// All that was opened.
pub(super) struct Outside {
    pub(super) sockets: Sockets,
    pub(super) admin: Option<TcpListener>,
    pub(super) journal: Prepared,
}

/// Opens everything, or nothing. Needs a runtime.
///
/// # Errors
/// Every address that cannot be listened on, and a `node.data_dir`, `voicemail.folder` or `recordings.folder` that cannot be used.
pub(super) fn open(config: &Config) -> Result<Outside, Problems> {
    let mut problems = sound(config);
    problems.extend(voicemail(config));
    problems.extend(recordings(config));
    let mut told = |more: Vec<Problem>| problems.extend(more);
    let sockets = sip(config).map_err(&mut told).ok();
    let admin = admin(config).map_err(|problem| told(vec![problem])).ok();
    let journal = journal(config).map_err(|problem| told(vec![problem])).ok();
    problems.sort_by_key(|problem| problem.place);
    match (sockets, admin, journal) {
        (Some(sockets), Some(admin), Some(journal)) if problems.is_empty() => {
            Ok(Outside { sockets, admin, journal })
        }
        _ => Err(Problems(problems)),
    }
}

fn sip(config: &Config) -> Result<Sockets, Vec<Problem>> {
    let settings = DriverSettings {
        receive_buffer: config.listen.receive_buffer,
        max_connections: config.listen.max_connections,
        tls: tls::settings(config),
        dns: dns(config),
        origins: config.listen.origins.clone(),
        ..DriverSettings::default()
    };
    let listeners = &config.listen.sip;
    Sockets::bind(listeners, settings).map_err(|unbound| {
        let told = unbound.iter().map(|unbound| {
            let key = format!("listen.sip[{}]", unbound.listener + 1);
            config.problem(&key, why(&listeners[unbound.listener], &unbound.error))
        });
        told.collect()
    })
}

/// Whom names are asked of.
pub(super) fn dns(config: &Config) -> DnsSettings {
    let crate::config::Dns { servers, timeout, attempts, stale } = config.dns.clone();
    DnsSettings { servers, timeout, attempts, stale }
}

fn admin(config: &Config) -> Result<Option<TcpListener>, Problem> {
    let bind = |address| {
        TcpListener::bind(address).map_err(|error| config.problem("listen.admin", why(address, &error)))
    };
    config.listen.admin.map(bind).transpose()
}

/// A port that is taken is passed over in use; an address that is not ours would leave every call without sound.
/// Where a SIP listener has the same address it tells.
fn sound(config: &Config) -> Vec<Problem> {
    let address = config.media.address;
    if config.listen.sip.iter().any(|listener| listener.local.ip() == address) {
        return Vec::new();
    }
    let unusable = MediaSocket::bind(address, 0).err();
    unusable.iter().map(|error| config.problem("media.address", why(address, error))).collect()
}

/// Only if there is a step that needs it.
fn voicemail(config: &Config) -> Option<Problem> {
    let mut steps = config.flows().flat_map(|(_, flow)| &flow.steps);
    let is_used = steps.any(|step| matches!(step, Step::Voicemail { .. }));
    let folder = &config.voicemail.folder;
    let error = is_used.then(|| recordings_folder::prepare(folder).err()).flatten()?;
    Some(config.problem("voicemail.folder", unwritable(folder, &error)))
}

/// Only if calls are recorded.
fn recordings(config: &Config) -> Option<Problem> {
    let folder = &config.recordings.folder;
    let is_used = !config.recordings.policies.is_empty();
    let error = is_used.then(|| recordings_folder::prepare(folder).err()).flatten()?;
    Some(config.problem("recordings.folder", unwritable(folder, &error)))
}

fn unwritable(folder: &Path, error: &io::Error) -> String {
    let folder = folder.display();
    format!(
        "{folder} cannot be written: {error}; let this user write there, make room, or name another directory"
    )
}

fn journal(config: &Config) -> Result<Prepared, Problem> {
    let settings = JournalSettings {
        data_dir: config.node.data_dir.clone(),
        config: config.journal.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        generation: config.generation,
        started_at: utc_now(),
    };
    journal_writer::prepare(settings).map_err(|error| config.problem("node.data_dir", error.to_string()))
}

/// Why an address cannot be listened on, and the cure.
fn why(address: impl Display, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                "{address} is in use; end the program that has it (`ss -lntup` shows it), or write another port"
            )
        }
        ErrorKind::AddrNotAvailable => {
            format!("{address} is no address of this machine; write one that `ip address` shows")
        }
        ErrorKind::PermissionDenied => {
            format!(
                "{address} is not allowed to this user; write a port above 1023, or grant CAP_NET_BIND_SERVICE"
            )
        }
        _ => format!("{address} cannot be listened on: {error}; write another address"),
    }
}
