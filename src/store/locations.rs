//! Locations and peers: rows to model and back.

use super::{Change, Store, StoreError, wanted::recorded};
use crate::model::{
    Description, KeyMode, Location, LocationName, Move, Org, PeerSettings, PublicKey, Reading, Rotation,
    Scope, Tags,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use std::{collections::HashSet, net::Ipv4Addr, str::FromStr};

/// A peer to be written.
#[derive(Debug)]
pub struct NewPeer<'a> {
    /// Its public key.
    pub public_key: PublicKey,
    /// Its private key sealed with age; `None` unless the key mode is `stored`.
    pub sealed_key: Option<&'a [u8]>,
    /// Its preshared key sealed with age, if it has one.
    pub sealed_preshared: Option<&'a [u8]>,
    /// Where the private key lives.
    pub key_mode: KeyMode,
    /// What else is said of it.
    pub settings: PeerSettings,
}

/// What is changed of what is said of a location; `None` leaves a value as it is.
#[derive(Debug, Default)]
pub struct Edit<'a> {
    /// The owner, or none.
    pub org: Option<Option<&'a Org>>,
    /// The text, or none.
    pub description: Option<Option<&'a Description>>,
    /// All tags.
    pub tags: Option<&'a Tags>,
    /// The end, or none.
    pub expires_at: Option<Option<Timestamp>>,
}

impl<'a> Edit<'a> {
    /// What differs of a location as it was and as it shall be.
    pub fn between(before: &Location, after: &'a Location) -> Self {
        Self {
            org: (after.org != before.org).then_some(after.org.as_ref()),
            description: (after.description != before.description).then_some(after.description.as_ref()),
            tags: (after.tags != before.tags).then_some(&after.tags),
            expires_at: (after.expires_at != before.expires_at).then_some(after.expires_at),
        }
    }
}

const SELECT: &str =
    "SELECT l.id, l.name, l.org, l.description, l.vpn_ip, l.key_mode, l.created_at, l.updated_at,
            p.public_key, p.enabled, r.last_handshake, r.endpoint, r.rx_bytes, r.tx_bytes, r.is_online,
            l.expires_at, l.router_tag, p.provisioned_at, p.sealed_preshared IS NOT NULL,
            k.public_key, k.key_mode, k.sealed_preshared IS NOT NULL, k.since, m.vpn_ip, m.since, r.state
       FROM location l
       LEFT JOIN peer p ON p.location_id = l.id
       LEFT JOIN pending_key k ON k.location_id = l.id
       LEFT JOIN pending_address m ON m.location_id = l.id
       LEFT JOIN reading r ON r.location_id = l.id";

impl Store {
    /// One location by name.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError> {
        location(&self.conn, name)
    }

    /// All locations of a scope, sorted by name.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn locations(&self, scope: &Scope) -> Result<Vec<Location>, StoreError> {
        // In the order of the rows: all tables are walked through once, beginning to end.
        let mut query = self.conn.prepare(&format!("{SELECT} ORDER BY l.id"))?;
        let mut all = query.query_map([], from_row)?.collect::<Result<Vec<_>, _>>()?;
        // Tags in one pass of the same order instead of a query for each location.
        let mut tags =
            self.conn.prepare("SELECT location_id, key, value FROM tag ORDER BY location_id, key")?;
        let mut rows = tags.query([])?;
        let mut at = all.iter_mut();
        let mut current = at.next();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            while current.as_ref().is_some_and(|(other, _)| *other != id) {
                current = at.next();
            }
            if let Some((_, location)) = current.as_mut() {
                location.tags.insert(row.get(1)?, row.get(2)?);
            }
        }
        let mut all: Vec<Location> = all.into_iter().map(|(_, location)| location).collect();
        all.retain(|l| scope.covers(l.org.as_ref()));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Names of all locations of a scope, sorted: for suggestions.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn names(&self, scope: &Scope) -> Result<Vec<String>, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT name, org FROM location ORDER BY name")?;
        let rows = query.query_map([], |r| Ok((r.get(0)?, parsed_option::<Org>(r, 1)?)))?;
        let all = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().filter(|(_, org)| scope.covers(org.as_ref())).map(|(name, _)| name).collect())
    }

    /// The name of the location whose peer has this key, or will have it.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn holder_of_key(&self, key: &PublicKey) -> Result<Option<String>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT l.name FROM location l WHERE l.id IN (
                 SELECT location_id FROM peer WHERE public_key = ?1
                 UNION ALL SELECT location_id FROM pending_key WHERE public_key = ?1)",
        )?;
        Ok(query.query_row([key.as_bytes()], |r| r.get(0)).optional()?)
    }

    /// The keys of all peers, enabled or not, and those that are still to come.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn peer_keys(&self) -> Result<HashSet<PublicKey>, StoreError> {
        let mut query = self
            .conn
            .prepare_cached("SELECT public_key FROM peer UNION ALL SELECT public_key FROM pending_key")?;
        let keys = query.query_map([], |r| Ok(PublicKey::from_bytes(r.get(0)?)))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// One of the sealed private keys and its location's name, if any is stored.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn any_sealed_key(&self) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let mut query = self.conn.prepare(
            "SELECT l.name, p.sealed_key FROM peer p JOIN location l ON l.id = p.location_id
              WHERE p.sealed_key IS NOT NULL ORDER BY p.provisioned_at DESC LIMIT 1",
        )?;
        Ok(query.query_row([], |r| Ok((r.get(0)?, r.get(1)?))).optional()?)
    }
}

