//! `[trunk.NAME]`: a carrier, an SBC, Teams: whom calls come from and go to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use media::Codec;
use sip_core::{OwnName, PeerId, Sources, Transport};

use super::address::Template;
use super::media::codecs;
use super::names::TrunkId;
use super::problem::Report;
use super::raw::{Item, SectionDoc, section};
use super::read::bounds;
use super::recording::{self, RecordingPolicy};
use super::scope::{Scope, Section};
use super::srtp::{Srtp, TrunkSrtpToml};
use super::trunk_account::{TrunkAccount, TrunkAccountToml};
use super::trunk_dialog::{TrunkDialog, TrunkDialogToml};
use super::trunk_emergency::{TrunkEmergency, TrunkEmergencyToml};
use super::trunk_headers::{HeaderRules, TrunkHeadersToml};
use super::trunk_health::{TrunkHealth, TrunkHealthToml};
use super::trunk_identity::{TrunkIdentity, TrunkIdentityToml, caller, number};
use super::trunk_kind::{Kept, TrunkKindToml};
use super::trunk_limits::{TrunkLimits, TrunkLimitsToml};
use super::trunk_name::{TrunkNameToml, own_name};
use super::trunk_numbers::{TrunkNumbers, TrunkNumbersToml};
use super::trunk_register::{TrunkRegister, TrunkRegisterToml};
use super::trunk_sound::{TrunkSound, TrunkSoundToml};
use super::trunk_targets::{TrunkFailover, TrunkTarget, TrunkTargetsToml, targets};
use super::trunk_tls::{TrunkTls, TrunkTlsToml};
use super::trunk_transfer::{TrunkTransfer, TrunkTransferToml};
use super::way_of_sound::{TrunkWayToml, WayOfSound};

section! {
    /// A carrier, an SBC, Teams: whom calls come from and go to.
    TrunkToml "[trunk.NAME]" {
        /// Source addresses that speak for this trunk: `"192.0.2.0/24"`, `"192.0.2.1"`, `"192.0.2.1:5060"`. Anything from elsewhere is dropped and counted. The most exact entry of all trunks wins. Default: only the addresses in `send_to` that are literal, with their port.
        accept_from,
        /// Where calls by this trunk are sent, tried in order: `"udp:192.0.2.1:5060"`, `"tls:sbc.example.com"`, `"sbc.example.com"`; an entry may be a table `{ to = "sbc.example.com", priority = 1, weight = 10 }`. Default: none, the trunk only brings calls.
        send_to,
        /// Send large requests over UDP too, instead of TCP (RFC 3261 §18.1.1). Default false.
        udp_only,
        /// Codecs towards this trunk, best first. Default: `media.codecs`.
        codecs,
        /// The number we present as caller on calls sent by this trunk; `{caller}` and `{called}` may stand in it. Default `"{caller}"`.
        from,
        /// Longest time to the first response of one target, finding its address and connecting included; then the next target is tried. `"500ms"` to `"32s"`, default `"8s"`.
        response_timeout,
        /// Longest time a call sent by this trunk may ring, whatever a step or queue allows (RFC 3261 §16.6 timer C). `"5s"` to `"10m"`, default `"3m"`.
        answer_timeout,
        /// How calls are recorded that come by this trunk or are sent there: a `[recording.NAME]`. Default: by what else says so, or not at all.
        recording,
    }
}

/// Keys of `[trunk.NAME]` that are read in files of their own; the reference page has them under the same heading.
const GROUPS: &[SectionDoc] = &[
    TrunkKindToml::DOC,
    TrunkNameToml::DOC,
    TrunkTargetsToml::DOC,
    TrunkHealthToml::DOC,
    TrunkLimitsToml::DOC,
    TrunkAccountToml::DOC,
    TrunkRegisterToml::DOC,
    TrunkDialogToml::DOC,
    TrunkNumbersToml::DOC,
    TrunkTransferToml::DOC,
    TrunkIdentityToml::DOC,
    TrunkEmergencyToml::DOC,
    TrunkHeadersToml::DOC,
    TrunkTlsToml::DOC,
    TrunkSrtpToml::DOC,
    TrunkWayToml::DOC,
    TrunkSoundToml::DOC,
];

