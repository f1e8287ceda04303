//! `testbed/demo --teams`: agents in Teams, reached over TLS and SRTP, with the simulators of Teams and of Graph; sound
//! measured both ways, and what must add up afterwards.

mod house;
mod stage;
mod story;
mod verdict;

pub(super) use house::write;

use router::config::{self, Names};

use super::{Arguments, books::Books, driver::Ending};
use stage::Stage;
use verdict::Verdict;

/// Plays, checks and prints. True if everything held.
pub(super) async fn play(arguments: &Arguments) -> Result<bool, String> {
    let config =
        config::load(&arguments.config, &mut Names::new()).map_err(|problems| problems.to_string())?;
    let router = config.listen.sip.first().ok_or("no SIP listener")?.local;
    let admin = config.listen.admin.ok_or("no admin listener")?;
    let books = Books { admin, fernamt: &arguments.fernamt, config: &arguments.config };
    let mut stage = Stage::open(&arguments.config, router)?;
    let told = story::tell(&mut stage, &books).await;
    let mut verdict = Verdict::of(&mut stage, &books).await?;
    verdict.hold(told);
    verdict.print(&books)?;
    if arguments.keep {
        println!("\nStill running; call sip:+493012345@{router} from 127.0.1.x; Ctrl-C ends it.");
    }
    if arguments.json {
        println!("{}", verdict.json());
    }
    if arguments.keep {
        let mut end = Ending::new().map_err(|error| error.to_string())?;
        loop {
            tokio::select! {
                () = end.asked() => break,
                () = stage.turn() => {}
            }
        }
    }
    Ok(verdict.holds())
}
