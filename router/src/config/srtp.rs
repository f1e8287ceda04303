//! Whether sound is encrypted, of a trunk or an agent's telephone.

use media::sdp::{self, Policy};
use media::srtp::Suite;

use super::problem::Report;
use super::raw::{Field, section};

section! {
    /// Whether sound is encrypted.
    TrunkSrtpToml "[trunk.NAME]" {
        /// Encrypted sound (SRTP, keys through SDP: RFC 4568). `"off"`: never, who offers nothing else is answered 488. `"optional"`: what is offered is taken, calls we send offer keys with RTP/AVP ("best effort"). `"required"`: calls we send offer RTP/SAVP, and who has no key for us is answered 488 or hung up. The keys stand in the SIP messages, so these should go by `tls:`, or by a network of your own. Default `"off"`.
        srtp,
        /// Suites offered, best first: `"AES_CM_128_HMAC_SHA1_80"`, `"AES_CM_128_HMAC_SHA1_32"`, `"AES_256_CM_HMAC_SHA1_80"`, `"AES_256_CM_HMAC_SHA1_32"`, `"AEAD_AES_128_GCM"`, `"AEAD_AES_256_GCM"`. Of what the far end offers the first of these is taken, else the strongest of all six. Default `"AES_CM_128_HMAC_SHA1_80"`, which everybody knows.
        srtp_suites,
    }
}

section! {
    /// Whether sound is encrypted.
    AgentSrtpToml "[agent.NAME]" {
        /// Encrypted sound at addresses that go by no trunk (`"sip:anna@192.0.2.7"`); a number goes as its trunk says. `"off"`, `"optional"`, `"required"`: as `trunk.NAME.srtp`. Default `"off"`.
        srtp,
        /// Suites offered there, best first, as `trunk.NAME.srtp_suites`. Default `"AES_CM_128_HMAC_SHA1_80"`.
        srtp_suites,
    }
}

/// Whether sound is encrypted, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srtp {
    /// Whether. Default off.
    pub mode: sdp::Srtp,
    /// Suites offered, best first, none twice, never empty. Default AES_CM_128_HMAC_SHA1_80.
    pub suites: Vec<Suite>,
}

impl Default for Srtp {
    fn default() -> Srtp {
        Srtp { mode: sdp::Srtp::Off, suites: Policy::default().suites }
    }
}

impl Srtp {
    /// The policy with this in it.
    pub fn applied(&self, policy: Policy) -> Policy {
        Policy { srtp: self.mode, suites: self.suites.clone(), ..policy }
    }

    /// `SRTP required: AES_CM_128_HMAC_SHA1_80`; `None` if it is off.
    pub fn in_words(&self) -> Option<String> {
        let mode = match self.mode {
            sdp::Srtp::Off => return None,
            sdp::Srtp::Optional => "optional",
            sdp::Srtp::Required => "required",
        };
        let suites = self.suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(", ");
        Some(format!("SRTP {mode}: {suites}"))
    }

    pub(super) fn resolve(mode: &Field<'_>, suites: &Field<'_>, report: &mut Report) -> Srtp {
        let modes =
            [("off", sdp::Srtp::Off), ("optional", sdp::Srtp::Optional), ("required", sdp::Srtp::Required)];
        let mode = mode.choice(&modes, report);
        if let (sdp::Srtp::Off, Some(item)) = (mode, &suites.item) {
            let cure = "says nothing while srtp is \"off\"; write srtp = \"optional\" or \"required\"";
            item.warning(report, cure);
        }
        Srtp { mode, suites: named(suites, report).unwrap_or(Srtp::default().suites) }
    }
}

fn named(field: &Field<'_>, report: &mut Report) -> Option<Vec<Suite>> {
    let item = field.item.as_ref()?;
    let mut suites = Vec::new();
    for item in item.list() {
        let Some(name) = item.text("\"AES_CM_128_HMAC_SHA1_80\"", report) else { continue };
        match Suite::by_name(name) {
            Some(suite) if suites.contains(&suite) => {
                item.error(report, format!("\"{name}\" stands in the list already; take one out"));
            }
            Some(suite) => suites.push(suite),
            None => {
                let known = Suite::ALL.map(|suite| format!("\"{suite}\"")).join(", ");
                item.error(report, format!("\"{name}\" is no suite; write one of {known}"));
            }
        }
    }
    if item.list().is_empty() {
        item.error(
            report,
            "offers nothing; name a suite, such as \"AES_CM_128_HMAC_SHA1_80\", or take the key out",
        );
    }
    Some(suites).filter(|suites| !suites.is_empty())
}
