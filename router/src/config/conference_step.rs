//! `{ conference = { … } }` as written.

use toml::de::DeValue;

use super::flow::Step;
use super::raw::{Item, section};
use super::scope::Scope;
use super::voicemail_step::label;

section! {
    /// The caller talks with everybody who has come to a conference step of the same name, until he hangs up; answers the call. At most 32 are in one conference: for one more the next step follows. Who puts the conference on hold is not heard by it, neither is his music. Short: `{ conference = "standup" }`.
    ConferenceToml "{ conference = { … } }" {
        /// The conference's name. Letters, digits, `-` and `_`, at most 64. Required.
        name,
    }
}

pub(super) fn conference(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let name = match item.value.get_ref() {
        DeValue::Table(table) => {
            let raw = ConferenceToml::read(table, &item.key, item.value.span(), scope.report);
            raw.name.required("name = \"standup\"", scope.report)?.clone()
        }
        _ => item.clone(),
    };
    Some(Step::Conference { name: label(&name, "a conference", scope)? })
}
