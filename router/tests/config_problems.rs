//! Every mistake is told with its place, key, value and cure, and all of them at once.

mod config_support;

use std::path::PathBuf;
use std::sync::Arc;

use config_support::{DESK, HEAD, problems, problems_of, sentences, surroundings, wav};
use router::config::{Config, Files, Machine, Names, Severity, Surroundings, parse};

/// Asserts that `text` has exactly these problems, whatever their places.
#[track_caller]
fn expect(text: &str, expected: &[&str]) {
    assert_eq!(sentences(text), expected, "of\n{text}");
}

#[test]
fn the_place_is_that_of_the_value_and_the_form_is_exact() {
    let text = "[queue.support]\nring_timeout = 20\n";
    let mut names = Names::new();
    let problems = parse(text, "fernamt.toml", "".as_ref(), &mut names, &Surroundings::default())
        .expect_err("20 has no unit");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(
            &"fernamt.toml:2:16: queue.support.ring_timeout: 20 has no unit; write \"20s\" or \"20ms\" (default \"20s\")"
                .to_owned()
        ),
        "{told:#?}"
    );
}

#[test]
fn all_mistakes_come_in_one_run_and_in_the_order_of_the_file() {
    let text = format!(
        "{DESK}ring_timeout = 20\nmax_waiting = 0\nmusci = \"a.wav\"\n[limits]\ndrain_timeout = true\n[quue.x]\n"
    );
    let told = problems(&text);
    let keys: Vec<&str> = told.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        keys,
        [
            "queue.desk.ring_timeout",
            "queue.desk.max_waiting",
            "queue.desk.musci",
            "limits.drain_timeout",
            "quue"
        ]
    );
}

#[test]
fn mistakes_of_grammar_are_told_alone_and_with_their_place() {
    let told = problems_of("[node]\nname = \ncolour = 20\n[node]\n", &surroundings());
    assert!(told.iter().any(|line| line.starts_with("2:")), "{told:?}");
    assert!(told.iter().all(|line| !line.contains("colour")), "{told:?}");
    let told = problems_of("[node]\nname = \"a\"\nname = \"b\"\n", &surroundings());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("3:1: duplicate key; keep one of them"), "{told:?}");
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let told = problems_of("", &surroundings());
    assert_eq!(
        told,
        ["1:1: listen.sip: is missing; write sip = [\"udp:192.0.2.1:5060\", \"tcp:192.0.2.1:5060\"]"]
    );
}

#[test]
fn values_of_the_wrong_kind_are_told_with_what_would_be_right() {
    let cases = [
        ("ring_timeout = 20", "ring_timeout: 20 has no unit; write \"20s\" or \"20ms\" (default \"20s\")"),
        (
            "ring_timeout = \"20\"",
            "ring_timeout: \"20\" has no unit; write \"20s\" or \"20ms\" (default \"20s\")",
        ),
        (
            "ring_timeout = \"6m\"",
            "ring_timeout: \"6m\" is out of range; write \"1s\" to \"5m\" (default \"20s\")",
        ),
        (
            "ring_timeout = \"0s\"",
            "ring_timeout: \"0s\" is out of range; write \"1s\" to \"5m\" (default \"20s\")",
        ),
        ("dead_air = \"31s\"", "dead_air: \"31s\" is out of range; write \"0s\" to \"30s\" (default \"3s\")"),
        ("dead_air = 0", "dead_air: 0 has no unit; write \"0s\" or \"0ms\" (default \"3s\")"),
        (
            "ring_timeout = \"soon\"",
            "ring_timeout: \"soon\" is no length of time; write a number with ms, s, m, h or d, such as \"20s\" (default \"20s\")",
        ),
        ("max_waiting = 0", "max_waiting: 0 is out of range; write 1 to 1000000 (default 200)"),
        ("max_waiting = -1", "max_waiting: -1 is out of range; write 1 to 1000000 (default 200)"),
        ("max_waiting = 1000001", "max_waiting: 1000001 is out of range; write 1 to 1000000 (default 200)"),
        ("max_waiting = \"500\"", "max_waiting: \"500\" is a text; write 500 without quotes (default 200)"),
        ("max_waiting = 1.5", "max_waiting: 1.5 is not a whole number; write 1 to 1000000 (default 200)"),
        (
            "strategy = \"longest-idel\"",
            "strategy: \"longest-idel\" is not known here; did you mean \"longest-idle\"?",
        ),
        (
            "strategy = \"random\"",
            "strategy: \"random\" is not known here; write \"longest-idle\", \"fewest-calls\", \"best-skill\", \"round-robin\", \"ordered\", \"random-weighted\" or \"ring-all\" (default \"longest-idle\")",
        ),
        ("music = 5", "music: 5 is not a text; write \"5\""),
        ("ring_timout = \"5s\"", "ring_timout: there is no such key; did you mean \"ring_timeout\"?"),
        (
            "overflow = \"flow.x\"",
            "overflow: there is no such key; what follows the queue step in its flow is the overflow",
        ),
        ("least_skill = 0", "least_skill: 0 is out of range; write 1 to 10 (default 1)"),
        ("widen = [{ least_skill = 1 }]", "widen[1].after: is missing; write after = \"30s\""),
        (
            "least_skill = 5\nwiden = [{ after = \"9s\", least_skill = 3 }, { after = \"9s\", least_skill = 2 }]",
            "widen[2].after: must be later than the step before (9s); write a longer time",
        ),
        (
            "least_skill = 5\nwiden = [{ after = \"9s\", least_skill = 6 }]",
            "widen[1].least_skill: would narrow the choice again; write 1 to 5",
        ),
        (
            "widen = [{ after = \"9s\" }]",
            "widen[1]: changes nothing; write { after = \"30s\", least_skill = 3 }, or agents_of, or take it out",
        ),
        (
            "widen = [{ after = \"9s\", agents_of = \"sales\" }]",
            "widen[1].agents_of: there is no queue \"sales\"; write \"desk\", or add [queue.sales]",
        ),
        (
            "confirm = { key = \"1\" }",
            "confirm: nobody would tell the agent to press a key; write whisper = \"FILE.wav\" too",
        ),
        (
            "whisper = \"a.wav\"\nconfirm = { key = \"12\" }",
            "confirm.key: \"12\" is no key; write one of 0 to 9, * and #",
        ),
        ("priority = 10", "priority: 10 is out of range; write 0 to 9 (default 0)"),
    ];
    for (line, expected) in cases {
        expect(&format!("{DESK}{line}\n"), &[&format!("queue.desk.{expected}")]);
    }
}

