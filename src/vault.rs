//! Private keys at rest: sealed with age to everyone who may open them.
//!
//! Must not know where a sealed key is kept. Opening needs an identity; sealing needs only the
//! recipients, so a hub without an identity can still provision.

use crate::{
    fsx,
    model::{PresharedKey, PrivateKey},
};
use age::{
    Decryptor, Encryptor, IdentityFile, Recipient,
    armor::ArmoredReader,
    scrypt,
    secrecy::{ExposeSecret, SecretString},
    ssh, x25519,
};
use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    str::FromStr,
};
use zeroize::Zeroizing;

/// Why a key could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is nobody to seal to.
    #[error("there is no recipient to seal the private key to")]
    NoRecipients,
    /// A recipient is not one.
    #[error("recipient {value:?} is not an age or ssh public key")]
    BadRecipient {
        /// As it stands in the settings.
        value: String,
    },
    /// There is no identity file.
    #[error("there is no identity at {}", path.display())]
    NoIdentity {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The identity file cannot be used.
    #[error("the identity {} cannot be used: {why}", path.display())]
    BadIdentity {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The identity file is protected, and nobody gave the passphrase.
    #[error("the identity {} is protected by a passphrase, and there is nobody to ask for it", path.display())]
    Protected {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not open the identity file.
    #[error("the passphrase does not open the identity {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The identity is not one of the recipients.
    #[error("the key was not sealed to the identity {}", path.display())]
    WrongIdentity {
        /// The file.
        path: PathBuf,
    },
    /// What was opened is not a `WireGuard` key.
    #[error("the sealed key is damaged")]
    Damaged,
    /// The library or the system failed.
    #[error("cannot seal the private key: {0}")]
    Seal(String),
    /// The identity file cannot be read.
    #[error(transparent)]
    Fs(#[from] fsx::FsError),
}

/// A new identity: the file's content and the recipient that belongs to it.
pub struct NewIdentity {
    /// Text of the identity file, a secret.
    pub file: Zeroizing<String>,
    /// `age1…`, for the settings.
    pub recipient: String,
}

/// Makes an identity.
pub fn new_identity() -> NewIdentity {
    let identity = x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let secret = identity.to_string();
    let file = Zeroizing::new(format!(
        "# age identity of this hub: it opens the private keys that the store keeps sealed.\n\
         # public key: {recipient}\n{}\n",
        secret.expose_secret()
    ));
    NewIdentity { file, recipient }
}

/// Everyone who can open what is sealed.
pub struct Recipients(Vec<Box<dyn Recipient + Send>>);

impl Recipients {
    /// Reads recipients: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`.
    ///
    /// # Errors
    /// [`VaultError::BadRecipient`] naming the first that is none.
    pub fn parse(values: &[String]) -> Result<Self, VaultError> {
        let parse = |value: &String| -> Result<Box<dyn Recipient + Send>, VaultError> {
            if let Ok(r) = x25519::Recipient::from_str(value) {
                return Ok(Box::new(r));
            }
            if let Ok(r) = ssh::Recipient::from_str(value) {
                return Ok(Box::new(r));
            }
            Err(VaultError::BadRecipient { value: value.clone() })
        };
        Ok(Self(values.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seals a private key.
    ///
    /// # Errors
    /// [`VaultError::NoRecipients`] or [`VaultError::Seal`].
    pub fn seal(&self, key: &PrivateKey) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(key.expose_bytes())
    }

    /// Seals a preshared key.
    ///
    /// # Errors
    /// [`VaultError::NoRecipients`] or [`VaultError::Seal`].
    pub fn seal_preshared(&self, key: &PresharedKey) -> Result<Vec<u8>, VaultError> {
        self.seal_bytes(key.expose_bytes())
    }

    /// Seals any secret.
    ///
    /// # Errors
    /// [`VaultError::NoRecipients`] or [`VaultError::Seal`].
    pub fn seal_bytes(&self, secret: &[u8]) -> Result<Vec<u8>, VaultError> {
        if self.0.is_empty() {
            return Err(VaultError::NoRecipients);
        }
        let seal = || -> io::Result<Vec<u8>> {
            let recipients = self.0.iter().map(|r| &**r as &dyn Recipient);
            let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
            let mut sealed = Vec::new();
            let mut writer = encryptor.wrap_output(&mut sealed)?;
            writer.write_all(secret)?;
            writer.finish()?;
            Ok(sealed)
        };
        seal().map_err(|e| VaultError::Seal(e.to_string()))
    }
}

/// Asks somebody for a passphrase; `None` if they give none.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Option<Zeroizing<String>>;

/// Hardest passphrase to try, as the binary logarithm of the work: about a minute of a slow machine.
const MAX_WORK: u8 = 22;

/// The identities of one file, read once for any number of keys.
pub struct Opener {
    path: PathBuf,
    identities: Vec<Box<dyn age::Identity>>,
}

impl Opener {
    /// Reads an identity file that needs no passphrase: age's own format, or an ssh private key.
    ///
    /// # Errors
    /// [`VaultError::NoIdentity`], [`VaultError::BadIdentity`], [`VaultError::Protected`] or
    /// [`VaultError::Fs`].
    pub fn from_file(path: &Path) -> Result<Self, VaultError> {
        Self::ask(path, None)
    }

    /// The same, asking for the passphrase of a protected one: a file that age sealed with a
    /// passphrase, or a protected ssh key.
    ///
    /// # Errors
    /// As [`Opener::from_file`], and [`VaultError::WrongPassphrase`].
    pub fn ask(path: &Path, ask: Option<Ask<'_>>) -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(
            fsx::read_trusted(path)?.ok_or_else(|| VaultError::NoIdentity { path: path.to_owned() })?,
        );
        let bad = |why: &str| VaultError::BadIdentity { path: path.to_owned(), why: why.to_owned() };
        let passphrase = || -> Result<SecretString, VaultError> {
            let answer = ask.and_then(|ask| ask(&format!("Passphrase of {}: ", path.display())));
            let answer = answer.ok_or_else(|| VaultError::Protected { path: path.to_owned() })?;
            Ok(SecretString::from(answer.as_str().to_owned()))
        };
        let wrong = || VaultError::WrongPassphrase { path: path.to_owned() };
        let is_armored = bytes.starts_with(ARMOR);
        if bytes.starts_with(b"-----BEGIN") && !is_armored {
            let name = Some(path.display().to_string());
            let identity =
                ssh::Identity::from_buffer(bytes.as_slice(), name).map_err(|e| bad(&e.to_string()))?;
            let key = match identity {
                ssh::Identity::Unencrypted(key) => key,
                ssh::Identity::Encrypted(key) => key.decrypt(passphrase()?).map_err(|_| wrong())?,
                ssh::Identity::Unsupported(_) => {
                    return Err(bad("this kind of ssh key cannot open anything"));
                }
            };
            let identity = ssh::Identity::Unencrypted(key);
            return Ok(Self { path: path.to_owned(), identities: vec![Box::new(identity)] });
        }
        let plain = if is_armored || is_sealed(&bytes) {
            let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes.as_slice()))
                .map_err(|e| bad(&e.to_string()))?;
            if !decryptor.is_scrypt() {
                return Err(bad("it is sealed, but not with a passphrase"));
            }
            let mut key = scrypt::Identity::new(passphrase()?);
            key.set_max_work_factor(MAX_WORK);
            let mut reader =
                decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).map_err(|e| match e {
                    age::DecryptError::ExcessiveWork { .. } => bad(&e.to_string().replace('\n', " ")),
                    _ => wrong(),
                })?;
            let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
            reader.read_to_end(&mut plain).map_err(|_| bad("it is damaged"))?;
            plain
        } else {
            bytes
        };
        let file = IdentityFile::from_buffer(plain.as_slice()).map_err(|e| bad(&fsx::reason(&e)))?;
        let identities = file.into_identities().map_err(|e| bad(&e.to_string()))?;
        if identities.is_empty() {
            return Err(bad("it holds no key"));
        }
        let identities = identities.into_iter().map(|i| -> Box<dyn age::Identity> { i }).collect();
        Ok(Self { path: path.to_owned(), identities })
    }

    /// Opens a sealed private key.
    ///
    /// # Errors
    /// [`VaultError::WrongIdentity`] or [`VaultError::Damaged`].
    pub fn open(&self, sealed: &[u8]) -> Result<PrivateKey, VaultError> {
        let secret = self.open_bytes(sealed)?;
        let bytes = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| VaultError::Damaged)?;
        Ok(PrivateKey::from_random(Zeroizing::new(bytes)))
    }

    /// Opens a preshared key.
    ///
    /// # Errors
    /// [`VaultError::WrongIdentity`] or [`VaultError::Damaged`].
    pub fn open_preshared(&self, sealed: &[u8]) -> Result<PresharedKey, VaultError> {
        let secret = self.open_bytes(sealed)?;
        let bytes = <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| VaultError::Damaged)?;
        Ok(PresharedKey::from_random(Zeroizing::new(bytes)))
    }

    /// Opens any sealed secret.
    ///
    /// # Errors
    /// [`VaultError::WrongIdentity`] or [`VaultError::Damaged`].
    pub fn open_bytes(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let decryptor = Decryptor::new_buffered(sealed).map_err(|_| VaultError::Damaged)?;
        let mut reader = match decryptor.decrypt(self.identities.iter().map(|i| &**i)) {
            Ok(reader) => reader,
            Err(age::DecryptError::NoMatchingKeys) => {
                return Err(VaultError::WrongIdentity { path: self.path.clone() });
            }
            Err(_) => return Err(VaultError::Damaged),
        };
        // The plain text is shorter than the sealed one: the buffer never moves and leaves no copy.
        let mut secret = Zeroizing::new(Vec::with_capacity(sealed.len()));
        reader.read_to_end(&mut secret).map_err(|_| VaultError::Damaged)?;
        Ok(secret)
    }
}

