//! Keys of `[trunk.NAME]`: whether the far end may transfer calls, and where to.

use super::problem::Report;
use super::raw::{Field, section};
use super::scope::Section;

section! {
    TrunkTransferToml "[trunk.NAME]" {
        /// The far end may transfer its calls (REFER, RFC 3515; Replaces, RFC 3891), to where `[[transfer]]` and what follows there say. Agents may by themselves (`agent.NAME.transfers`), whatever their trunk; this is for everybody else on it, such as desk phones behind an SBC. A carrier's callers should not: a transfer makes us call at our cost. Default false.
        transfers,
        /// A transfer to one of this trunk's own addresses (`send_to`) is sent back there, as one new call by this trunk: the target byte for byte as it came, Referred-By too, and never tried anywhere else. So Teams wants it, whose targets mean something to Teams alone. A list of names, `["sip.pstnhub.microsoft.com"]`: these are its own too, where an SBC before it passes them on; then the first target that calls try is tried. Default false: the user part is looked up as in every other transfer.
        transfers_return,
    }
}

/// Whether a trunk's far end may transfer calls, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrunkTransfer {
    /// Others than agents may. Default false.
    pub allowed: bool,
    /// A target at one of the trunk's own addresses goes back there as it came. Default false.
    pub returns: bool,
    /// Hosts beside those of its targets that are its own, in small letters.
    pub own_hosts: Vec<String>,
}

impl TrunkTransfer {
    pub(super) fn resolve(
        table: &toml::de::DeTable<'_>,
        section: &Section<'_>,
        report: &mut Report,
    ) -> TrunkTransfer {
        let raw = TrunkTransferToml::read_known(table, &section.path, section.span());
        let has_way = section.value.get_ref().get("send_to").is_some();
        if let Some(item) = raw.transfers_return.item.as_ref().filter(|_| !has_way) {
            item.warning(report, "has no effect without send_to; write that, or take it out");
        }
        let (returns, own_hosts) = returning(&raw.transfers_return, report);
        TrunkTransfer { allowed: raw.transfers.boolean(false, report), returns, own_hosts }
    }
}

/// `true`, `false`, or names.
fn returning(field: &Field<'_>, report: &mut Report) -> (bool, Vec<String>) {
    let Some(item) = field.item.as_ref().filter(|item| item.value.get_ref().is_array()) else {
        return (field.boolean(false, report), Vec::new());
    };
    let mut hosts = Vec::new();
    for item in item.list() {
        let Some(text) = item.text("\"sip.pstnhub.microsoft.com\"", report) else { continue };
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        match !text.is_empty() && text.bytes().all(fits) {
            true => hosts.push(text.to_ascii_lowercase()),
            false => item.error(
                report,
                format!("\"{text}\" is no host; write one such as \"sip.pstnhub.microsoft.com\""),
            ),
        }
    }
    (true, hosts)
}