#[test]
fn bounds_themselves_are_allowed() {
    let lines = "ring_timeout = \"1s\"\nwrap_up = \"8h\"\nmax_waiting = 1_000_000\nmax_wait = \"24h\"\npriority = 9\n";
    expect(&format!("{DESK}{lines}"), &[]);
    expect(&format!("{DESK}ring_timeout = \"5m\"\nmax_waiting = 0x1F\n"), &[]);
}

#[test]
fn a_prompt_that_is_missing_or_broken_is_told_where_it_is_named() {
    expect(
        &format!("{DESK}music = \"nix.wav\"\n"),
        &["queue.desk.music: there is no file etc/nix.wav; put it there, or write the path of one that is"],
    );
    let mut broken = surroundings();
    let Files::Memory(files) = &mut broken.files else { panic!() };
    files.insert(PathBuf::from("etc/broken.wav"), b"RIFFxxxxWAVE".to_vec());
    files.insert(PathBuf::from("etc/cut.wav"), wav()[..30].to_vec());
    for name in ["broken", "cut"] {
        let told = problems_of(&format!("{HEAD}{DESK}music = \"{name}.wav\"\n"), &broken);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(&format!("queue.desk.music: etc/{name}.wav is of no use: ")), "{told:?}");
    }
}

#[test]
fn a_file_is_what_it_contains_and_a_name_that_says_otherwise_is_told() {
    let mut around = surroundings();
    let Files::Memory(files) = &mut around.files else { panic!() };
    let mp3 = include_bytes!("../../media/tests/sounds/mono.mp3").to_vec();
    files.insert(PathBuf::from("etc/tune.wav"), mp3.clone());
    files.insert(PathBuf::from("etc/tune.mp3"), mp3);
    files.insert(PathBuf::from("etc/short.mp3"), b"ID3".to_vec());
    let told = |file: &str| problems_of(&format!("{HEAD}{DESK}music = \"{file}\"\n"), &around);
    assert_eq!(told("tune.mp3"), [""; 0]);
    let at = "queue.desk.music";
    assert_eq!(
        told("tune.wav"),
        [format!("19:9: warning: {at}: etc/tune.wav is MP3 by its content; name it etc/tune.mp3")]
    );
    assert_eq!(
        told("short.mp3"),
        [format!(
            "19:9: {at}: etc/short.mp3 is of no use: the MP3 sound in it ends before its end; copy it again"
        )]
    );
}

