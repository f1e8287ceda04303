//! Names of far ends, registrations at carriers, and telephones in browsers: what may be written, and what is wrong.

mod config_support;

use std::time::Duration;

use config_support::{DESK, HEAD, problems_of, read_with, sentences, surroundings};
use router::config::{Config, Names, NumberIn, TrunkRegister};

const ACCOUNT: &str = "username = \"493012345\"\npassword = \"secret\"\n";

fn problems(lines: &str, about: &str) -> Vec<String> {
    sentences(lines).into_iter().filter(|line| line.contains(about) && !line.contains("names it")).collect()
}

fn config(lines: &str) -> Config {
    read_with(&format!("{HEAD}{DESK}{lines}"), &mut Names::new(), &surroundings()).expect("no mistakes")
}

fn register(lines: &str) -> Option<TrunkRegister> {
    let config = config(&format!("[trunk.x]\n{lines}"));
    config.trunks().find(|(_, trunk)| trunk.name == "x").expect("the trunk").1.register.clone()
}

#[test]
fn dns_is_the_systems_unless_servers_are_named() {
    let plain = config("").dns;
    assert!(plain.servers.is_empty());
    assert_eq!((plain.timeout, plain.attempts), (Duration::from_secs(2), 2));
    assert_eq!(plain.stale, Duration::from_secs(3_600));
    let dns =
        config("[dns]\nservers = [\"192.0.2.53\", \"127.0.0.1:5353\", \"2001:db8::53\"]\nstale = \"0s\"\n")
            .dns;
    let servers: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "127.0.0.1:5353", "[2001:db8::53]:53"]);
    assert_eq!(
        problems("[dns]\nservers = \"dns.example.com\"\nattempts = 0\n", "dns."),
        [
            "dns.servers: \"dns.example.com\" is no address of a DNS server; write it such as \"192.0.2.53\" or \"[2001:db8::53]:5353\"",
            "dns.attempts: 0 is out of range; write 1 to 5 (default 2)"
        ]
    );
}

#[test]
fn a_registration_follows_from_the_account_and_the_first_target() {
    let plain =
        register(&format!("send_to = \"udp:sip.carrier.example\"\n{ACCOUNT}register = true\n")).unwrap();
    assert_eq!(plain.registrar.to_string(), "udp:sip.carrier.example");
    assert_eq!((plain.domain.as_str(), plain.user.as_str()), ("sip.carrier.example", "493012345"));
    assert_eq!((plain.contact_user.as_str(), plain.expires), ("493012345", Duration::from_secs(600)));
    assert_eq!(plain.number_in, NumberIn::Either);
    let written = "register = { registrar = \"tls:reg.carrier.example\", domain = \"carrier.example\", user = \"desk\", contact_user = \"x1\", expires = \"1h\", number_in = \"to\" }\n";
    let written = register(&format!("send_to = \"udp:192.0.2.1\"\n{ACCOUNT}{written}")).unwrap();
    assert_eq!(written.registrar.to_string(), "tls:reg.carrier.example");
    assert_eq!((written.domain.as_str(), written.user.as_str()), ("carrier.example", "desk"));
    assert_eq!((written.contact_user.as_str(), written.expires), ("x1", Duration::from_secs(3_600)));
    assert_eq!(written.number_in, NumberIn::To);
    assert_eq!(register("send_to = \"udp:192.0.2.1\"\nregister = false\n"), None);
    let alone = "register = { registrar = \"udp:192.0.2.7\" }\n";
    assert!(register(&format!("{ACCOUNT}{alone}")).is_some(), "calls come, none go");
}

#[test]
fn a_registration_that_cannot_be_says_why() {
    let told = |lines: &str| {
        problems(&format!("[trunk.x]\nsend_to = \"udp:192.0.2.1\"\n{lines}\n"), "trunk.x.register")
    };
    assert_eq!(
        told("register = true"),
        [
            "trunk.x.register: needs an account; write username = \"493012345\" and password_file = \"carrier.password\" into the trunk"
        ]
    );
    assert_eq!(
        told(&format!("{ACCOUNT}register = {{ expires = \"10s\", registrar = \"ws:a\", user = \"a b\" }}")),
        [
            "trunk.x.register.expires: \"10s\" is out of range; write \"1m\" to \"24h\" (default \"10m\")",
            "trunk.x.register.registrar: \"ws:a\": nobody can be called by ws; write udp:, tcp: or tls:",
            "trunk.x.register.user: \"a b\" is no user part; write it such as \"493012345\""
        ]
    );
    assert_eq!(
        told(&format!("{ACCOUNT}register = {{ domain = \"udp:a\" }}")),
        ["trunk.x.register.domain: \"udp:a\" is no domain; write it such as \"carrier.example\""]
    );
    let nowhere = format!("[trunk.x]\naccept_from = \"192.0.2.1\"\n{ACCOUNT}register = true\n");
    assert_eq!(
        problems(&nowhere, "trunk.x.register"),
        [
            "trunk.x.register: it is not said where; write register = { registrar = \"udp:sip.carrier.example\" }"
        ]
    );
}

#[test]
fn pages_are_named_by_their_origins_where_there_are_pages() {
    let listen = |entry: &str| -> Vec<String> {
        let told = problems_of(&format!("[listen]\nsip = [{entry}]\n"), &surroundings());
        let of_listen =
            told.iter().filter_map(|line| line.find("listen.sip").map(|at| line[at..].to_owned()));
        of_listen.collect()
    };
    assert_eq!(listen("\"ws:127.0.0.1:8080\""), [""; 0]);
    assert_eq!(listen("{ bind = \"ws:127.0.0.1:8080\", origins = [\"https://desk.example.com\"] }"), [""; 0]);
    assert_eq!(
        listen("{ bind = \"ws:127.0.0.1:8080\", origins = [\"desk.example.com\", \"https://*\"] }"),
        [
            "listen.sip[1].origins[1]: \"desk.example.com\" is no origin; write it as browsers do, such as \"https://desk.example.com\"",
            "listen.sip[1].origins[2]: \"https://*\" is no origin; write it as browsers do, such as \"https://desk.example.com\""
        ]
    );
    assert_eq!(
        listen("{ bind = \"udp:127.0.0.1:5060\", origins = [\"https://desk.example.com\"] }"),
        ["listen.sip[1].origins: udp:127.0.0.1:5060 has no pages; take it out, or listen on wss:"]
    );
    assert_eq!(
        listen("\"wss:127.0.0.1:8443\""),
        [
            "listen.sip[1]: wss:127.0.0.1:8443 has no certificate to show; write { bind = \"wss:127.0.0.1:8443\", certificate = \"certificate.pem\", key = \"key.pem\" }, or give a trunk one"
        ]
    );
}
