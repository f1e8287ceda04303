//! The program `fernamt`.
#![forbid(unsafe_code)]

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use clap::{Parser, Subcommand};
use router::{
    command::{self, CommandError, check::Questions, explain::Which, simulate},
    config::{self, Config, Names},
    driver,
    recording::RecordingOrder,
    status::{Door, Order},
};

// A sixth more calls for the same time of a processor than with the allocator of glibc (bench/results/cost_of_a_call.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Contact-centre call router for Microsoft Teams.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the router until SIGTERM. SIGHUP reads FILE again.
    Run {
        /// The configuration.
        file: PathBuf,
    },
    /// Checks a configuration and prints every problem; exit code 2 if there is one.
    Check {
        /// The configuration.
        file: PathBuf,
        /// Also says what would happen to a call at this local time, such as 2026-12-24T15:00.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Also says what becomes of a number that comes by a trunk or goes there, such as 0301234@carrier.
        #[arg(long, value_name = "NUMBER@TRUNK")]
        number: Option<String>,
    },
    /// Shows the last calls from the journal.
    Calls {
        /// The configuration, for the place of the journal.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
        /// How many.
        #[arg(long, default_value_t = 20, value_name = "N")]
        last: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Says why a caller waited as long as he did, and why he was given the agent he got.
    Explain {
        /// The call, as `fernamt calls --json` names it (65a1f0c2b3d40-10000002a), or `last` for the last that ended.
        call: Which,
        /// The configuration, for the place of the journal.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
    },
    /// Shows how the running router is.
    Status {
        /// The configuration, for the address of the admin listener.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Changes an agent's state in the running router.
    Agent {
        /// The agent's name.
        name: String,
        /// What he is to do.
        #[arg(value_enum)]
        state: AgentState,
        /// The configuration, for the address of the admin listener.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
        /// Goes on record.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Closes a queue in the running router without a change of the file, or takes that back.
    Queue {
        /// The queue's name.
        name: String,
        /// What is to be done.
        #[arg(value_enum)]
        door: QueueDoor,
        /// The configuration, for the address of the admin listener.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
        /// Goes on record.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Makes the HA1s of a telephone's password, for `phone` of an agent. Asks for the password, or reads it from
    /// standard input; it is never an argument, which others could see.
    Passwd {
        /// The user name of the telephone.
        user: String,
        /// As in `[registrar]`.
        #[arg(long, default_value = "fernamt")]
        realm: String,
    },
    /// Looks after the journal.
    Journal {
        #[command(subcommand)]
        work: JournalWork,
    },
    /// Recordings of calls: what there is, whether it is whole, and orders to the running router.
    Recordings {
        #[command(subcommand)]
        work: RecordingsWork,
    },
    Simulate(simulate::Options),
    /// Prints the reference of all configuration keys.
    Reference,
}

#[derive(Subcommand)]
enum JournalWork {
    /// Makes the call records anew from the facts, after a damage or with a new version. No router may run on it.
    Rebuild {
        /// The configuration, for the place of the journal.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum RecordingsWork {
    /// Lists the recordings that are there, oldest first.
    List {
        /// The configuration, for the place of the recordings.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
    },
    /// Checks the chain of the manifest, and every file against it; exit code 1 if there is a fault.
    Verify {
        /// The configuration, for the place of the recordings.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
    },
    /// Deletes a file, or all of a call, which is a line in the manifest.
    Erase {
        /// The file, as `list` names it, or the call.
        what: String,
        /// The configuration, for the place of the recordings.
        #[arg(default_value = "fernamt.toml")]
        file: PathBuf,
        /// Goes into the manifest.
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Decrypts a file; needs no configuration and belongs on another machine than the router's.
    Decrypt {
        /// The file, `….wav.age`.
        sealed: PathBuf,
        /// The WAV file to write.
        into: PathBuf,
        /// The file with the secret key, as `age-keygen` wrote it.
        #[arg(long, value_name = "FILE")]
        identity: PathBuf,
    },
    /// Begins the recording of a live call.
    Start(RecordingOrders),
    /// Nothing is recorded until `resume`, as for card data.
    Pause(RecordingOrders),
    /// The recording goes on.
    Resume(RecordingOrders),
    /// Ends the recording; the call goes on.
    Stop(RecordingOrders),
}

#[derive(clap::Args)]
struct RecordingOrders {
    /// The call, as `fernamt status --json` names it, or the name of the agent who talks in it.
    whose: String,
    /// The configuration, for the address of the admin listener.
    #[arg(default_value = "fernamt.toml")]
    file: PathBuf,
    /// A [recording.NAME], to start by another one than the call's own.
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Goes on record and into the manifest.
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum AgentState {
    /// At work and ready.
    Login,
    /// Not at work.
    Logout,
    /// At work, not to be rung.
    Pause,
    /// Ready again.
    Ready,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum QueueDoor {
    /// Nobody is let in; who waits goes on.
    Close,
    /// As the configuration says.
    Open,
}

/// The end of a command that could not do its work.
const FAILED: u8 = 1;
/// The end of a command that refuses the configuration, or what else it was given.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { file } => driver::run::run(&file),
        Command::Check { file, at, number } => {
            check(&file, Questions { at: at.as_deref(), number: number.as_deref() })
        }
        Command::Calls { file, last, json } => {
            told(&file, |config, out| command::calls::calls(&config.node.data_dir, last, json, out))
        }
        Command::Explain { call, file } => {
            told(&file, |config, out| command::explain::explain(&config.node.data_dir, call, out))
        }
        Command::Status { file, json } => {
            asked(&file, |admin, out| command::status::status(admin, json, out))
        }
        Command::Agent { name, state, file, reason } => {
            asked(&file, |admin, out| command::agent::agent(admin, &name, state.order(), &reason, out))
        }
        Command::Queue { name, door, file, reason } => {
            asked(&file, |admin, out| command::queue::queue(admin, &name, door.door(), &reason, out))
        }
        Command::Passwd { user, realm } => {
            ended(command::passwd::passwd(&user, &realm, &mut std::io::stdout()))
        }
        Command::Journal { work: JournalWork::Rebuild { file } } => {
            told(&file, |config, out| command::journal::rebuild(&config.node.data_dir, out))
        }
        Command::Recordings { work } => recordings(work),
        Command::Simulate(options) => {
            told(&options.file, |config, out| simulate::simulate(config, &options, any_instant(), out))
        }
        Command::Reference => print(&config::reference()),
    }
}

fn recordings(work: RecordingsWork) -> ExitCode {
    use command::recordings::{decrypt, erase, list, verify};
    let (asked, order) = match work {
        RecordingsWork::List { file } => {
            return told(&file, |config, out| list(&config.recordings.folder, out));
        }
        RecordingsWork::Verify { file } => {
            return told(&file, |config, out| verify(&config.recordings.folder, out));
        }
        RecordingsWork::Erase { what, file, reason } => {
            return told(&file, |config, out| erase(&config.recordings.folder, &what, &reason, out));
        }
        RecordingsWork::Decrypt { sealed, into, identity } => {
            return ended(decrypt(&sealed, &identity, &into, &mut std::io::stdout()));
        }
        RecordingsWork::Start(asked) => (asked, RecordingOrder::Start),
        RecordingsWork::Pause(asked) => (asked, RecordingOrder::Pause),
        RecordingsWork::Resume(asked) => (asked, RecordingOrder::Resume),
        RecordingsWork::Stop(asked) => (asked, RecordingOrder::Stop),
    };
    let RecordingOrders { whose, file, policy, reason } = asked;
    self::asked(&file, |admin, out| {
        command::recordings::order(admin, (&whose, order), policy.as_deref(), &reason, out)
    })
}

fn check(file: &Path, asked: Questions<'_>) -> ExitCode {
    let outcome = command::check::check(file, asked);
    print(&outcome.text);
    ExitCode::from(outcome.code)
}

/// Virtual time is counted from it.
#[allow(clippy::disallowed_methods, reason = "the outcome does not depend on it")]
fn any_instant() -> Instant {
    Instant::now()
}

/// A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    std::io::stdout().write_all(text.as_bytes()).ok();
    ExitCode::SUCCESS
}

/// Runs a command that needs the configuration only to know where things are.
fn told(file: &Path, command: impl FnOnce(&Config, &mut dyn Write) -> Result<(), CommandError>) -> ExitCode {
    let config = match config::load(file, &mut Names::new()) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(REFUSED);
        }
    };
    ended(command(&config, &mut std::io::stdout()))
}

fn ended(outcome: Result<(), CommandError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if let CommandError::Input(_) = error { REFUSED } else { FAILED })
        }
    }
}

/// Runs a command that asks the running router.
fn asked(
    file: &Path,
    command: impl FnOnce(SocketAddr, &mut dyn Write) -> Result<(), CommandError>,
) -> ExitCode {
    told(file, |config, out| match config.listen.admin {
        Some(admin) => command(admin, out),
        None => Err(CommandError::Refused { reason: format!("{}: listen.admin is not set", file.display()) }),
    })
}

impl QueueDoor {
    fn door(self) -> Door {
        match self {
            QueueDoor::Close => Door::Close,
            QueueDoor::Open => Door::Open,
        }
    }
}

impl AgentState {
    fn order(self) -> Order {
        match self {
            AgentState::Login => Order::Login,
            AgentState::Logout => Order::Logout,
            AgentState::Pause => Order::Pause,
            AgentState::Ready => Order::Ready,
        }
    }
}
