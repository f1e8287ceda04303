//! Music: what somebody hears who waits, one file or many.

use std::sync::Arc;

use toml::de::DeValue;

use super::names::PromptId;
use super::raw::{Item, section};
use super::scope::Scope;

section! {
    /// Music of a queue, of transfers or of a held party. Short: what stands in `play`.
    MusicToml "music = { … }" {
        /// A sound file, a folder, or a list of these. Of a folder all sound files by their names, folders within it apart; what a reload finds there is heard by who comes then. Each file is kept once, however many play it. Required.
        play,
        /// `"listed"`: as they stand there, over and over; `"shuffled"`: each round in another order, no piece twice running. One follows the other without a pause. Default `"listed"`.
        order,
        /// Where the music is for somebody who begins to hear it. `"together"`: where it is for all others; `"beginning"`: at the first piece; `"random"`: anywhere. Default `"together"`.
        start,
    }
}

/// Music, over and over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Music {
    /// In the order of the file; never empty.
    pub pieces: Vec<PromptId>,
    /// Each round in another order. Default false.
    pub shuffled: bool,
    /// Where it begins. Default `Together`.
    pub start: MusicStart,
}

/// Where music is for somebody who begins to hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MusicStart {
    /// Where it is for everybody.
    Together,
    /// At the first piece.
    Beginning,
    /// Anywhere.
    Random,
}

impl Music {
    pub(super) fn resolve(item: &Item<'_>, scope: &mut Scope<'_, '_>) -> Option<Arc<Music>> {
        let (mut shuffled, mut start, mut play) = (false, MusicStart::Together, item.clone());
        if let DeValue::Table(table) = item.value.get_ref() {
            let raw = MusicToml::read(table, &item.key, item.value.span(), scope.report);
            shuffled = raw.order.choice(&[("listed", false), ("shuffled", true)], scope.report);
            let starts = [
                ("together", MusicStart::Together),
                ("beginning", MusicStart::Beginning),
                ("random", MusicStart::Random),
            ];
            start = raw.start.choice(&starts, scope.report);
            play = raw.play.required("play = \"music/\"", scope.report)?.clone();
        }
        let list = play.list();
        if list.is_empty() {
            play.error(scope.report, "nothing would be heard; write a file, a folder or several of them");
        }
        let read: Vec<_> = list.iter().map(|item| scope.prompts.all_of(item, scope.report)).collect();
        let pieces: Vec<PromptId> = read.into_iter().collect::<Option<Vec<_>>>()?.concat();
        (!pieces.is_empty()).then(|| Arc::new(Music { pieces, shuffled, start }))
    }
}
