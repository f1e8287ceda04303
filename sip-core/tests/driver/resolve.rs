//! Names, asked of a DNS server on loopback.

use super::zone::{Manner, Zone};
use super::*;
use sip_core::driver::DnsSettings;
use sip_core::locate::Reach;
use sip_core::{Located, ResolveId, Trouble};

fn asking(zone: &Zone) -> DriverSettings {
    let dns = DnsSettings {
        servers: vec![zone.address],
        timeout: Duration::from_millis(100),
        attempts: 1,
        ..DnsSettings::default()
    };
    DriverSettings { dns, ..DriverSettings::default() }
}

fn sockets(settings: DriverSettings) -> Sockets {
    Sockets::bind(&[], settings).unwrap()
}

fn ask(sockets: &mut Sockets, id: u64, target: &str) {
    let listeners = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"].map(|text| text.parse().unwrap());
    sockets.resolve(ResolveId(id), target.parse().unwrap(), Reach::of(&listeners), 0);
}

fn located(input: Input) -> (u64, Located) {
    let Input::Resolved { id, located } = input else { panic!("{input:?}") };
    (id.0, located)
}

async fn locate(sockets: &mut Sockets, target: &str) -> (Vec<String>, Option<Trouble>) {
    ask(sockets, 1, target);
    let (_, located) = located(input(sockets).await);
    (located.addresses.iter().map(|(transport, at)| format!("{transport}:{at}")).collect(), located.trouble)
}

fn at(addresses: &[&str]) -> (Vec<String>, Option<Trouble>) {
    (addresses.iter().map(ToString::to_string).collect(), None)
}

#[tokio::test]
async fn a_literal_address_needs_no_look_up() {
    let mut sockets = sockets(DriverSettings::default());
    assert_eq!(locate(&mut sockets, "192.0.2.1:5060").await, at(&["udp:192.0.2.1:5060"]));
    assert_eq!(locate(&mut sockets, "tls:[2001:db8::1]").await, at(&["tls:[2001:db8::1]:5061"]));
    assert_eq!(sockets.counters().lookups, 0);
}

#[tokio::test]
async fn rfc3263_naptr_leads_to_srv_and_that_to_addresses() {
    let zone = Zone::new().await;
    zone.naptr("example.test", 2, "SIP+D2U", "_sip._udp.example.test")
        .naptr("example.test", 1, "SIP+D2T", "_sip._tcp.example.test")
        .srv("_sip._udp.example.test", (1, 5062), "b.example.test")
        .srv("_sip._tcp.example.test", (2, 5064), "b.example.test")
        .srv("_sip._tcp.example.test", (1, 5063), "a.example.test")
        .a("a.example.test", 60, [192, 0, 2, 1])
        .cname("b.example.test", "c.example.test")
        .a("c.example.test", 60, [192, 0, 2, 3]);
    let mut sockets = sockets(asking(&zone));
    let all = at(&["tcp:192.0.2.1:5063", "tcp:192.0.2.3:5064", "udp:192.0.2.3:5062"]);
    assert_eq!(locate(&mut sockets, "example.test").await, all);
    let asked = zone.asked().len();
    assert_eq!(locate(&mut sockets, "Example.Test").await, all);
    assert_eq!(zone.asked().len(), asked, "it is remembered");
}

#[tokio::test]
async fn all_who_ask_for_a_name_at_once_share_one_look_up() {
    let zone = Zone::new().await;
    zone.a("example.test", 60, [192, 0, 2, 1]);
    let mut sockets = sockets(asking(&zone));
    ask(&mut sockets, 1, "example.test:5060");
    ask(&mut sockets, 2, "Example.TEST:5070");
    for (input, port) in collect(&mut sockets, 2).await.into_iter().zip([5060, 5070]) {
        let (_, located) = located(input);
        assert_eq!(located.addresses[0].1.port(), port);
    }
    assert_eq!((sockets.counters().lookups, zone.asked().len()), (1, 1));
}

