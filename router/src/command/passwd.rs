//! `fernamt passwd USER [--realm REALM]`: the HA1s of a telephone's password, as the configuration wants them.

use std::io::{self, BufRead, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use sip_core::auth::digest::{Algorithm, Ha1};

use super::CommandError;

/// Shortest password that is taken: a scanner tries short ones first.
const SHORTEST: usize = 8;

/// Asks for a password, twice and without showing it, or reads one line from standard input if that is no terminal;
/// writes the line for `[agent.NAME]`.
///
/// # Errors
/// [`CommandError::Input`]: no password, too short a one, or two that differ.
pub fn passwd(user: &str, realm: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let password = if io::stdin().is_terminal() { ask_twice()? } else { read_line()? };
    let [sha256, md5] = ha1s(user, realm, &password)?;
    writeln!(out, "phone = {{ user = {user:?}, ha1_sha256 = \"{sha256}\", ha1_md5 = \"{md5}\" }}")?;
    Ok(())
}

/// Both HA1s, in the order of [`Algorithm::ALL`].
///
/// # Errors
/// The password is too short.
pub fn ha1s(user: &str, realm: &str, password: &str) -> Result<[String; 2], CommandError> {
    if password.chars().count() < SHORTEST {
        return Err(CommandError::Input(format!(
            "the password is too short; give it {SHORTEST} characters or more"
        )));
    }
    Ok(Algorithm::ALL.map(|algorithm| Ha1::of(algorithm, user, realm, password).reveal().to_owned()))
}

fn ask_twice() -> Result<String, CommandError> {
    let (first, second) = (ask("Password: ")?, ask("Again: ")?);
    if first == second { Ok(first) } else { Err(CommandError::Input("the two are not the same".to_owned())) }
}

/// Reads a line while the terminal shows nothing of it.
fn ask(prompt: &str) -> Result<String, CommandError> {
    eprint!("{prompt}");
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).map_err(io::Error::from)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent).map_err(io::Error::from)?;
    let line = read_line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before).map_err(io::Error::from)?;
    eprintln!();
    line
}

fn read_line() -> Result<String, CommandError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(CommandError::Input("no password was given".to_owned()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_are_bound_to_user_and_realm_and_a_short_password_is_refused() {
        let of = |user, realm| ha1s(user, realm, "hunter2!hunter2").unwrap();
        assert_eq!([of("anna", "a")[0].len(), of("anna", "a")[1].len()], [64, 32]);
        assert!(of("anna", "a") != of("anna", "b") && of("anna", "a") != of("bo", "a"));
        assert!(ha1s("anna", "a", "hunter2").is_err());
    }
}
