//! Recordings in memory: what the thread that writes files does, on paper.

use std::collections::BTreeMap;

use media::{Recorded, RecordingEnd};

#[derive(Default)]
pub(super) struct Recordings {
    under_way: BTreeMap<String, Vec<i16>>,
    kept: BTreeMap<String, Vec<i16>>,
}

impl Recordings {
    /// Takes in a piece; they come in order and without a gap.
    pub(super) fn take(&mut self, piece: &Recorded) {
        let sound = self.under_way.entry(format!("{}.wav", piece.title.name)).or_default();
        assert_eq!(sound.len() as u64, piece.at * u64::from(piece.title.sides.channels()), "{}: pieces follow each other", piece.title.name);
        sound.extend_from_slice(&piece.samples);
        let Some(end) = piece.end else { return };
        let (file, sound) =
            self.under_way.remove_entry(&format!("{}.wav", piece.title.name)).expect("it has just been found");
        if end == RecordingEnd::Keep {
            assert!(self.kept.insert(file, sound).is_none(), "{}: a name is used once", piece.title.name);
        }
    }

    pub(super) fn kept(&self, file: &str) -> Option<&[i16]> {
        self.kept.get(file).map(Vec::as_slice)
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
