-- What is said of a peer besides key and allowed IPs, so that a difference is seen without a key.

-- SHA-256 of the preshared key; empty for a peer that has none, NULL where it was never recorded.
ALTER TABLE peer ADD COLUMN preshared_digest BLOB
    CHECK (preshared_digest IS NULL OR length(preshared_digest) IN (0, 32));
-- Persistent keepalive of an adopted peer in seconds, 0 for off; NULL where it was never recorded.
ALTER TABLE peer ADD COLUMN keepalive INTEGER CHECK (keepalive BETWEEN 0 AND 65535);
-- Where the hub dials an adopted peer: an address or a name, with a port.
ALTER TABLE peer ADD COLUMN endpoint TEXT CHECK (length(endpoint) > 0);
ALTER TABLE pending_key ADD COLUMN preshared_digest BLOB
    CHECK (preshared_digest IS NULL OR length(preshared_digest) IN (0, 32));

-- Of a peer that was made here all preshared keys are sealed: it has one or it has none.
UPDATE peer SET preshared_digest = x''
 WHERE sealed_preshared IS NULL
   AND location_id IN (SELECT id FROM location WHERE key_mode <> 'router');
UPDATE pending_key SET preshared_digest = x'' WHERE sealed_preshared IS NULL;
