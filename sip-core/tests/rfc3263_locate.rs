//! From a name to addresses by the rules of RFC 3263 §4, with everything that DNS can do to us; time is a variable.
#![allow(missing_docs)]

use sip_core::locate::{
    Answer, Directory, DirectorySettings, Kind, Naptr, Output, Query, Reach, Records, Srv,
};
use sip_core::{Listener, Located, ResolveId, Transport, Trouble};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const ALL: [&str; 3] = ["udp:10.0.0.1:5060", "tcp:10.0.0.1:5060", "tls:10.0.0.1:5061"];

#[allow(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now() // any instant: from here on time is ours
}

/// A zone, and a directory that asks it.
struct Desk {
    directory: Directory,
    now: Instant,
    listeners: Vec<Listener>,
    zone: BTreeMap<Query, Answer>,
    /// What was asked, in order.
    asked: Vec<String>,
    /// DNS says nothing: what is asked is not answered.
    silent: bool,
    last: u64,
}

impl Desk {
    fn new(listeners: &[&str]) -> Desk {
        Desk {
            directory: Directory::new(DirectorySettings::default()),
            now: origin(),
            listeners: listeners.iter().map(|text| text.parse().unwrap()).collect(),
            zone: BTreeMap::new(),
            asked: Vec::new(),
            silent: false,
            last: 0,
        }
    }

    fn says(mut self, kind: Kind, name: &str, found: Result<Records, Trouble>, ttl: u64) -> Desk {
        let answer = Answer { found, ttl: Some(Duration::from_secs(ttl)) };
        self.zone.insert(Query::new(kind, name), answer);
        self
    }

    fn a(self, name: &str, addresses: &[&str]) -> Desk {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.says(Kind::A, name, Ok(Records::A(addresses)), 60)
    }

    fn aaaa(self, name: &str, addresses: &[&str]) -> Desk {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.says(Kind::Aaaa, name, Ok(Records::Aaaa(addresses)), 60)
    }

    fn srv(self, name: &str, entries: &[(u16, u16, u16, &str)]) -> Desk {
        let entry = |(priority, weight, port, target): &(u16, u16, u16, &str)| Srv {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).to_owned(),
        };
        self.says(Kind::Srv, name, Ok(Records::Srv(entries.iter().map(entry).collect())), 60)
    }

    fn naptr(self, name: &str, entries: &[(u16, &str, &str)]) -> Desk {
        let entry = |(order, service, replacement): &(u16, &str, &str)| Naptr {
            order: *order,
            preference: 0,
            flags: "s".to_owned(),
            service: (*service).to_owned(),
            replacement: (*replacement).to_owned(),
        };
        self.says(Kind::Naptr, name, Ok(Records::Naptr(entries.iter().map(entry).collect())), 60)
    }

    fn fails(self, kind: Kind, name: &str, trouble: Trouble) -> Desk {
        self.says(kind, name, Err(trouble), 60)
    }

    fn begin(&mut self, target: &str, random: u64) -> ResolveId {
        self.last += 1;
        let (id, reach) = (ResolveId(self.last), Reach::of(&self.listeners));
        self.directory.locate(self.now, id, (target.parse().unwrap(), reach), random);
        id
    }

    /// Lets DNS answer until there is nothing more to do.
    fn drain(&mut self) -> BTreeMap<ResolveId, Located> {
        let mut ends = BTreeMap::new();
        while let Some(output) = self.directory.poll_output() {
            match output {
                Output::Located { id, located } => drop(ends.insert(id, located)),
                Output::Ask(query) => {
                    self.asked.push(query.to_string());
                    let nothing = Answer { found: Err(Trouble::NoSuchName), ttl: Some(30 * SECOND) };
                    let answer = match self.silent {
                        true => Answer { found: Err(Trouble::NoAnswer), ttl: None },
                        false => self.zone.get(&query).cloned().unwrap_or(nothing),
                    };
                    self.directory.answered(self.now, &query, answer);
                }
            }
        }
        ends
    }

    fn locate_by(&mut self, target: &str, random: u64) -> Located {
        let id = self.begin(target, random);
        self.drain().remove(&id).expect("every search ends")
    }

    fn locate(&mut self, target: &str) -> (Vec<String>, Option<Trouble>) {
        let located = self.locate_by(target, 0);
        let written =
            |(transport, address): &(Transport, std::net::SocketAddr)| format!("{transport}:{address}");
        (located.addresses.iter().map(written).collect(), located.trouble)
    }
}

