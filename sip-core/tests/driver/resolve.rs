//! Names.

use super::*;
use sip_core::ResolveId;

fn sockets() -> Sockets {
    Sockets::bind(&[], DriverSettings::default()).unwrap()
}

fn addresses(input: &Input) -> (u64, Vec<String>) {
    let Input::Resolved { id, addresses } = input else { panic!("{input:?}") };
    (id.0, addresses.iter().map(SocketAddr::to_string).collect())
}

#[tokio::test]
async fn a_literal_address_needs_no_look_up() {
    let mut sockets = sockets();
    sockets.resolve(ResolveId(1), "192.0.2.1", 5060);
    sockets.resolve(ResolveId(2), "[2001:db8::1]", 5061);
    let all = inputs(&mut sockets).await;
    assert_eq!(addresses(&all[0]), (1, vec!["192.0.2.1:5060".to_owned()]));
    assert_eq!(addresses(&all[1]), (2, vec!["[2001:db8::1]:5061".to_owned()]));
    assert_eq!(sockets.counters().lookups, 0);
}

#[tokio::test]
async fn all_who_ask_for_a_name_at_once_share_one_look_up_and_it_is_remembered() {
    let mut sockets = sockets();
    sockets.resolve(ResolveId(1), "localhost", 5060);
    sockets.resolve(ResolveId(2), "LocalHost", 5070);
    let mut all = collect(&mut sockets, 2).await;
    sockets.resolve(ResolveId(3), "localhost", 5080);
    all.extend(inputs(&mut sockets).await);
    for (input, port) in all.iter().zip([5060, 5070, 5080]) {
        let Input::Resolved { addresses, .. } = input else { panic!("{input:?}") };
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|a| a.ip().is_loopback() && a.port() == port), "{addresses:?}");
    }
    assert_eq!(sockets.counters().lookups, 1);
}

#[tokio::test]
async fn a_name_that_does_not_exist_gives_no_address() {
    let mut sockets = sockets();
    // A name with an empty label is refused by the resolver itself, so no network is needed.
    sockets.resolve(ResolveId(1), "no..such.invalid", 5060);
    assert_eq!(addresses(&input(&mut sockets).await), (1, vec![]));
    assert_eq!(sockets.counters().lookups_failed, 1);
}

#[tokio::test]
async fn a_slow_resolver_is_not_waited_for() {
    let settings = DriverSettings { resolve_timeout: Duration::ZERO, ..DriverSettings::default() };
    let mut sockets = Sockets::bind(&[], settings).unwrap();
    sockets.resolve(ResolveId(1), "slow.invalid", 5060);
    assert_eq!(addresses(&input(&mut sockets).await), (1, vec![]));
}

#[tokio::test]
async fn too_many_names_at_once_fail_at_once() {
    let settings = DriverSettings { max_lookups: 1, ..DriverSettings::default() };
    let mut sockets = Sockets::bind(&[], settings).unwrap();
    sockets.resolve(ResolveId(1), "localhost", 5060);
    sockets.resolve(ResolveId(2), "other.invalid", 5060);
    let all = collect(&mut sockets, 2).await;
    assert_eq!(addresses(&all[0]), (2, vec![]));
    assert_eq!(addresses(&all[1]).0, 1);
}
