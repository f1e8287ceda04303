//! RFC 3261 §10.3 by clause, with RFC 3327 (Path) and RFC 5626 (outbound): what a REGISTER changes and what it hears.
#![allow(missing_docs)]

mod config_support;

use std::time::{Duration, Instant};

use config_support::{DESK, HEAD, read_with, surroundings};
use router::{
    config::{AgentId, Names, Registrar as Rules},
    registrar::{Change, Due, Gone, Registrar},
};
use sip_core::{Flow, Message, Reply, Transport};

const ANNA: AgentId = AgentId(0);
const SECOND: Duration = Duration::from_secs(1);

struct Room {
    now: Instant,
    rules: Rules,
    registrar: Registrar,
    flow: Flow,
    cseq: u32,
}

impl Room {
    #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
    fn new() -> Room {
        let text = format!(
            "{HEAD}{DESK}[registrar]\naccept_from = [\"10.7.0.0/16\"]\nmax_expiry = \"1h\"\nmax_contacts = 2\n"
        );
        let config = read_with(&text, &mut Names::new(), &surroundings()).unwrap();
        let udp = Flow::udp("10.0.0.1:5060".parse().unwrap(), "10.7.0.2:40404".parse().unwrap());
        Room {
            now: Instant::now(),
            rules: config.registrar,
            registrar: Registrar::default(),
            flow: udp,
            cseq: 0,
        }
    }

    fn over_tcp(mut self, connection: u32) -> Room {
        self.flow = Flow::stream(Transport::Tcp, self.flow.local, self.flow.remote, connection);
        self
    }

    /// Sends a REGISTER with these headers in the one series of a telephone.
    fn send(&mut self, headers: &str) -> (Reply, Vec<Change>) {
        self.cseq += 1;
        self.send_as("series", self.cseq, headers)
    }

    fn send_as(&mut self, call_id: &str, cseq: u32, headers: &str) -> (Reply, Vec<Change>) {
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let via =
            if headers.contains("Via:") { "" } else { "Via: SIP/2.0/UDP 192.168.1.7;branch=z9hG4bK1\r\n" };
        let text = format!(
            "REGISTER sip:fernamt SIP/2.0\r\n{via}From: <sip:anna@fernamt>;tag=1\r\nTo: <sip:anna@fernamt>\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nUser-Agent: Desk 1.0\r\n{headers}\r\n"
        );
        let request = Message::parse(text.into()).unwrap();
        request.validate_request().unwrap();
        self.registrar.register(self.now, ANNA, &self.rules, self.flow, &request)
    }

    /// The status, and all Contacts of the answer.
    fn ask(&mut self, headers: &str) -> (u16, Vec<String>) {
        let (reply, _) = self.send(headers);
        (reply.status.code(), values(&reply, "Contact"))
    }
}

fn values(reply: &Reply, name: &str) -> Vec<String> {
    let named = reply.headers.iter().filter(|(header, _)| header == name);
    named.map(|(_, value)| String::from_utf8(value.to_vec()).unwrap()).collect()
}

fn gone(changes: &[Change]) -> Vec<(&str, Option<Gone>)> {
    changes.iter().map(|change| (change.contact.as_str(), change.gone)).collect()
}

#[test]
fn step_7_the_expiry_is_that_of_the_contact_then_of_the_request_then_ours_within_our_bounds() {
    for (headers, expires) in [
        ("Contact: <sip:a@x>;expires=120\nExpires: 600", 120),
        ("Contact: <sip:a@x>\nExpires: 700", 700),
        ("Contact: <sip:a@x>", 600),
        ("Contact: <sip:a@x>;expires=99999", 3_600),
        ("Contact: <sip:a@x>;expires=soon\nExpires: later", 600),
    ] {
        assert_eq!(
            Room::new().ask(headers),
            (200, vec![format!("<sip:a@x>;expires={expires}")]),
            "{headers}"
        );
    }
}

#[test]
fn step_7_too_short_a_time_is_answered_with_the_least() {
    let mut room = Room::new();
    let (reply, changes) = room.send("Contact: <sip:a@x>;expires=30");
    assert_eq!((reply.status.code(), values(&reply, "Min-Expires")), (423, vec!["60".to_owned()]));
    assert!(changes.is_empty() && room.registrar.is_empty());
}

