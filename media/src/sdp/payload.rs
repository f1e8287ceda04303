//! What the payload numbers of one medium mean to us.

use super::description::{Encoding, Format, Media};
use crate::Codec;

/// Every format of the medium that is a codec of ours, in its order, with its number.
pub(super) fn codecs(media: &Media) -> impl Iterator<Item = (Codec, u8)> + '_ {
    media.formats.iter().filter_map(|format| Some((codec(format)?, format.payload_type()?)))
}

/// The number of RFC 4733 events at the clock of the codec; events of other clocks belong to other codecs (§7.1.1).
pub(super) fn events(media: &Media, clock_rate: u32) -> Option<u8> {
    let is_event = |encoding: &Encoding| {
        encoding.clock_rate == clock_rate && encoding.name.eq_ignore_ascii_case("telephone-event")
    };
    let format = media.formats.iter().find(|format| format.encoding.as_ref().is_some_and(is_event))?;
    format.payload_type()
}

/// A mapping wins over the static meaning of a number (RFC 3551 §6 fixes numbers only where none is given).
fn codec(format: &Format) -> Option<Codec> {
    match &format.encoding {
        Some(encoding) if encoding.channels == 1 => Codec::by_name(&encoding.name, encoding.clock_rate),
        Some(_) => None,
        None => Codec::by_static_payload_type(format.payload_type()?),
    }
}

/// The formats as a reader of a log wants them: names where known.
pub(super) fn names(media: &Media) -> String {
    let name = |format: &Format| match (&format.encoding, codec(format)) {
        (Some(encoding), _) => encoding.name.clone(),
        (None, Some(codec)) => codec.name().to_owned(),
        (None, None) => format.name.clone(),
    };
    media.formats.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// The payload numbers we receive with. A number keeps its meaning as long as the session lasts (RFC 3264 §8.3.2).
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    codecs: Vec<(Codec, u8)>,
    event: Option<u8>,
}

/// Formats of an offer or answer of ours, with what their numbers mean.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) codecs: Vec<(Codec, u8)>,
    pub(super) event: Option<u8>,
}

impl Numbers {
    /// The far end chose numbers; ours are the same from now on (RFC 3264 §5.1 asks for it).
    pub(super) fn learn(&mut self, codec: Codec, number: u8, event: Option<u8>) {
        self.codecs.retain(|&(known, _)| known != codec);
        self.codecs.push((codec, number));
        self.event = event.or(self.event);
    }

    /// One number each, none twice: Teams, for one, answers 488 to a number that is listed twice.
    pub(super) fn give(&self, codecs: &[Codec], event: bool) -> Numbered {
        let mut numbered = Numbered { codecs: Vec::with_capacity(codecs.len()), event: None };
        for &codec in codecs {
            let known = self.codecs.iter().find(|&&(known, _)| known == codec).map(|&(_, number)| number);
            let number = numbered.free([known, codec.static_payload_type()]);
            numbered.codecs.push((codec, number));
        }
        if event {
            numbered.event = Some(numbered.free([self.event, Some(101)]));
        }
        numbered
    }
}

impl Numbered {
    /// The first of the wishes, then of the dynamic numbers, that nothing has yet.
    fn free(&self, wishes: [Option<u8>; 2]) -> u8 {
        let taken = |number: &u8| self.codecs.iter().any(|(_, used)| used == number);
        wishes.into_iter().flatten().chain(96..=127).find(|number| !taken(number)).unwrap_or(127)
    }

    /// What the number means, as lines.
    pub(super) fn formats(&self) -> Vec<Format> {
        let mut formats: Vec<Format> =
            self.codecs.iter().map(|&(codec, number)| mapped(number, codec)).collect();
        if let Some(number) = self.event {
            let clock_rate = self.codecs.first().map_or(8_000, |(codec, _)| codec.clock_rate());
            formats.push(Format {
                name: number.to_string(),
                encoding: Some(Encoding { name: "telephone-event".into(), clock_rate, channels: 1 }),
                parameters: Some("0-15".into()),
            });
        }
        formats
    }
}

fn mapped(number: u8, codec: Codec) -> Format {
    let encoding = Encoding { name: codec.name().into(), clock_rate: codec.clock_rate(), channels: 1 };
    Format { name: number.to_string(), encoding: Some(encoding), parameters: None }
}
