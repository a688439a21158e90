//! The record of deeds: rows chained by hashes, so that nobody edits, removes or reorders one
//! unnoticed.
//!
//! Whoever can write the file can also make a new chain from the beginning. Against that helps
//! only a copy elsewhere of where the chain ended: from [`Store::chain_end`], or from syslog.

use super::{Change, Store, StoreError, backup, locations::second};
use crate::{
    fsx,
    model::{
        Deed, Ending, Scope,
        deed::{ChainEnd, Recorded},
    },
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter, types::Value};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, path::PathBuf};

/// Names the encoding that is hashed; another encoding needs another name.
const ENCODING: &[u8] = b"iwas-wg audit 1";

const COLUMNS: &str = "seq, at, uid, user, via, action, location, org, ending";

/// What records are asked for; everything given must fit.
#[derive(Debug, Default)]
pub struct Query<'a> {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// By this user.
    pub user: Option<&'a str>,
    /// About this location.
    pub location: Option<&'a str>,
}

/// The first row at which the chain does not hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its place.
    pub seq: i64,
    /// What is wrong there, in words.
    pub what: &'static str,
}

/// How the record of a restored store goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// From the end of the replaced store.
    Replaced,
    /// From the end of the backup: the replaced store has another record, or none that can be read.
    Apart,
}

/// Copies of records for syslog, to be sent once the records are durable.
#[derive(Debug, Default)]
#[must_use = "a copy that is not sent is lost"]
pub struct Copies(Vec<(PathBuf, bool, String)>);

impl Copies {
    /// Sends them; a socket that nobody listens on is no failure.
    pub fn send(self) {
        for (socket, is_refusal, line) in self.0 {
            fsx::syslog(&socket, is_refusal, &line);
        }
    }
}

type Hash = [u8; 32];

impl Store {
    /// Records a call that changes nothing in the store itself, such as showing a key.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub fn record(&mut self, deed: &Deed) -> Result<(), StoreError> {
        let change = self.change()?;
        change.record(deed)?;
        change.commit_records()
    }

    /// The records of a scope, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn records(&self, query: &Query<'_>, scope: &Scope) -> Result<Vec<Recorded>, StoreError> {
        let mut found = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM audit WHERE at >= ?1 AND (?2 IS NULL OR user = ?2)
                AND (?3 IS NULL OR location = ?3) ORDER BY seq"
        ))?;
        let since = query.since.map_or(i64::MIN, Timestamp::as_second);
        let rows = found.query_map((since, query.user, query.location), recorded)?;
        let mut all = rows.collect::<Result<Vec<_>, _>>()?;
        all.retain(|r| match scope {
            Scope::All => true,
            Scope::Orgs(orgs) => r.org.as_ref().is_some_and(|o| orgs.contains(o)),
        });
        Ok(all)
    }

    /// Where the chain ends.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn chain_end(&self) -> Result<ChainEnd, StoreError> {
        let (seq, hash) = end(&self.conn)?;
        Ok(ChainEnd { seq, hash: hex(&hash) })
    }

    /// The hash of one record in hexadecimal digits, if it is there.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn hash_of_record(&self, seq: i64) -> Result<Option<String>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT hash FROM audit WHERE seq = ?1")?;
        Ok(query.query_row([seq], |r| r.get::<_, Hash>(0)).optional()?.map(|hash| hex(&hash)))
    }

    /// Walks the whole chain; `None` if it holds.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn verify_chain(&self) -> Result<Option<Broken>, StoreError> {
        let (last, head) = end(&self.conn)?;
        let mut query = self.conn.prepare(&format!("SELECT {COLUMNS}, hash FROM audit ORDER BY seq"))?;
        let mut rows = query.query([])?;
        let (mut seq, mut before) = (0, [0; 32]);
        while let Some(row) = rows.next()? {
            seq += 1;
            if row.get::<_, i64>(0)? != seq {
                return Ok(Some(Broken { seq, what: "is missing" }));
            }
            let hash: Hash = row.get(9)?;
            // What cannot even be read was not written by us.
            if !recorded(row).is_ok_and(|record| chained(&before, &record) == hash) {
                return Ok(Some(Broken { seq, what: "is not as it was written, or not at its place" }));
            }
            if seq > last {
                return Ok(Some(Broken { seq, what: "was not written by this program" }));
            }
            before = hash;
        }
        if seq < last {
            return Ok(Some(Broken { seq: seq + 1, what: "is missing" }));
        }
        Ok((before != head).then_some(Broken { seq, what: "is not the one that was written last" }))
    }
}

impl Change<'_> {
    /// Records one more deed of this change: a call about many locations has one for each.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written.
    pub fn record(&self, deed: &Deed) -> Result<(), StoreError> {
        append(&self.tx, deed, &mut self.copies.borrow_mut())
    }

    /// Makes the change durable together with the record of it.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written; nothing is changed then.
    pub fn commit(self, deed: &Deed) -> Result<(), StoreError> {
        self.record(deed)?;
        self.commit_recorded()
    }

    /// Makes a change durable whose deeds are recorded already.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be written; nothing is changed then.
    pub fn commit_recorded(self) -> Result<(), StoreError> {
        self.put_conf_behind()?;
        self.finish()
    }

    /// Makes records durable of what changed nothing in the store itself.
    ///
    /// # Errors
    /// [`StoreError`] if they could not be written.
    pub fn commit_records(self) -> Result<(), StoreError> {
        self.finish()
    }

    fn finish(self) -> Result<(), StoreError> {
        if self.forgets.get() {
            self.tx.execute_batch("COMMIT")?;
            // It is committed: what is left behind where this fails goes with the next one.
            let _ = backup::scrub(&self.tx);
        } else {
            self.tx.commit()?;
        }
        self.copies.into_inner().send();
        Ok(())
    }
}

