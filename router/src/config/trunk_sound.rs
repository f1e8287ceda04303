//! What a trunk's far end is asked to report about sound.

use super::problem::Report;
use super::raw::section;

section! {
    /// What is asked and done about the sound of a trunk's calls.
    TrunkSoundToml "[trunk.NAME]" {
        /// Ask the far end for extended reports (RTCP XR, RFC 3611): how our sound reaches it, as it hears it, in call records and `fernamt explain`. What a far end asks for itself it gets in any case. Default false: some far ends stumble over attributes they do not know.
        rtcp_xr,
    }
}

/// What is asked and done about the sound of a trunk's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrunkSound {
    /// The far end is asked for extended reports. Default false.
    pub rtcp_xr: bool,
}

impl TrunkSound {
    pub(super) fn resolve(raw: &TrunkSoundToml<'_>, report: &mut Report) -> TrunkSound {
        TrunkSound { rtcp_xr: raw.rtcp_xr.boolean(false, report) }
    }
}