impl Change<'_> {
    /// One location by name, as this change sees it.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn location(&self, name: &LocationName) -> Result<Option<Location>, StoreError> {
        location(self, name)
    }

    /// Writes a new location, without a peer.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if its name or address is taken.
    pub fn insert_location(&self, l: &Location) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO location (name, org, description, vpn_ip, key_mode, created_at, updated_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            l.name.as_str(),
            l.org.as_ref().map(Org::as_str),
            l.description.as_ref().map(Description::as_str),
            l.vpn_ip.map(u32::from),
            l.key_mode.as_str(),
            l.created_at.as_second(),
            l.updated_at.as_second(),
            l.expires_at.map(Timestamp::as_second),
        ))?;
        self.replace_tags(self.last_insert_rowid(), &l.tags)
    }

    /// Gives a location its peer and address.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the key or address is taken or the location has a peer.
    pub fn insert_peer(
        &self,
        name: &LocationName,
        vpn_ip: Ipv4Addr,
        peer: &NewPeer<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.prepare_cached(
            "UPDATE location SET vpn_ip = ?2, key_mode = ?3, updated_at = ?4 WHERE name = ?1",
        )?
        .execute((name.as_str(), u32::from(vpn_ip), peer.key_mode.as_str(), now.as_second()))?;
        self.unretire(&peer.public_key)?;
        self.prepare_cached(
            "INSERT INTO peer (location_id, public_key, sealed_key, sealed_preshared, provisioned_at,
                               preshared_digest, keepalive, endpoint)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM location WHERE name = ?1",
        )?
        .execute((
            name.as_str(),
            peer.public_key.as_bytes(),
            peer.sealed_key,
            peer.sealed_preshared,
            now.as_second(),
            recorded(&peer.settings.preshared),
            peer.settings.keepalive,
            &peer.settings.endpoint,
        ))?;
        Ok(())
    }

    /// Changes what people say of a location.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn edit_location(
        &self,
        name: &LocationName,
        edit: &Edit<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id: i64 =
            self.query_row("SELECT id FROM location WHERE name = ?1", [name.as_str()], |r| r.get(0))?;
        self.execute("UPDATE location SET updated_at = ?2 WHERE id = ?1", (id, now.as_second()))?;
        if let Some(org) = edit.org {
            self.execute("UPDATE location SET org = ?2 WHERE id = ?1", (id, org.map(Org::as_str)))?;
        }
        if let Some(text) = edit.description {
            self.execute(
                "UPDATE location SET description = ?2 WHERE id = ?1",
                (id, text.map(Description::as_str)),
            )?;
        }
        if let Some(end) = edit.expires_at {
            let end = end.map(Timestamp::as_second);
            self.execute("UPDATE location SET expires_at = ?2 WHERE id = ?1", (id, end))?;
        }
        if let Some(tags) = edit.tags {
            self.execute("DELETE FROM tag WHERE location_id = ?1", [id])?;
            self.replace_tags(id, tags)?;
        }
        Ok(())
    }

    /// Removes a location with its peer; its addresses go to the end of the queue, its keys are
    /// remembered as ones that must not be on the interface.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn remove_location(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.forget_keys_of(location);
        for key in location.peer_keys() {
            self.retire(&key, now)?;
        }
        self.prepare_cached("DELETE FROM location WHERE name = ?1")?.execute([location.name.as_str()])?;
        for address in location.vpn_ip.into_iter().chain(location.moving.as_ref().map(|m| m.vpn_ip)) {
            self.free_address(address)?;
        }
        Ok(())
    }

    fn replace_tags(&self, location_id: i64, tags: &Tags) -> Result<(), StoreError> {
        let mut insert =
            self.prepare_cached("INSERT INTO tag (location_id, key, value) VALUES (?1, ?2, ?3)")?;
        for (key, value) in tags {
            insert.execute((location_id, key, value))?;
        }
        Ok(())
    }
}

