//! Crypto suites: their names and lengths. RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2.

use std::fmt;

/// How packets are encrypted and authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-GCM with a key of 256 bits (RFC 7714).
    AeadAes256Gcm,
    /// AES-GCM with a key of 128 bits (RFC 7714): a third of the work of HMAC-SHA1.
    AeadAes128Gcm,
    /// AES-CM with a key of 256 bits, tags of 80 bits (RFC 6188).
    Aes256CmHmacSha1_80,
    /// AES-CM with a key of 256 bits, tags of 32 bits on RTP (RFC 6188).
    Aes256CmHmacSha1_32,
    /// What everybody knows: AES-CM with a key of 128 bits, tags of 80 bits (RFC 3711, 4568).
    AesCm128HmacSha1_80,
    /// The same with tags of 32 bits on RTP.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All of them, the strongest first: long tags before long keys.
    pub const ALL: [Suite; 6] = [
        Suite::AeadAes256Gcm,
        Suite::AeadAes128Gcm,
        Suite::Aes256CmHmacSha1_80,
        Suite::AesCm128HmacSha1_80,
        Suite::Aes256CmHmacSha1_32,
        Suite::AesCm128HmacSha1_32,
    ];

    /// As `a=crypto` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// The suite of this name, whatever its case (RFC 4568 §9.1).
    #[must_use]
    pub fn by_name(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Suite::AeadAes256Gcm | Suite::Aes256CmHmacSha1_80 | Suite::Aes256CmHmacSha1_32 => 32,
            Suite::AeadAes128Gcm | Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => 16,
        }
    }

    /// Bytes of a master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Suite::AeadAes256Gcm | Suite::AeadAes128Gcm)
    }

    /// Bytes of a tag on RTP. On RTCP HMAC always has 10 (RFC 4568 §6.2.2, RFC 6188 §4.2).
    pub(super) const fn rtp_tag_len(self) -> usize {
        match self {
            Suite::AeadAes256Gcm | Suite::AeadAes128Gcm => 16,
            Suite::Aes256CmHmacSha1_80 | Suite::AesCm128HmacSha1_80 => 10,
            Suite::Aes256CmHmacSha1_32 | Suite::AesCm128HmacSha1_32 => 4,
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