/// Appends a deed to the chain of an open transaction.
pub(super) fn append(conn: &Connection, deed: &Deed, copies: &mut Copies) -> Result<(), StoreError> {
    let (last, before) = end(conn)?;
    let record = of_deed(last + 1, deed);
    let hash = chained(&before, &record);
    insert(conn, &record, &hash)?;
    put_end(conn, record.seq, &hash)?;
    if let Some(socket) = &deed.copy_to {
        copies.0.push((socket.clone(), deed.ending == Ending::Denied, line(&record, &hash)));
    }
    Ok(())
}

/// Puts the chain of the replaced store into the place of the backup's, row by row as it is: a
/// restore neither loses records nor mends a chain that somebody broke.
///
/// The backup's own chain stays if it goes through the end of the other one, or begins otherwise:
/// then it comes from another hub, and its records are in no other place.
pub(super) fn join(backup: &Connection, replaced: &Connection) -> Result<Joint, StoreError> {
    let (last, head) = end(replaced)?;
    let hash_at = |conn: &Connection, seq: i64| {
        conn.query_row("SELECT hash FROM audit WHERE seq = ?1", [seq], |r| r.get::<_, Hash>(0)).optional()
    };
    if hash_at(backup, last)? == Some(head) {
        return Ok(Joint::Replaced);
    }
    // Two hubs that root made in the same second begin with the same record.
    let hub = |conn: &Connection| {
        conn.query_row("SELECT public_key FROM hub", [], |r| r.get::<_, Vec<u8>>(0)).optional()
    };
    let is_other_hub = hub(backup)? != hub(replaced)?;
    if end(backup)?.0 > 0 && (is_other_hub || hash_at(backup, 1)? != hash_at(replaced, 1)?) {
        return Ok(Joint::Apart);
    }
    backup.execute("DELETE FROM audit", [])?;
    let mut rows = replaced.prepare(&format!("SELECT {COLUMNS}, hash FROM audit ORDER BY seq"))?;
    let mut rows = rows.query([])?;
    let mut put = backup.prepare(&format!(
        "INSERT INTO audit ({COLUMNS}, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?;
    while let Some(row) = rows.next()? {
        let values = (0..10).map(|i| row.get::<_, Value>(i)).collect::<Result<Vec<_>, _>>()?;
        put.execute(params_from_iter(values))?;
    }
    put_end(backup, last, &head)?;
    Ok(Joint::Replaced)
}

fn put_end(conn: &Connection, seq: i64, hash: &Hash) -> Result<(), StoreError> {
    conn.prepare_cached("UPDATE audit_end SET seq = ?1, hash = ?2")?.execute((seq, hash))?;
    Ok(())
}

fn end(conn: &Connection) -> Result<(i64, Hash), StoreError> {
    Ok(conn.query_row("SELECT seq, hash FROM audit_end", [], |r| Ok((r.get(0)?, r.get(1)?)))?)
}

fn of_deed(seq: i64, deed: &Deed) -> Recorded {
    Recorded {
        seq,
        at: deed.at,
        uid: deed.caller.uid,
        user: deed.caller.user.clone(),
        via: deed.caller.via.map(str::to_owned),
        action: deed.action.to_owned(),
        location: deed.location.clone(),
        org: deed.org.clone(),
        ending: deed.ending.as_str().to_owned(),
    }
}

fn insert(conn: &Connection, r: &Recorded, hash: &Hash) -> Result<(), StoreError> {
    conn.prepare_cached(&format!(
        "INSERT INTO audit ({COLUMNS}, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ))?
    .execute((
        r.seq,
        r.at.as_second(),
        r.uid,
        &r.user,
        &r.via,
        &r.action,
        &r.location,
        &r.org,
        &r.ending,
        hash,
    ))?;
    Ok(())
}

fn recorded(r: &Row<'_>) -> rusqlite::Result<Recorded> {
    Ok(Recorded {
        seq: r.get(0)?,
        at: second(1, r.get(1)?)?,
        uid: r.get(2)?,
        user: r.get(3)?,
        via: r.get(4)?,
        action: r.get(5)?,
        location: r.get(6)?,
        org: r.get(7)?,
        ending: r.get(8)?,
    })
}

/// The hash of a row behind another one. Every field goes in with its length, so that no two rows
/// have the same encoding.
fn chained(before: &Hash, r: &Recorded) -> Hash {
    let mut hash = Sha256::new();
    hash.update(ENCODING);
    hash.update(before);
    hash.update(r.seq.to_be_bytes());
    hash.update(r.at.as_second().to_be_bytes());
    hash.update(r.uid.to_be_bytes());
    let texts = [
        Some(&r.user),
        r.via.as_ref(),
        Some(&r.action),
        r.location.as_ref(),
        r.org.as_ref(),
        Some(&r.ending),
    ];
    for text in texts {
        match text {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, b| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// A record as syslog gets it, with the hash that proves the chain up to here.
fn line(r: &Recorded, hash: &Hash) -> String {
    let mut line = format!("audit seq={} uid={} user={:?}", r.seq, r.uid, r.user);
    let optional = [("via", &r.via), ("location", &r.location), ("org", &r.org)];
    let _ = write!(line, " action={:?} ending={}", r.action, r.ending);
    for (name, value) in optional.into_iter().filter_map(|(n, v)| Some((n, v.as_ref()?))) {
        let _ = write!(line, " {name}={value:?}");
    }
    let _ = write!(line, " hash={}", hex(hash));
    line
}