fn location(conn: &Connection, name: &LocationName) -> Result<Option<Location>, StoreError> {
    let mut query = conn.prepare_cached(&format!("{SELECT} WHERE l.name = ?1"))?;
    let Some((id, mut location)) = query.query_row([name.as_str()], from_row).optional()? else {
        return Ok(None);
    };
    let mut tags = conn.prepare_cached("SELECT key, value FROM tag WHERE location_id = ?1")?;
    location.tags = tags.query_map([id], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Some(location))
}

/// A location without its tags, and its row number.
fn from_row(r: &Row<'_>) -> rusqlite::Result<(i64, Location)> {
    let public_key: Option<[u8; 32]> = r.get(8)?;
    let is_online: Option<bool> = r.get(14)?;
    let reading = match is_online {
        None => None,
        Some(is_online) => Some(Reading {
            last_handshake: r.get::<_, Option<i64>>(10)?.map(|t| second(10, t)).transpose()?,
            endpoint: r.get(11)?,
            rx_bytes: r.get::<_, i64>(12)?.unsigned_abs(),
            tx_bytes: r.get::<_, i64>(13)?.unsigned_abs(),
            is_online,
            is_unknown: super::readings::is_unknown(r, 25)?,
        }),
    };
    let location = Location {
        name: parsed(r, 1)?,
        org: parsed_option(r, 2)?,
        description: parsed_option(r, 3)?,
        tags: Tags::new(),
        vpn_ip: r.get::<_, Option<u32>>(4)?.map(Ipv4Addr::from),
        key_mode: parsed(r, 5)?,
        created_at: second(6, r.get(6)?)?,
        updated_at: second(7, r.get(7)?)?,
        public_key: public_key.map(PublicKey::from_bytes),
        enabled: r.get::<_, Option<bool>>(9)?.unwrap_or(true),
        reading,
        expires_at: moment(r, 15)?,
        router_tag: parsed_option(r, 16)?,
        key_created_at: moment(r, 17)?,
        preshared: r.get(18)?,
        rotation: rotation(r)?,
        moving: match r.get::<_, Option<u32>>(23)? {
            None => None,
            Some(ip) => Some(Move { vpn_ip: ip.into(), since: second(24, r.get(24)?)? }),
        },
    };
    Ok((r.get(0)?, location))
}

fn rotation(r: &Row<'_>) -> rusqlite::Result<Option<Rotation>> {
    let Some(key) = r.get::<_, Option<[u8; 32]>>(19)? else {
        return Ok(None);
    };
    Ok(Some(Rotation {
        public_key: PublicKey::from_bytes(key),
        key_mode: parsed(r, 20)?,
        preshared: r.get(21)?,
        since: second(22, r.get(22)?)?,
    }))
}

fn moment(r: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    r.get::<_, Option<i64>>(column)?.map(|t| second(column, t)).transpose()
}

pub(super) fn conversion<E>(column: usize, kind: Type) -> impl FnOnce(E) -> rusqlite::Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |e| rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(e))
}

pub(super) fn second(column: usize, t: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_second(t).map_err(conversion(column, Type::Integer))
}

pub(super) fn parsed<T>(r: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    r.get_ref(column)?.as_str()?.parse().map_err(conversion(column, Type::Text))
}

pub(super) fn parsed_option<T>(r: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match r.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(conversion(column, Type::Text)),
    }
}
