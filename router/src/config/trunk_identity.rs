//! Who is believed about callers, and what a trunk is told of them (RFC 3323, 3325, 5806, 7044).

use sip_core::message::Uri;

use super::address::Template;
use super::problem::Report;
use super::queue::shown_as;
use super::raw::{Item, section};

section! {
    /// Who is believed about callers, and what a trunk is told of them.
    TrunkIdentityToml "[trunk.NAME]" {
        /// The far end belongs to those who tell each other who calls (RFC 3325): the caller is whom its P-Asserted-Identity or P-Preferred-Identity names, and it may be told a number that the caller withholds. False: From alone counts. Default true.
        trust_identity,
        /// `"asserted"`: calls we send carry P-Asserted-Identity, with `Privacy: id` and the caller's true number, if it is known, when he withholds it; only with `trust_identity`. `"preferred"`: P-Preferred-Identity, and a withheld number stays with us. Default `"none"`.
        identity_out,
        /// The number in it; `{caller}` and `{called}` may stand in it. Carriers often want one of their own there. Default `"{caller}"`.
        identity_number,
        /// What it is told of earlier redirections, Diversion and History-Info: `"pass"`: as they came; `"add"`: and a History-Info entry for where we send the call; `"drop"`: nothing. Default `"pass"`.
        history,
        /// What stands in From in place of a caller who withholds his number; `Privacy: id` stands beside it (RFC 3323, RFC 3325 §9.3). Default `"sip:anonymous@anonymous.invalid"` (RFC 3323).
        anonymous,
        /// What agents who are called by this trunk see in place of the caller's name when a queue calls them and does not say itself (`queue.NAME.shown_as`): a text with `{queue}` and `{name}`. Default: the caller's name.
        shown_as,
    }
}

/// Who is believed about callers, and what a trunk is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkIdentity {
    /// Asserted identities count, and withheld numbers may be told. Default true.
    pub trusted: bool,
    /// The header that says who calls. Default `None`.
    pub out: IdentityOut,
    /// The number in it. Default `{caller}`.
    pub number: Template,
    /// What is told of earlier redirections. Default `Pass`.
    pub history: History,
    /// The URI in From of a caller who withholds his number. Default `sip:anonymous@anonymous.invalid`.
    pub anonymous: String,
    /// What agents see in place of the caller's name, if their queue does not say.
    pub shown_as: Option<String>,
}

/// The header of a call we send that says who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityOut {
    /// Only From.
    None,
    /// P-Asserted-Identity (RFC 3325 §9.1).
    Asserted,
    /// P-Preferred-Identity (RFC 3325 §9.2).
    Preferred,
}

/// What becomes of Diversion and History-Info.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// They go on as they came.
    Pass,
    /// The same, and one entry more (RFC 7044 §9).
    Add,
    /// They end here.
    Drop,
}

impl TrunkIdentity {
    pub(super) fn resolve(raw: &TrunkIdentityToml<'_>, report: &mut Report) -> TrunkIdentity {
        let outs = [
            ("none", IdentityOut::None),
            ("asserted", IdentityOut::Asserted),
            ("preferred", IdentityOut::Preferred),
        ];
        let histories = [("pass", History::Pass), ("add", History::Add), ("drop", History::Drop)];
        let identity = TrunkIdentity {
            trusted: raw.trust_identity.boolean(true, report),
            out: raw.identity_out.choice(&outs, report),
            number: raw
                .identity_number
                .item
                .as_ref()
                .and_then(|item| number(item, report))
                .unwrap_or_else(caller),
            history: raw.history.choice(&histories, report),
            anonymous: raw
                .anonymous
                .item
                .as_ref()
                .and_then(|item| anonymous(item, report))
                .unwrap_or_else(|| ANONYMOUS.to_owned()),
            shown_as: raw.shown_as.item.as_ref().and_then(|item| shown_as(item, report)),
        };
        if let Some(item) = raw.identity_out.item.as_ref()
            && identity.out == IdentityOut::Asserted
            && !identity.trusted
        {
            item.error(report, "identities are asserted to trusted trunks only (RFC 3325); write \"preferred\", or trust_identity = true");
        }
        if let Some(item) = raw.identity_number.item.as_ref().filter(|_| identity.out == IdentityOut::None) {
            item.warning(
                report,
                "goes nowhere; write identity_out = \"asserted\" or \"preferred\" beside it",
            );
        }
        identity
    }
}

/// RFC 3323 §4.1.1.3.
pub(crate) const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

fn anonymous(item: &Item<'_>, report: &mut Report) -> Option<String> {
    let text = item.text("\"sip:anonymous@anonymous.invalid\"", report)?;
    let fits =
        !text.contains(['<', '>', '"', ' ']) && text.starts_with("sip:") && text.parse::<Uri>().is_ok();
    if !fits {
        let text = format!("\"{text}\" is no SIP address; write one such as \"{ANONYMOUS}\" (the default)");
        item.error(report, text);
    }
    fits.then(|| text.to_owned())
}

/// `{caller}`.
pub(super) fn caller() -> Template {
    Template::parse("{caller}").expect("is a template")
}

/// A number that we show: with places for those of the call, but nothing that would end the user part of an address.
pub(super) fn number(item: &Item<'_>, report: &mut Report) -> Option<Template> {
    let text = item.text("\"+493012345\"", report)?;
    let why = match Template::parse(text) {
        Ok(template) if !text.is_empty() && !text.contains(['@', ' ', '<', '>', '"']) => {
            return Some(template);
        }
        Ok(_) => " is no number; write one such as \"+493012345\" (default \"{caller}\")".to_owned(),
        Err(why) => format!(": {why}"),
    };
    item.error(report, format!("\"{text}\"{why}"));
    None
}