fn at(addresses: &[&str]) -> (Vec<String>, Option<Trouble>) {
    (addresses.iter().map(ToString::to_string).collect(), None)
}

#[test]
fn rfc3263_4_2_with_a_port_or_an_address_there_is_no_srv() {
    let mut desk = Desk::new(&ALL).a("sip.example.com", &["192.0.2.1"]);
    assert_eq!(desk.locate("tls:sip.example.com:5071"), at(&["tls:192.0.2.1:5071"]));
    assert_eq!(desk.locate("sip.example.com:5070"), at(&["udp:192.0.2.1:5070"]));
    assert_eq!(desk.locate("tcp:192.0.2.9"), at(&["tcp:192.0.2.9:5060"]));
    assert_eq!(desk.locate("[2001:db8::1]"), at(&["udp:[2001:db8::1]:5060"]));
    assert_eq!(desk.asked, ["A of sip.example.com"]);
}

#[test]
fn rfc3263_4_1_with_a_transport_its_srv_is_asked_and_nothing_else() {
    for (transport, service) in [("udp", "_sip._udp"), ("tcp", "_sip._tcp"), ("tls", "_sips._tcp")] {
        let mut desk = Desk::new(&ALL)
            .srv(&format!("{service}.example.com"), &[(10, 1, 5099, "a.example.com")])
            .a("a.example.com", &["192.0.2.1"]);
        assert_eq!(
            desk.locate(&format!("{transport}:Example.COM")),
            at(&[&format!("{transport}:192.0.2.1:5099")])
        );
        assert_eq!(desk.asked, [format!("SRV of {service}.example.com"), "A of a.example.com".to_owned()]);
    }
}

#[test]
fn rfc3263_4_2_without_srv_the_name_itself_is_asked_with_the_default_port() {
    let mut desk = Desk::new(&ALL).a("example.com", &["192.0.2.1"]);
    assert_eq!(desk.locate("tls:example.com"), at(&["tls:192.0.2.1:5061"]));
    assert_eq!(desk.locate("example.com"), at(&["udp:192.0.2.1:5060"]));
}

#[test]
fn rfc3263_4_1_naptr_says_which_transports_in_which_order() {
    let mut desk = Desk::new(&ALL)
        .naptr("example.com", &[(50, "SIPS+D2T", "_sips._tcp.example.com"), (90, "SIP+D2U", "u.example.net")])
        .srv("_sips._tcp.example.com", &[(1, 0, 5061, "t.example.com")])
        .srv("u.example.net", &[(1, 0, 5060, "u.example.com")])
        .a("t.example.com", &["192.0.2.1"])
        .a("u.example.com", &["192.0.2.2"]);
    assert_eq!(desk.locate("example.com"), at(&["tls:192.0.2.1:5061", "udp:192.0.2.2:5060"]));
    // Who does not speak TLS goes on with what is left.
    let zone = std::mem::take(&mut desk.zone);
    let mut plain = Desk { zone, ..Desk::new(&ALL[..2]) };
    assert_eq!(plain.locate("example.com"), at(&["udp:192.0.2.2:5060"]));
}

#[test]
fn rfc3263_4_1_without_naptr_the_srv_of_all_we_speak_are_asked_at_once() {
    let mut desk = Desk::new(&ALL)
        .srv("_sip._tcp.example.com", &[(1, 0, 5070, "a.example.com")])
        .a("a.example.com", &["192.0.2.1"]);
    assert_eq!(desk.locate("example.com"), at(&["tcp:192.0.2.1:5070"]));
    assert_eq!(
        desk.asked,
        [
            "NAPTR of example.com",
            "SRV of _sip._udp.example.com",
            "SRV of _sip._tcp.example.com",
            "SRV of _sips._tcp.example.com",
            "A of a.example.com"
        ]
    );
}

#[test]
fn every_address_of_every_target_follows_in_order_each_once() {
    let mut desk = Desk::new(&["udp:10.0.0.1:5060", "udp:[2001:db8::9]:5060"])
        .srv("_sip._udp.example.com", &[(2, 0, 5060, "b.example.com"), (1, 0, 5060, "a.example.com")])
        .a("a.example.com", &["192.0.2.1", "192.0.2.2"])
        .aaaa("a.example.com", &["2001:db8::1"])
        .a("b.example.com", &["192.0.2.2", "192.0.2.3"])
        .fails(Kind::Aaaa, "b.example.com", Trouble::NoAddress);
    let all = ["udp:[2001:db8::1]:5060", "udp:192.0.2.1:5060", "udp:192.0.2.2:5060", "udp:192.0.2.3:5060"];
    assert_eq!(desk.locate("udp:example.com"), at(&all));
}

