//! What the payload numbers of one medium mean to us.

use super::description::{Encoding, Format, Media};
use crate::Codec;
use crate::codec::OpusParameters;

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
        Some(encoding) => Codec::by_name(&encoding.name, encoding.clock_rate)
            .filter(|codec| [1, u32::from(codec.channels())].contains(&u32::from(encoding.channels))),
        None => Codec::by_static_payload_type(format.payload_type()?),
    }
}

/// What the far end would like of Opus, if that is the codec (RFC 7587 §6.1).
pub(super) fn opus(media: &Media, codec: Codec, number: u8) -> OpusParameters {
    if codec != Codec::Opus {
        return OpusParameters::default();
    }
    let format = media.formats.iter().find(|format| format.payload_type() == Some(number));
    let parameters = format.and_then(|format| format.parameters.as_deref()).unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let default = OpusParameters::default();
    OpusParameters {
        fec: value("useinbandfec") == Some("1"),
        dtx: value("usedtx") == Some("1"),
        kbit: value("maxaveragebitrate")
            .and_then(|bits| bits.parse().ok())
            .map_or(default.kbit, |bits: u32| (bits / 1_000).clamp(6, default.kbit.into()) as u8),
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
    events: Vec<(u32, u8)>,
}

/// Formats of an offer or answer of ours, with what their numbers mean.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) codecs: Vec<(Codec, u8)>,
    /// Telephone-events, one number for each clock rate of the codecs (RFC 4733 §2.1).
    pub(super) events: Vec<(u32, u8)>,
}

impl Numbers {
    /// The far end chose numbers; ours are the same from now on (RFC 3264 §5.1 asks for it).
    pub(super) fn learn(&mut self, codec: Codec, number: u8, event: Option<u8>) {
        self.codecs.retain(|&(known, _)| known != codec);
        self.codecs.push((codec, number));
        if let Some(event) = event {
            self.events.retain(|&(clock_rate, _)| clock_rate != codec.clock_rate());
            self.events.push((codec.clock_rate(), event));
        }
    }

    /// One number each, none twice: Teams, for one, answers 488 to a number that is listed twice.
    pub(super) fn give(&self, codecs: &[Codec], events: bool) -> Numbered {
        let mut numbered = Numbered { codecs: Vec::with_capacity(codecs.len()), events: Vec::new() };
        for &codec in codecs {
            let known = self.codecs.iter().find(|&&(known, _)| known == codec).map(|&(_, number)| number);
            let number = numbered.free([known, codec.static_payload_type()]);
            numbered.codecs.push((codec, number));
        }
        for codec in codecs.iter().filter(|_| events) {
            let clock_rate = codec.clock_rate();
            if numbered.event(clock_rate).is_none() {
                let known =
                    self.events.iter().find(|&&(known, _)| known == clock_rate).map(|&(_, number)| number);
                let number = numbered.free([known, Some(101)]);
                numbered.events.push((clock_rate, number));
            }
        }
        numbered
    }
}

impl Numbered {
    /// The number of telephone-events at a clock rate.
    pub(super) fn event(&self, clock_rate: u32) -> Option<u8> {
        self.events.iter().find(|&&(known, _)| known == clock_rate).map(|&(_, number)| number)
    }

    /// The first of the wishes, then of the dynamic numbers, that nothing has yet.
    fn free(&self, wishes: [Option<u8>; 2]) -> u8 {
        let codecs = self.codecs.iter().map(|&(_, number)| number);
        let taken: Vec<u8> = codecs.chain(self.events.iter().map(|&(_, number)| number)).collect();
        wishes.into_iter().flatten().chain(96..=127).find(|number| !taken.contains(number)).unwrap_or(127)
    }

    /// What the number means, as lines.
    pub(super) fn formats(&self) -> Vec<Format> {
        let codecs = self.codecs.iter().map(|&(codec, number)| mapped(number, codec));
        codecs.chain(self.events.iter().map(|&(clock_rate, number)| event(number, clock_rate))).collect()
    }
}

fn mapped(number: u8, codec: Codec) -> Format {
    let encoding =
        Encoding { name: codec.name().into(), clock_rate: codec.clock_rate(), channels: codec.channels() };
    let parameters = (codec == Codec::Opus).then(|| "useinbandfec=1".to_owned());
    Format { name: number.to_string(), encoding: Some(encoding), parameters }
}

fn event(number: u8, clock_rate: u32) -> Format {
    let encoding = Encoding { name: "telephone-event".into(), clock_rate, channels: 1 };
    Format { name: number.to_string(), encoding: Some(encoding), parameters: Some("0-15".into()) }
}
