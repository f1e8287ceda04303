//! `kind = "teams"`, `advertise` and `[hosts]`: what they stand for, what may be written otherwise, what is wrong.

#![cfg(feature = "driver")]

mod config_support;

use std::path::PathBuf;

use config_support::{DESK, read_with, surroundings};
use media::sdp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_RSA_SHA256, RsaKeySize,
};
use router::config::{Config, Files, History, Hold, Names, Problems, Surroundings, Trunk};

const HEAD: &str = "[listen]\nsip = [\"udp:127.0.0.1:5060\", { bind = \"tls:127.0.0.1:5061\", certificate = \"sbc.pem\" }]\n[trunk.carrier]\naccept_from = [\"10.0.0.0/8\"]\n";
const FACING: &str = "kind = \"teams\"\nfqdn = \"sbc.example.com\"\ncertificate = \"sbc.pem\"\n";

/// With a file `sbc.pem` that holds this, and one of roots.
fn with_files(sbc: String, roots: String) -> Surroundings {
    let mut surroundings = surroundings();
    let Files::Memory(files) = &mut surroundings.files else { panic!() };
    files.insert(PathBuf::from("etc/sbc.pem"), sbc.into());
    files.insert(PathBuf::from("etc/roots.pem"), roots.into());
    surroundings
}

/// With a file `sbc.pem` of `sbc.example.com`, certificate and key.
fn with_certificate() -> Surroundings {
    let key = KeyPair::generate().unwrap();
    let certificate = params().self_signed(&key).unwrap();
    with_files(format!("{}{}", certificate.pem(), key.serialize_pem()), String::new())
}

fn params() -> CertificateParams {
    CertificateParams::new(vec!["sbc.example.com".to_owned()]).unwrap()
}

fn read(teams: &str) -> Result<Config, Vec<String>> {
    read_in(teams, &with_certificate()).map_err(|problems| {
        problems.errors().map(|problem| format!("{}: {}", problem.key, problem.text)).collect()
    })
}

fn read_in(teams: &str, surroundings: &Surroundings) -> Result<Config, Problems> {
    let text = format!("{HEAD}[trunk.teams]\n{teams}{DESK}");
    read_with(&text, &mut Names::new(), surroundings)
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
    let version = format!("Fernamt/Router/{}", env!("CARGO_PKG_VERSION"));
    assert!(trunk.headers.fixed().map(|(_, text)| text).eq([&version]), "in what we ask");
    assert_eq!(trunk.headers.in_answers, [("X-MS-SBC".into(), version.into())]);
}

#[test]
fn every_key_of_the_profile_can_be_written_otherwise() {
    let trunk = trunk(&format!(
        "{FACING}send_to = \"tls:sip.pstnhub.gov.teams.microsoft.us:5061\"\naccept_from = \"52.127.88.0/21\"\nsrtp = \"optional\"\n\
         missed_calls = true\nadvertise = \"other.example.com:443\"\nheaders = {{ set = {{ X-One = \"1\" }} }}\n"
    ));
    assert_eq!((trunk.send_to.len(), trunk.accept_from.len(), trunk.srtp.mode), (1, 1, sdp::Srtp::Optional));
    assert_eq!(trunk.own_name.map(|name| name.to_string()).as_deref(), Some("other.example.com:443"));
    assert!(trunk.dialog.missed_calls);
}

