//! The store: one `SQLite` file, the truth about the hub. The only room that knows SQL.
//!
//! Schema and meaning stand in `schema/*.sql`. Invariants are the database's own: STRICT tables,
//! unique names, addresses and keys, so no program above can hand out an address twice.
//!
//! Crash: WAL with `synchronous = FULL`; what was committed is there after a power cut, what was
//! not is gone. Second process: writers use `BEGIN IMMEDIATE` and wait for each other, readers
//! see the last commit and wait for nobody. The file is opened by `SQLite` alone, never beside it:
//! closing any other descriptor of it would drop `SQLite`'s locks.

mod addresses;
mod audit;
mod backup;
mod clock;
mod conf_seen;
mod damage;
mod history;
mod life;
mod locations;
mod migrate;
mod ranges;
mod readings;
mod restore;
mod secrets;
mod wanted;

pub use addresses::{AddressHolder, Choice, Exhausted};
pub use audit::{Broken, Copies, Joint, Query};
pub use conf_seen::ConfSeen;
pub use history::{Announcement, Past};
pub use life::SealedKeys;
pub use locations::{Edit, NewPeer};
pub use migrate::SCHEMA_VERSION;
pub use ranges::{Contested, Overlap};
pub use readings::{Readings, Watched};
pub use restore::TakenOver;
pub use secrets::Sealed;