#[tokio::test]
async fn an_entry_with_a_ttl_of_zero_is_asked_for_each_time_and_follows_a_move() {
    let zone = Zone::new().await;
    zone.a("example.test", 0, [192, 0, 2, 1]);
    let mut sockets = sockets(asking(&zone));
    assert_eq!(locate(&mut sockets, "example.test:5060").await, at(&["udp:192.0.2.1:5060"]));
    zone.clear().a("example.test", 0, [192, 0, 2, 2]);
    assert_eq!(locate(&mut sockets, "example.test:5060").await, at(&["udp:192.0.2.2:5060"]));
}

#[tokio::test]
async fn each_fault_of_dns_is_told_apart_and_none_stops_us() {
    let zone = Zone::new().await;
    zone.srv("_sip._udp.empty.test", (1, 5060), "empty.test")
        .cname("circle.test", "round.test")
        .cname("round.test", "circle.test")
        .cname("self.test", "self.test")
        .naptr("empty.test", 1, "SIP+D2U", "empty.test");
    let mut sockets = sockets(asking(&zone));
    for (target, troubles) in [
        ("nowhere.test:5060", &[Trouble::NoSuchName][..]),
        ("empty.test:5060", &[Trouble::NoAddress]),
        // That names lead to each other cannot always be told from a name without address.
        ("circle.test:5060", &[Trouble::Circle, Trouble::NoAddress]),
        ("self.test:5060", &[Trouble::Circle, Trouble::NoAddress]),
    ] {
        let (found, trouble) = locate(&mut sockets, target).await;
        assert!(
            found.is_empty() && trouble.is_some_and(|told| troubles.contains(&told)),
            "{target}: {trouble:?}"
        );
    }
    zone.behaves(Manner::Failing);
    assert_eq!(locate(&mut sockets, "fails.test:5060").await, (vec![], Some(Trouble::Refused)));
    zone.behaves(Manner::Silent);
    assert_eq!(locate(&mut sockets, "silent.test:5060").await, (vec![], Some(Trouble::NoAnswer)));
    zone.behaves(Manner::Babbling);
    let (found, trouble) = locate(&mut sockets, "babble.test:5060").await;
    assert!(found.is_empty() && trouble.is_some(), "{trouble:?}");
    assert_eq!(sockets.counters().lookups_failed, 7);
}

#[tokio::test]
async fn an_old_answer_is_used_when_dns_dies() {
    let zone = Zone::new().await;
    zone.a("example.test", 0, [192, 0, 2, 1]);
    let mut sockets = sockets(asking(&zone));
    locate(&mut sockets, "example.test:5060").await;
    zone.behaves(Manner::Silent);
    let (addresses, trouble) = locate(&mut sockets, "example.test:5060").await;
    assert_eq!(addresses, ["udp:192.0.2.1:5060"]);
    assert!(matches!(trouble, Some(Trouble::Stale { .. })), "{trouble:?}");
}

#[tokio::test]
async fn another_server_is_asked_from_the_next_question_on() {
    let (old, new) = (Zone::new().await, Zone::new().await);
    new.a("example.test", 60, [192, 0, 2, 9]);
    let mut sockets = sockets(asking(&old));
    assert_eq!(locate(&mut sockets, "other.test:5060").await.0.len(), 0);
    sockets.renew_dns(asking(&new).dns);
    assert_eq!(locate(&mut sockets, "example.test:5060").await, at(&["udp:192.0.2.9:5060"]));
}

#[tokio::test]
async fn a_dead_server_leaves_the_driver_free_for_everything_else() {
    let zone = Zone::new().await;
    zone.behaves(Manner::Silent);
    let dns = DnsSettings { timeout: Duration::from_secs(60), ..asking(&zone).dns };
    let settings = DriverSettings { dns, max_lookups: 1, ..DriverSettings::default() };
    let mut sockets = bind(Transport::Udp, settings);
    ask(&mut sockets, 1, "silent.test:5060");
    ask(&mut sockets, 2, "other.test:5060");
    let (id, refused) = located(input(&mut sockets).await);
    assert_eq!((id, refused.trouble), (2, Some(Trouble::Busy)), "one more fails at once");
    let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(b"hello", address(&sockets)).await.unwrap();
    assert_eq!(message(&mut sockets).await.1, "hello");
}
