//! Who guesses passwords is not believed for a while, whatever he says.
//!
//! Wrong proofs are counted by the address they come from and by the user they name. The address at which a user last
//! proved his password is counted apart: so nobody can lock him out from elsewhere, and a colleague's telephone with a
//! wrong password behind the same address does not silence his.

use super::UserId;
use crate::transport::place_of;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Whose wrong proofs are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspect {
    /// Everything from this address, or from this /64 of IPv6, but users at home there.
    Source(IpAddr),
    /// This user from wherever he is not at home.
    User(UserId),
    /// This user from the address where he proved his password last.
    AtHome(UserId),
}

/// Wrong proofs, and who is locked out for them.
#[derive(Debug)]
pub struct Lockout {
    /// So many wrong proofs within `length`.
    after: u32,
    length: Duration,
    records: BTreeMap<Suspect, Record>,
    /// By the last wrong proof: the oldest is forgotten first.
    by_age: BTreeSet<(Instant, Suspect)>,
    homes: HashMap<UserId, IpAddr>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    wrong: u32,
    last: Instant,
}

/// Suspects remembered at one time. One more, and the one who has been quiet for longest is forgotten: an attacker with
/// so many addresses has `after` tries from each, and from all together `after` for each user.
const MOST: usize = 20_000;

impl Lockout {
    /// `after` wrong proofs, each within `length` of the one before, lock out for `length` after the last.
    pub fn new(after: u32, length: Duration) -> Lockout {
        let (records, by_age, homes) = (BTreeMap::new(), BTreeSet::new(), HashMap::new());
        Lockout { after: after.max(1), length, records, by_age, homes }
    }

    /// The rule changes; what was counted stays.
    pub fn set_rule(&mut self, after: u32, length: Duration) {
        (self.after, self.length) = (after.max(1), length);
    }

    /// Whether somebody who names himself `user` is not to be believed.
    pub fn is_locked(&self, now: Instant, source: IpAddr, user: Option<UserId>) -> bool {
        self.suspects(source, user).any(|suspect| self.wrong(now, suspect) >= self.after)
    }

    /// A proof was wrong. Who is locked out by it and was not before.
    pub fn failed(&mut self, now: Instant, source: IpAddr, user: Option<UserId>) -> Option<Suspect> {
        let mut locked = None;
        for suspect in self.suspects(source, user).collect::<Vec<_>>() {
            let wrong = self.wrong(now, suspect) + 1;
            self.note(suspect, Record { wrong, last: now });
            if wrong == self.after {
                locked = Some(suspect);
            }
        }
        locked
    }

    /// A proof was right: the user is at home here from now on.
    pub fn proved(&mut self, source: IpAddr, user: UserId) {
        self.homes.insert(user, place_of(source));
        self.forget(Suspect::AtHome(user));
    }

    /// These users are all there are from now on.
    pub fn retain(&mut self, is_known: impl Fn(UserId) -> bool) {
        self.homes.retain(|user, _| is_known(*user));
    }

    /// Those who are locked out now.
    pub fn locked(&self, now: Instant) -> usize {
        self.records.keys().filter(|suspect| self.wrong(now, **suspect) >= self.after).count()
    }

    fn suspects(&self, source: IpAddr, user: Option<UserId>) -> impl Iterator<Item = Suspect> + use<> {
        let source = place_of(source);
        let home = user.filter(|user| self.homes.get(user) == Some(&source)).map(Suspect::AtHome);
        let away = [Some(Suspect::Source(source)), user.map(Suspect::User)];
        let away = if home.is_some() { [None; 2] } else { away };
        home.into_iter().chain(away.into_iter().flatten())
    }

    fn wrong(&self, now: Instant, suspect: Suspect) -> u32 {
        let fresh = |record: &&Record| now.saturating_duration_since(record.last) < self.length;
        self.records.get(&suspect).filter(fresh).map_or(0, |record| record.wrong)
    }

    fn note(&mut self, suspect: Suspect, record: Record) {
        self.forget(suspect);
        if self.records.len() >= MOST
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.forget(oldest);
        }
        self.records.insert(suspect, record);
        self.by_age.insert((record.last, suspect));
    }

    fn forget(&mut self, suspect: Suspect) {
        if let Some(record) = self.records.remove(&suspect) {
            self.by_age.remove(&(record.last, suspect));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: UserId = UserId(1);
    const LENGTH: Duration = Duration::from_secs(300);

    #[allow(clippy::disallowed_methods, reason = "any instant will do: from here on time is ours")]
    fn lockout() -> (Lockout, Instant) {
        (Lockout::new(3, LENGTH), Instant::now())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_third_wrong_proof_locks_its_address_out_until_it_has_been_quiet_for_long_enough() {
        let (mut lockout, start) = lockout();
        let (thief, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        let mut fail = |n: u64| lockout.failed(start + Duration::from_secs(n), thief, None);
        assert_eq!([fail(0), fail(1), fail(2), fail(3)], [None, None, Some(Suspect::Source(thief)), None]);
        let locked = |after| lockout.is_locked(start + Duration::from_secs(3) + after, thief, None);
        assert!(locked(LENGTH - Duration::from_millis(1)) && !locked(LENGTH));
        assert!(!lockout.is_locked(start, other, None));
    }

    #[test]
    fn a_user_whose_password_is_guessed_from_many_addresses_is_locked_out_there_but_not_at_home() {
        let (mut lockout, now) = lockout();
        let home = ip("198.51.100.1");
        lockout.proved(home, ANNA);
        for last in 1..=3 {
            lockout.failed(now, ip(&format!("192.0.2.{last}")), Some(ANNA));
        }
        assert!(lockout.is_locked(now, ip("192.0.2.77"), Some(ANNA)));
        assert!(!lockout.is_locked(now, home, Some(ANNA)));
        for _ in 0..3 {
            lockout.failed(now, home, Some(ANNA));
        }
        assert!(lockout.is_locked(now, home, Some(ANNA)));
    }

    #[test]
    fn a_telephone_with_a_wrong_password_does_not_silence_the_one_beside_it() {
        let (mut lockout, now) = lockout();
        let office = ip("198.51.100.1");
        lockout.proved(office, ANNA);
        for _ in 0..10 {
            lockout.failed(now, office, Some(UserId(2)));
        }
        assert!(
            lockout.is_locked(now, office, Some(UserId(2))) && !lockout.is_locked(now, office, Some(ANNA))
        );
    }

    #[test]
    fn a_whole_64_of_ipv6_counts_as_one() {
        let (mut lockout, now) = lockout();
        for last in 1..=3 {
            lockout.failed(now, ip(&format!("2001:db8::{last}")), None);
        }
        assert!(lockout.is_locked(now, ip("2001:db8::ffff"), None));
        assert!(!lockout.is_locked(now, ip("2001:db8:0:1::1"), None));
    }

    #[test]
    fn an_attacker_with_many_addresses_makes_no_table_grow() {
        let (mut lockout, now) = lockout();
        for n in 0..MOST as u32 + 500 {
            lockout.failed(now, IpAddr::from(n.to_be_bytes()), None);
        }
        assert_eq!((lockout.records.len(), lockout.by_age.len()), (MOST, MOST));
    }
}
