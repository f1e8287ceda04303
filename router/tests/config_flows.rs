//! Flows: short and long forms mean the same, and every call comes to an end.

mod config_support;

use std::time::Duration;

use config_support::{config, sentences};
use router::config::{Config, Goto, Step};

/// Two queues with an agent, and a number that leads to `flow.a`.
const HOUSE: &str = r#"
[[number]]
match = "*"
trunk = "carrier"
flow = "a"
[queue.q]
[queue.r]
[agent.anna]
call = "1@teams"
queues = ["q", "r"]
[hours.office]
zone = "Europe/Berlin"
mon-fri = "09:00-17:00"
closed_prompt = "b.wav"
"#;

fn steps_of(text: &str) -> (Config, Vec<Step>) {
    let config = config(&format!("{HOUSE}{text}"));
    let steps = config.flows().find(|(_, flow)| flow.name == "a").unwrap().1.steps.clone();
    (config, steps)
}

/// The problems of the flows, without those about what nobody uses.
fn problems(text: &str) -> Vec<String> {
    let mut told = sentences(&format!("{HOUSE}{text}"));
    let unused = ["nobody asks for", "no step leads here", "no number and no step", "no agent serves"];
    told.retain(|line| !unused.iter().any(|words| line.contains(words)));
    told
}

#[test]
fn the_short_form_of_a_step_means_the_long_one() {
    let pairs = [
        ("\"answer\"", "{ answer = {} }"),
        ("\"hangup\"", "{ hangup = {} }"),
        ("{ play = \"a.wav\" }", "{ play = { prompt = \"a.wav\", early = false } }"),
        ("{ queue = \"q\" }", "{ queue = { name = \"q\" } }"),
        ("{ queue = \"q\" }", "{ queue = { name = \"queue.q\", early = false } }"),
        ("{ dial = \"{called}@teams\" }", "{ dial = { to = \"{called}@teams\", ring_timeout = \"2m\" } }"),
        (
            "{ hours = \"office\" }",
            "{ hours = { name = \"office\", closed_prompt = \"b.wav\", closed = \"hangup\" } }",
        ),
        ("{ reject = 603 }", "{ reject = {} }"),
        ("{ reject = 486 }", "{ reject = { status = 486 } }"),
    ];
    for (short, long) in pairs {
        let steps = |step: &str| steps_of(&format!("[flow.a]\nsteps = [{step}]\n")).1;
        assert_eq!(steps(short), steps(long), "{short}");
    }
}

#[test]
fn every_key_of_a_menu_and_a_dial_arrives() {
    let (config, steps) = steps_of(
        r##"
[flow.a]
steps = [
  { menu = { prompt = "a.wav", timeout = "7s", tries = 2, early = true, otherwise = "flow.b",
             keys = { 2 = "queue.q", "#" = "hangup", "*" = "next", 1 = "flow.b" } } },
  { dial = { to = "5@teams", ring_timeout = "30s", busy = "queue.r", no_answer = "next", failure = "flow.b" } },
]
[flow.b]
steps = [{ reject = 480 }]
"##,
    );
    let b = config.flows().find(|(_, flow)| flow.name == "b").unwrap().0;
    let queue = |name| config.queues().find(|(_, queue)| queue.name == name).unwrap().0;
    let Step::Menu { timeout, tries, keys, otherwise, early, .. } = &steps[0] else { panic!() };
    assert_eq!((*timeout, *tries, *otherwise, *early), (Duration::from_secs(7), 2, Goto::Flow(b), true));
    let expected =
        [('#', Goto::Hangup), ('*', Goto::Next), ('1', Goto::Flow(b)), ('2', Goto::Queue(queue("q")))];
    assert_eq!(keys, &expected);
    let Step::Dial { ring_timeout, on_busy, on_no_answer, on_failure, .. } = &steps[1] else { panic!() };
    assert_eq!(*ring_timeout, Duration::from_secs(30));
    assert_eq!(
        (*on_busy, *on_no_answer, *on_failure),
        (Some(Goto::Queue(queue("r"))), Some(Goto::Next), Some(Goto::Flow(b)))
    );
}

#[test]
fn steps_that_are_none_say_what_they_could_be() {
    let told = problems(
        "[flow.a]\nsteps = [\"play\", { playy = \"a.wav\" }, { play = \"a.wav\", early = true }, { play = \"a.wav\", queue = \"q\" }, {}, 5, { hangup = 3 }, { answer = { x = 1 } }]\n",
    );
    assert_eq!(
        told,
        [
            "flow.a.steps[1]: \"play\" alone is no step; write { play = … }",
            "flow.a.steps[2].playy: this is no step; did you mean \"play\"?",
            "flow.a.steps[3]: a step has one key; write { play = { … } } with the others inside",
            "flow.a.steps[4]: play and queue are two steps; write { play = … }, { queue = … }",
            "flow.a.steps[5]: this is no step; steps are answer, language, play, menu, queue, dial, callback, hours, voicemail, conference, record, reject, hangup, goto",
            "flow.a.steps[6]: 5 is no step; steps are answer, language, play, menu, queue, dial, callback, hours, voicemail, conference, record, reject, hangup, goto",
            "flow.a.steps[7].hangup: 3 means nothing here; write {}",
            "flow.a.steps[8].answer.x: x is not known here; this step has no keys, write {}",
        ]
    );
}

