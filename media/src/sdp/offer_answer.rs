//! Offer and answer (RFC 3264): one leg's side of it.
//!
//! Every answer is made from the offer at hand and our policy, never from an older exchange; what is carried over is
//! only what the RFC says must stay: session id, version, order of the media, meaning of payload numbers.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::association::{self, Association, Theirs};
use super::crypto::Line;
use super::description::{
    Attribute, Connection, Crypto, Description, Direction, Media, MediaKind, Origin, Rtcp,
};
use super::far_end::{FarEnd, RTCP_XR};
use super::payload::{self, Numbered, Numbers};
use super::security::{self, Confidential, OurLine, Security};
use super::{Dtls, IceCredentials, NegotiationError, Policy, Srtp, Stream, Tones};
use crate::Codec;
use crate::codec::OpusParameters;
use crate::path::Identity;
use crate::rtp::xr::Wanted;

/// One leg's offer/answer state: what was agreed, and whether an offer of ours waits for its answer.
#[derive(Debug, Clone)]
pub struct Negotiation {
    policy: Policy,
    local: SocketAddr,
    /// `o=` names the session, so its address stays when `local` moves (RFC 8866 §5.2).
    origin: IpAddr,
    session_id: u64,
    version: u64,
    /// The last description we sent; a different one gets the next version.
    sent: Option<Confidential>,
    /// What we would like, before the far end has its say.
    wanted: Direction,
    numbers: Numbers,
    security: Security,
    association: Association,
    /// The media of this session as we last described them; their number and order stay (RFC 3264 §8).
    media: Vec<Media>,
    /// Which of them is the audio, and what its numbers mean.
    audio: usize,
    described: Option<Numbered>,
    offered: Option<Offered>,
    agreed: Option<Stream>,
    /// What the other leg of the bridge speaks.
    partner: Option<Codec>,
}

/// An offer of ours. It stays after its answer until the next exchange: each fork may answer it (RFC 3261 §13.2.2.4).
#[derive(Debug, Clone)]
struct Offered {
    numbered: Numbered,
    lines: Vec<OurLine>,
    audio: Media,
    wanted_before: Direction,
    answered: bool,
}

/// The medium of an offer that we take, and how.
struct Choice {
    index: usize,
    codec: Codec,
    number: u8,
    event: Option<u8>,
    opus: OpusParameters,
    mux: bool,
    far_end: FarEnd,
    crypto: Option<Line>,
    dtls: Option<Theirs>,
}

impl Negotiation {
    /// A leg that has agreed on nothing yet.
    ///
    /// `local` is the address the far end shall send RTP to. `session_id` goes into `o=` and should be unique for this
    /// host (random or a time); its top bit is ignored (RFC 3264 §5). `secret` is random, for this leg only, and known to
    /// nobody: our SRTP keys follow from it.
    #[must_use]
    pub fn new(policy: Policy, local: SocketAddr, session_id: u64, secret: [u8; 32]) -> Self {
        Negotiation {
            policy,
            local,
            origin: local.ip(),
            session_id: session_id & (u64::MAX >> 1),
            version: 1,
            sent: None,
            wanted: Direction::SendRecv,
            numbers: Numbers::default(),
            security: Security::new(secret),
            association: Association::default(),
            media: Vec::new(),
            audio: 0,
            described: None,
            offered: None,
            agreed: None,
            partner: None,
        }
    }

    /// What was agreed last. A failed exchange leaves it as it was.
    #[must_use]
    pub fn stream(&self) -> Option<&Stream> {
        self.agreed.as_ref()
    }

    /// The last offer or answer we made, to be repeated where the same description has to go out again.
    #[must_use]
    pub fn last_description(&self) -> Option<&Bytes> {
        self.sent.as_ref().map(|sent| &sent.0)
    }

    /// What this leg may agree to.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes the address the far end shall send to, from the next description on.
    pub fn set_local(&mut self, local: SocketAddr) {
        self.local = local;
    }

    /// What the other leg speaks, from the next exchange on: it is put first, so that nothing has to be converted, and
    /// codecs that cannot be converted to it are not agreed to. A codec the policy does not allow is not added.
    pub fn prefer(&mut self, codec: Option<Codec>) {
        self.partner = codec;
        self.policy.codecs.sort_by_key(|&known| Some(known) != codec);
    }

