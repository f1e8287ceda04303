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
        /// A transfer that was sent back there by `transfers_return` may come to us again, as a call by this trunk to the very number that the transfer named: so Teams takes a transfer to a number of ours. Then the caller goes on to that number in his own call and record, and the two calls that went round by the trunk end. It is such a call only if it comes by the very trunk that it was sent to, and has something that stood in what we sent: `"referred-by"`, the parameter `x-ti` of Referred-By, which is there anyway; `"history-info"`, an entry of ours that is added to what is sent back, in place of any other history. Whether Teams gives back the first in a transfer is not known; the second it is said to keep where its `ForwardCallHistory` is on. A list of these. Default `[]`: it is a call of its own, and the caller is in two.
        transfers_rejoin,
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
    /// By what a transfer that was sent back is known if it comes to us again. Default: nothing.
    pub rejoin: Rejoin,
}

/// What an INVITE that was sent back, and one that comes of it, have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejoin {
    /// The parameter `x-ti` of Referred-By.
    pub by_referrer: bool,
    /// An entry of ours in History-Info.
    pub by_entry: bool,
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
        let rejoin = rejoining(&raw.transfers_rejoin, report);
        if let Some(item) =
            raw.transfers_rejoin.item.as_ref().filter(|_| !returns && rejoin != Rejoin::default())
        {
            item.warning(report, "has no effect without transfers_return; write that, or take it out");
        }
        TrunkTransfer { allowed: raw.transfers.boolean(false, report), returns, own_hosts, rejoin }
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

/// Words for what is given back.
fn rejoining(field: &Field<'_>, report: &mut Report) -> Rejoin {
    let mut rejoin = Rejoin::default();
    for item in field.list() {
        match item.text("\"referred-by\"", report) {
            Some("referred-by") => rejoin.by_referrer = true,
            Some("history-info") => rejoin.by_entry = true,
            Some(other) => {
                let cure = "write \"referred-by\", \"history-info\", both, or []";
                item.error(report, format!("nothing is known by \"{other}\"; {cure}"));
            }
            None => {}
        }
    }
    rejoin
}
