//! The life of a peer: rows for its next key and address, and what becomes of the old ones.

use super::{Change, NewPeer, Store, StoreError, locations::parsed, wanted::recorded};
use crate::model::{KeyMode, Location, LocationName, Preshared, PresharedDigest, PublicKey};
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use std::net::Ipv4Addr;

/// The sealed keys of a peer, as they lie in the store.
#[derive(Debug, Default)]
pub struct SealedKeys {
    /// The private key; `None` unless the key mode is `stored`.
    pub private: Option<Vec<u8>>,
    /// The preshared key, if there is one.
    pub preshared: Option<Vec<u8>>,
}

impl Store {
    /// The sealed keys that belong to a public key, whether it is in use or still to come.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn sealed_keys(&self, key: &PublicKey) -> Result<SealedKeys, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT sealed_key, sealed_preshared FROM peer WHERE public_key = ?1
             UNION ALL SELECT sealed_key, sealed_preshared FROM pending_key WHERE public_key = ?1",
        )?;
        let row = query
            .query_row([key.as_bytes()], |r| Ok(SealedKeys { private: r.get(0)?, preshared: r.get(1)? }));
        Ok(row.optional()?.unwrap_or_default())
    }

    /// Whether this key was revoked.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn is_revoked(&self, key: &PublicKey) -> Result<bool, StoreError> {
        let mut query = self.conn.prepare_cached("SELECT revoked FROM retired_key WHERE public_key = ?1")?;
        Ok(query.query_row([key.as_bytes()], |r| r.get(0)).optional()?.unwrap_or(false))
    }

    /// Peers with which something may be due: those with a next key or address, and enabled ones
    /// whose end has come. Sorted by name.
    ///
    /// # Errors
    /// [`StoreError`] if reading fails.
    pub fn due(&self, now: Timestamp) -> Result<Vec<LocationName>, StoreError> {
        let mut query = self.conn.prepare_cached(
            "SELECT l.name FROM location l JOIN peer p ON p.location_id = l.id
              WHERE (p.enabled AND l.expires_at <= ?1)
                 OR l.id IN (SELECT location_id FROM pending_key
                             UNION ALL SELECT location_id FROM pending_address)
              ORDER BY l.name",
        )?;
        let rows = query.query_map([now.as_second()], |r| parsed(r, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Gives a peer its next key, to be used once it has shaken hands.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the key is another's, [`StoreError::Sqlite`] if there is a next key
    /// already or no peer.
    pub fn begin_rotation(
        &self,
        name: &LocationName,
        next: &NewPeer<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.touch(name, now)?;
        self.unretire(&next.public_key)?;
        self.prepare_cached(
            "INSERT INTO pending_key (location_id, public_key, sealed_key, sealed_preshared, key_mode, since,
                                      preshared_digest)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM location WHERE name = ?1",
        )?
        .execute((
            name.as_str(),
            next.public_key.as_bytes(),
            next.sealed_key,
            next.sealed_preshared,
            next.key_mode.as_str(),
            now.as_second(),
            recorded(&next.settings.preshared),
        ))?;
        Ok(())
    }

    /// Puts the next key in the place of the present one, which is retired. The key's age counts
    /// from when the hub began to know it.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn finish_rotation(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        self.forget_keys_of(location);
        let id = self.id(&location.name)?;
        let row = self.query_row(
            "DELETE FROM pending_key WHERE location_id = ?1
             RETURNING public_key, sealed_key, sealed_preshared, key_mode, since, preshared_digest",
            [id],
            |r| {
                Ok((
                    r.get::<_, [u8; 32]>(0)?,
                    r.get::<_, Option<Vec<u8>>>(1)?,
                    r.get::<_, Option<Vec<u8>>>(2)?,
                    r.get::<_, String>(3)?,
                    r.get::<_, i64>(4)?,
                    r.get::<_, Option<Vec<u8>>>(5)?,
                ))
            },
        )?;
        let (key, sealed, preshared, mode, since, digest) = row;
        if let Some(old) = location.public_key {
            self.retire(&old, now)?;
        }
        self.execute(
            "UPDATE peer SET public_key = ?2, sealed_key = ?3, sealed_preshared = ?4, provisioned_at = ?5,
                             preshared_digest = ?6
              WHERE location_id = ?1",
            (id, key, sealed, preshared, since, digest),
        )?;
        self.execute("UPDATE location SET key_mode = ?2 WHERE id = ?1", (id, mode))?;
        Ok(())
    }

    /// Gives up the next key, which is retired.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn abort_rotation(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        self.forget_keys_of(location);
        if let Some(next) = &location.rotation {
            self.retire(&next.public_key, now)?;
        }
        self.execute("DELETE FROM pending_key WHERE location_id = ?1", [self.id(&location.name)?])?;
        Ok(())
    }

    /// Takes a peer off interface and conf, or puts it on again; the key and address stay its own.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn set_enabled(&self, location: &Location, enabled: bool, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        for key in location.peer_keys() {
            // What is retired leaves interface and conf, and a disabled peer is not wanted there.
            if enabled { self.unretire(&key)? } else { self.retire(&key, now)? }
        }
        let id = self.id(&location.name)?;
        self.execute("UPDATE peer SET enabled = ?2 WHERE location_id = ?1", (id, enabled))?;
        // Online is told again by the next heartbeat, not by the last before.
        self.execute("UPDATE reading SET is_online = 0 WHERE location_id = ?1", [id])?;
        Ok(())
    }

    /// Seals what only the conf said until now: the preshared key of a peer.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn keep_preshared(
        &self,
        name: &LocationName,
        sealed: &[u8],
        digest: Option<PresharedDigest>,
    ) -> Result<(), StoreError> {
        self.execute(
            "UPDATE peer SET sealed_preshared = ?2, preshared_digest = ?3 WHERE location_id = ?1",
            (self.id(name)?, sealed, recorded(&Preshared::of(digest))),
        )?;
        Ok(())
    }

    /// Takes a location's peer away and sees to it that none of its keys is a peer's ever again.
    /// The location keeps its address, but for the one that it was to move to.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn revoke(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        self.forget_keys_of(location);
        for key in location.peer_keys() {
            self.retire(&key, now)?;
            self.execute("UPDATE retired_key SET revoked = 1 WHERE public_key = ?1", [key.as_bytes()])?;
        }
        self.execute("DELETE FROM peer WHERE location_id = ?1", [self.id(&location.name)?])?;
        match &location.moving {
            Some(next) => self.free_address(next.vpn_ip),
            None => Ok(()),
        }
    }

    /// Allows a peer its next address beside the present one.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if the address is taken.
    pub fn begin_move(&self, name: &LocationName, to: Ipv4Addr, now: Timestamp) -> Result<(), StoreError> {
        self.touch(name, now)?;
        self.take_address(to)?;
        self.execute(
            "INSERT INTO pending_address (location_id, vpn_ip, since) VALUES (?1, ?2, ?3)",
            (self.id(name)?, u32::from(to), now.as_second()),
        )?;
        Ok(())
    }

    /// Puts the next address in the place of the present one, which is free again.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn finish_move(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        let id = self.id(&location.name)?;
        let to: u32 = self.query_row(
            "DELETE FROM pending_address WHERE location_id = ?1 RETURNING vpn_ip",
            [id],
            |r| r.get(0),
        )?;
        self.execute("UPDATE location SET vpn_ip = ?2 WHERE id = ?1", (id, to))?;
        match location.vpn_ip {
            Some(old) => self.free_address(old),
            None => Ok(()),
        }
    }

    /// Gives up the next address, which is free again.
    ///
    /// # Errors
    /// [`StoreError`] if writing fails.
    pub fn abort_move(&self, location: &Location, now: Timestamp) -> Result<(), StoreError> {
        self.touch(&location.name, now)?;
        self.execute("DELETE FROM pending_address WHERE location_id = ?1", [self.id(&location.name)?])?;
        match &location.moving {
            Some(next) => self.free_address(next.vpn_ip),
            None => Ok(()),
        }
    }

    /// Gives a location another name; scripts go on naming the router's objects by the first one.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if there is a location of that name.
    pub fn rename(&self, old: &LocationName, new: &LocationName, now: Timestamp) -> Result<(), StoreError> {
        self.touch(old, now)?;
        self.execute(
            "UPDATE location SET name = ?2, router_tag = nullif(coalesce(router_tag, name), ?2) WHERE name = ?1",
            (old.as_str(), new.as_str()),
        )?;
        Ok(())
    }

    /// Notes that a location loses sealed keys by this change, if it has any.
    pub(super) fn forget_keys_of(&self, l: &Location) {
        let next = l.rotation.as_ref();
        let stored = [Some(l.key_mode), next.map(|r| r.key_mode)].contains(&Some(KeyMode::Stored));
        if l.public_key.is_some() && (stored || l.preshared || next.is_some_and(|r| r.preshared)) {
            self.forgets.set(true);
        }
    }

    /// Notes that a key must not be on the interface or in the conf.
    pub(super) fn retire(&self, key: &PublicKey, now: Timestamp) -> Result<(), StoreError> {
        self.prepare_cached(
            "INSERT INTO retired_key (public_key, retired_at) VALUES (?1, ?2)
             ON CONFLICT (public_key) DO UPDATE SET retired_at = excluded.retired_at",
        )?
        .execute((key.as_bytes(), now.as_second()))?;
        Ok(())
    }

    /// Notes that a key may be there again, unless it was revoked.
    pub(super) fn unretire(&self, key: &PublicKey) -> Result<(), StoreError> {
        self.prepare_cached("DELETE FROM retired_key WHERE public_key = ?1 AND NOT revoked")?
            .execute([key.as_bytes()])?;
        Ok(())
    }

    fn touch(&self, name: &LocationName, now: Timestamp) -> Result<(), StoreError> {
        self.execute(
            "UPDATE location SET updated_at = ?2 WHERE name = ?1",
            (name.as_str(), now.as_second()),
        )?;
        Ok(())
    }

    pub(super) fn id(&self, name: &LocationName) -> Result<i64, StoreError> {
        Ok(self.query_row("SELECT id FROM location WHERE name = ?1", [name.as_str()], |r| r.get(0))?)
    }
}
