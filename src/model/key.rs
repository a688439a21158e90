//! `WireGuard` keys (X25519, RFC 7748), 32 bytes, written as 44 characters of base64.
//!
//! A private key has no `Debug`, `Display`, `Clone` or `Serialize`: it can only leave
//! through [`PrivateKey::expose`], which is easy to search for, and is wiped when dropped.

use super::Invalid;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{fmt, str::FromStr};
use zeroize::{Zeroize, Zeroizing};

/// Length of every `WireGuard` key in bytes.
pub const KEY_LEN: usize = 32;

/// A peer's public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; KEY_LEN]);

impl PublicKey {
    /// The key of these bytes, whatever they are: for keys read from the store or the interface.
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The key in base64, without an allocation.
    pub fn encoded(&self) -> EncodedKey {
        let mut text = [0; 44];
        // 32 bytes are always 44 characters.
        let _ = STANDARD.encode_slice(self.0, &mut text);
        EncodedKey(text)
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = Invalid;

    fn from_str(s: &str) -> Result<Self, Invalid> {
        let hint = "a public key is 44 characters of base64, as \"wg pubkey\" prints it";
        let bytes = decode(s).map_err(|why| Invalid::new("public key", s, why, hint))?;
        if *bytes == [0; KEY_LEN] {
            return Err(Invalid::new("public key", s, "is all zero", hint));
        }
        Ok(Self(*bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encoded().as_str())
    }
}

/// A public key as text.
#[derive(Debug, Clone, Copy)]
pub struct EncodedKey([u8; 44]);

impl EncodedKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A private key, clamped as Curve25519 wants it, wiped from memory when dropped.
pub struct PrivateKey(Zeroizing<[u8; KEY_LEN]>);

impl PrivateKey {
    /// Makes a private key of 32 random bytes by clamping them.
    pub fn from_random(mut bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        bytes[0] &= 0b1111_1000;
        bytes[31] = (bytes[31] & 0b0111_1111) | 0b0100_0000;
        Self(bytes)
    }

    /// The private key that an interface has; all zero is how it says that there is none.
    pub fn from_device(bytes: Zeroizing<[u8; KEY_LEN]>) -> Option<Self> {
        (*bytes != [0; KEY_LEN]).then(|| Self::from_random(bytes))
    }

    /// Takes a private key written in base64.
    ///
    /// # Errors
    /// A fragment saying what is wrong; the text itself is never part of it.
    pub fn from_base64(s: &str) -> Result<Self, &'static str> {
        let bytes = decode(s)?;
        if *bytes == [0; KEY_LEN] {
            return Err("is all zero");
        }
        Ok(Self(bytes))
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> PublicKey {
        let secret = x25519_dalek::StaticSecret::from(*self.0);
        PublicKey(x25519_dalek::PublicKey::from(&secret).to_bytes())
    }

    /// The raw bytes, for the interface and the vault.
    pub fn expose_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The key in base64, for the places that may carry it: the conf, a script.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }
}

/// A key that a peer and the hub share besides their pairs, wiped from memory when dropped.
pub struct PresharedKey(Zeroizing<[u8; KEY_LEN]>);

impl PresharedKey {
    /// Makes a preshared key of 32 random bytes.
    pub fn from_random(bytes: Zeroizing<[u8; KEY_LEN]>) -> Self {
        Self(bytes)
    }

    /// Takes a preshared key written in base64.
    ///
    /// # Errors
    /// A fragment saying what is wrong; the text itself is never part of it.
    pub fn from_base64(s: &str) -> Result<Self, &'static str> {
        decode(s).map(Self)
    }

    /// The raw bytes, for the interface and the vault.
    pub fn expose_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// The key in base64, for the places that may carry it: the conf, a script.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }
}

/// Strict base64 of exactly 32 bytes.
fn decode(s: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, &'static str> {
    let Ok(mut decoded) = STANDARD.decode(s) else {
        return Err("is not base64");
    };
    let result = match <[u8; KEY_LEN]>::try_from(decoded.as_slice()) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(_) => Err("is not 32 bytes long"),
    };
    decoded.zeroize();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_key_of_the_rfc_7748_test_vector() {
        // RFC 7748 section 6.1, Alice: the private key is clamped by the function itself.
        let private = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
        let public = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
        let key = PrivateKey::from_base64(private).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(key.public().to_string(), public);
        assert_eq!(key.expose().as_str(), private);
    }

    #[test]
    fn random_bytes_are_clamped() {
        let key = PrivateKey::from_random(Zeroizing::new([0xff; 32]));
        assert_eq!(key.expose_bytes()[0], 248);
        assert_eq!(key.expose_bytes()[31], 127);
    }

    #[test]
    fn bad_public_keys_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not 32 bytes long"),
            ("hello", "is not base64"),
            ("AAAA", "is not 32 bytes long"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "is all zero"),
            ("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", "is not base64"),
            ("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=", "is not base64"),
            (" hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", "is not base64"),
        ] {
            let e = text.parse::<PublicKey>().expect_err(text);
            assert_eq!(e.reason, reason, "{text:?}");
        }
    }
}