#[test]
fn rfc2782_calls_spread_over_targets_by_their_weights() {
    let mut desk = Desk::new(&ALL)
        .srv("_sip._udp.example.com", &[(1, 1, 5060, "a.example.com"), (1, 3, 5060, "b.example.com")])
        .a("a.example.com", &["192.0.2.1"])
        .a("b.example.com", &["192.0.2.2"]);
    let first = |located: Located| located.addresses[0].1.to_string();
    let calls = 4_000;
    let b = (0..calls).filter(|n| first(desk.locate_by("udp:example.com", *n)) == "192.0.2.2:5060").count();
    // Drawn from 0 to 4: three of five, and RFC 2782 has it so.
    let share = b as f64 / calls as f64;
    assert!((share - 0.6).abs() < 0.04, "{share}");
    assert_eq!(desk.asked.len(), 3, "one look-up serves them all");
}

#[test]
fn an_answer_is_used_for_its_time_and_not_a_second_longer() {
    let mut desk = Desk::new(&ALL).a("example.com", &["192.0.2.1"]);
    desk.locate("udp:example.com:5060");
    desk.now += 59 * SECOND;
    desk = desk.a("example.com", &["192.0.2.77"]);
    assert_eq!(desk.locate("udp:example.com:5060"), at(&["udp:192.0.2.1:5060"]));
    desk.now += SECOND;
    assert_eq!(desk.locate("udp:example.com:5060"), at(&["udp:192.0.2.77:5060"]));
    assert_eq!(desk.asked.len(), 2);
}

#[test]
fn an_answer_without_time_serves_those_who_wait_for_it_and_no_others() {
    let zero = |desk: Desk, ip: &str| {
        desk.says(Kind::A, "example.com", Ok(Records::A(vec![ip.parse().unwrap()])), 0)
    };
    let mut desk = zero(Desk::new(&ALL), "192.0.2.1");
    let (first, second) = (desk.begin("udp:example.com:5060", 0), desk.begin("tcp:example.com:5070", 0));
    let ends = desk.drain();
    assert!(ends.contains_key(&first) && ends.contains_key(&second));
    assert_eq!(desk.asked.len(), 1, "one question for both");
    let mut desk = zero(desk, "192.0.2.2");
    assert_eq!(desk.locate("udp:example.com:5060"), at(&["udp:192.0.2.2:5060"]));
}

#[test]
fn while_dns_is_dead_the_last_answer_is_used_for_a_bounded_time_and_said_to_be_old() {
    let mut desk = Desk::new(&ALL)
        .srv("_sip._udp.example.com", &[(1, 0, 5060, "a.example.com")])
        .a("a.example.com", &["192.0.2.1"]);
    desk.locate("udp:example.com");
    (desk.silent, desk.now) = (true, desk.now + 61 * SECOND);
    let (addresses, trouble) = desk.locate("udp:example.com");
    assert_eq!(addresses, ["udp:192.0.2.1:5060"]);
    assert_eq!(trouble, Some(Trouble::Stale { left: 3_599 * SECOND }));
    let asked = desk.asked.len();
    desk.now += 4 * SECOND;
    assert_eq!(desk.locate("udp:example.com").0.len(), 1);
    assert_eq!(desk.asked.len(), asked, "nobody waits for a dead server again so soon");
    desk.now += 3_595 * SECOND;
    assert_eq!(desk.locate("udp:example.com"), (vec![], Some(Trouble::NoAnswer)), "an hour is enough");
    desk.silent = false;
    desk.now += 6 * SECOND;
    assert_eq!(desk.locate("udp:example.com"), at(&["udp:192.0.2.1:5060"]), "it is asked again");
}

