//! The reference page of all keys, from the doc comments of the sections as written.

use super::agent::{AgentToml, MembershipToml};
use super::callback::CallbackToml;
use super::caller_group::CallersToml;
use super::conference_step::ConferenceToml;
use super::dns::DnsToml;
use super::emergency::EmergencyToml;
use super::flow_toml::{DialToml, FlowToml, HoursStepToml, MenuToml, PlayToml, QueueStepToml, RejectToml};
use super::hosts::HostsToml;
use super::hours_toml::HoursToml;
use super::languages::PromptsToml;
use super::limits::LimitsToml;
use super::listen::{BindToml, ListenToml};
use super::load::RootToml;
use super::media::MediaToml;
use super::music::MusicToml;
use super::node::{JournalToml, LogToml, NodeToml};
use super::number::NumberToml;
use super::phone::PhoneToml;
use super::presence::{GraphToml, PresenceToml};
use super::queue::{QueueToml, WidenToml};
use super::queue_confirm::ConfirmToml;
use super::queue_memory::{ReturningToml, StickyToml, TransferredToml};
use super::queue_tell::TellToml;
use super::raw::SectionDoc;
use super::recording::{RecordingToml, RecordingsToml};
use super::registrar::RegistrarToml;
use super::srtp::{AgentSrtpToml, TrunkSrtpToml};
use super::transfer::{TransferToml, TransfersToml};
use super::trunk::TrunkToml;
use super::trunk_account::TrunkAccountToml;
use super::trunk_dialog::TrunkDialogToml;
use super::trunk_emergency::TrunkEmergencyToml;
use super::trunk_headers::{HeaderRulesToml, TrunkHeadersToml};
use super::trunk_health::TrunkHealthToml;
use super::trunk_identity::TrunkIdentityToml;
use super::trunk_kind::{self, TrunkKindToml};
use super::trunk_limits::TrunkLimitsToml;
use super::trunk_name::TrunkNameToml;
use super::trunk_numbers::{RewriteToml, TrunkNumbersToml};
use super::trunk_register::{RegisterToml, TrunkRegisterToml};
use super::trunk_sound::TrunkSoundToml;
use super::trunk_targets::{TargetToml, TrunkTargetsToml};
use super::trunk_tls::TrunkTlsToml;
use super::trunk_transfer::TrunkTransferToml;
use super::voicemail::VoicemailToml;
use super::voicemail_step::VoicemailStepToml;
use super::way_of_sound::TrunkWayToml;

/// The page's sections, in the order in which a reader writes a file.
const SECTIONS: &[SectionDoc] = &[
    RootToml::DOC,
    NodeToml::DOC,
    ListenToml::DOC,
    BindToml::DOC,
    MediaToml::DOC,
    LimitsToml::DOC,
    DnsToml::DOC,
    JournalToml::DOC,
    LogToml::DOC,
    VoicemailToml::DOC,
    PromptsToml::DOC,
    RecordingsToml::DOC,
    RecordingToml::DOC,
    PresenceToml::DOC,
    GraphToml::DOC,
    TrunkToml::DOC,
    TrunkKindToml::DOC,
    TrunkNameToml::DOC,
    TrunkTargetsToml::DOC,
    TrunkHealthToml::DOC,
    TrunkLimitsToml::DOC,
    TrunkDialogToml::DOC,
    TrunkTransferToml::DOC,
    TrunkTlsToml::DOC,
    TrunkAccountToml::DOC,
    TrunkRegisterToml::DOC,
    TrunkNumbersToml::DOC,
    TrunkIdentityToml::DOC,
    TrunkEmergencyToml::DOC,
    TrunkHeadersToml::DOC,
    TrunkSrtpToml::DOC,
    TrunkWayToml::DOC,
    TrunkSoundToml::DOC,
    TargetToml::DOC,
    RegisterToml::DOC,
    HeaderRulesToml::DOC,
    RewriteToml::DOC,
    EmergencyToml::DOC,
    HostsToml::DOC,
    RegistrarToml::DOC,
    NumberToml::DOC,
    CallersToml::DOC,
    HoursToml::DOC,
    FlowToml::DOC,
    PlayToml::DOC,
    MenuToml::DOC,
    QueueStepToml::DOC,
    DialToml::DOC,
    CallbackToml::DOC,
    HoursStepToml::DOC,
    VoicemailStepToml::DOC,
    ConferenceToml::DOC,
    RejectToml::DOC,
    QueueToml::DOC,
    MusicToml::DOC,
    TellToml::DOC,
    WidenToml::DOC,
    ConfirmToml::DOC,
    ReturningToml::DOC,
    TransferredToml::DOC,
    StickyToml::DOC,
    TransferToml::DOC,
    TransfersToml::DOC,
];

const HEAD: &str = "\
# Every key of the configuration

Made from the doc comments in `router/src/config`; a test fails when this page is stale, and writes it anew with
`BLESS=1 cargo test -p router --test config_reference`.
`fernamt check FILE` tells every mistake of a file at once; `fernamt check FILE --at 2026-12-24T15:00` what a call would
meet then.

Where a step or a menu says where to go on: `\"flow.NAME\"` goes to that flow and does not come back; `\"queue.NAME\"`
waits there and then goes on behind the step; `\"next\"` goes on behind the step; `\"hangup\"` hangs up. Besides the
steps below there are `\"answer\"`, `\"hangup\"` (also `{ answer = {} }`, `{ hangup = {} }`), `{ goto = \"flow.NAME\" }` and
`{ language = \"en\" }`, from which on the call has that language, one of `prompts.languages`.
";

/// The reference page, in Markdown.
pub fn reference() -> String {
    let (mut page, mut heading) = (HEAD.to_owned(), "");
    let agents = [&AgentToml::DOC, &AgentSrtpToml::DOC, &MembershipToml::DOC, &PhoneToml::DOC];
    for section in SECTIONS.iter().chain(agents) {
        // A group of keys that is read beside others of its section.
        if section.heading != heading {
            page.push_str(&format!("\n## `{}`\n\n{}\n\n", section.heading, text(section.text)));
        }
        heading = section.heading;
        for (key, doc) in section.keys {
            page.push_str(&format!("- **`{key}`**: {}\n", text(doc)));
        }
    }
    page.push_str(&trunk_kind::reference());
    page
}

fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
