//! From a name to addresses in the order in which they are tried: NAPTR, SRV, A and AAAA (RFC 3263 §4).
//!
//! [`Directory`] is a machine: it says what DNS is to be asked and is told the answers, remembers them as long as they
//! are good for, and for a while longer in case DNS dies. Whoever asks gives the time and a random number, by which
//! targets of the same priority are drawn according to their weights (RFC 2782).

mod directory;
mod memory;
mod order;
mod reach;
mod records;
mod search;
mod trouble;

pub use directory::{Directory, DirectorySettings, Output};
pub use reach::Reach;
pub use records::{Answer, Kind, Naptr, Query, Records, Srv};
pub use trouble::Trouble;

use crate::transport::Transport;
use std::net::SocketAddr;

/// What a name led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// In the order in which they are to be tried, each with what is spoken there; empty: there are none.
    pub addresses: Vec<(Transport, SocketAddr)>,
    /// What an operator should know, also where addresses were found in spite of it.
    pub trouble: Option<Trouble>,
}

impl Located {
    /// Addresses found without trouble, all of one transport.
    pub fn at(transport: Transport, addresses: impl IntoIterator<Item = SocketAddr>) -> Located {
        let addresses = addresses.into_iter().map(|address| (transport, address)).collect();
        Located { addresses, trouble: None }
    }

    /// Nothing was found.
    pub fn nowhere(trouble: Trouble) -> Located {
        Located { addresses: Vec::new(), trouble: Some(trouble) }
    }
}