#[test]
fn section_10_2_3_without_contact_it_is_a_question() {
    let mut room = Room::new();
    assert_eq!(room.ask(""), (200, vec![]));
    room.send("Contact: <sip:a@x>");
    room.now += 100 * SECOND;
    assert_eq!(room.ask(""), (200, vec!["<sip:a@x>;expires=500".to_owned()]));
}

#[test]
fn section_10_2_2_an_expiry_of_zero_or_a_star_removes() {
    let mut room = Room::new();
    room.send("Contact: <sip:a@x>, <sip:b@x>");
    let (_, changes) = room.send("Contact: <sip:a@x>;expires=0");
    assert_eq!(gone(&changes), [("sip:a@x", Some(Gone::Unregistered))]);
    let (reply, changes) = room.send("Contact: *\nExpires: 0");
    assert_eq!((reply.status.code(), gone(&changes)), (200, vec![("sip:b@x", Some(Gone::Unregistered))]));
    assert_eq!(room.send("Contact: <sip:a@x>;expires=0").1, []);
}

#[test]
fn step_6_a_star_stands_alone_and_with_expires_0() {
    let mut room = Room::new();
    room.send("Contact: <sip:a@x>");
    for bad in ["Contact: *", "Contact: *\nExpires: 60"] {
        assert_eq!(room.ask(bad).0, 400, "{bad}");
    }
    assert_eq!(room.registrar.len(), 1);
}

#[test]
fn step_7_an_older_request_of_the_same_series_changes_nothing_and_nothing_is_done_by_halves() {
    let mut room = Room::new();
    room.send_as("one", 5, "Contact: <sip:a@x>");
    for (cseq, headers) in [
        (5, "Contact: <sip:a@x>;expires=0"),
        (4, "Contact: <sip:b@x>, <sip:a@x>"),
        (3, "Contact: *\nExpires: 0"),
    ] {
        let (reply, changes) = room.send_as("one", cseq, headers);
        assert_eq!((reply.status.code(), changes.len(), room.registrar.len()), (500, 0, 1), "{headers}");
    }
    // Another series is another start of the telephone.
    assert_eq!(room.send_as("two", 1, "Contact: <sip:a@x>").0.status.code(), 200);
    assert_eq!(room.registrar.len(), 1);
}

#[test]
fn a_renewal_is_no_news_and_another_way_is() {
    let mut room = Room::new();
    let (_, changes) = room.send("Contact: <sip:a@x>");
    assert_eq!((gone(&changes), changes[0].device.as_str()), (vec![("sip:a@x", None)], "Desk 1.0"));
    assert_eq!(room.send("Contact: <sip:A@X:5060>").1.len(), 1, "another user is another telephone");
    assert_eq!(room.send("Contact: <sip:a@X>").1, []);
    room.flow.remote.set_port(40_405);
    assert_eq!(gone(&room.send("Contact: <sip:a@x>").1), [("sip:a@x", None)]);
    assert_eq!(room.registrar.of(ANNA).next().unwrap().flow, room.flow);
}

#[test]
fn of_too_many_telephones_the_one_that_would_expire_first_gives_way() {
    let mut room = Room::new();
    room.send("Contact: <sip:a@x>;expires=900, <sip:b@x>;expires=300");
    let (_, changes) = room.send("Contact: <sip:c@x>");
    assert_eq!(gone(&changes), [("sip:b@x", Some(Gone::Displaced)), ("sip:c@x", None)]);
}

#[test]
fn rfc_5626_section_6_the_same_instance_and_number_replace_whatever_the_uri_is() {
    let mut room = Room::new();
    let contact = |uri: &str, number: u32| {
        format!("Supported: outbound, path\nContact: <{uri}>;+sip.instance=\"<urn:uuid:1>\";reg-id={number}")
    };
    let (reply, _) = room.send(&contact("sip:a@192.168.1.7:1", 1));
    assert_eq!(values(&reply, "Require"), ["outbound"]);
    room.send(&contact("sip:a@192.168.1.7:2", 1));
    let (_, told) = room.ask(&contact("sip:a@192.168.1.7:3", 2));
    let uris: Vec<_> = told.iter().map(|contact| contact.split(';').next().unwrap()).collect();
    assert_eq!(uris, ["<sip:a@192.168.1.7:2>", "<sip:a@192.168.1.7:3>"]);
    assert!(told[0].contains(";+sip.instance=\"<urn:uuid:1>\";reg-id=1;"), "{}", told[0]);
}