/// Whom calls come from and go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Source addresses that speak for it, as written; [`Trunk::sources`] adds what follows from `send_to`.
    pub accept_from: Vec<Source>,
    /// Where calls are sent; empty if the trunk only brings calls.
    pub send_to: Vec<TrunkTarget>,
    /// What we are called there; `None`: what the listener says.
    pub own_name: Option<OwnName>,
    /// What leads from one of them to the next.
    pub failover: TrunkFailover,
    /// How it finds out whether they are there.
    pub health: TrunkHealth,
    /// How much it may do.
    pub limits: TrunkLimits,
    /// Large requests go over UDP too. Default false.
    pub udp_only: bool,
    /// Codecs towards this trunk, best first; `None`: those of `[media]`.
    pub codecs: Option<Vec<Codec>>,
    /// User part of the From of calls we send. Default `{caller}`.
    pub from: Template,
    /// Longest time to the first response of one target. 500 ms to 32 s, default 8 s.
    pub response_timeout: Duration,
    /// Longest time from our INVITE to its final response. 5 s to 10 min, default 3 min.
    pub answer_timeout: Duration,
    /// How calls by it are recorded.
    pub recording: Option<Arc<RecordingPolicy>>,
    /// How numbers are written.
    pub numbers: TrunkNumbers,
    /// How its dialogs are kept.
    pub dialog: TrunkDialog,
    /// Whether its far end may transfer calls, and where to.
    pub transfer: TrunkTransfer,
    /// Who is believed about callers, and what the far end is told of them.
    pub identity: TrunkIdentity,
    /// What it has to do with emergency calls.
    pub emergency: TrunkEmergency,
    /// Headers of the INVITEs that it is sent.
    pub headers: HeaderRules,
    /// Certificates and trust.
    pub tls: TrunkTls,
    /// Whether sound is encrypted.
    pub srtp: Srtp,
    /// By which way sound comes and goes. Default RTP.
    pub media: WayOfSound,
    /// What is asked and done about sound.
    pub sound: TrunkSound,
    /// Who we are to the far end.
    pub account: TrunkAccount,
    /// Our registration there, if it needs one.
    pub register: Option<TrunkRegister>,
}

/// Addresses that speak for a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The addresses.
    pub net: IpNet,
    /// Only this source port, if given.
    pub port: Option<u16>,
}

impl Trunk {
    /// Every source of this trunk: `accept_from`, then the literal addresses of `send_to` with their port.
    ///
    /// Only with their port: an SBC and a carrier may share a host, and a connection from another port is
    /// nobody's unless `accept_from` says whose.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let implied = |TrunkTarget { to: target, .. }: &TrunkTarget| {
            let port = target.port_for(target.transport.unwrap_or(Transport::Udp));
            Some(Source { net: IpNet::from(target.literal()?), port: Some(port) })
        };
        self.accept_from.iter().copied().chain(self.send_to.iter().filter_map(implied))
    }

    /// Whether a call can come by this trunk.
    pub fn brings_calls(&self) -> bool {
        self.register.is_some() || self.sources().next().is_some()
    }

    /// Adds the trunk's sources under its id.
    pub fn allow(&self, id: TrunkId, sources: &mut Sources) {
        for source in self.sources() {
            sources.allow(source.net, source.port, PeerId::from(id));
        }
        sources.pin(PeerId::from(id), self.tls.peer_names.clone());
    }

    pub(super) fn resolve(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Trunk> {
        match Kept::of(section, scope) {
            Some(kept) => {
                let trunk = Trunk::of_keys(&kept.section(section), scope)?;
                kept.check(&trunk, section, scope.report);
                Some(trunk)
            }
            None => Trunk::of_keys(section, scope),
        }
    }

    /// From the keys of a section, those that follow from its kind among them.
    fn of_keys(section: &Section<'_>, scope: &mut Scope<'_, '_>) -> Option<Trunk> {
        let item = Item { key: section.path.clone(), value: section.value };
        let table = item.table(&format!("[{}]", section.path), scope.report)?;
        let raw = TrunkToml::read_beside(GROUPS, table, &section.path, section.span(), scope.report);
        let numbers = TrunkNumbersToml::read_known(table, &section.path, section.span());
        let dialog = TrunkDialogToml::read_known(table, &section.path, section.span());
        let identity = TrunkIdentityToml::read_known(table, &section.path, section.span());
        let emergency = TrunkEmergencyToml::read_known(table, &section.path, section.span());
        let headers = TrunkHeadersToml::read_known(table, &section.path, section.span());
        let tls = TrunkTlsToml::read_known(table, &section.path, section.span());
        let tls = TrunkTls::resolve(&tls, scope.pem, scope.report);
        let dialog = TrunkDialog::resolve(&dialog, scope);
        let srtp = TrunkSrtpToml::read_known(table, &section.path, section.span());
        let media = TrunkWayToml::read_known(table, &section.path, section.span());
        let sound = TrunkSoundToml::read_known(table, &section.path, section.span());
        let account = TrunkAccount::resolve(table, section, scope);
        let id = TrunkId::from(section.id);
        let path = &section.path;
        let called = TrunkNameToml::read_known(table, path, section.span());
        let failover = TrunkTargetsToml::read_known(table, path, section.span());
        let health = TrunkHealthToml::read_known(table, path, section.span());
        let limits = TrunkLimitsToml::read_known(table, path, section.span());
        let recording = recording::named(&raw.recording, scope);
        let accept_from = accept_from(id, &raw.accept_from.list(), scope);
        let report = &mut *scope.report;
        let send_to = targets(&raw.send_to.list(), report);
        let (comes, goes) = (!raw.accept_from.list().is_empty(), !raw.send_to.list().is_empty());
        if !comes && !goes && table.get("register").is_none() {
            report.error(&section.span(), &section.path, "calls can neither come nor go; write accept_from = [\"192.0.2.0/24\"] or send_to = [\"udp:192.0.2.1:5060\"]");
        }
        if raw.send_to.list().is_empty() {
            scope.mute_trunks.insert(id);
        }
        let register = TrunkRegister::resolve(table, section, (&account, &send_to), scope);
        let report = &mut *scope.report;
        let can = (!raw.send_to.list().is_empty(), !accept_from.is_empty() || !send_to.is_empty());
        let emergency = TrunkEmergency::resolve(&emergency, can, report);
        Some(Trunk {
            name: section.name.to_owned(),
            accept_from,
            send_to,
            own_name: own_name(&called, report),
            failover: TrunkFailover::resolve(&failover, report),
            health: TrunkHealth::resolve(&health, report),
            limits: TrunkLimits::resolve(&limits, report),
            udp_only: raw.udp_only.boolean(false, report),
            codecs: codecs(&raw.codecs, report),
            from: raw.from.item.as_ref().and_then(|item| number(item, report)).unwrap_or_else(caller),
            response_timeout: raw.response_timeout.duration(bounds("500ms", "32s", "8s"), report),
            answer_timeout: raw.answer_timeout.duration(bounds("5s", "10m", "3m"), report),
            recording,
            numbers: TrunkNumbers::resolve(&numbers, report),
            dialog,
            transfer: TrunkTransfer::resolve(table, section, report),
            identity: TrunkIdentity::resolve(&identity, report),
            emergency,
            headers: HeaderRules::resolve(&headers, report),
            tls,
            srtp: Srtp::resolve(&srtp.srtp, &srtp.srtp_suites, report),
            media: WayOfSound::of_trunk(&media.media, report),
            sound: TrunkSound::resolve(&sound, report),
            account,
            register,
        })
    }
}