#[test]
fn a_name_that_is_gone_is_gone_whatever_was_known() {
    let mut desk = Desk::new(&ALL).a("example.com", &["192.0.2.1"]);
    desk.locate("udp:example.com:5060");
    desk.now += 61 * SECOND;
    desk = desk.fails(Kind::A, "example.com", Trouble::NoSuchName);
    assert_eq!(desk.locate("udp:example.com:5060"), (vec![], Some(Trouble::NoSuchName)));
    (desk.silent, desk.now) = (true, desk.now + 400 * SECOND);
    assert_eq!(desk.locate("udp:example.com:5060"), (vec![], Some(Trouble::NoAnswer)), "not from the grave");
}

#[test]
fn a_dead_server_costs_one_wait_not_one_for_each_step() {
    let mut desk = Desk::new(&ALL);
    desk.silent = true;
    assert_eq!(desk.locate("example.com"), (vec![], Some(Trouble::NoAnswer)));
    assert_eq!(desk.asked, ["NAPTR of example.com"]);
    assert_eq!(desk.locate("tls:example.com"), (vec![], Some(Trouble::NoAnswer)));
    assert_eq!(desk.asked[1..], ["SRV of _sips._tcp.example.com"]);
}

#[test]
fn with_everything_known_but_old_a_dead_server_costs_one_wait_and_then_none_for_a_while() {
    let mut desk = Desk::new(&ALL)
        .naptr("example.com", &[(1, "SIP+D2U", "_sip._udp.example.com")])
        .srv("_sip._udp.example.com", &[(1, 0, 5060, "a.example.com"), (2, 0, 5060, "b.example.com")])
        .a("a.example.com", &["192.0.2.1"])
        .a("b.example.com", &["192.0.2.2"]);
    let both = desk.locate("example.com").0;
    assert_eq!(both.len(), 2);
    desk.asked.clear();
    (desk.silent, desk.now) = (true, desk.now + 61 * SECOND);
    assert_eq!(desk.locate("example.com").0, both);
    assert_eq!(desk.asked, ["NAPTR of example.com"]);
    desk.now += 4 * SECOND;
    assert_eq!(desk.locate("example.com").0, both);
    assert_eq!(desk.asked.len(), 1, "{:?}", desk.asked);
    (desk.silent, desk.now) = (false, desk.now + 2 * SECOND);
    assert_eq!(desk.locate("example.com"), (both, None), "it is asked again, and all is well");
}

#[test]
fn when_the_servers_change_all_is_asked_anew_and_old_answers_serve_if_they_fail() {
    let mut desk = Desk::new(&ALL).a("example.com", &["192.0.2.1"]);
    desk.locate("udp:example.com:5060");
    desk.directory.asks_others(desk.now);
    let mut desk = desk.a("example.com", &["192.0.2.7"]);
    assert_eq!(desk.locate("udp:example.com:5060"), at(&["udp:192.0.2.7:5060"]));
    desk.directory.asks_others(desk.now);
    desk.silent = true;
    let (addresses, trouble) = desk.locate("udp:example.com:5060");
    assert_eq!(addresses, ["udp:192.0.2.7:5060"]);
    assert!(matches!(trouble, Some(Trouble::Stale { .. })), "{trouble:?}");
}

#[test]
fn an_address_instead_of_a_name_is_looked_at_like_any_other() {
    let target = |target: &'static str| {
        Desk::new(&ALL).srv("_sip._udp.example.com", &[(1, 0, 5060, target)]).locate("udp:example.com")
    };
    assert_eq!(target("192.0.2.1"), at(&["udp:192.0.2.1:5060"]));
    assert_eq!(target("0.0.0.0"), (vec![], Some(Trouble::Nonsense)));
    assert_eq!(target("::ffff:192.0.2.1"), at(&["udp:192.0.2.1:5060"]), "IPv4 in IPv6's clothes");
    assert!(target("2001:db8::1").0.is_empty(), "a family that we do not send from");
    let mut mapped = Desk::new(&["udp:10.0.0.1:5060", "udp:[2001:db8::9]:5060"])
        .aaaa("example.com", &["::ffff:127.0.0.1", "::ffff:0.0.0.0"]);
    assert_eq!(mapped.locate("udp:example.com:5060").0, ["udp:127.0.0.1:5060"]);
}

#[test]
fn a_server_that_refuses_srv_does_not_keep_us_from_the_address_but_is_told_of() {
    let mut desk = Desk::new(&ALL)
        .fails(Kind::Srv, "_sip._udp.example.com", Trouble::Refused)
        .a("example.com", &["192.0.2.1"]);
    let found = desk.locate("udp:example.com");
    assert_eq!(found, (vec!["udp:192.0.2.1:5060".to_owned()], Some(Trouble::Refused)));
}

