//! `fernamt check FILE --number NUMBER@TRUNK`: what becomes of a number.

use crate::config::{Config, Goto, Trunk, TrunkId, Whose};

/// What a number is that comes by the trunk, and as what it goes by it; ends with a newline.
///
/// # Errors
/// A sentence with what was asked and the cure, when it is no `NUMBER@TRUNK` or there is no such trunk.
pub(super) fn story(config: &Config, asked: &str) -> Result<String, String> {
    let Some((number, name)) = asked.rsplit_once('@').filter(|(number, _)| !number.is_empty()) else {
        return Err(format!("--number: {asked:?} names no trunk; write it such as 0301234@carrier"));
    };
    let Some((id, trunk)) = config.trunks().find(|(_, trunk)| trunk.name == name) else {
        let known: Vec<&str> = config.trunks().map(|(_, trunk)| trunk.name.as_str()).collect();
        return Err(format!("--number: there is no trunk \"{name}\"; write one of {}", known.join(", ")));
    };
    let mut text = String::new();
    if trunk.brings_calls() {
        text.push_str(&as_called(config, id, trunk, number));
        text.push_str(&as_caller(config, trunk, number));
    }
    if !trunk.send_to.is_empty() {
        let shown = |whose| {
            let number = trunk.numbers.given(whose, number);
            format!("{number}{}", trunk.numbers.mark(&number))
        };
        text.push_str(&format!("{number} called by trunk.{name}: goes as {}\n", shown(Whose::Called)));
        text.push_str(&format!("{number} shown as the caller there: goes as {}\n", shown(Whose::Caller)));
    }
    Ok(text)
}

fn as_called(config: &Config, id: TrunkId, trunk: &Trunk, number: &str) -> String {
    let taken = trunk.numbers.taken(Whose::Called, number);
    let answered = match config.route(id, &taken) {
        Some(route) => format!("{} by {}", config.goto_in_words(Goto::Flow(route.flow)), route.pattern),
        None => "no number of the file matches, refused with 404".to_owned(),
    };
    format!("{number} called by a call of trunk.{}: {taken}, {answered}\n", trunk.name)
}

fn as_caller(config: &Config, trunk: &Trunk, number: &str) -> String {
    if trunk.numbers.means_withheld(number) {
        return format!("{number} as the caller there: withheld\n");
    }
    let taken = trunk.numbers.taken(Whose::Caller, number);
    let group = config.callers(&taken).map(|group| format!(", one of callers.{}", group.name));
    format!("{number} as the caller there: {taken}{}\n", group.unwrap_or_default())
}