    /// Whether the other leg could hear a codec.
    fn is_of_use(&self, codec: Codec) -> bool {
        self.partner.is_none_or(|partner| codec.goes_with(partner))
    }

    /// Whether an offer of ours waits for its answer.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        self.offered.as_ref().is_some_and(|offered| !offered.answered)
    }

    /// Looks at an offer without answering it: the codecs in common, in the far end's order.
    ///
    /// # Errors
    /// What [`answer`](Self::answer) would say.
    pub fn examine(&self, offer: &[u8]) -> Result<Vec<Codec>, NegotiationError> {
        let offer = self.read_offer(offer)?;
        let choice = self.choose(&offer)?;
        let common = payload::codecs(&offer.media[choice.index]).map(|(codec, _)| codec);
        Ok(common.filter(|codec| self.policy.codecs.contains(codec)).collect())
    }

    /// Answers an offer (RFC 3264 §6): the answer to send and what is agreed by it.
    ///
    /// Of all media one audio is taken, the one agreed before if it can be, else the first with keys where SRTP is not
    /// off, else the first; the others are refused with port 0. Of its codecs the one our policy likes best is answered,
    /// alone. `sendonly` is answered with `recvonly`, `inactive` with `inactive`, and `0.0.0.0` is read as "does not
    /// receive".
    ///
    /// # Errors
    /// `Unreadable`, or why no medium can be taken; `Glare` while an offer of ours is unanswered. Nothing changes then.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, Stream), NegotiationError> {
        let offer = self.read_offer(offer)?;
        let choice = self.choose(&offer)?;
        self.numbers.learn(choice.codec, choice.number, choice.event);
        let events = choice.event.map(|event| (choice.codec.clock_rate(), event));
        let numbered =
            Numbered { codecs: vec![(choice.codec, choice.number)], events: events.into_iter().collect() };
        let direction = choice.far_end.direction.reversed().and(self.wanted);
        let protocol = &offer.media[choice.index].protocol;
        let keys = self.security.answer(choice.crypto.clone());
        let dtls = self.associate(choice.dtls.clone(), Association::answer);
        let crypto = self.security.written();
        let audio = self.describe(protocol, &numbered, direction, choice.mux, crypto, false);
        self.media = offer.media.iter().map(Media::refused).collect();
        self.media[choice.index] = audio;
        self.audio = choice.index;
        self.described = Some(numbered);
        self.offered = None;
        let mut stream =
            self.stream_of(&choice, choice.number, direction, !choice.far_end.direction.receives());
        (stream.keys, stream.dtls) = (keys.map(Box::new), dtls.map(Box::new));
        self.agreed = Some(stream.clone());
        Ok((self.publish(), stream))
    }

    /// Offers (RFC 3264 §5, §8): what our policy allows while nothing is agreed, later what we described last, unchanged
    /// and with the same version, as a session refresh must (RFC 4028 §7.4). The first one after an offer of several SRTP
    /// suites has only the key of the one that was taken, so it is another description and has the next version.
    pub fn offer(&mut self) -> Bytes {
        match (&self.described, self.media.get(self.audio)) {
            (Some(numbered), Some(audio)) => {
                let (numbered, mux) = (numbered.clone(), audio.rtcp_mux);
                self.offer_numbered(numbered, audio.direction.unwrap_or_default(), self.wanted, mux)
            }
            _ => self.offer_like(self.wanted, &[]),
        }
    }

    /// Offers with a direction of our choice: `SendRecv`, or a hold (`SendOnly` with music, `Inactive`; Teams knows
    /// only `Inactive`), which lasts until the next `offer_like`.
    ///
    /// `codecs` are listed in their order as far as the policy allows; none means all of the policy. For an offer in a
    /// 200 to a re-INVITE without one use `SendRecv` and none: the far end may want to end a hold (RFC 3261 §14.2).
    pub fn offer_like(&mut self, wanted: Direction, codecs: &[Codec]) -> Bytes {
        let mut allowed: Vec<Codec> =
            codecs.iter().copied().filter(|codec| self.policy.codecs.contains(codec)).collect();
        if allowed.is_empty() {
            allowed.clone_from(&self.policy.codecs);
        }
        if allowed.iter().any(|codec| self.is_of_use(*codec)) {
            allowed.retain(|codec| self.is_of_use(*codec));
        }
        let numbered = self.numbers.give(&allowed, self.policy.telephone_event);
        let by_policy = self.policy.dtls.is_some();
        let mux = self.agreed.as_ref().map_or(by_policy, |agreed| agreed.rtcp_mux);
        self.offer_numbered(numbered, wanted, wanted, mux)
    }

    /// Takes the answer to our offer (RFC 3264 §7). A second answer to the same offer, as forks and a 200 after a 183
    /// bring, replaces the first.
    ///
    /// # Errors
    /// `Unreadable`, `Unasked`, `Mismatch`, `Refused`, or why the audio cannot be used. What was agreed before stays,
    /// and so does the offer: another fork may do better. [`withdraw`](Self::withdraw) ends it.
    pub fn accept(&mut self, answer: &[u8]) -> Result<Stream, NegotiationError> {
        let offered = self.offered.as_ref().ok_or(NegotiationError::Unasked)?;
        let answer = Description::parse(answer)?;
        let choice = self.read_answer(offered, &answer)?;
        let ours = offered.audio.direction.unwrap_or_default();
        let direction = choice.far_end.direction.reversed().and(ours);
        let holds = ours.sends() && !choice.far_end.direction.receives();
        let receive = offered.numbered.codecs.iter().find(|(codec, _)| *codec == choice.codec);
        let receive = receive.map_or(choice.number, |&(_, number)| number);
        let event = offered.numbered.event(choice.codec.clock_rate());
        let mut stream = self.stream_of(&choice, receive, direction, holds);
        stream.receive_event = stream.send_event.and(event);
        stream.keys = self.security.accept(&offered.lines, choice.crypto).map(Box::new);
        stream.dtls = self.associate(choice.dtls, Association::accept).map(Box::new);
        self.numbers.learn(choice.codec, receive, event);
        self.settle();
        self.agreed = Some(stream.clone());
        Ok(stream)
    }

    /// Our offer came to nothing (any final response but 2xx): what was agreed before holds, also its direction.
    pub fn withdraw(&mut self) {
        if let Some(offered) = self.offered.take().filter(|offered| !offered.answered) {
            self.wanted = offered.wanted_before;
        }
    }

    fn read_offer(&self, offer: &[u8]) -> Result<Description, NegotiationError> {
        if self.awaits_answer() {
            return Err(NegotiationError::Glare);
        }
        Ok(Description::parse(offer)?)
    }

    /// The first medium that can be taken; the error is that of the first audio that could not.
    fn choose(&self, offer: &Description) -> Result<Choice, NegotiationError> {
        let before = self.agreed.as_ref().map(|_| self.audio).filter(|&index| index < offer.media.len());
        let mut order: Vec<usize> = (0..offer.media.len()).collect();
        // Of two ways to say the same, the encrypted one, if we may.
        let secure = self.policy.srtp != Srtp::Off;
        order.sort_by_key(|&index| (Some(index) != before, secure && offer.media[index].crypto.is_empty()));
        let mut first_error = None;
        for index in order {
            let media = &offer.media[index];
            if media.kind != MediaKind::Audio || media.port == 0 {
                continue;
            }
            match self.consider(offer, index) {
                Ok(choice) => return Ok(choice),
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        Err(first_error.unwrap_or_else(|| NegotiationError::no_audio(offer)))
    }

    fn consider(&self, offer: &Description, index: usize) -> Result<Choice, NegotiationError> {
        let media = &offer.media[index];
        let dtls = Theirs::read(&self.policy, offer, media)?;
        let crypto = if dtls.is_some() { None } else { security::of_offer(&self.policy, media)? };
        let mut in_our_order = self.policy.codecs.iter().filter(|codec| self.is_of_use(**codec));
        let (codec, number) = in_our_order
            .find_map(|ours| payload::codecs(media).find(|(theirs, _)| theirs == ours))
            .ok_or_else(|| self.no_common_codec(media))?;
        let event = self.policy.telephone_event.then(|| payload::events(media, codec.clock_rate())).flatten();
        let opus = payload::opus(media, codec, number);
        let mux = (self.policy.rtcp_mux || dtls.is_some()) && media.rtcp_mux;
        let far_end = self.far_end(offer, media, mux, dtls.is_some())?;
        Ok(Choice { index, codec, number, event, opus, mux, far_end, crypto, dtls })
    }

    fn no_common_codec(&self, media: &Media) -> NegotiationError {
        NegotiationError::NoCommonCodec { theirs: payload::names(media), ours: self.policy.codecs.clone() }
    }

    /// Checks an answer against the offer: one medium for each, in order, and of our codecs only (RFC 3264 §6).
    fn read_answer(&self, offered: &Offered, answer: &Description) -> Result<Choice, NegotiationError> {
        let count = self.media.len().max(self.audio + 1);
        if answer.media.len() != count {
            let text = format!("{} m= lines for {count} offered", answer.media.len());
            return Err(NegotiationError::Mismatch(text));
        }
        let kind =
            |index: usize| if index == self.audio { &MediaKind::Audio } else { &self.media[index].kind };
        let pairs = answer.media.iter().enumerate().map(|(index, theirs)| (&theirs.kind, kind(index)));
        if let Some((theirs, ours)) = pairs.into_iter().find(|(theirs, ours)| theirs != ours) {
            let text = format!("m={} where m={} was offered", theirs.name(), ours.name());
            return Err(NegotiationError::Mismatch(text));
        }
        let media = &answer.media[self.audio];
        if media.port == 0 {
            return Err(NegotiationError::Refused);
        }
        let is_dtls = association::is_dtls(&offered.audio.protocol);
        if is_dtls && !association::is_dtls(&media.protocol) {
            let text = format!("{} where {} was offered", media.protocol, offered.audio.protocol);
            return Err(NegotiationError::Mismatch(text));
        }
        let dtls = if is_dtls { Theirs::read(&self.policy, answer, media)? } else { None };
        let crypto = match dtls {
            Some(_) => None,
            None => security::of_answer(&self.policy, &offered.lines, media)?,
        };
        let (codec, number) = payload::codecs(media)
            .find(|(theirs, _)| offered.numbered.codecs.iter().any(|(ours, _)| ours == theirs))
            .ok_or_else(|| self.no_common_codec(media))?;
        let clock_rate = codec.clock_rate();
        let event = offered.numbered.event(clock_rate).and_then(|_| payload::events(media, clock_rate));
        let opus = payload::opus(media, codec, number);
        let mux = offered.audio.rtcp_mux && media.rtcp_mux;
        let far_end = self.far_end(answer, media, mux, dtls.is_some())?;
        Ok(Choice { index: self.audio, codec, number, event, opus, mux, far_end, crypto, dtls })
    }

    fn far_end(
        &self,
        description: &Description,
        media: &Media,
        mux: bool,
        by_ice: bool,
    ) -> Result<FarEnd, NegotiationError> {
        match by_ice {
            true => Ok(FarEnd::by_ice(description, media)),
            false => FarEnd::read(description, media, self.local.ip(), mux),
        }
    }

    /// Agrees on an association, or forgets the one there was. What a far end says of ICE and DTLS was only read because
    /// the policy has a certificate.
    fn associate(
        &mut self,
        theirs: Option<Theirs>,
        agree: impl FnOnce(&mut Association, &Identity, Theirs, &mut dyn FnMut() -> IceCredentials) -> Dtls,
    ) -> Option<Dtls> {
        let Negotiation { policy, association, security, .. } = self;
        match (theirs, &policy.dtls) {
            (Some(theirs), Some(identity)) => {
                Some(agree(association, identity, theirs, &mut || security.draw_credentials()))
            }
            _ => {
                *association = Association::default();
                None
            }
        }
    }

    fn stream_of(&self, choice: &Choice, receive: u8, direction: Direction, remote_holds: bool) -> Stream {
        let far_end = &choice.far_end;
        Stream {
            remote: far_end.rtp,
            remote_rtcp: far_end.rtcp,
            rtcp_mux: choice.mux,
            codec: choice.codec,
            send_payload_type: choice.number,
            receive_payload_type: receive,
            send_event: choice.event,
            receive_event: choice.event,
            tones: if choice.event.is_some() { Tones::Never } else { self.policy.tones },
            direction,
            ptime: far_end.ptime.unwrap_or(self.policy.ptime),
            remote_holds,
            rtcp_wanted: far_end.rtcp_wanted,
            wanted_reports: far_end.wanted_reports,
            keys: None,
            dtls: None,
            opus: choice.opus,
        }
    }

    fn offer_numbered(
        &mut self,
        numbered: Numbered,
        direction: Direction,
        wanted: Direction,
        mux: bool,
    ) -> Bytes {
        let wanted_before = match &self.offered {
            Some(offered) if !offered.answered => offered.wanted_before,
            _ => self.wanted,
        };
        let first = || security::protocol(&self.policy);
        let protocol =
            self.media.get(self.audio).map_or_else(first, |media| media.protocol.as_str()).to_owned();
        let lines = match association::is_dtls(&protocol) {
            true => {
                self.association.offer(|| self.security.draw_credentials());
                Vec::new()
            }
            false => self.security.offer(&self.policy, self.agreed.is_some()),
        };
        let crypto = lines.iter().map(OurLine::written).collect();
        let audio = self.describe(&protocol, &numbered, direction, mux, crypto, true);
        self.wanted = wanted;
        let mut media = self.media.clone();
        place(audio.clone(), self.audio, &mut media);
        self.offered = Some(Offered { numbered, lines, audio, wanted_before, answered: false });
        self.publish_media(media).0
    }

    /// The offer that was answered is the session's description from now on, with the one key that was taken.
    fn settle(&mut self) {
        if let Some(offered) = &mut self.offered {
            offered.answered = true;
            let audio = Media { crypto: self.security.written(), ..offered.audio.clone() };
            self.described = Some(offered.numbered.clone());
            place(audio, self.audio, &mut self.media);
        }
    }

    fn describe(
        &self,
        protocol: &str,
        numbered: &Numbered,
        direction: Direction,
        mux: bool,
        crypto: Vec<Crypto>,
        is_offer: bool,
    ) -> Media {
        let mut media = Media::new(MediaKind::Audio, self.local.port(), protocol, numbered.formats());
        media.direction = Some(direction);
        media.ptime = Some(self.policy.ptime);
        media.rtcp_mux = mux;
        let port = self.local.port().checked_add(1).filter(|_| !mux);
        media.rtcp = port.map(|port| Rtcp { port, address: None });
        media.crypto = crypto;
        if let Some(identity) = self.policy.dtls.as_ref().filter(|_| association::is_dtls(protocol)) {
            media.attributes = self.association.lines(identity, self.local, is_offer);
        }
        if self.policy.rtcp_xr {
            media.attributes.push(Attribute { name: RTCP_XR.into(), value: Some(Wanted::ALL.into()) });
        }
        media
    }

    fn publish(&mut self) -> Bytes {
        let media = std::mem::take(&mut self.media);
        let (bytes, media) = self.publish_media(media);
        self.media = media;
        bytes
    }

    fn session_lines(&self, media: &[Media]) -> Vec<Attribute> {
        let is_dtls = media.get(self.audio).is_some_and(|audio| association::is_dtls(&audio.protocol));
        if is_dtls { self.association.session_lines() } else { Vec::new() }
    }

    /// The same version for the same description, the next for another (RFC 3264 §8). Gives the media back.
    fn publish_media(&mut self, media: Vec<Media>) -> (Bytes, Vec<Media>) {
        let mut description = Description {
            origin: Origin {
                user: "-".into(),
                session_id: self.session_id.to_string(),
                version: self.version.to_string(),
                address: self.origin.to_string(),
            },
            connection: Some(Connection::Ip(self.local.ip())),
            direction: None,
            rtcp_senders: None,
            rtcp_receivers: None,
            attributes: self.session_lines(&media),
            media,
        };
        let mut bytes = description.write();
        if self.sent.as_ref().is_some_and(|sent| sent.0 != bytes) {
            self.version += 1;
            description.origin.version = self.version.to_string();
            bytes = description.write();
        }
        self.sent = Some(Confidential(bytes.clone()));
        (bytes, description.media)
    }
}

/// Puts the audio at its place among the media, the first time behind them.
fn place(audio: Media, index: usize, media: &mut Vec<Media>) {
    match media.get_mut(index) {
        Some(place) => *place = audio,
        None => media.push(audio),
    }
}
