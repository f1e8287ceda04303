//! The README's first command: twenty callers and six people at their telephones against a running router, over real
//! sockets and in real time, and what must add up afterwards.

mod books;
mod cast;
mod driver;
mod ladder;
mod scene;
mod tapes;
mod teams;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use router::config::{self, Names};

use crate::{phone::Phone, tone::Tone};
use books::{Books, Verdict};
use cast::Fate;
use driver::Floor;
use ladder::Ladder;
use scene::Scene;

/// The scene takes half of this; the router has this long to finish it.
const LONGEST: Duration = Duration::from_secs(50);
/// How long the router may take to start, and to be empty after the last call.
const SETTLE: Duration = Duration::from_secs(8);
/// How often the router is asked while we wait for it.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Plays twenty callers against a running `fernamt run CONFIG` and checks what comes of it.
#[derive(Parser)]
pub struct Arguments {
    /// The program `fernamt`, for `fernamt calls`.
    #[arg(long)]
    fernamt: PathBuf,
    /// The configuration that it runs.
    #[arg(long)]
    config: PathBuf,
    /// Agents in Teams instead, over TLS and SRTP, with the simulators of Teams and of Graph.
    #[arg(long)]
    teams: bool,
    /// The configuration records all talks: listens to the recordings, too.
    #[arg(long)]
    record: bool,
    /// Only writes what the router needs for `--teams` beside its configuration, into this directory.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Go on answering calls afterwards, until SIGTERM or SIGINT.
    #[arg(long)]
    keep: bool,
    /// One JSON object as the last line.
    #[arg(long)]
    json: bool,
}

/// Plays, checks and prints. Success if everything held.
pub fn run(arguments: &Arguments) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let played = runtime.map_err(|error| error.to_string()).and_then(|runtime| match &arguments.write {
        Some(directory) => teams::write(&arguments.config, directory).map(|()| true),
        None if arguments.teams => runtime.block_on(teams::play(arguments)),
        None => runtime.block_on(play(arguments)),
    });
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("demo: {trouble}");
            ExitCode::FAILURE
        }
    }
}

async fn play(arguments: &Arguments) -> Result<bool, String> {
    let config =
        config::load(&arguments.config, &mut Names::new()).map_err(|problems| problems.to_string())?;
    let router = config.listen.sip.first().ok_or("no SIP listener")?.local;
    let admin = config.listen.admin.ok_or("no admin listener")?;
    let books = Books { admin, fernamt: &arguments.fernamt, config: &arguments.config };
    let (phones, voices) = telephones(router);
    let mut floor = Floor::open(phones).map_err(|error| error.to_string())?;
    let ladder = Ladder::of(&cast::callers(), &cast::agents());
    if !wait(&mut floor, &ladder, || books.is_ready()).await {
        return Err(format!("no router is ready at http://{admin}/readyz"));
    }
    ladder.head();
    let scene = act(&mut floor, &ladder, voices).await;
    let settled = wait(&mut floor, &ladder, || books.is_settled(cast::callers().len() as u64)).await;
    let mut verdict = judge(&books, &scene, &floor)?;
    verdict.hold(settled, "calls, legs, ports and records did not settle");
    if arguments.record {
        let records = books.records()?;
        let talks = records.iter().filter(|record| !record.0["connected_at"].is_null()).count();
        let there = wait(&mut floor, &ladder, || tapes::are_there(&config, talks)).await;
        verdict.hold(there, "recordings are missing");
        tapes::judge(&config, (&arguments.fernamt, &arguments.config), &records, &mut verdict)?;
    }
    verdict.print(&books)?;
    if arguments.keep {
        println!(
            "\nStill running: call sip:+493012345@{router} from a softphone on this machine; Ctrl-C ends it."
        );
    }
    if arguments.json {
        println!("{}", verdict.json());
    }
    if arguments.keep {
        keep(&mut floor, &ladder).await?;
    }
    Ok(verdict.holds())
}

/// Callers first, then agents, each with a tone of its own.
fn telephones(router: SocketAddr) -> (Vec<Phone>, Vec<u16>) {
    let callers = (0..).zip(cast::callers()).map(|(index, caller)| {
        let mut phone =
            Phone::new(&cast::number(index), cast::caller_address(index), router, 0, rand::random());
        phone.set_codecs(caller.codecs);
        phone
    });
    let agents = (0..).zip(cast::agents()).map(|(index, agent)| {
        let mut phone = Phone::new(agent.name, cast::agent_address(index), router, 0, rand::random());
        phone.behaviour = agent.behaviour;
        phone
    });
    let with_voice = |(index, mut phone): (u8, Phone)| {
        let voice = cast::voice(index);
        phone.set_tone(Tone::new(voice));
        phone.set_sound_port(cast::SOUND_PORT);
        (phone, voice)
    };
    (0..).zip(callers.chain(agents)).map(with_voice).unzip()
}

/// Plays the scene to its end, or until it has taken too long.
async fn act(floor: &mut Floor, ladder: &Ladder, voices: Vec<u16>) -> Scene {
    let mut scene = Scene::begin(cast::callers(), voices, floor);
    let end = floor.now() + LONGEST;
    while !scene.is_over(floor) && floor.now() < end {
        turn(floor, ladder, scene.next_at()).await;
        scene.look(floor, ladder);
    }
    scene
}

async fn turn(floor: &mut Floor, ladder: &Ladder, until: Instant) {
    floor.turn(until).await.iter().for_each(|seen| ladder.message(seen));
}

/// Asks again and again while the telephones go on; false if it did not come about in time.
async fn wait(floor: &mut Floor, ladder: &Ladder, holds: impl Fn() -> bool) -> bool {
    let end = floor.now() + SETTLE;
    while !holds() {
        let next = floor.now() + ASK_EVERY;
        if next > end {
            return false;
        }
        while floor.now() < next {
            turn(floor, ladder, next).await;
        }
    }
    true
}

fn judge(books: &Books<'_>, scene: &Scene, floor: &Floor) -> Result<Verdict, String> {
    let (callers, agents) = (cast::callers(), cast::agents());
    let agent = |phone: usize| phone.checked_sub(callers.len()).and_then(|index| agents.get(index));
    let both =
        |caller| scene.both_heard(caller).into_iter().filter_map(agent).map(|agent| agent.name).collect();
    let mut verdict = Verdict::of(&callers, &books.records()?, both, |caller| scene.heard_by(caller).len());
    for phone in &floor.phones[callers.len()..] {
        let most = phone.most_at_once;
        verdict.hold(most == 1, &format!("{} had {most} calls at once instead of one", phone.name));
    }
    for (phone, caller) in floor.phones.iter().zip(&callers) {
        let hears_nothing = matches!(caller.fate, Fate::Refused(_)) || caller.called == cast::FRIEDA;
        let heard: u64 = phone.heard.values().sum();
        verdict.hold((heard == 0) == hears_nothing, &format!("{} heard {heard} packets", caller.name));
    }
    verdict.add_up(books)?;
    Ok(verdict)
}

/// Telephones go on answering until somebody ends us.
async fn keep(floor: &mut Floor, ladder: &Ladder) -> Result<(), String> {
    let mut end = driver::Ending::new().map_err(|error| error.to_string())?;
    loop {
        let until = floor.now() + ASK_EVERY;
        tokio::select! {
            () = end.asked() => return Ok(()),
            () = turn(floor, ladder, until) => {}
        }
    }
}