#[test]
fn headers_of_ones_own_stand_beside_those_of_the_profile() {
    let own = trunk(&format!("{FACING}headers = {{ set = {{ X-One = \"1\" }} }}\n"));
    let set = |trunk: &Trunk| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut set: Vec<_> =
            trunk.headers.fixed().map(|(name, value)| (text(&name), text(&value))).collect();
        set.sort();
        set
    };
    let ours = ("X-MS-SBC".to_owned(), format!("Fernamt/Router/{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(set(&own), [ours, ("X-One".to_owned(), "1".to_owned())]);
    assert!(!own.headers.passes(b"X-Anything"), "the profile's pass = [] stays");
    let other =
        trunk(&format!("{FACING}headers.pass = [\"X-Any*\"]\nheaders.set.x-ms-sbc = \"Other/Box/2\"\n"));
    assert_eq!(set(&other), [("x-ms-sbc".to_owned(), "Other/Box/2".to_owned())]);
    let box_of =
        |trunk: &Trunk| trunk.headers.in_answers.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>();
    let ours = format!("Fernamt/Router/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(box_of(&other), [ours], "what is answered is a key of its own");
    let answers = trunk(&format!("{FACING}headers.in_answers.X-MS-SBC = \"Other/Box/2\"\n"));
    assert_eq!(box_of(&answers), ["Other/Box/2"]);
    assert!(other.headers.passes(b"X-Anything") && !other.headers.passes(b"X-Other"));
}

#[test]
fn what_is_wrong_with_the_name_or_the_way_is_told_where_it_stands() {
    for (written, told) in [
        (
            "fqdn = \"sip:sbc.example.com\"\n",
            "trunk.teams.fqdn: \"sip:sbc.example.com\" is an address with its scheme; write \"sbc.example.com\"",
        ),
        (
            "fqdn = \"192.0.2.1\"\n",
            "trunk.teams.fqdn: 192.0.2.1 is an address, by which Teams knows nobody (403); write the name that stands in the certificate, such as \"sbc.example.com\"",
        ),
        (
            "fqdn = \"sbc.example.com\"\nadvertise = \"192.0.2.1\"\n",
            "trunk.teams.advertise: 192.0.2.1 is an address, by which Teams knows nobody (403); write the name that stands in the certificate, such as \"sbc.example.com\"",
        ),
        (
            "fqdn = \"me@sbc.example.com\"\nadvertise = \"sbc.example.com\"\n",
            "trunk.teams.fqdn: \"me@sbc.example.com\" has a user in it; write \"sbc.example.com\"",
        ),
    ] {
        let file = format!("kind = \"teams\"\n{written}certificate = \"sbc.pem\"\n");
        assert_eq!(read(&file).unwrap_err(), [told]);
    }
    let problems =
        read_in("kind = \"teams\"\nvia = [\"udp:10.9.0.1\", \"ws:10.9.0.2\"]\n", &with_certificate());
    let problems = problems.unwrap_err();
    let second = problems.errors().next().unwrap();
    assert_eq!((second.key.as_str(), second.place.line, second.place.column), ("trunk.teams.via[2]", 7, 24));
    assert_eq!(
        read("kind = \"teams\"\nvia = \"udp:10.9.0.1\"\nsend_to = \"udp:10.9.0.2\"\n").unwrap_err(),
        ["trunk.teams.via: stands beside send_to, and both say where calls go; take one out"]
    );
    assert!(read("kind = \"teams\"\nvia = \"udp:10.9.0.1\"\nfqdn = \"192.0.2.1\"\n").is_ok());
    // A laboratory, or an SBC that is written as the far end: only whoever owns it knows what it takes.
    let elsewhere =
        "kind = \"teams\"\nsend_to = \"tls:10.9.0.1\"\nfqdn = \"192.0.2.1\"\ncertificate = \"sbc.pem\"\n";
    assert!(read(elsewhere).is_ok());
}

#[test]
fn who_has_transfers_carried_out_here_is_not_told_of_a_key_that_he_has_not_written() {
    let config = read(&format!("{FACING}transfers_return = false\n")).unwrap();
    let told: Vec<_> = config.warnings.warnings().map(|problem| problem.key.as_str()).collect();
    assert!(!told.contains(&"trunk.teams.transfers_rejoin"), "{told:?}");
}

#[test]
fn a_second_tenant_has_a_trunk_that_only_calls() {
    let second = format!(
        "{FACING}[trunk.second]\nkind = \"teams\"\nfqdn = \"two.example.com\"\ncertificate = \"sbc.pem\"\n"
    );
    assert_eq!(
        read(&second).unwrap_err(),
        [
            "trunk.second.kind: Teams calls from the same addresses whatever the tenant, and they are trunk.teams's already; \
             write accept_from = [] here: then this trunk only calls, and trunk.teams takes the calls of both"
        ]
    );
    let config =
        read(&format!("{second}accept_from = []\n")).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let second = config.trunks().find(|(_, trunk)| trunk.name == "second").unwrap().1;
    assert_eq!((second.send_to.len(), second.accept_from.len()), (3, 0));
}

/// A certificate of an authority, with the chain behind it that is asked for, and the authority's own.
fn issued(usages: &[ExtendedKeyUsagePurpose], with_intermediate: bool) -> (String, String) {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
    let between =
        CertifiedIssuer::signed_by(authority("between"), KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = params();
    params.extended_key_usages = usages.to_vec();
    let (leaf, behind) = match with_intermediate {
        true => (params.signed_by(&key, &between).unwrap(), between.pem()),
        false => (params.signed_by(&key, &root).unwrap(), String::new()),
    };
    (format!("{}{behind}{}", leaf.pem(), key.serialize_pem()), root.pem())
}

#[test]
fn a_certificate_that_teams_would_not_take_is_told_before_teams_does() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let doubts = |(sbc, roots): (String, String), keys: &str| {
        let config = read_in(&format!("{FACING}{keys}"), &with_files(sbc, roots)).unwrap();
        config.warnings.iter().map(|doubt| format!("{}: {}", doubt.key, doubt.text)).collect::<Vec<_>>()
    };
    let alone = "trunk.teams.certificate: etc/sbc.pem has no intermediate certificates behind it, and Teams fetches none; \
                 put those of its authority behind it";
    let servers = "trunk.teams.certificate: etc/sbc.pem is for servers only; Teams has wanted clientAuth beside serverAuth \
                   since March 2024, and whether it still does is not known: have one made for both while your authority \
                   makes them";
    assert_eq!(doubts(issued(&[ServerAuth, ClientAuth], true), ""), [""; 0]);
    assert_eq!(doubts(issued(&[ServerAuth, ClientAuth], false), ""), [alone]);
    assert_eq!(doubts(issued(&[ServerAuth, ClientAuth], false), "trust = \"roots.pem\"\n"), [""; 0]);
    assert_eq!(doubts(issued(&[ServerAuth], true), ""), [servers]);
    assert_eq!(doubts(issued(&[], true), ""), [""; 0], "what says nothing is for everything");
    let key = KeyPair::generate().unwrap();
    let own = format!("{}{}", params().self_signed(&key).unwrap().pem(), key.serialize_pem());
    assert_eq!(
        doubts((own, String::new()), ""),
        [
            "trunk.teams.certificate: etc/sbc.pem has no RSA key, and the ciphers of Teams want one; have one made with RSA, 2048 bits or more",
            "trunk.teams.certificate: etc/sbc.pem is signed by itself, which Teams refuses; have one made by an authority of Microsoft's list",
        ]
    );
}

/// Made for this test, and of no use to anybody.
const SHORT_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAKMh7d/RYco5tOmJ\n\
ZsKFLdJ9ElqL8IG6iSO3JdAARP7SdpIJ+MEoMps40Qs3bUE5gJyyvF0is9ppymAW\n\
W5W+j4koG1mrk7rRl56PByZiQEsqS/OGR40bdinBbI9XsqASd4whqdbfpZ1suukA\n\
juJx8MRUHEI0rDY6rG5eIVztQqPnAgMBAAECgYAp2bF54vBwfd9wrkRDkQERZ+7G\n\
dfIshdta40h7FSaeLQYoLxC3FQXulmPiucR4oDTjfmMejaGQXeWCQxoZz3po73fI\n\
N4ly6i8ziOs/5o4dpHozwEalIcFB2Md2N9rA5eqL7axa+mecdQgVtPKA0rv14kpP\n\
7GOJV1j0u8FpacWaGQJBANcrAcw3pIOO1Rwm5wihg17oXX+iKamGA3TAP/D/l26B\n\
lPLwce4G2tsD5qKT8TRZxfLjOWnBRMjnEKR4adnact0CQQDCFwH19e1KbIYGWJlX\n\
Lwv4CPC4ybJu3yXbfb+F3jgmzxhbeFKGDXE0iWz3Tlchpx/IUTH8ABi65f6v3gK5\n\
xPuTAkBeBrY3Zs1mjCFGtx1Y4TPGYqaRIu0v3pdeCrEmgJrNOKU9cKNoz+gNs2uy\n\
+hF6vgxJstAhDcsgPBFCvjgLcnGlAkB9MuA16+ykfHq77z0C6zs6RXIakSkDsfg2\n\
rNf1n5HzHtXkcyowhM1IiXl70dIMyESNMCshFmLddO0kPv7dHH73AkEAwq52TaEa\n\
wTjgNoqp9VqiwcfDr/jYbj9q2gZXIJK2KjfPQRpdKxbzmONlnMpcGm1ZAeopku5G\n\
3JheauEUJDCApw==\n\
-----END PRIVATE KEY-----\n";

#[test]
fn a_key_that_is_too_short_is_refused_on_every_trunk() {
    let (sbc, _) = issued(&[], true);
    let mut files = with_files(sbc, String::new());
    let Files::Memory(known) = &mut files.files else { panic!() };
    known.insert(PathBuf::from("etc/short.key"), SHORT_KEY.into());
    let problems = read_in(&format!("{FACING}key = \"short.key\"\n"), &files).unwrap_err();
    let errors: Vec<String> =
        problems.errors().map(|problem| format!("{}: {}", problem.key, problem.text)).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("trunk.teams.key: etc/short.key has a key of no use"), "{errors:?}");
    assert!(errors[0].contains("RSA with 2048 bits or more"), "{errors:?}");
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