/// How a sealed file of printable characters begins.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// Whether a file is sealed with age.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"age-encryption.org/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PrivateKey {
        PrivateKey::from_random(Zeroizing::new([n; 32]))
    }

    fn identity(dir: &Path, name: &str) -> (PathBuf, String) {
        let new = new_identity();
        let path = dir.join(name);
        fsx::create(&path, new.file.as_bytes(), 0o600).expect("identity");
        (path, new.recipient)
    }

    #[test]
    fn every_recipient_opens_what_was_sealed_and_nobody_else() {
        let dir = tempfile::tempdir().expect("dir");
        let (a, ra) = identity(dir.path(), "a");
        let (b, rb) = identity(dir.path(), "b");
        let (c, _) = identity(dir.path(), "c");
        let sealed = Recipients::parse(&[ra, rb]).and_then(|r| r.seal(&key(7))).expect("seal");
        assert!(!sealed.windows(32).any(|w| w == key(7).expose_bytes()), "the key stands there in clear");
        for path in [a, b] {
            let opened = Opener::from_file(&path).and_then(|o| o.open(&sealed)).expect("open");
            assert_eq!(opened.expose_bytes(), key(7).expose_bytes());
        }
        let e = Opener::from_file(&c).and_then(|o| o.open(&sealed)).err().expect("opened by a stranger");
        assert_eq!(e.to_string(), format!("the key was not sealed to the identity {}", c.display()));
    }

    #[test]
    fn what_cannot_work_is_said() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(matches!(Recipients::parse(&["age1nonsense".into()]), Err(VaultError::BadRecipient { .. })));
        let none = Recipients::parse(&[]).expect("no recipients");
        assert!(matches!(none.seal(&key(1)), Err(VaultError::NoRecipients)));
        assert!(matches!(Opener::from_file(&dir.path().join("no")), Err(VaultError::NoIdentity { .. })));
        let path = dir.path().join("text");
        std::fs::write(&path, "hello\n").expect("write");
        assert!(matches!(Opener::from_file(&path), Err(VaultError::BadIdentity { .. })));
        let (a, ra) = identity(dir.path(), "a");
        let mut sealed = Recipients::parse(&[ra]).and_then(|r| r.seal(&key(1))).expect("seal");
        *sealed.last_mut().expect("byte") ^= 1;
        assert!(matches!(Opener::from_file(&a).and_then(|o| o.open(&sealed)), Err(VaultError::Damaged)));
    }
}
