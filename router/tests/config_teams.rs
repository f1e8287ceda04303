//! `kind = "teams"`, `advertise` and `[hosts]`: what they stand for, what may be written otherwise, what is wrong.

#![cfg(feature = "driver")]

mod config_support;

use std::path::PathBuf;

use config_support::{DESK, read_with, surroundings};
use media::sdp;
use router::config::{Config, Files, History, Hold, Names, Surroundings, Trunk};

const HEAD: &str = "[listen]\nsip = [\"udp:127.0.0.1:5060\", { bind = \"tls:127.0.0.1:5061\", certificate = \"sbc.pem\" }]\n[trunk.carrier]\naccept_from = [\"10.0.0.0/8\"]\n";
const FACING: &str = "kind = \"teams\"\nfqdn = \"sbc.example.com\"\ncertificate = \"sbc.pem\"\n";

/// With a file `sbc.pem` of `sbc.example.com`, certificate and key.
fn with_certificate() -> Surroundings {
    let mut surroundings = surroundings();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["sbc.example.com".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let Files::Memory(files) = &mut surroundings.files else { panic!() };
    let both = format!("{}{}", certificate.pem(), key.serialize_pem());
    files.insert(PathBuf::from("etc/sbc.pem"), both.into());
    surroundings
}

fn read(teams: &str) -> Result<Config, Vec<String>> {
    let text = format!("{HEAD}[trunk.teams]\n{teams}{DESK}");
    read_with(&text, &mut Names::new(), &with_certificate()).map_err(|problems| {
        problems.errors().map(|problem| format!("{}: {}", problem.key, problem.text)).collect()
    })
}

fn trunk(teams: &str) -> Trunk {
    let config = read(teams).unwrap_or_else(|problems| panic!("{problems:#?}"));
    config.trunks().find(|(_, trunk)| trunk.name == "teams").expect("the trunk").1.clone()
}

#[test]
fn facing_teams_a_trunk_has_the_whole_profile() {
    let trunk = trunk(FACING);
    let targets: Vec<String> = trunk.send_to.iter().map(|target| target.to.to_string()).collect();
    assert_eq!(targets, ["sip", "sip2", "sip3"].map(|name| format!("tls:{name}.pstnhub.microsoft.com:5061")));
    assert_eq!(
        trunk.accept_from.iter().map(|source| source.net.to_string()).collect::<Vec<_>>(),
        ["52.112.0.0/14", "52.120.0.0/14"]
    );
    assert_eq!(trunk.own_name.as_ref().map(ToString::to_string).as_deref(), Some("sbc.example.com"));
    assert!(trunk.tls.accept_server_auth_only && trunk.tls.peer_names.len() == 3);
    assert_eq!((trunk.srtp.mode, trunk.srtp.suites.len()), (sdp::Srtp::Required, 1));
    assert_eq!(trunk.health.check_every.map(|every| every.as_secs()), Some(60));
    let codes: Vec<u16> = trunk.failover.retry_on.iter().map(|status| status.code()).collect();
    assert_eq!((codes.as_slice(), trunk.failover.close_on_retry_after), (&[503][..], true));
    assert!(trunk.numbers.user_phone && trunk.transfer.returns && trunk.emergency.agents_dial_out);
    assert_eq!((trunk.identity.history, trunk.dialog.hold), (History::Drop, Hold::Local));
    assert!(!trunk.dialog.missed_calls && trunk.dialog.refuses_machines);
    assert!(!trunk.headers.passes(b"X-Anything") && trunk.headers.set.len() == 1);
}

#[test]
fn every_key_of_the_profile_can_be_written_otherwise() {
    let trunk = trunk(&format!(
        "{FACING}send_to = \"tls:sip.pstnhub.gov.teams.microsoft.us:5061\"\naccept_from = \"52.127.88.0/21\"\nsrtp = \"optional\"\n\
         missed_calls = true\nadvertise = \"other.example.com:443\"\nheaders = {{ set = {{ X-One = \"1\" }} }}\n"
    ));
    assert_eq!((trunk.send_to.len(), trunk.accept_from.len(), trunk.srtp.mode), (1, 1, sdp::Srtp::Optional));
    assert_eq!(trunk.own_name.map(|name| name.to_string()).as_deref(), Some("other.example.com:443"));
    assert!(trunk.dialog.missed_calls && trunk.headers.passes(b"X-Anything"));
}

#[test]
fn behind_an_sbc_tls_and_srtp_are_the_sbcs() {
    let trunk = trunk("kind = \"teams\"\nvia = \"tcp:10.9.0.1:5060\"\n");
    assert_eq!(trunk.send_to[0].to.to_string(), "tcp:10.9.0.1:5060");
    assert_eq!((trunk.srtp.mode, trunk.tls.identity, trunk.own_name), (sdp::Srtp::Off, None, None));
    assert!(trunk.accept_from.is_empty() && trunk.transfer.returns && trunk.transfer.own_hosts.len() == 3);
}

#[test]
fn what_is_missing_or_wrong_is_told_with_its_cure() {
    assert_eq!(
        read("kind = \"teams\"\n").unwrap_err(),
        [
            "trunk.teams.fqdn: is missing; write fqdn = \"sbc.example.com\", by which Teams finds its tenant",
            "trunk.teams.certificate: is missing; write certificate = \"sbc.pem\", with the name of fqdn in it",
        ]
    );
    assert_eq!(
        read("send_to = \"udp:10.9.0.1\"\nfqdn = \"sbc.example.com\"\n").unwrap_err(),
        ["trunk.teams.fqdn: says nothing without a kind; write kind = \"teams\" beside it, or take it out"]
    );
    assert_eq!(
        read("kind = \"team\"\nsend_to = \"udp:10.9.0.1\"\n").unwrap_err(),
        ["trunk.teams.kind: \"team\" is not known here; did you mean \"teams\"?"]
    );
    for (written, told) in [
        ("sip:sbc.example.com", "is an address with its scheme; write \"sbc.example.com\""),
        ("me@sbc.example.com", "has a user in it; write \"sbc.example.com\""),
        ("tls:sbc.example.com:5061", "names a transport, tls; write \"sbc.example.com:5061\""),
        (
            "*.example.com",
            "is no name of a host, whatever the certificate says; write one such as \"sbc.example.com\"",
        ),
        ("0.0.0.0", "is no address to be reached by; write the one by which the far end reaches us"),
    ] {
        let problems = read(&format!("send_to = \"udp:10.9.0.1\"\nadvertise = \"{written}\"\n")).unwrap_err();
        assert_eq!(problems, [format!("trunk.teams.advertise: \"{written}\" {told}")]);
    }
}

#[test]
fn names_have_addresses_of_their_own_in_any_case() {
    let hosts = "send_to = \"udp:10.9.0.1\"\n[hosts]\n\"SIP.example.com\" = [\"10.9.0.2\", \"10.9.0.3\"]\n";
    let config = read(hosts).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(config.hosts.addresses("sip.Example.com.").map(<[_]>::len), Some(2));
    assert_eq!(config.hosts.addresses("example.com"), None);
    assert_eq!(
        read("send_to = \"udp:10.9.0.1\"\n[hosts]\n\"a b\" = \"10.9.0.2\"\nok = \"10.9.0.2:5060\"\n")
            .unwrap_err(),
        [
            "hosts.\"a b\": \"a b\" is no name; write one such as \"sbc1.example.com\"",
            "hosts.ok: \"10.9.0.2:5060\" is no address; write one without a port, such as \"192.0.2.5\"",
        ]
    );
}