use crate::{fsx, model::PublicKey};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, config::DbConfig};
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file.
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not `SQLite`, or `SQLite` of another program.
    #[error("the file is not a store of iwas-wg")]
    NotOurs,
    /// Written by a newer program.
    #[error("the store has schema {found}, this program knows {SCHEMA_VERSION}")]
    Newer {
        /// The file's schema version.
        found: usize,
    },
    /// Written by an older program, and opened for reading only.
    #[error("the store has schema {found}, this program wants {SCHEMA_VERSION}")]
    Older {
        /// The file's schema version.
        found: usize,
    },
    /// The content is broken.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// Another process writes for too long.
    #[error("the store is locked by another process")]
    Busy,
    /// No permission to open or write it.
    #[error("the store may not be opened or written (no permission)")]
    Denied,
    /// It is on a file system that is mounted read-only, or the file may not be written.
    #[error("the store cannot be written")]
    ReadOnly,
    /// There is no room left.
    #[error("the store cannot be written: no space is left on its disk")]
    Full,
    /// A name, address or key is there already.
    #[error("{what} is taken")]
    Taken {
        /// What is taken.
        what: &'static str,
    },
    /// The pool has no free address.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The file system refused.
    #[error(transparent)]
    Fs(#[from] fsx::FsError),
    /// The file lies where SQLite cannot keep it safe.
    #[error("the store would lie on a network file system ({kind}), where its locks do not work")]
    Network {
        /// Which one.
        kind: &'static str,
    },
    /// Anything else that SQLite says.
    #[error("{}", .0)]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        use rusqlite::Error as Sql;
        let (code, message) = match &e {
            Sql::SqliteFailure(code, message) => (code, message),
            // Every value was checked when it was written.
            Sql::FromSqlConversionFailure(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::InvalidColumnType(..)
            | Sql::Utf8Error(..) => return Self::Damaged { what: "a value cannot be read".into() },
            _ => return Self::Sqlite(e),
        };
        match code.code {
            ErrorCode::NotADatabase => Self::NotOurs,
            ErrorCode::DatabaseCorrupt => {
                Self::Damaged { what: message.clone().unwrap_or_else(|| "SQLite cannot read it".into()) }
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::Full,
            _ if code.extended_code == rusqlite::ffi::SQLITE_IOERR_WRITE => Self::Full,
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::Denied,
            ErrorCode::ConstraintViolation => {
                let text = message.as_deref().unwrap_or_default();
                let what = [
                    ("location.name", "the name"),
                    ("location.vpn_ip", "the address"),
                    ("peer.public_key", "the public key"),
                    ("pending_key.public_key", "the public key"),
                    ("pending_address.vpn_ip", "the address"),
                    ("hub_address.ip", "the address"),
                    ("wider_range.net", "the network"),
                ]
                .iter()
                .find(|(column, _)| text.contains(column))
                .map(|(_, what)| *what);
                what.map_or(Self::Sqlite(e), |what| Self::Taken { what })
            }
            _ => Self::Sqlite(e),
        }
    }
}

/// The hub's own row.
#[derive(Debug, Clone)]
pub struct Hub {
    /// The hub's public key.
    pub public_key: PublicKey,
    /// Its private key sealed with age, if there was a recipient.
    pub sealed_key: Option<Vec<u8>>,
    /// Its address; `None` in a store of an older version that has not been used since.
    pub address: Option<Ipv4Net>,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
}

impl Store {
    /// Makes a new store with the hub's row; the file is 0600 from birth.
    ///
    /// # Errors
    /// [`StoreError::Fs`] if the file exists or cannot be made.
    pub fn create(path: &Path, hub: &Hub, now: Timestamp) -> Result<Self, StoreError> {
        create_empty(path)?;
        let mut store = Self { conn: connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)? };
        use_wal(&store.conn)?;
        migrate::migrate(&mut store.conn)?;
        store.conn.execute(
            "INSERT INTO hub (one, public_key, sealed_key, created_at) VALUES (1, ?1, ?2, ?3)",
            (hub.public_key.as_bytes(), &hub.sealed_key, now.as_second()),
        )?;
        if let Some(address) = hub.address {
            store.note_hub_address(address)?;
        }
        Ok(store)
    }

    /// Opens the store for a changing command and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError`] if it is missing, foreign, damaged, newer than the program or forbidden.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        require(path)?;
        // A journal that somebody left behind: a crash, or a process that is still at work.
        let unclean = path.with_extension("db-wal").metadata().is_ok_and(|m| m.len() > 0);
        let mut conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if unclean {
            let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
            if verdict != "ok" {
                return Err(StoreError::Damaged { what: verdict.replace('\n', ", ") });
            }
        }
        match migrate::inspect(&conn)? {
            migrate::Found::Ours(v) if v == SCHEMA_VERSION => {}
            migrate::Found::Ours(_) => migrate::migrate(&mut conn)?,
            migrate::Found::Empty => return Err(StoreError::NotOurs),
        }
        Ok(Self { conn })
    }

    /// Opens the store for reading; never migrates.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Older`] for an older schema.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        require(path)?;
        // Reading a WAL store needs its shared memory, so writing is allowed but not done.
        let conn = match connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(StoreError::Denied | StoreError::Sqlite(_)) if is_settled(path) => connect_frozen(path)?,
            other => other?,
        };
        match migrate::inspect(&conn)? {
            migrate::Found::Ours(v) if v == SCHEMA_VERSION => Ok(Self { conn }),
            migrate::Found::Ours(found) => Err(StoreError::Older { found }),
            migrate::Found::Empty => Err(StoreError::NotOurs),
        }
    }

    /// The hub's own row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] without one.
    pub fn hub(&self) -> Result<Hub, StoreError> {
        self.conn
            .query_row(
                "SELECT public_key, sealed_key, ip, prefix FROM hub LEFT JOIN hub_address ON NOT former",
                [],
                |r| {
                    Ok(Hub {
                        public_key: PublicKey::from_bytes(r.get(0)?),
                        sealed_key: r.get(1)?,
                        address: r.get::<_, Option<u32>>(2)?.map(|_| addresses::net(r, 2)).transpose()?,
                    })
                },
            )
            .optional()?
            .ok_or_else(|| StoreError::Damaged { what: "it has no hub".into() })
    }

    /// All keys that must not be on the interface or in the conf any more.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn retired_keys(&self) -> Result<HashSet<PublicKey>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT public_key FROM retired_key")?;
        let keys = query.query_map([], |r| Ok(PublicKey::from_bytes(r.get(0)?)))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// A number that grows with every row that this process writes.
    pub fn changes(&self) -> u64 {
        self.conn.total_changes()
    }

    /// Whether this key must not be on the interface or in the conf any more.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn is_retired(&self, key: &PublicKey) -> Result<bool, StoreError> {
        let mut query =
            self.conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM retired_key WHERE public_key = ?1)")?;
        Ok(query.query_row([key.as_bytes()], |r| r.get(0))?)
    }

    /// Begins a change; nothing of it is seen or kept until [`Change::commit`].
    ///
    /// # Errors
    /// [`StoreError::Busy`] if another process writes for longer than the busy timeout.
    pub fn change(&mut self) -> Result<Change<'_>, StoreError> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Change { tx, copies: RefCell::default(), forgets: Cell::default() })
    }
}

