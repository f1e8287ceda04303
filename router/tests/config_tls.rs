//! Certificates in the configuration: what is read, what is refused, what a reload takes over.

#![cfg(feature = "driver")]

mod config_support;

use std::path::PathBuf;

use config_support::{read_with, surroundings};
use rcgen::{CertificateParams, KeyPair};
use router::config::{ClientCertificates, Config, Files, Names, Surroundings};
use sip_core::PeerId;

/// Certificate and key of somebody.
fn pem(name: &str) -> (Vec<u8>, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem().into(), key.serialize_pem().into())
}

/// Files `c.pem` and `k.pem`, which belong together, `other.pem`, which is another's key, and `both.pem`.
fn with_files() -> Surroundings {
    let ((certificate, key), (_, other)) = (pem("sbc.test"), pem("other.test"));
    let both = [certificate.clone(), key.clone()].concat();
    let mut surroundings = surroundings();
    let Files::Memory(files) = &mut surroundings.files else { panic!() };
    for (name, bytes) in [("c.pem", certificate), ("k.pem", key), ("other.pem", other), ("both.pem", both)] {
        files.insert(PathBuf::from("etc").join(name), bytes);
    }
    surroundings
}

const TRUNK: &str = "[trunk.sbc]\nsend_to = [\"tls:sbc.test\"]\naccept_from = [\"10.0.0.0/8\"]\n";
const LISTEN: &str =
    "[listen]\nsip = [{ bind = \"tls:127.0.0.1:5061\", certificate = \"c.pem\", key = \"k.pem\" }]\n";