#[test]
fn menus_have_keys_of_a_telephone_that_lead_somewhere() {
    let menu = |keys: &str| {
        problems(&format!("[flow.a]\nsteps = [{{ menu = {{ prompt = \"a.wav\", keys = {keys} }} }}]\n"))
    };
    assert_eq!(menu("{ 0 = \"queue.q\", d = \"hangup\" }"), [""; 0]);
    let key = "flow.a.steps[1].menu.keys";
    assert_eq!(
        menu("{ 12 = \"queue.q\" }"),
        [format!("{key}.12: \"12\" is no key of a telephone; write one of 0 to 9, \"*\", \"#\", A to D")]
    );
    assert_eq!(menu("{ 1 = \"q\" }"), [format!("{key}.1: \"q\" is no place to go on; write \"queue.q\"")]);
    assert_eq!(
        menu("{ a = \"queue.q\", A = \"queue.r\" }"),
        [format!("{key}: key A is given twice; take one out")]
    );
    assert_eq!(
        menu("{}"),
        [format!("{key}: no key does anything; write {{ 1 = \"queue.NAME\" }}, or take it out")]
    );
    assert_eq!(
        problems("[flow.a]\nsteps = [{ menu = \"a.wav\" }]\n"),
        [
            "flow.a.steps[1].menu: \"a.wav\" is not a table; write it such as { prompt = \"prompts/menu.wav\", keys = { 1 = \"queue.NAME\" } }"
        ]
    );
}

#[test]
fn a_goto_in_a_circle_without_waiting_is_refused() {
    assert_eq!(
        problems(
            "[flow.a]\nsteps = [\"answer\", { goto = \"flow.b\" }]\n[flow.b]\nsteps = [{ goto = \"flow.a\" }]\n"
        ),
        [
            "flow.a.steps[1]: goes in a circle without waiting: flow.a → flow.b → flow.a; end it with \"hangup\", or play something on the way"
        ]
    );
}

#[test]
fn overflow_in_a_circle_is_refused_and_a_prompt_on_the_way_allows_it() {
    let flows = |prompt: &str| {
        format!(
            "[flow.a]\nsteps = [{{ queue = \"q\" }}, {{ goto = \"flow.b\" }}]\n\
             [flow.b]\nsteps = [{prompt}{{ goto = \"queue.r\" }}, {{ goto = \"flow.a\" }}]\n"
        )
    };
    assert_eq!(
        problems(&flows("")),
        [
            "flow.a.steps[1]: the overflow goes in a circle: flow.a → queue.q → flow.b → queue.r → flow.a; end it with \"hangup\", or play something on the way"
        ]
    );
    assert_eq!(problems(&flows("{ play = \"a.wav\" }, ")), [""; 0]);
}

#[test]
fn a_dial_that_fails_back_to_itself_and_hours_closed_into_themselves_are_circles() {
    let dial = problems("[flow.a]\nsteps = [{ dial = { to = \"1@teams\", busy = \"flow.a\" } }]\n");
    assert!(dial[0].contains("goes in a circle without waiting: flow.a → flow.a"), "{dial:?}");
    let hours = problems(
        "[flow.a]\nsteps = [{ hours = \"late\" }, { queue = \"q\" }]\n[hours.late]\nzone = \"UTC\"\nclosed = \"flow.a\"\n",
    );
    assert!(hours[0].contains("goes in a circle without waiting: flow.a → flow.a"), "{hours:?}");
}

#[test]
fn a_flow_without_an_end_is_refused() {
    assert_eq!(
        problems("[flow.a]\nsteps = [{ play = \"a.wav\" }, { goto = \"flow.a\" }]\n"),
        [
            "flow.a: never ends: no way leads to \"hangup\", a queue, a dial or the end of a flow; add \"hangup\""
        ]
    );
}

#[test]
fn a_menu_that_returns_to_itself_is_fine_for_keys_and_a_warning_for_silence() {
    let menu = |otherwise: &str| {
        problems(&format!(
            "[flow.a]\nsteps = [{{ menu = {{ prompt = \"a.wav\", keys = {{ 1 = \"queue.q\", 9 = \"flow.a\" }}, otherwise = \"{otherwise}\" }} }}]\n"
        ))
    };
    assert_eq!(menu("hangup"), [""; 0]);
    assert_eq!(
        menu("flow.a"),
        [
            "warning: flow.a.steps[1]: a caller who does nothing goes round for ever: flow.a → flow.a; let one of them lead to \"hangup\""
        ]
    );
}