/// A trunk is the peer its sources speak as.
impl From<TrunkId> for PeerId {
    fn from(id: TrunkId) -> PeerId {
        PeerId(u16::try_from(id.0).expect("no configuration with more trunk names is accepted"))
    }
}

/// The trunk a peer stands for.
impl From<PeerId> for TrunkId {
    fn from(peer: PeerId) -> TrunkId {
        TrunkId(u32::from(peer.0))
    }
}

fn accept_from(id: TrunkId, items: &[Item<'_>], scope: &mut Scope<'_, '_>) -> Vec<Source> {
    let mut sources = Vec::new();
    for item in items {
        let Some(source) = source(item, scope.report) else { continue };
        match scope.sources.insert(source, id) {
            None => sources.push(source),
            Some(other) if other == id => {
                item.error(scope.report, "stands in the list already; take one out")
            }
            Some(other) => {
                let (other, shown) = (scope.trunks.name(other.index()), item.written(scope.report));
                let text = format!(
                    "{shown} belongs to trunk.{other} already, and a call has one trunk; give each its own addresses"
                );
                item.error(scope.report, text);
            }
        }
    }
    sources
}

pub(super) fn source(item: &Item<'_>, report: &mut Report) -> Option<Source> {
    let text = item.text("\"192.0.2.0/24\"", report)?;
    let Some(source) = parse_source(text) else {
        item.error(report, format!("\"{text}\" is no address; write ADDRESS/BITS, ADDRESS or ADDRESS:PORT, such as \"192.0.2.0/24\""));
        return None;
    };
    if source.net.prefix_len() == 0 {
        item.warning(report, format!("\"{text}\" lets the whole world call; write the addresses of the far end, such as \"192.0.2.0/24\""));
    }
    if source.net.trunc() != source.net {
        item.warning(
            report,
            format!(
                "\"{text}\" has more digits than its /{} counts; write \"{}\"",
                source.net.prefix_len(),
                source.net.trunc()
            ),
        );
    }
    Some(Source { net: source.net.trunc(), port: source.port })
}

pub(super) fn parse_source(text: &str) -> Option<Source> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(Source { net, port: None });
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(Source { net: IpNet::from(ip), port: None });
    }
    let address = text.parse::<std::net::SocketAddr>().ok().filter(|address| address.port() > 0)?;
    Some(Source { net: IpNet::from(address.ip()), port: Some(address.port()) })
}
