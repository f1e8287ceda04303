//! Recordings in memory: what the thread that writes files does, on paper.

use std::collections::BTreeMap;

use media::{Note, Recorded, RecordingEnd};

#[derive(Default)]
pub(super) struct Recordings {
    under_way: BTreeMap<String, Kept>,
    kept: BTreeMap<String, Kept>,
}

#[derive(Default)]
struct Kept {
    samples: Vec<i16>,
    notes: Vec<Note>,
}

impl Recordings {
    /// Takes in a piece; they come in order and without a gap.
    pub(super) fn take(&mut self, piece: &Recorded) {
        let name = &piece.title.name;
        let file = format!("{name}.wav");
        let kept = self.under_way.entry(file.clone()).or_default();
        let channels = u64::from(piece.title.sides.channels());
        assert_eq!(kept.samples.len() as u64, piece.at * channels, "{name}: pieces follow each other");
        kept.samples.extend_from_slice(&piece.samples);
        kept.notes.extend(piece.notes.iter().cloned());
        let Some(end) = piece.end else { return };
        let kept = self.under_way.remove(&file).expect("it has just been found");
        if end == RecordingEnd::Keep {
            assert!(self.kept.insert(file, kept).is_none(), "{name}: a name is used once");
        }
    }

    pub(super) fn kept(&self, file: &str) -> Option<&[i16]> {
        self.kept.get(file).map(|kept| kept.samples.as_slice())
    }

    pub(super) fn notes(&self, file: &str) -> &[Note] {
        self.kept.get(file).map_or(&[], |kept| kept.notes.as_slice())
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