#[test]
fn steps_behind_an_end_are_told_once() {
    let behind =
        |first: &str| problems(&format!("[flow.a]\nsteps = [{first}, {{ play = \"a.wav\" }}, \"hangup\"]\n"));
    let text = |why: &str| {
        [format!("flow.a.steps[2]: no call comes here: flow.a.steps[1] {why}; take it out, or move it up")]
    };
    assert_eq!(behind("\"hangup\""), text("hangs up"));
    assert_eq!(behind("{ reject = 486 }"), text("refuses the call"));
    assert_eq!(behind("{ goto = \"hangup\" }"), text("goes elsewhere and does not come back"));
    assert_eq!(
        behind("{ menu = { prompt = \"a.wav\", keys = { 1 = \"hangup\" }, otherwise = \"hangup\" } }"),
        text("leads elsewhere with every key and \"otherwise\"")
    );
    assert_eq!(behind("{ goto = \"queue.q\" }"), [""; 0], "a queue comes back");
}

#[test]
fn a_reject_behind_an_answer_is_a_warning() {
    let flow = |first: &str| problems(&format!("[flow.a]\nsteps = [{first}, {{ reject = 486 }}]\n"));
    assert_eq!(
        flow("{ play = \"a.wav\" }"),
        [
            "warning: flow.a.steps[2]: the call is answered by flow.a.steps[1], so this only hangs up; write \"hangup\""
        ]
    );
    assert_eq!(flow("{ play = { prompt = \"a.wav\", early = true } }"), [""; 0]);
}

#[test]
fn a_status_that_is_no_refusal_is_refused() {
    let reject = |status: &str| problems(&format!("[flow.a]\nsteps = [{{ reject = {status} }}]\n"));
    assert_eq!(
        reject("200"),
        ["flow.a.steps[1].reject: 200 is out of range; write 400 to 699 (default 603)"]
    );
    assert_eq!(
        reject("407"),
        ["flow.a.steps[1].reject: 407 would not be understood as a refusal; write 603, 486, 480 or 404"]
    );
}

#[test]
fn a_mistake_in_one_step_makes_no_second_problem_elsewhere() {
    assert_eq!(
        problems(
            "[flow.a]\nsteps = [{ play = \"a.wav\" }, { goto = \"flow.nix\" }]\n[flow.b]\nsteps = [{ goto = \"flow.a\" }]\n"
        ),
        ["flow.a.steps[2].goto: there is no flow \"nix\"; write \"a\" or \"b\", or add [flow.nix]"]
    );
}

#[test]
fn a_long_chain_of_flows_is_checked_without_deep_recursion() {
    let mut text = String::new();
    for at in 0..5_000 {
        text.push_str(&format!("[flow.f{at}]\nsteps = [{{ goto = \"flow.f{}\" }}]\n", at + 1));
    }
    text.push_str("[flow.f5000]\nsteps = [\"hangup\"]\n[flow.a]\nsteps = [{ goto = \"flow.f0\" }]\n");
    assert_eq!(problems(&text), [""; 0]);
}

#[test]
fn a_callback_says_whom_and_by_which_queue_and_what_it_leaves_out_is_filled_in() {
    let (config, steps) =
        steps_of("[flow.a]\nsteps = [{ callback = { queue = \"q\", dial = \"{caller}@teams\" } }]\n");
    let [Step::Callback(callback)] = &steps[..] else { panic!("{steps:?}") };
    let minutes = |count: u64| Duration::from_secs(count * 60);
    assert_eq!((callback.ring_timeout, callback.retry), (Duration::from_secs(30), minutes(15)));
    assert_eq!((callback.tries, callback.expires, callback.prompt), (3, minutes(240), None));
    assert_eq!(callback.otherwise, Goto::Next);
    let words = "call back at {caller}@teams from queue.q for 4h; if not possible the next step";
    assert_eq!(config.step_in_words(&steps[0]), words);
}

#[test]
fn a_callback_that_would_call_everybody_at_one_place_or_names_no_queue_is_refused() {
    let told = problems(
        "[flow.a]\nsteps = [\n{ callback = { queue = \"q\", dial = \"+4930@teams\" } },\n\
         { callback = { dial = \"{caller}@carrier\", retry = \"10s\", tries = 11 } },\n{ callback = \"q\" },\n]\n",
    );
    let expected = [
        "flow.a.steps[1].callback.dial: \"+4930@teams\" calls everybody at the same place; write {caller} in it",
        "flow.a.steps[2].callback.queue: is missing; write queue = \"support\"",
        "flow.a.steps[2].callback.dial: trunk.carrier sends no calls; give it send_to = [\"udp:192.0.2.1:5060\"], or name another",
        "flow.a.steps[2].callback.retry: \"10s\" is out of range; write \"1m\" to \"24h\" (default \"15m\")",
        "flow.a.steps[2].callback.tries: 11 is out of range; write 1 to 10 (default 3)",
        "flow.a.steps[3].callback: \"q\" is not a table; write it such as { queue = \"support\", dial = \"{caller}@TRUNK\" }",
    ];
    assert_eq!(told, expected);
}

#[test]
fn who_asks_for_a_callback_over_and_over_goes_in_a_circle_without_waiting() {
    let callback = "{ callback = { queue = \"q\", dial = \"{caller}@teams\" } }";
    let told = problems(&format!("[flow.a]\nsteps = [{callback}, {{ goto = \"flow.a\" }}]\n"));
    assert!(told.iter().any(|line| line.contains("goes in a circle without waiting")), "{told:?}");
}