#[test]
fn music_is_a_file_a_folder_or_several_and_each_file_of_no_use_is_told() {
    let mut around = surroundings();
    let Files::Memory(files) = &mut around.files else { panic!() };
    for name in
        ["jazz/2.wav", "jazz/1.WAV", "jazz/cover.jpg", "jazz/.hidden.wav", "jazz/live/3.wav", "art/x.jpg"]
    {
        files.insert(PathBuf::from("etc").join(name), wav());
    }
    files.insert(PathBuf::from("etc/mixed/good.wav"), wav());
    files.insert(PathBuf::from("etc/mixed/bad.wav"), vec![]);
    let pieces = |value: &str| {
        let text = format!("{HEAD}{DESK}music = {value}\n");
        let config =
            config_support::read_with(&text, &mut Names::new(), &around).unwrap_or_else(|e| panic!("{e}"));
        let music = config.queues().next().unwrap().1.music.clone().unwrap();
        let names: Vec<String> =
            music.pieces.iter().map(|piece| config.prompt(*piece).unwrap().name.clone()).collect();
        names.join(" ")
    };
    assert_eq!(pieces("\"a.wav\""), "a.wav");
    assert_eq!(pieces("\"jazz\""), "jazz/1.WAV jazz/2.wav");
    assert_eq!(pieces("[\"b.wav\", \"jazz/\", \"a.wav\"]"), "b.wav jazz/1.WAV jazz/2.wav a.wav");
    assert_eq!(
        pieces("{ play = \"jazz\", order = \"shuffled\", start = \"random\" }"),
        "jazz/1.WAV jazz/2.wav"
    );
    let told = |value: &str| {
        let told = problems_of(&format!("{HEAD}{DESK}music = {value}\n"), &around);
        told.iter().map(|line| line.split_once("queue.desk.music").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let no_use = ": etc/mixed/bad.wav is of no use: the file is empty; record or copy it again";
    assert_eq!(told("\"mixed\""), [no_use]);
    assert_eq!(told("\"art\""), [": no sound file is in the folder art; put some there"]);
    assert_eq!(told("[]"), [": nothing would be heard; write a file, a folder or several of them"]);
    assert_eq!(told("{ order = \"listed\" }"), [".play: is missing; write play = \"music/\""]);
    assert_eq!(
        told("{ play = \"a.wav\", start = \"rndom\" }"),
        [".start: \"rndom\" is not known here; did you mean \"random\"?"]
    );
    assert_eq!(
        told("[\"nix.wav\", \"mixed/bad.wav\"]"),
        [
            "[1]: there is no file etc/nix.wav; put it there, or write the path of one that is",
            &format!("[2]{no_use}")
        ]
    );
}

#[test]
fn every_language_that_may_be_asked_for_has_a_file_for_every_prompt() {
    let mut around = surroundings();
    let Files::Memory(files) = &mut around.files else { panic!() };
    for name in ["de/hello.wav", "en/hello.wav", "de/bye.wav", "fr/bye.wav"] {
        files.insert(PathBuf::from("etc").join(name), wav());
    }
    let told = |text: &str| {
        let told = problems_of(&format!("{HEAD}{text}"), &around);
        told.iter().map(|line| line.splitn(3, ':').nth(2).unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let both = "[prompts]\nlanguages = [\"de\", \"en\"]\n";
    let hello = format!("{DESK}announcement = \"{{lang}}/hello.wav\"\n");
    assert_eq!(told(&format!("{hello}{both}")), [""; 0]);
    assert_eq!(
        told(&hello),
        [
            "queue.desk.announcement: {lang} stands for a language, and there are none; write languages = [\"de\"] in [prompts]"
        ]
    );
    assert_eq!(
        told(&format!("{DESK}music = \"{{lang}}/bye.wav\"\n{both}")),
        [
            "queue.desk.music: there is no file etc/en/bye.wav for \"en\"; put it there, or take \"en\" out of prompts.languages"
        ]
    );
    let of_number = DESK.replace("flow = \"desk\"\n", "flow = \"desk\"\nlanguage = \"en\"\n");
    assert_eq!(told(&format!("{of_number}{both}")), [""; 0]);
    assert_eq!(
        told(&of_number),
        [
            "number[1].language: \"en\" is not among prompts.languages; write languages = [\"en\"] in [prompts]"
        ]
    );
    let of_step = DESK.replace("steps = [", "steps = [{ language = \"fr\" }, ");
    assert_eq!(
        told(&format!("{of_step}{both}")),
        [
            "flow.desk.steps[1].language: \"fr\" is not among prompts.languages; write \"de\" or \"en\", or add it there"
        ]
    );
    assert_eq!(
        told("[prompts]\nlanguages = [\"de\", \"de\", \"deutsch!\", \"much-too-long\"]\n")[..3],
        [
            "prompts.languages[2]: \"de\" stands here twice; take one out",
            "prompts.languages[3]: \"deutsch!\" is no language; write one such as \"de\" or \"en-GB\"",
            "prompts.languages[4]: \"much-too-long\" is no language; write one such as \"de\" or \"en-GB\"",
        ]
    );
}

#[test]
fn what_a_queue_tells_has_been_recorded_in_every_language_and_what_is_missing_is_named() {
    let mut around = surroundings();
    let Files::Memory(files) = &mut around.files else { panic!() };
    let numbers = (0..=20).chain((30..=90).step_by(10)).map(|number: u32| number.to_string());
    let german = ["ein", "und", "hundert", "tausend", "place"].map(str::to_owned);
    for name in numbers.clone().chain(german) {
        files.insert(PathBuf::from(format!("etc/de/{name}.wav")), wav());
    }
    for name in numbers.filter(|name| name != "7") {
        files.insert(PathBuf::from(format!("etc/en/{name}.wav")), wav());
    }
    let told = |text: &str| {
        let told = problems_of(&format!("{HEAD}{DESK}{text}"), &around);
        told.iter().map(|line| line.splitn(3, ':').nth(2).unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let prompts = |languages: &str| format!("[prompts]\nlanguages = {languages}\nsnippets = \"{{lang}}\"\n");
    assert_eq!(told(&format!("tell = {{}}\n{}", prompts("[\"de\"]"))), [""; 0]);
    assert_eq!(
        told(&format!("tell = {{}}\n{}", prompts("[\"de\", \"en\"]"))),
        [
            "prompts.snippets: the folder etc/en lacks 7, and, hundred, thousand, place, in-line; record each as NAME.wav there, or write tts"
        ]
    );
    assert_eq!(
        told(&format!("tell = {{ wait = true }}\n{}", prompts("[\"de\"]"))),
        [
            "prompts.snippets: the folder etc/de lacks wait, less-than-a-minute, one-minute, minutes; record each as NAME.wav there, or write tts"
        ]
    );
    assert_eq!(
        told(&format!("tell = {{}}\n{}", prompts("[\"fr\"]"))),
        [
            "prompts.snippets: numbers cannot be said in \"fr\", only in \"de\" and \"en\"; take fr out of prompts.languages, or tell out of the queues"
        ]
    );
    assert_eq!(
        told("tell = { every = \"1m\" }\n"),
        [
            "queue.desk.tell: nobody says what is to be told; write languages, and snippets or tts, in [prompts]"
        ]
    );
    assert_eq!(
        told(&format!("tell = {{ place = false }}\n{}", prompts("[\"de\"]"))),
        ["queue.desk.tell: nothing would be told; write place = true or wait = true, or take it out"]
    );
    let both = "[prompts]\nlanguages = [\"de\", \"en\"]\nsnippets = \"de\"\n";
    assert_eq!(
        told(&format!("tell = {{}}\n{both}")),
        ["prompts.snippets: \"de\" is one folder for several languages; write {lang} in it"]
    );
    assert_eq!(
        told("duck = \"12\"\n"),
        [
            "queue.desk.duck: \"12\" is not how much softer; write \"off\" or \"1dB\" to \"40dB\" (default \"off\")"
        ]
    );
    assert_eq!(told("duck = \"12dB\"\n"), [""; 0]);
}

#[test]
fn a_prompt_whose_file_has_not_changed_is_not_decoded_again() {
    let text = format!("{HEAD}{DESK}music = \"a.wav\"\nannouncement = \"b.wav\"\n");
    let mut names = Names::new();
    let before = config_support::read_with(&text, &mut names, &surroundings()).unwrap();
    let known = before
        .prompts()
        .flat_map(|(_, prompt)| &prompt.files)
        .map(|(_, file)| (file.path.clone(), file.clone()))
        .collect();
    let mut around = Surroundings { known, ..surroundings() };
    let Files::Memory(files) = &mut around.files else { panic!() };
    let louder: Vec<u8> = wav()[..44].iter().copied().chain([9; 16_000]).collect();
    files.insert(PathBuf::from("etc/b.wav"), louder);
    let after = config_support::read_with(&text, &mut names, &around).unwrap();
    let same = |name: &str| {
        let of = |config: &Config| {
            config.prompts().find(|(_, p)| p.name == name).unwrap().1.files[0].1.sound.clone()
        };
        Arc::ptr_eq(&of(&before), &of(&after))
    };
    assert!(same("a.wav") && !same("b.wav"));
}

#[test]
fn names_that_do_not_exist_are_told_with_the_nearest() {
    expect(
        r#"
[[number]]
match = "1"
trunk = "carier"
flow = "support"
hours = "desk"
[flow.suport]
steps = [{ queue = "desk" }, { goto = "flow.x" }]
[agent.anna]
call = "1@teems"
queues = ["desk"]
"#,
        &[
            "number[1].trunk: there is no trunk \"carier\"; did you mean \"carrier\"?",
            "number[1].flow: there is no flow \"support\"; did you mean \"suport\"?",
            "number[1].hours: there is no hours \"desk\"; add [hours.desk]",
            "flow.suport.steps[1].queue: there is no queue \"desk\"; add [queue.desk]",
            "flow.suport.steps[2].goto: there is no flow \"x\"; write \"suport\", or add [flow.x]",
            "agent.anna.call: there is no trunk \"teems\"; did you mean \"teams\"?",
            "agent.anna.queues[1]: there is no queue \"desk\"; add [queue.desk]",
        ],
    );
}

#[test]
fn a_name_that_could_not_be_referred_to_is_refused() {
    expect(
        "[queue.\"front desk\"]\n",
        &["queue.\"front desk\": \"front desk\" is no name; write up to 64 letters, digits, - and _"],
    );
}

#[test]
fn two_numbers_alike_on_one_trunk_are_refused_and_on_two_trunks_are_not() {
    let numbers = |second: &str| {
        format!(
            "[trunk.other]\naccept_from = \"11.0.0.1\"\n[flow.a]\nsteps = [{{ dial = \"1@teams\" }}]\n\
             [[number]]\nmatch = \"+49*\"\ntrunk = \"carrier\"\nflow = \"a\"\n\
             [[number]]\nmatch = \"+49*\"\ntrunk = \"{second}\"\nflow = \"a\"\n"
        )
    };
    expect(&numbers("other"), &[]);
    let unused = "trunk.other: no number, dial or agent names it; take it out, or name it";
    let told = sentences(&numbers("carrier"));
    assert_eq!(told, ["number[2].match: \"+49*\" is answered on trunk.carrier already; take one out"]);
    assert!(!told.iter().any(|line| line.contains(unused)), "no warnings about use beside an error");
}

#[test]
fn a_number_no_trunk_can_bring_is_refused() {
    let flow = "[flow.a]\nsteps = [{ dial = \"1@teams\" }]\n[[number]]\nmatch = \"1\"\nflow = \"a\"\n";
    let away = "[listen]\nsip = [\"udp:127.0.0.1:5060\"]\n[trunk.teams]\nsend_to = [\"sbc.example.com\"]\n";
    assert_eq!(
        problems_of(&format!("{away}{flow}"), &surroundings()),
        ["7:1: number[1]: no trunk brings calls; give one accept_from = [\"192.0.2.0/24\"]"]
    );
    assert_eq!(
        problems_of(&format!("{away}{flow}trunk = \"teams\"\n"), &surroundings()),
        ["10:9: number[1].trunk: trunk.teams brings no calls; give it accept_from = [\"192.0.2.0/24\"]"]
    );
}

#[test]
fn patterns_are_numbers_with_a_star_at_the_end_at_most() {
    let with = |pattern: &str| {
        sentences(&format!(
            "[flow.a]\nsteps = [{{ dial = \"1@teams\" }}]\n[[number]]\nmatch = {pattern}\ntrunk = \"carrier\"\nflow = \"a\"\n"
        ))
    };
    assert_eq!(with("[\"*\", \"+49\", \"+49*\", \"ann\"]"), [""; 0]);
    assert_eq!(
        with("\"+49*30\""),
        ["number[1].match: \"+49*30\": a * may stand only at the end; write a prefix for each"]
    );
    assert_eq!(with("49"), ["number[1].match: 49 is not a text; write \"49\""]);
    assert_eq!(
        with("\"+49 30\""),
        [
            "number[1].match: \"+49 30\": no number has blanks or an @ in it; write the number as the trunk sends it"
        ]
    );
    assert_eq!(with("[]"), ["number[1].match: matches nothing; write match = \"+493012345\""]);
}

#[test]
fn two_agents_share_an_address_only_if_both_say_so() {
    let agents = |shared: [bool; 2]| {
        let [one, two] = shared;
        format!(
            "{DESK}[agent.bo]\ncall = [\"2@teams\", \"1@teams\"]\nqueues = [\"desk\"]\nshared = {two}\n[agent.carl]\ncall = \"1@teams\"\nqueues = [\"desk\"]\nshared = {one}\n"
        )
        .replace("[agent.anna]\ncall = \"1@teams\"", "[agent.anna]\ncall = \"3@teams\"")
    };
    expect(&agents([true, true]), &[]);
    let told = "agent.carl.call: agent.bo has this address too, and would be rung for both; write another, or shared = true with each";
    expect(&agents([true, false]), &[told]);
    expect(&agents([false, false]), &[told]);
}

#[test]
fn an_agents_address_is_the_agents_own() {
    expect(
        &DESK.replace("1@teams", "{called}@teams"),
        &["agent.anna.call: \"{called}\" would be another address with every call; write the agent's own"],
    );
    expect(
        &DESK.replace("\"1@teams\"", "[\"1@teams\", \"1@teams\"]"),
        &["agent.anna.call[2]: this address stands in the list already; take one out"],
    );
}

#[test]
fn addresses_say_a_way_to_go() {
    let dial = |to: &str| {
        sentences(&format!(
            "[[number]]\nmatch = \"1\"\nflow = \"a\"\ntrunk = \"carrier\"\n[flow.a]\nsteps = [{{ dial = \"{to}\" }}]\n[agent.x]\ncall = \"1@teams\"\n[queue.q]\n"
        ))
        .into_iter()
        .filter(|line| line.contains("dial") && !line.contains("no number, dial"))
        .collect::<Vec<_>>()
    };
    for good in
        ["{called}@teams", "0{called}@teams", "sip:anna@192.0.2.7", "sip:192.0.2.7:5070;transport=tcp"]
    {
        assert_eq!(dial(good), [""; 0], "{good}");
    }
    let key = "flow.a.steps[1].dial.to:";
    let cases = [
        ("+49", "\"+49\" names no way to go; write \"+49@TRUNK\" or \"sip:+49@HOST\""),
        ("tel:+49", "\"tel:+49\" names no way to go; write \"+49@TRUNK\""),
        ("sips:a@b", "\"sips:a@b\": sips is not spoken by this version; write sip:"),
        ("{callee}@teams", "\"{callee}\": {callee} is not known; write {called} or {caller}"),
        ("{called@teams", "\"{called\": a brace stands alone; write {called} or {caller}"),
        ("@teams", "nobody stands before the @; write a number or a user"),
        ("a b@teams", "\"a b\": ' ' may not stand in a number or user; escape it as %XX or take it out"),
        (
            "1@carrier",
            "trunk.carrier sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"], or name another",
        ),
        (
            "sip:a@{caller}",
            "\"sip:a@{caller}\": {called} and {caller} may stand before the @ only, and no ? may follow",
        ),
        (
            "sip:a@b;transport=ws",
            "\"sip:a@b;transport=ws\": nobody can be called by ws; write udp, tcp or tls",
        ),
        ("sip:a@", "\"sip:a@\": no host; write \"udp:HOST:PORT\""),
    ];
    for (to, expected) in cases {
        assert_eq!(dial(to), [format!("{key} {expected}")], "{to}");
    }
    assert_eq!(
        dial("sip:anna@teams"),
        [format!(
            "warning: {key} this goes to the host teams, not to trunk.teams; write \"anna@teams\" for the trunk"
        )]
    );
}

#[test]
fn trunks_say_whom_they_believe_and_where_they_send() {
    let trunk = |lines: &str| {
        let told = sentences(&format!("[trunk.x]\n{lines}\n"));
        told.into_iter()
            .filter(|line| line.contains("trunk.x") && !line.contains("names it"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        trunk(""),
        [
            "trunk.x: calls can neither come nor go; write accept_from = [\"192.0.2.0/24\"] or send_to = [\"udp:192.0.2.1:5060\"]"
        ]
    );
    assert_eq!(trunk("accept_from = [\"192.0.2.1\", \"192.0.2.2:5060\", \"2001:db8::/32\"]"), [""; 0]);
    assert_eq!(
        trunk("accept_from = \"0.0.0.0/0\""),
        [
            "warning: trunk.x.accept_from: \"0.0.0.0/0\" lets the whole world call; write the addresses of the far end, such as \"192.0.2.0/24\""
        ]
    );
    assert_eq!(
        trunk("accept_from = \"192.0.2.1/24\""),
        [
            "warning: trunk.x.accept_from: \"192.0.2.1/24\" has more digits than its /24 counts; write \"192.0.2.0/24\""
        ]
    );
    assert_eq!(
        trunk("accept_from = \"10.0.0.0/8\""),
        [
            "trunk.x.accept_from: \"10.0.0.0/8\" belongs to trunk.carrier already, and a call has one trunk; give each its own addresses"
        ]
    );
    assert_eq!(
        trunk("accept_from = \"sbc.example.com\""),
        [
            "trunk.x.accept_from: \"sbc.example.com\" is no address; write ADDRESS/BITS, ADDRESS or ADDRESS:PORT, such as \"192.0.2.0/24\""
        ]
    );
    assert_eq!(
        trunk("send_to = \"ws:sbc.example.com\""),
        ["trunk.x.send_to: \"ws:sbc.example.com\": nobody can be called by ws; write udp:, tcp: or tls:"]
    );
    assert_eq!(
        trunk("send_to = \"sbc.example.com:0\""),
        ["trunk.x.send_to: \"sbc.example.com:0\": port \"0\" is not a number from 1 to 65535"]
    );
    assert_eq!(
        trunk("send_to = \"sbc.example.com\"\nfrom = \"\""),
        ["trunk.x.from: \"\" is no number; write one such as \"+493012345\" (default \"{caller}\")"]
    );
}

#[test]
fn listeners_do_not_overlap_and_can_be_answered_to() {
    let listen = |entries: &str| problems_of(&format!("[listen]\nsip = [{entries}]\n"), &surroundings());
    assert!(
        listen("\"udp:127.0.0.1:5060\", \"tcp:127.0.0.1:5060\"").iter().all(|line| line.contains("warning"))
    );
    assert_eq!(
        listen("\"udp:127.0.0.1:5060\", { bind = \"udp:0.0.0.0:5060\", advertise = \"192.0.2.1\" }"),
        ["2:30: listen.sip[2]: udp:0.0.0.0:5060 overlaps udp:127.0.0.1:5060; take one of them out"]
    );
    assert_eq!(
        listen("\"udp:0.0.0.0:5060\""),
        [
            "2:8: listen.sip[1]: udp:0.0.0.0:5060 is no address the far end could answer to; write it as { bind = \"udp:0.0.0.0:5060\", advertise = \"ADDRESS:5060\" }, or bind one address"
        ]
    );
    assert_eq!(
        listen("\"udp:127.0.0.1:0\""),
        ["2:8: listen.sip[1]: \"udp:127.0.0.1:0\" has no fixed port; write one such as 5060"]
    );
    let told =
        problems_of("[listen]\nsip = \"tcp:127.0.0.1:8060\"\nadmin = \"127.0.0.1:8060\"\n", &surroundings());
    assert_eq!(
        told,
        [
            "3:9: listen.admin: 127.0.0.1:8060 is also listened on for SIP (tcp:127.0.0.1:8060); write another port"
        ]
    );
}

#[test]
fn media_ports_are_pairs_and_nobody_elses() {
    let media = |lines: &str| sentences(&format!("{DESK}[media]\n{lines}\n"));
    assert_eq!(
        media("ports = \"5000-5100\""),
        ["media.ports: 5000-5099 holds the port of udp:127.0.0.1:5060; move one of them"]
    );
    assert_eq!(
        media("ports = \"29999-10000\""),
        ["media.ports: \"29999-10000\" runs backwards; write \"10000-29999\""]
    );
    let cure = "write FIRST-LAST, such as \"10000-29999\" (default \"10000-29999\")";
    assert_eq!(
        media("ports = \"10001-10002\""),
        [format!(
            "media.ports: \"10001-10002\" holds no pair of an even port and the odd one above it; {cure}"
        )]
    );
    assert_eq!(
        media("ports = \"80-90\""),
        [format!("media.ports: \"80-90\" reaches below 1024, where the system has its own; {cure}")]
    );
    for text in ["10000", "10000-70000", "a-b", ""] {
        let told = media(&format!("ports = \"{text}\""));
        assert_eq!(
            told,
            [format!("media.ports: \"{text}\" is no range of ports from 1024 to 65535; {cure}")]
        );
    }
    assert_eq!(
        media("address = \"0.0.0.0\""),
        [
            "media.address: \"0.0.0.0\" is no address sound could be sent to; write the address of one interface"
        ]
    );
    assert_eq!(
        media("codecs = \"gsm\""),
        [
            "media.codecs: \"gsm\" is no codec of ours; write \"pcma\", \"pcmu\", \"g722\", \"opus\" or \"g729\""
        ]
    );
}

#[test]
fn max_calls_is_held_against_ports_and_open_files() {
    let limits = |max: u32, open_files| {
        let machine = Machine { open_files, ..Machine::default() };
        let text = format!("{HEAD}{DESK}[limits]\nmax_calls = {max}\n");
        problems_of(&text, &Surroundings { machine, ..surroundings() })
    };
    assert_eq!(limits(4_545, None), [""; 0]);
    assert_eq!(
        limits(4_546, None),
        [
            "20:13: limits.max_calls: 4546 calls need 20003 ports (4 each, and those that rest 2s after a call), media.ports 10000-29999 has 20000; write 4545 or less, or widen media.ports"
        ]
    );
    assert_eq!(limits(4_000, Some(17_100)), [""; 0]);
    assert_eq!(
        limits(4_000, Some(17_099)),
        [
            "20:13: limits.max_calls: 4000 calls need 17100 open files (4 each, 1000 connections, 100 of our own), the system allows 17099; write 3999 or less, or raise the limit (ulimit -Hn, LimitNOFILE)"
        ]
    );
}

#[test]
fn without_max_calls_there_are_as_many_as_fit() {
    let fits = |open_files| {
        let machine = Machine { open_files, ..Machine::default() };
        let text = format!("{HEAD}{DESK}");
        let read =
            config_support::read_with(&text, &mut Names::new(), &Surroundings { machine, ..surroundings() });
        read.unwrap().limits.max_calls
    };
    assert_eq!(fits(None), 4_500);
    assert_eq!(fits(Some(20_000)), 4_500);
    assert_eq!(fits(Some(1_900)), 200);
    assert_eq!(fits(Some(1_300)), 50);
}

#[test]
fn the_machine_is_warned_of_when_it_gives_less_than_is_asked() {
    let machine =
        Machine { receive_buffer: Some(212_992), ephemeral_ports: Some((20_000, 60_999)), open_files: None };
    let text = format!("{HEAD}{DESK}");
    let told = problems_of(&text, &Surroundings { machine, ..surroundings() });
    assert_eq!(
        told,
        [
            "1:1: warning: media.ports: the system hands out ports 20000-60999 to others (net.ipv4.ip_local_port_range); keep media.ports below 20000",
            "2:1: warning: listen.receive_buffer: the system gives a socket 212992 bytes (about 92 SIP messages in a burst); raise net.core.rmem_max to 4194304",
        ]
    );
}

#[test]
fn how_many_ring_at_once_is_bounded_and_means_nothing_unless_all_ring() {
    let ring_all = |keys: &str| sentences(&format!("{DESK}strategy = \"ring-all\"\n{keys}"));
    assert_eq!(ring_all("ring_at_once = 32\n"), [""; 0]);
    assert_eq!(
        ring_all("ring_at_once = 1\n"),
        ["queue.desk.ring_at_once: 1 is out of range; write 2 to 32 (default 8)"]
    );
    expect(
        &format!("{DESK}ring_at_once = 4\n"),
        &[
            "warning: queue.desk.ring_at_once: 4 has an effect only with strategy = \"ring-all\"; write that, or take it out",
        ],
    );
}

#[test]
fn what_nobody_uses_is_a_warning() {
    expect(
        &format!(
            "{DESK}[queue.idle]\n[flow.orphan]\nsteps = [\"hangup\"]\n[hours.never]\nzone = \"UTC\"\n[agent.lone]\ncall = \"9@teams\"\n"
        ),
        &[
            "warning: queue.idle: no step leads here; take it out, or name it in a flow",
            "warning: queue.idle: no agent serves it, callers would only wait; name it in agent.NAME.queues",
            "warning: flow.orphan: no number and no step leads here; take it out, or name it",
            "warning: hours.never: nobody asks for these hours; take them out, or name them",
            "warning: agent.lone: serves no queue and will never be rung; write queues = [\"NAME\"]",
        ],
    );
    let told = sentences("");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("no number is answered"), "{told:?}");
}

#[test]
fn a_warning_keeps_nothing_from_being_used() {
    let text = format!("{HEAD}{DESK}[queue.idle]\n");
    let config = config_support::read_with(&text, &mut Names::new(), &surroundings()).unwrap();
    assert!(config.warnings.iter().all(|problem| problem.severity == Severity::Warning));
    assert_eq!(config.warnings.warnings().count(), 2);
}

#[test]
fn node_journal_and_log_are_checked_too() {
    expect(
        &format!(
            "{DESK}[node]\nname = \"a b\"\ndata_dir = \"\"\n[journal]\nspill = 10\nsynchronous = \"off\"\n[log]\nlevel = \"warning\"\npersonal_data = 1\n"
        ),
        &[
            "node.name: \"a b\" is no name; write letters, digits, - _ and . (default \"fernamt\")",
            "node.data_dir: an empty path is no directory; write one such as \"data\" (default \"data\")",
            "journal.spill: 10 is out of range; write 1000 to 10000000 (default 100000)",
            "journal.synchronous: \"off\" is not known here; write \"normal\" or \"full\" (default \"normal\")",
            "log.level: \"warning\" is not known here; write \"info\", \"error\", \"warn\", \"debug\" or \"trace\" (default \"info\")",
            "log.personal_data: 1 is neither true nor false; write true or false (default false)",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let mut names = Names::new();
    let told = router::config::load("/nowhere/f.toml".as_ref(), &mut names).unwrap_err();
    assert_eq!(told.0.len(), 1);
    assert!(told.to_string().starts_with("/nowhere/f.toml:1:1: the file cannot be read: "), "{told}");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("latin.toml");
    std::fs::write(&path, b"# \xe4\n").unwrap();
    let told = router::config::load(&path, &mut names).unwrap_err();
    assert!(told.to_string().contains("byte 2 is no UTF-8; save the file as UTF-8"), "{told}");
}

#[test]
fn how_an_agent_serves_a_queue_is_checked() {
    let agent =
        |queues: &str| format!("{DESK}[agent.zoe]\ncall = \"sip:zoe@192.0.2.77\"\nqueues = [{queues}]\n");
    for (queues, expected) in [
        ("{ queue = \"desk\", skill = 0 }", "[1].skill: 0 is out of range; write 1 to 10 (default 5)"),
        ("{ queue = \"desk\", skill = 11 }", "[1].skill: 11 is out of range; write 1 to 10 (default 5)"),
        ("{ queue = \"desk\", weight = 0 }", "[1].weight: 0 is out of range; write 1 to 1000 (default 1)"),
        ("{ skill = 5 }", "[1].queue: is missing; write queue = \"NAME\""),
        ("\"desk\", { queue = \"desk\" }", "[2]: \"desk\" stands in the list already; take one out"),
        ("{ queue = \"dask\" }", "[1].queue: there is no queue \"dask\"; did you mean \"desk\"?"),
        ("{ queue = \"desk\", skil = 5 }", "[1].skil: there is no such key; did you mean \"skill\"?"),
    ] {
        expect(&agent(queues), &[&format!("agent.zoe.queues{expected}")]);
    }
}

#[test]
fn rules_that_let_callers_in_only_to_send_them_on_are_told() {
    expect(
        &format!("{DESK}leave_when = \"nobody-ready\"\nturn_away_when = \"nobody-logged-in\"\n"),
        &[
            "warning: queue.desk.leave_when: would let callers in only to send them on after leave_grace; write turn_away_when = \"nobody-ready\" too",
        ],
    );
    expect(
        &format!("{DESK}leave_grace = \"5s\"\n"),
        &[
            "warning: queue.desk.leave_grace: has no effect; write leave_when = \"nobody-logged-in\" too, or take it out",
        ],
    );
    expect(
        &format!("{DESK}turn_away_when = \"nobody\"\n"),
        &[
            "queue.desk.turn_away_when: \"nobody\" is not known here; write \"never\", \"nobody-logged-in\" or \"nobody-ready\" (default \"never\")",
        ],
    );
}

#[test]
fn queues_that_send_their_callers_in_a_circle_when_they_are_taken_away_are_told() {
    let two = DESK.replace("[queue.desk]\n", "");
    let two = two.replace("[\"desk\"]", "[\"desk\", \"other\"]");
    expect(
        &format!(
            "{two}[queue.desk]\nwhen_removed = \"queue.other\"\n[queue.other]\nwhen_removed = \"queue.desk\"\n"
        ),
        &[
            "queue.desk.when_removed: goes in a circle: queue.desk → queue.other → queue.desk; let one of them lead to \"next\"",
        ],
    );
    expect(
        &format!("{DESK}when_removed = \"queue.desk\"\n"),
        &[
            "queue.desk.when_removed: goes in a circle: queue.desk → queue.desk; let one of them lead to \"next\"",
        ],
    );
    expect(
        &format!("{DESK}when_removed = \"flow.desk\"\n"),
        &[
            "flow.desk.steps[1]: the overflow goes in a circle: flow.desk → queue.desk → flow.desk; end it with \"hangup\", or play something on the way",
        ],
    );
    expect(&format!("{two}[queue.desk]\nwhen_removed = \"queue.other\"\n[queue.other]\n"), &[]);
}

#[test]
fn keys_of_a_queue_are_read_as_those_of_a_menu_and_what_only_they_lead_to_is_used() {
    expect(
        &format!("{DESK}keys = {{ 10 = \"next\", 1 = \"voicemail\" }}\n"),
        &[
            "queue.desk.keys.10: \"10\" is no key of a telephone; write one of 0 to 9, \"*\", \"#\", A to D",
            "queue.desk.keys.1: \"voicemail\" is no place to go on; write \"flow.NAME\", \"queue.NAME\", \"next\" or \"hangup\"",
        ],
    );
    expect(
        &format!("{DESK}keys = {{}}\n"),
        &["queue.desk.keys: no key does anything; write { 1 = \"queue.NAME\" }, or take it out"],
    );
    expect(&format!("{DESK}keys = {{ 1 = \"flow.other\" }}\n[flow.other]\nsteps = [\"hangup\"]\n"), &[]);
    expect(&format!("{DESK}keys = {{ 1 = \"flow.desk\" }}\n"), &[]);
}

#[test]
fn a_number_behind_which_every_queue_is_closed_is_told() {
    expect(
        &format!("{DESK}closed = true\n"),
        &[
            "warning: queue.desk.closed: callers of * reach nobody else; let a dial or another queue follow in the flow",
        ],
    );
    let dialled =
        DESK.replace("{ queue = \"desk\" }", "{ queue = \"desk\" }, { dial = \"sip:night@192.0.2.9\" }");
    expect(&format!("{dialled}closed = true\n"), &[]);
}

#[test]
fn recordings_are_told_what_is_wrong_with_names_keys_and_folders() {
    expect(&format!("{DESK}recording = \"calls\"\n[recording.calls]\nkey = \"*1\"\n"), &[]);
    expect(
        &format!(
            "{DESK}recording = \"call\"\n[recording.calls]\nkey = \"*\"\ntone_every = \"1s\"\nbegin = \"demand\"\n"
        ),
        &[
            "queue.desk.recording: there is no recording \"call\"; did you mean \"calls\"?",
            "recording.calls.key: \"*\" is no pair of keys; write two of 0-9, * and #, such as \"*1\"",
            "recording.calls.tone_every: \"1s\" is out of range; write \"5s\" to \"5m\"",
            "recording.calls.begin: \"demand\" is not known here; write \"always\" or \"on-demand\" (default \"always\")",
        ],
    );
    expect(
        &format!("{DESK}[recording.calls]\nkey = \"*1\"\npause_key = \"*1\"\n"),
        &["recording.calls.pause_key: is what `key` is; write other keys"],
    );
    expect(
        &format!(
            "{DESK}[recordings]\nfolder = \"voicemail\"\nrecipients = [\"AGE-SECRET-KEY-1X\", \"age1x\"]\n"
        ),
        &[
            "recordings.folder: is the folder of messages too (voicemail.folder), where each file is one; write another directory",
            "recordings.recipients[1]: this is the secret key, which does not belong on this machine; write the public one, \"age1…\"",
            "recordings.recipients[2]: \"age1x\" is no public key of age; write the line of `age-keygen` that begins with age1",
        ],
    );
}

const PHONE: &str = "[registrar]\naccept_from = [\"10.7.0.0/16\"]\n";
const SHA256: &str = "53f5e6fb7d4d3a3f0f0b9d1e5d0f6d6a53f5e6fb7d4d3a3f0f0b9d1e5d0f6d6a";

/// Everything in order but Anna's telephone.
fn with_phone(registrar: &str, phone: &str) -> String {
    DESK.replace("call = \"1@teams\"", &format!("call = [\"phone\", \"1@teams\"]\n{phone}")) + registrar
}

#[test]
fn telephones_say_what_they_lack_and_never_what_their_secrets_are() {
    expect(&with_phone(PHONE, &format!("phone = {{ ha1_sha256 = \"{SHA256}\" }}")), &[]);
    expect(
        &with_phone(PHONE, ""),
        &[
            "agent.anna.call[1]: the agent has no telephone that could register; write phone = { user = \"NAME\", ha1_sha256 = \"…\" }, as `fernamt passwd` prints it",
        ],
    );
    expect(
        &with_phone(PHONE, "phone = { password = \"hunter2\" }"),
        &[
            "agent.anna.phone: has no password; write what `fernamt passwd anna --realm REALM` prints",
            "agent.anna.phone.password: there is no such key; a password stands in no file; write the HA1s that `fernamt passwd USER --realm REALM` prints",
        ],
    );
    expect(
        &with_phone(PHONE, "phone = { ha1_md5 = \"0123\" }"),
        &[
            "agent.anna.phone.ha1_md5: is no HA1 by MD5: 32 hexadecimal digits in quotes; write what `fernamt passwd USER --realm REALM` prints",
        ],
    );
    expect(
        &with_phone("", &format!("phone = {{ ha1_sha256 = \"{SHA256}\" }}")),
        &[
            "warning: agent.anna.phone: no telephone can register; write [registrar] accept_from = [\"192.0.2.0/24\"]",
        ],
    );
}

#[test]
fn a_telephone_has_a_password_by_a_hash_that_is_asked_for() {
    let asked = |algorithms: &str| {
        let registrar = format!("{PHONE}algorithms = {algorithms}\n");
        with_phone(&registrar, &format!("phone = {{ ha1_sha256 = \"{SHA256}\" }}"))
    };
    expect(&asked("[\"MD5\", \"sha-256\"]"), &[]);
    expect(
        &asked("\"md5\""),
        &[
            "agent.anna.phone: has no HA1 by MD5, and by no other it could register (registrar.algorithms); write what `fernamt passwd anna --realm fernamt` prints",
        ],
    );
    expect(
        &asked("\"sha-512\""),
        &["registrar.algorithms: \"sha-512\" is not known; write \"sha-256\" or \"md5\""],
    );
}

#[test]
fn a_source_is_a_trunks_or_the_telephones_and_a_user_is_one_agents() {
    let twice = with_phone(PHONE, &format!("phone = {{ ha1_sha256 = \"{SHA256}\" }}"))
        .replace("10.7.0.0/16", "10.0.0.0/8")
        + &format!(
            "[agent.bo]\ncall = \"phone\"\nqueues = \"desk\"\nphone = {{ number = \"anna\", ha1_sha256 = \"{SHA256}\" }}\n"
        );
    expect(
        &twice,
        &[
            "registrar.accept_from[1]: \"10.0.0.0/8\" belongs to trunk.carrier already; give telephones addresses of their own",
            "agent.bo.phone: \"anna\" is the user or number of agent.anna already; give each telephone its own",
        ],
    );
}

#[test]
fn a_login_needs_a_user_and_one_password() {
    let trunk = |keys: &str| {
        DESK.to_owned()
            + &format!(
                "[trunk.far]\nsend_to = \"udp:192.0.2.9\"\n{keys}[[number]]\nmatch = \"1\"\ntrunk = \"carrier\"\nflow = \"far\"\n[flow.far]\nsteps = [{{ dial = \"1@far\" }}]\n"
            )
    };
    expect(&trunk("username = \"us\"\npassword = \"secret\"\n"), &[]);
    expect(
        &trunk("username = \"us\"\n"),
        &["trunk.far.username: needs a password; write password_file = \"carrier.password\", or password"],
    );
    expect(
        &trunk("password = \"secret\"\n"),
        &["trunk.far.username: is missing; write username = \"493012345\""],
    );
    expect(
        &trunk("username = \"us\"\npassword = 4711\n"),
        &["trunk.far.password: is no password; write it in quotes"],
    );
}
