//! Reading and writing of an INVITE, with `rsip` beside it in the same run: look at the ratio.
//!
//! `cargo bench -p bench --bench message`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use sip_core::message::{Builder, Header, Message, Method, respond_to};

/// An INVITE of 20 headers with SDP, as a session border controller sends it.
const INVITE: &str = "\
INVITE sip:+493012345@fernamt.example.net:5060;user=phone SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---0f3eb40b11f97a9c;rport\r
Via: SIP/2.0/TLS carrier.example.com:5061;branch=z9hG4bK3d1f7a9c0b;received=198.51.100.7\r
Max-Forwards: 68\r
Record-Route: <sip:192.0.2.10;lr;transport=udp>\r
From: \"Ada Lovelace\" <sip:+4930555001@carrier.example.com;user=phone>;tag=7c9f2a10-5b3e\r
To: <sip:+493012345@fernamt.example.net;user=phone>\r
Call-ID: 5f0c8d5a-3e9b-4b43-9c1d-7a1f0e2d6b8c@192.0.2.10\r
CSeq: 314159 INVITE\r
Contact: <sip:+4930555001@192.0.2.10:5060;transport=udp>\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, REFER, NOTIFY\r
Supported: timer, 100rel, replaces, histinfo\r
User-Agent: Example SBC 9.40.250.221\r
P-Asserted-Identity: <sip:+4930555001@carrier.example.com;user=phone>\r
Privacy: none\r
Session-Expires: 1800;refresher=uac\r
Min-SE: 90\r
History-Info: <sip:+493012345@carrier.example.com>;index=1\r
X-Carrier-Trunk: trunk-17/route-3\r
Content-Type: application/sdp\r
Content-Length: 278\r
\r
v=0\r
o=- 8123456789 1 IN IP4 192.0.2.10\r
s=session\r
c=IN IP4 192.0.2.10\r
t=0 0\r
m=audio 20000 RTP/AVP 8 0 18 101\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:18 G729/8000\r
a=fmtp:18 annexb=no\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=ptime:20\r
a=sendrecv\r
";

fn parse(c: &mut Criterion) {
    let invite = Bytes::from_static(INVITE.as_bytes());
    let mut group = c.benchmark_group("parse INVITE");
    group.bench_function("index", |b| b.iter(|| Message::parse(black_box(invite.clone())).unwrap()));
    group.bench_function("index, branch, tags, CSeq, Call-ID", |b| {
        b.iter(|| {
            let message = Message::parse(black_box(invite.clone())).unwrap();
            let branch = message.via().unwrap().branch_bytes();
            let tags = (message.from().unwrap().tag_bytes(), message.to().unwrap().tag_bytes());
            (branch, tags, message.cseq().unwrap(), message.call_id().unwrap())
        });
    });
    group.bench_function("index, validated", |b| {
        b.iter(|| Message::parse(black_box(invite.clone())).unwrap().validate_request().unwrap());
    });
    group.bench_function("rsip, untyped", |b| {
        b.iter(|| rsip::SipMessage::try_from(black_box(&invite[..])).unwrap());
    });
    group.bench_function("rsip, typed Via, From, To, CSeq", |b| {
        b.iter(|| {
            use rsip::prelude::{HeadersExt, ToTypedHeader};
            let message = rsip::Request::try_from(black_box(&invite[..])).unwrap();
            let via = message.via_header().unwrap().typed().unwrap();
            let ends = (
                message.from_header().unwrap().typed().unwrap(),
                message.to_header().unwrap().typed().unwrap(),
            );
            (via, ends, message.cseq_header().unwrap().typed().unwrap())
        });
    });
    group.finish();
}

fn write(c: &mut Criterion) {
    let invite = Message::parse(Bytes::from_static(INVITE.as_bytes())).unwrap();
    let theirs = rsip::SipMessage::try_from(INVITE.as_bytes()).unwrap();
    let body = invite.body();
    let source = "192.0.2.10:5060".parse().unwrap();
    let mut group = c.benchmark_group("write INVITE");
    group.bench_function("built from its parts", |b| b.iter(|| outgoing(black_box(&invite), &body)));
    group.bench_function("180 with To tag and received", |b| {
        b.iter(|| {
            let status = sip_core::message::StatusCode::RINGING;
            respond_to(black_box(&invite), source, status, None, Some(b"a1b2c3d4e5f6")).finish()
        });
    });
    group.bench_function("rsip, to bytes", |b| b.iter(|| Vec::<u8>::from(black_box(&theirs).clone())));
    group.bench_function("rsip, the clone in it", |b| b.iter(|| black_box(&theirs).clone()));
    group.finish();
}

/// The same 20 headers: our own ones written, the others copied over.
fn outgoing(invite: &Message, body: &[u8]) -> Bytes {
    let mut builder = Builder::request(&Method::Invite, b"sip:+4930555001@teams.example.com:5061;user=phone");
    builder.header(Header::Via, "SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bKa1b2c3d4e5f60718;rport");
    builder.header(Header::MaxForwards, "67");
    for header in [Header::From, Header::To, Header::CallId, Header::CSeq, Header::RecordRoute, Header::Via] {
        builder.copy(invite, header);
    }
    builder.header(Header::Contact, "<sip:192.0.2.20:5060>");
    for header in
        [Header::Allow, Header::Supported, Header::UserAgent, Header::PAssertedIdentity, Header::Privacy]
    {
        builder.copy(invite, header);
    }
    for header in [Header::SessionExpires, Header::MinSe, Header::HistoryInfo] {
        builder.copy(invite, header);
    }
    builder.copy_named(invite, b"X-Carrier-Trunk");
    builder.body("application/sdp", body).finish()
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
