//! What interface and conf must hold: the enabled peers and their next keys.

use super::{
    Store, StoreError,
    locations::{conversion, parsed},
};
use crate::model::{LocationName, PublicKey, plan::WantedPeer};
use ipnet::IpNet;
use rusqlite::{OptionalExtension, Row, types::Type};
use std::net::{IpAddr, Ipv4Addr};

/// The beginning of a query whose rows [`peer`] and [`pending`] can read.
pub(super) const COLUMNS: &str =
    "SELECT l.name, p.public_key, l.vpn_ip, p.wider_allowed, p.sealed_preshared IS NOT NULL,
            m.vpn_ip, k.public_key, k.sealed_preshared IS NOT NULL";

/// What stands behind it.
pub(super) const TABLES: &str = "FROM peer p JOIN location l ON l.id = p.location_id
       LEFT JOIN pending_address m ON m.location_id = p.location_id
       LEFT JOIN pending_key k ON k.location_id = p.location_id";

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
        let mut rows = query.query([])?;
        let mut all: Vec<(LocationName, WantedPeer)> = Vec::new();
        while let Some(r) = rows.next()? {
            let name: LocationName = parsed(r, 0)?;
            let next = pending(r)?.map(|next| (name.clone(), next));
            all.push((name, peer(r)?));
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
        let mut query = self.of_one()?;
        let both = query.query_row([name.as_str()], |r| Ok((peer(r)?, pending(r)?))).optional()?;
        Ok(both.into_iter().flat_map(|(peer, next)| [Some(peer), next]).flatten().collect())
    }

    /// The peer of one location as interface and conf must hold it, if it has an enabled one.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn wanted_peer(&self, name: &LocationName) -> Result<Option<WantedPeer>, StoreError> {
        Ok(self.of_one()?.query_row([name.as_str()], peer).optional()?)
    }

    fn of_one(&self) -> Result<rusqlite::CachedStatement<'_>, StoreError> {
        let query = format!("{COLUMNS} {TABLES} WHERE p.enabled = 1 AND l.name = ?1");
        Ok(self.conn.prepare_cached(&query)?)
    }
}

/// The present key in a row.
pub(super) fn peer(r: &Row<'_>) -> rusqlite::Result<WantedPeer> {
    let mut wider: Vec<IpNet> = match r.get_ref(3)?.as_str_or_null()? {
        None => Vec::new(),
        Some(text) => text
            .split(',')
            .map(|net| net.parse().map_err(conversion(3, Type::Text)))
            .collect::<Result<_, _>>()?,
    };
    let next = r.get::<_, Option<u32>>(5)?.map(|ip| IpNet::from(IpAddr::V4(ip.into())));
    wider.extend(next.filter(|net| !wider.contains(net)));
    Ok(WantedPeer {
        public_key: PublicKey::from_bytes(r.get(1)?),
        vpn_ip: Some(Ipv4Addr::from(r.get::<_, u32>(2)?)),
        wider,
        preshared: r.get(4)?,
    })
}

/// The next key in a row, if there is one.
pub(super) fn pending(r: &Row<'_>) -> rusqlite::Result<Option<WantedPeer>> {
    let Some(key) = r.get::<_, Option<[u8; 32]>>(6)? else {
        return Ok(None);
    };
    Ok(Some(WantedPeer::pending(PublicKey::from_bytes(key), r.get(7)?)))
}