fn read(text: &str, surroundings: &Surroundings) -> Config {
    read_with(text, &mut Names::new(), surroundings).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The errors of a file, without their places.
fn errors(text: &str) -> Vec<String> {
    let problems = read_with(text, &mut Names::new(), &with_files()).expect_err("it is refused");
    problems.errors().map(|problem| format!("{}: {}", problem.key, problem.text)).collect()
}

#[test]
fn listeners_and_trunks_have_certificates_trust_and_names() {
    let config = read(
        &format!(
            "[listen]\nsip = [\"udp:127.0.0.1:5060\", {{ bind = \"tls:127.0.0.1:5061\", certificate = \"both.pem\", \
             client_certificates = \"require\", trust = \"c.pem\" }}]\n\
             {TRUNK}certificate = \"c.pem\"\nkey = \"k.pem\"\ntrust = \"c.pem\"\npeer_names = [\"SIP.sbc.test\"]\n\
             accept_server_auth_only = true\n"
        ),
        &with_files(),
    );
    let tls = &config.listen.tls[&1];
    assert_eq!(tls.client_certificates, ClientCertificates::Require);
    assert!(tls.identity.is_some() && tls.trust.is_some() && config.listen.tls.len() == 1);
    let (id, trunk) = config.trunks().next().unwrap();
    assert!(trunk.tls.identity.is_some() && trunk.tls.trust.is_some() && trunk.tls.accept_server_auth_only);
    assert_eq!(config.sources().pins(PeerId::from(id)), ["sip.sbc.test"]);
    assert_eq!(config.pems().len(), 3, "each file once");
    assert!(!format!("{config:?}").contains("PRIVATE"), "no key is ever printed");
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_cure() {
    let of_trunk = |keys: &str| errors(&format!("{LISTEN}{TRUNK}{keys}"));
    assert_eq!(
        of_trunk("certificate = \"c.pem\"\nkey = \"other.pem\"\n"),
        ["trunk.sbc.key: etc/other.pem is not the key of that certificate; write the key that belongs to it"]
    );
    assert_eq!(
        of_trunk("certificate = \"k.pem\"\n"),
        [
            "trunk.sbc.certificate: etc/k.pem has no certificate; put the certificate and then its intermediates there"
        ]
    );
    assert_eq!(
        of_trunk("certificate = \"c.pem\"\n"),
        [
            "trunk.sbc.certificate: etc/c.pem has no private key; put a PKCS #8, PKCS #1 or SEC1 key there, without a password"
        ]
    );
    assert_eq!(
        of_trunk("key = \"k.pem\"\n"),
        ["trunk.sbc.key: is a key without a certificate; write certificate = \"certificate.pem\" too"]
    );
    assert_eq!(
        of_trunk("trust = \"nix.pem\"\npeer_names = [\"*.sbc.test\"]\n"),
        [
            "trunk.sbc.trust: there is no file etc/nix.pem; put it there, or write the path of one that is",
            "trunk.sbc.peer_names[1]: \"*.sbc.test\" is no name of a certificate; write one in full, such as \"sip.example.com\"",
        ]
    );
}

#[test]
fn listeners_and_trunks_have_to_fit() {
    assert_eq!(
        errors(&format!("[listen]\nsip = [\"tls:127.0.0.1:5061\"]\n{TRUNK}")),
        [
            "listen.sip[1]: tls:127.0.0.1:5061 has no certificate to show; write { bind = \"tls:127.0.0.1:5061\", \
          certificate = \"certificate.pem\", key = \"key.pem\" }, or give a trunk one"
        ]
    );
    let trunk_has_one =
        format!("[listen]\nsip = [\"tls:127.0.0.1:5061\"]\n{TRUNK}certificate = \"both.pem\"\n");
    assert!(read(&trunk_has_one, &with_files()).warnings.errors().next().is_none());
    let only_udp = "[listen]\nsip = [\"udp:127.0.0.1:5060\"]\n";
    assert_eq!(
        errors(&format!("{only_udp}{TRUNK}peer_names = [\"a.test\"]\n")),
        [
            "trunk.sbc.send_to: nothing listens by TLS, so no request of the far end could come back; add a tls: listener to listen.sip",
            "trunk.sbc.peer_names: nothing listens by TLS, so nobody can show a certificate; add a tls: listener to listen.sip",
        ]
    );
    let never = LISTEN.replace("key =", "client_certificates = \"never\", key =");
    assert_eq!(
        errors(&format!("{never}{TRUNK}peer_names = [\"a.test\"]\n")),
        [
            "trunk.sbc.peer_names: no listener asks for a certificate; write client_certificates = \"ask\" at one"
        ]
    );
    assert_eq!(
        errors("[listen]\nsip = [{ bind = \"tcp:127.0.0.1:5060\", certificate = \"c.pem\" }]\n"),
        ["listen.sip[1].certificate: tcp:127.0.0.1:5060 has no TLS; take it out, or listen on tls:"]
    );
}

#[test]
fn a_reload_takes_over_what_files_hold_even_of_listeners() {
    let (before, mut surroundings) = (with_files(), with_files());
    let old = read(&format!("{LISTEN}{TRUNK}"), &before);
    let mut fresh = read(&format!("{LISTEN}{TRUNK}"), &surroundings);
    assert_eq!(fresh.difference(&old), "etc/c.pem has another content; etc/k.pem has another content");
    let renewed = fresh.listen.clone();
    assert!(fresh.keep_until_restart(&old).is_empty());
    assert_eq!(fresh.listen, renewed);
    // Another key waits for a restart; certificates do not wait with it.
    let one_more = LISTEN.replace("[{", "[\"udp:127.0.0.1:5060\", {") + "max_connections = 7\n";
    let mut fresh = read(&format!("{one_more}{TRUNK}"), &surroundings);
    let waiting: Vec<_> = fresh.keep_until_restart(&old).into_iter().collect();
    assert_eq!(waiting, ["listen.max_connections", "listen.sip"]);
    assert_eq!(fresh.listen.tls, renewed.tls);
    assert_eq!((&fresh.listen.sip, fresh.listen.max_connections), (&old.listen.sip, 1_000));
    // Another listener has to wait, and keeps what it has till then.
    surroundings = with_files();
    let mut moved = read(&format!("{}{TRUNK}", LISTEN.replace("5061", "5071")), &surroundings);
    assert_eq!(moved.keep_until_restart(&old).into_iter().collect::<Vec<_>>(), ["listen.sip"]);
    assert_eq!(moved.listen, old.listen);
}