/// A change in progress: reads see it, others do not, and dropping it takes it back.
#[derive(Debug)]
pub struct Change<'a> {
    tx: rusqlite::Transaction<'a>,
    /// Copies of its records that go to a socket once it is durable.
    copies: RefCell<Copies>,
    /// Whether it takes a sealed key away, which must then be in no page of the file.
    forgets: Cell<bool>,
}

impl Change<'_> {
    /// Makes readings durable: they are nobody's deed. Every other change ends in
    /// [`Change::commit`], with the record of who made it.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written; nothing is changed then.
    pub fn commit_readings(self) -> Result<(), StoreError> {
        Ok(self.tx.commit()?)
    }
}

impl Deref for Change<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.tx
    }
}

/// Makes the empty file of a store. A journal that a store left behind which was moved away would be
/// taken for the new one's, so it is moved away too.
fn create_empty(path: &Path) -> Result<(), StoreError> {
    for suffix in ["-wal", "-shm"] {
        let beside = PathBuf::from(format!("{}{suffix}", path.display()));
        if beside.exists() {
            fsx::rename(&beside, &PathBuf::from(format!("{}.stale", beside.display())))?;
        }
    }
    // SQLite would give it the mode that the umask leaves.
    Ok(fsx::create(path, b"", 0o600)?)
}

fn require(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(meta) if meta.is_file() => {
            fsx::trusted(path)?;
            Ok(())
        }
        // SQLite would take a directory for a broken disk.
        Ok(_) => Err(StoreError::NotOurs),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::Missing { path: path.to_owned() })
        }
        Err(_) => Err(StoreError::Denied),
    }
}

/// Whether everything that was committed stands in the file itself, and nothing beside it.
fn is_settled(path: &Path) -> bool {
    path.with_extension("db-wal").metadata().map_or(true, |m| m.len() == 0)
}

/// Reads a file that nobody can write: a full or read-only disk must not hide the fleet.
fn connect_frozen(path: &Path) -> Result<Connection, StoreError> {
    let escaped: String = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => char::from(*b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    distrust(&conn)?;
    Ok(conn)
}

/// Opens a file that may have been made by anybody.
fn open_file(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    distrust(&conn)?;
    Ok(conn)
}

/// The schema of a file calls no function that can do harm, and no statement writes to SQLite's own
/// tables. Extensions cannot be loaded at all: SQLite is built without.
fn distrust(conn: &Connection) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    if let Some(kind) = fsx::network_file_system(path) {
        return Err(StoreError::Network { kind });
    }
    let conn = open_file(path, flags)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(64);
    // Not `?` on the first statement alone: it is the one that finds a file to be no database.
    conn.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten.
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // No temporary files: their directory would be the caller's choice.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // A file that is not ours must not be touched, not even by switching its journal: an empty one
    // may be somebody else's that is yet to be filled.
    if matches!(migrate::inspect(&conn)?, migrate::Found::Ours(_)) {
        use_wal(&conn)?;
    }
    Ok(conn)
}

fn use_wal(conn: &Connection) -> Result<(), StoreError> {
    let mode: String = conn.query_row("PRAGMA journal_mode", [], |r| r.get(0))?;
    if mode != "wal" {
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    }
    Ok(())
}