#[test]
fn each_lie_of_dns_has_its_name() {
    let srv = |target: &'static str, port: u16| {
        move |desk: Desk| desk.srv("_sip._udp.example.com", &[(1, 0, port, target)])
    };
    type Zone = Box<dyn Fn(Desk) -> Desk>;
    let cases: Vec<(Zone, Trouble)> = vec![
        (Box::new(|desk| desk), Trouble::NoSuchName),
        (Box::new(|desk| desk.fails(Kind::A, "example.com", Trouble::NoAddress)), Trouble::NoAddress),
        (Box::new(|desk| desk.fails(Kind::A, "example.com", Trouble::Circle)), Trouble::Circle),
        (Box::new(|desk| desk.a("example.com", &["0.0.0.0", "255.255.255.255"])), Trouble::Nonsense),
        (Box::new(|desk| desk.a("example.com", &["224.0.0.1"])), Trouble::Nonsense),
        (Box::new(srv("", 5060)), Trouble::NotOffered),
        (Box::new(srv("a.example.com", 0)), Trouble::Nonsense),
        // Entries that point at themselves lead nowhere, and to no second question about the same.
        (Box::new(srv("_sip._udp.example.com", 5060)), Trouble::NoSuchName),
    ];
    for (zone, trouble) in cases {
        let mut desk = zone(Desk::new(&ALL));
        assert_eq!(desk.locate("udp:example.com"), (vec![], Some(trouble)));
        assert!(desk.asked.len() <= 2, "{:?}", desk.asked);
        assert_eq!(desk.directory.searching(), 0);
        assert!(!trouble.cure().is_empty() && !trouble.name().contains(' '));
    }
}

#[test]
fn a_dead_host_among_good_ones_is_told_of_and_the_others_are_used() {
    let mut desk = Desk::new(&ALL)
        .srv("_sip._udp.example.com", &[(1, 0, 5060, "gone.example.com"), (2, 0, 5060, "b.example.com")])
        .a("b.example.com", &["192.0.2.2"]);
    let found = desk.locate("udp:example.com");
    assert_eq!(found, (vec!["udp:192.0.2.2:5060".to_owned()], Some(Trouble::NoSuchName)));
}

#[test]
fn a_thousand_records_are_cut_by_priority_and_cost_no_thousand_questions() {
    let hosts: Vec<String> = (0..1_000).map(|n| format!("h{n}.example.com")).collect();
    let entries: Vec<_> =
        hosts.iter().enumerate().map(|(n, host)| (1_000 - n as u16, 0, 5060, host.as_str())).collect();
    let mut desk = Desk::new(&ALL).srv("_sip._udp.example.com", &entries);
    for host in &hosts {
        desk = desk.a(host, &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]);
    }
    let (addresses, trouble) = desk.locate("udp:example.com");
    assert_eq!(trouble, Some(Trouble::TooMany));
    assert!(!addresses.is_empty() && addresses.len() <= 32);
    assert_eq!(desk.asked[1], "A of h999.example.com", "the best is kept");
    assert!(desk.asked.len() <= 13, "{}", desk.asked.len());
    let many: Vec<String> = (0..1_000).map(|n| format!("10.1.{}.{}", n / 250, n % 250 + 1)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut desk = Desk::new(&ALL).a("example.com", &many);
    let (addresses, trouble) = desk.locate("udp:example.com:5060");
    assert_eq!((addresses.len(), trouble), (32, Some(Trouble::TooMany)));
}

#[test]
fn what_strangers_have_us_look_up_does_not_grow_without_end() {
    let mut desk = Desk::new(&ALL);
    for n in 0..6_000 {
        desk.locate(&format!("udp:h{n}.example.com:5060"));
    }
    assert!(desk.directory.remembered() <= 4_096, "{}", desk.directory.remembered());
    // And not while DNS does not answer at all.
    let mut busy = 0;
    for n in 0..300 {
        let id = desk.begin(&format!("udp:x{n}.example.com:5060"), 0);
        while let Some(output) = desk.directory.poll_output() {
            let is_busy = |located: &Located| located.trouble == Some(Trouble::Busy);
            busy += usize::from(
                matches!(output, Output::Located { id: of, ref located } if of == id && is_busy(located)),
            );
        }
    }
    assert_eq!((busy, desk.directory.searching()), (44, 256));
}