#[test]
fn rfc_5626_section_6_behind_a_proxy_that_does_not_keep_the_way_open_it_is_refused() {
    let behind = |path: &str| {
        format!(
            "Via: SIP/2.0/UDP p\nVia: SIP/2.0/UDP a\nPath: {path}\nSupported: outbound\n\
             Contact: <sip:a@x>;+sip.instance=\"<urn:uuid:1>\";reg-id=1"
        )
    };
    assert_eq!(Room::new().ask(&behind("<sip:edge;lr>")).0, 439);
    assert_eq!(Room::new().ask(&behind("<sip:edge;lr;ob>")).0, 200);
}

#[test]
fn rfc_3327_section_5_3_the_path_is_kept_and_told() {
    let mut room = Room::new();
    let (reply, _) = room.send("Path: <sip:p2;lr>, <sip:p1;lr>\nContact: <sip:a@x>");
    assert_eq!(values(&reply, "Path"), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    let path: Vec<_> = room.registrar.of(ANNA).next().unwrap().path.clone();
    assert_eq!(path, ["<sip:p2;lr>", "<sip:p1;lr>"]);
}

#[test]
fn what_came_by_a_connection_is_gone_with_it() {
    let mut room = Room::new().over_tcp(3);
    room.send("Contact: <sip:a@x>");
    let other = Flow { connection: 4, ..room.flow };
    assert_eq!(room.registrar.closed(&other), []);
    let flow = room.flow;
    assert_eq!(gone(&room.registrar.closed(&flow)), [("sip:a@x", Some(Gone::Closed))]);
    assert_eq!(room.registrar.deadline(), None);
}

#[test]
fn a_telephone_is_asked_in_time_and_gone_after_two_questions_without_an_answer_in_a_row() {
    let mut room = Room::new();
    room.send("Contact: <sip:a@x>");
    let keep_alive = room.rules.keep_alive;
    let mut answers = [true, false, true, false, false].into_iter();
    let mut asked = 0;
    while let Some(at) = room.registrar.deadline() {
        room.now = at;
        let Some(Due::Ask(id)) = room.registrar.due(at, keep_alive) else { panic!("nothing to ask") };
        asked += 1;
        let change = room.registrar.answered(id, answers.next().unwrap());
        assert_eq!(change.is_some(), asked == 5);
    }
    assert_eq!(asked, 5);
}

#[test]
fn what_is_not_renewed_expires_in_its_second() {
    let mut room = Room::new();
    room.send("Contact: <sip:a@x>;expires=60");
    let start = room.now;
    room.now += 60 * SECOND - Duration::from_millis(1);
    let keep_alive = room.rules.keep_alive;
    while let Some(due) = room.registrar.due(room.now, keep_alive) {
        assert!(matches!(due, Due::Ask(_)));
    }
    assert_eq!(room.registrar.deadline(), Some(start + 60 * SECOND));
    let Some(Due::Gone(change)) = room.registrar.due(start + 60 * SECOND, keep_alive) else { panic!() };
    assert_eq!(change.gone, Some(Gone::Expired));
}

#[test]
fn what_cannot_be_called_or_is_too_long_to_keep_is_refused() {
    let mut room = Room::new();
    let long = format!("Contact: <sip:{}@x>", "a".repeat(600));
    let many: Vec<String> = (0..21).map(|n| format!("<sip:{n}@x>")).collect();
    let many = format!("Contact: {}", many.join(", "));
    let path = format!("Path: <sip:{};lr>\nContact: <sip:a@x>", "p".repeat(600));
    for bad in ["Contact: <tel:+4930>", &long, &many, &path] {
        assert_eq!(room.ask(bad).0, 400, "{bad}");
    }
    assert!(room.registrar.is_empty());
}
