//! What interface and conf must hold: the enabled peers and their next keys.

use super::{
    Store, StoreError,
    locations::{conversion, parsed},
};
use crate::model::{LocationName, PeerSettings, Preshared, PresharedDigest, PublicKey, plan::WantedPeer};
use ipnet::IpNet;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

/// The beginning of a query whose rows [`Pending`] completes to peers.
pub(super) const COLUMNS: &str =
    "SELECT l.id, l.name, p.public_key, l.vpn_ip, p.wider_allowed, p.sealed_preshared IS NOT NULL,
            p.preshared_digest, p.keepalive, p.endpoint";

/// What stands behind it.
pub(super) const TABLES: &str = "FROM peer p JOIN location l ON l.id = p.location_id";

/// Next keys and addresses by the row numbers of their locations. There are few of them at any
/// time: they are read at once instead of looked for beside each of a hundred thousand peers.
pub(super) struct Pending {
    keys: HashMap<i64, ([u8; 32], bool, Preshared)>,
    addresses: HashMap<i64, Ipv4Addr>,
}

impl Pending {
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut keys = conn.prepare_cached(
            "SELECT location_id, public_key, sealed_preshared IS NOT NULL, preshared_digest FROM pending_key",
        )?;
        let mut addresses = conn.prepare_cached("SELECT location_id, vpn_ip FROM pending_address")?;
        let keys = keys
            .query_map([], |r| Ok((r.get(0)?, (r.get(1)?, r.get(2)?, preshared(r, 3)?))))?
            .collect::<Result<_, _>>()?;
        let addresses = addresses
            .query_map([], |r| Ok((r.get(0)?, Ipv4Addr::from(r.get::<_, u32>(1)?))))?
            .collect::<Result<_, _>>()?;
        Ok(Self { keys, addresses })
    }

    /// The peer of a row with its present key.
    pub(super) fn peer(&self, r: &Row<'_>) -> rusqlite::Result<WantedPeer> {
        let mut wider: Vec<IpNet> = match r.get_ref(4)?.as_str_or_null()? {
            None => Vec::new(),
            Some(text) => text
                .split(',')
                .map(|net| net.parse().map_err(conversion(4, Type::Text)))
                .collect::<Result<_, _>>()?,
        };
        if !self.addresses.is_empty() {
            let next = self.addresses.get(&r.get(0)?).map(|ip| IpNet::from(IpAddr::V4(*ip)));
            wider.extend(next.filter(|net| !wider.contains(net)));
        }
        let vpn_ip = Ipv4Addr::from(r.get::<_, u32>(3)?);
        // A peer that was moved into its own range has its address once.
        wider.retain(|net| *net != IpNet::from(IpAddr::V4(vpn_ip)));
        Ok(WantedPeer {
            vpn_ip: Some(vpn_ip),
            wider,
            settings: PeerSettings { preshared: preshared(r, 6)?, keepalive: r.get(7)?, endpoint: r.get(8)? },
            ..WantedPeer::pending(PublicKey::from_bytes(r.get(2)?), r.get(5)?)
        })
    }

    /// The same with its next key, if it is to get one.
    pub(super) fn next(&self, r: &Row<'_>) -> rusqlite::Result<Option<WantedPeer>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let next = self.keys.get(&r.get(0)?);
        Ok(next.map(|(key, has_one, preshared)| {
            let settings = PeerSettings { preshared: *preshared, ..PeerSettings::default() };
            WantedPeer { settings, ..WantedPeer::pending(PublicKey::from_bytes(*key), *has_one) }
        }))
    }
}

/// What is recorded of a preshared key in this column.
fn preshared(r: &Row<'_>, column: usize) -> rusqlite::Result<Preshared> {
    let Some(bytes) = r.get_ref(column)?.as_blob_or_null()? else {
        return Ok(Preshared::Unknown);
    };
    if bytes.is_empty() {
        return Ok(Preshared::None);
    }
    let digest = bytes.try_into().map_err(conversion(column, Type::Blob))?;
    Ok(Preshared::Key(PresharedDigest::from_bytes(digest)))
}

/// The same as it is written.
pub(super) fn recorded(preshared: &Preshared) -> Option<&[u8]> {
    match preshared {
        Preshared::Unknown => None,
        Preshared::None => Some(&[]),
        Preshared::Key(digest) => Some(digest.as_bytes()),
    }
}

impl Store {
    /// All enabled peers with their location's name, sorted by name, and the next keys of those that
    /// are rotated behind them: what interface and conf must hold.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn wanted_peers(&self) -> Result<Vec<(LocationName, WantedPeer)>, StoreError> {
        // In the order of the rows: all tables are walked through once, beginning to end.
        let mut query = self
            .conn
            .prepare_cached(&format!("{COLUMNS} {TABLES} WHERE p.enabled = 1 ORDER BY p.location_id"))?;
        let pending = Pending::read(&self.conn)?;
        let mut rows = query.query([])?;
        let mut all: Vec<(LocationName, WantedPeer)> = Vec::new();
        while let Some(r) = rows.next()? {
            let name: LocationName = parsed(r, 1)?;
            let next = pending.next(r)?.map(|next| (name.clone(), next));
            all.push((name, pending.peer(r)?));
            all.extend(next);
        }
        // A next key stays behind the present one: the sort is stable.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// All that interface and conf must hold of one location: its peer and the next key, if it is
    /// enabled.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn wanted_of(&self, name: &LocationName) -> Result<Vec<WantedPeer>, StoreError> {
        let pending = Pending::read(&self.conn)?;
        let mut query = self.of_one()?;
        let both =
            query.query_row([name.as_str()], |r| Ok((pending.peer(r)?, pending.next(r)?))).optional()?;
        Ok(both.into_iter().flat_map(|(peer, next)| [Some(peer), next]).flatten().collect())
    }

    /// The peer of one location as interface and conf must hold it, if it has an enabled one.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn wanted_peer(&self, name: &LocationName) -> Result<Option<WantedPeer>, StoreError> {
        let pending = Pending::read(&self.conn)?;
        Ok(self.of_one()?.query_row([name.as_str()], |r| pending.peer(r)).optional()?)
    }

    fn of_one(&self) -> Result<rusqlite::CachedStatement<'_>, StoreError> {
        let query = format!("{COLUMNS} {TABLES} WHERE p.enabled = 1 AND l.name = ?1");
        Ok(self.conn.prepare_cached(&query)?)
    }
}
