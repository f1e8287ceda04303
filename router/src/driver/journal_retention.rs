//! What the journal forgets: facts older than `journal.retention` and the records that they finished.
//!
//! Before facts go they are added to the *base*, the [`Ledger`](crate::journal::Ledger) over all that went. Whoever
//! folds the journal begins with it, so sums, wishes and numbers are the same as if nothing had gone. It goes a few
//! batches at a time, between two commits, so that no fact waits long. The file does not shrink: its room is used again.

use rusqlite::{Connection, TransactionBehavior};

use super::journal_store::{BASE, SAVE_BASE, Store, each_fact, save_ledger, saved_ledger};
use crate::journal::fact::Micros;

/// Batches and facts that go in one step, whichever is fewer, but at least one batch: some 60 ms of work.
const BATCHES: usize = 64;
const FACTS: i64 = 20_000;

/// The oldest batches, all too old.
#[derive(Default)]
struct Old {
    /// `first_seq` and `last_seq` of the last of them; 0 if there is none.
    first_seq: i64,
    last_seq: i64,
    /// As many as go in one step: there may be more.
    is_full: bool,
}

impl Store {
    /// Forgets the oldest batches, as many as go in one step, if all their facts are older than `before`. True if there
    /// may be more.
    ///
    /// # Errors
    /// What SQLite says, also when the base cannot be read; nothing has changed then.
    pub fn forget(&mut self, before: Micros) -> rusqlite::Result<bool> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Old { first_seq, last_seq, is_full } = oldest(&transaction, before)?;
        if last_seq == 0 {
            return Ok(false);
        }
        let mut base = saved_ledger(&transaction, BASE)?.unwrap_or_default();
        let gone = "SELECT facts, first_seq FROM batches WHERE first_seq <= ?1 ORDER BY first_seq";
        each_fact(&transaction, gone, [first_seq], |fact| {
            base.apply(&fact);
            Ok(())
        })?;
        transaction.execute("DELETE FROM batches WHERE first_seq <= ?1", [first_seq])?;
        transaction.execute("DELETE FROM calls WHERE seq <= ?1", [last_seq])?;
        save_ledger(&transaction, SAVE_BASE, &base)?;
        transaction.commit()?;
        Ok(is_full)
    }
}

fn oldest(connection: &Connection, before: Micros) -> rusqlite::Result<Old> {
    let sql = "SELECT first_seq, last_seq, last_at FROM batches ORDER BY first_seq LIMIT ?1";
    let mut batches = connection.prepare_cached(sql)?;
    let mut rows = batches.query([BATCHES as i64])?;
    let (mut old, mut count, mut facts) = (Old::default(), 0, 0);
    while let Some(row) = rows.next()?.filter(|_| !old.is_full) {
        if row.get::<_, Micros>(2)? >= before {
            break;
        }
        (old.first_seq, old.last_seq) = (row.get(0)?, row.get(1)?);
        count += 1;
        facts += old.last_seq + 1 - old.first_seq;
        old.is_full = count == BATCHES || facts >= FACTS;
    }
    Ok(old)
}
