//! `{ voicemail = { … } }` as written.

use std::time::Duration;

use toml::de::DeValue;

use super::flow::Step;
use super::raw::{Item, section};
use super::read::bounds;
use super::scope::Scope;

/// Characters of a mailbox's name: it is part of a file name.
const LONGEST: usize = 64;

section! {
    /// Lets the caller leave a message; answers the call. Greeting, beep, record; the key `#` before the beep skips the greeting, after it the key, silence, `max` or hanging up ends the message. Then the next step follows. A message under a second is thrown away. Short: `{ voicemail = "support" }`.
    VoicemailStepToml "{ voicemail = { … } }" {
        /// For whom the message is: a name in facts and file names. Letters, digits, `-` and `_`, at most 64. Required.
        mailbox,
        /// Prompt played before the beep: a sound file. Default: none.
        greeting,
        /// Longest message. `"1s"` to `"30m"`, default `"2m"`.
        max,
        /// So long a silence ends the message. `"1s"` to `"1m"`, default `"5s"`; `"0s"`: silence does not end it.
        silence,
    }
}

pub(super) fn voicemail(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Step> {
    let DeValue::Table(table) = item.value.get_ref() else {
        let max = Duration::from_secs(120);
        let silence = Some(Duration::from_secs(5));
        return Some(Step::Voicemail { mailbox: mailbox(item, scope)?, greeting: None, max, silence });
    };
    let raw = VoicemailStepToml::read(table, &item.key, item.value.span(), scope.report);
    let max = raw.max.duration(bounds("1s", "30m", "2m"), scope.report);
    let silence = raw.silence.duration(bounds("0s", "1m", "5s"), scope.report);
    if let Some(item) = &raw.silence.item
        && !silence.is_zero()
        && silence < Duration::from_secs(1)
    {
        let shown = item.written(scope.report);
        let text = format!(
            "{shown} is shorter than a pause for breath; write \"1s\" to \"1m\", or \"0s\" for never"
        );
        item.error(scope.report, text);
    }
    let greeting = match &raw.greeting.item {
        Some(item) => Some(scope.prompt(item)?),
        None => None,
    };
    let name = raw.mailbox.required("mailbox = \"support\"", scope.report)?.clone();
    let silence = Some(silence).filter(|silence| !silence.is_zero());
    Some(Step::Voicemail { mailbox: mailbox(&name, scope)?, greeting, max, silence })
}

fn mailbox(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<String> {
    label(item, "a mailbox", scope)
}

/// A name that a step gives to something of its own: letters, digits, `-` and `_`, at most [`LONGEST`].
pub(super) fn label(item: &Item<'_>, what: &str, scope: &mut Scope<'_, '_>) -> Option<String> {
    let name = item.text("\"support\"", scope.report)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fits) {
        let text =
            format!("{name:?} is no name for {what}; write letters, digits, - and _, at most {LONGEST}");
        item.error(scope.report, text);
        return None;
    }
    Some(name.to_owned())
}
