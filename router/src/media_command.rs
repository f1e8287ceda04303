//! The ways in which a caller is played something.

/// Commands that play a prompt.
pub(crate) mod play {
    use std::sync::Arc;

    use media::{Command, Gain, MediaLegKey, PlayFrom, Playlist, prompt::Prompt};

    /// From its beginning to its end.
    pub(crate) fn once(leg: MediaLegKey, play: u32, prompt: Arc<Prompt>) -> Command {
        Command::Play { leg, play, prompt: prompt.into(), repeat: false, from: PlayFrom::Start }
    }

    /// Pieces one after another, to the end of the last.
    pub(crate) fn list(leg: MediaLegKey, play: u32, prompt: Playlist) -> Command {
        Command::Play { leg, play, prompt, repeat: false, from: PlayFrom::Start }
    }

    /// The same over music, which is heard softer meanwhile, or not at all.
    pub(crate) fn over(leg: MediaLegKey, play: u32, prompt: Playlist, under: Gain) -> Command {
        Command::PlayOver { leg, play, prompt, under }
    }

    /// From its beginning, over and over.
    pub(crate) fn repeat(leg: MediaLegKey, play: u32, prompt: Arc<Prompt>) -> Command {
        Command::Play { leg, play, prompt: prompt.into(), repeat: true, from: PlayFrom::Start }
    }

    /// Music, over and over.
    pub(crate) fn music(leg: MediaLegKey, play: u32, (prompt, from): (Playlist, PlayFrom)) -> Command {
        Command::Play { leg, play, prompt, repeat: true, from }
    }
}
