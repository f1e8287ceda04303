//! Certificates: an authority of the simulator's own, what Teams shows, and what the SBC shows.

use std::io;

use rcgen::ExtendedKeyUsagePurpose;

use super::proxy::NAMES;
use crate::graph::Authority;

/// All in PEM.
pub struct Papers {
    /// The root of both.
    pub root: String,
    /// What Teams shows, with the three names: for servers only, as Microsoft's are from 2026 on (1.3).
    pub teams: (String, String),
    /// What the SBC shows: certificate and key.
    pub sbc: (String, String),
}

impl Papers {
    /// For an SBC of this name.
    ///
    /// # Errors
    /// The cryptographic library refuses.
    pub fn new(fqdn: &str) -> io::Result<Papers> {
        let authority = Authority::new()?;
        let server = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let both = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(Papers {
            root: authority.pem(),
            teams: authority.issues(&NAMES, server)?,
            sbc: authority.issues(&[fqdn], both)?,
        })
    }
}
