//! The part of the Prometheus textfile that is about keys and ends, not about handshakes.

use crate::model::Location;
use std::fmt::Write as _;

/// Families for the age of each key and the end of each location. Times, not ages: a monitoring
/// system takes the difference itself, and the text changes only when something did.
pub fn key_metrics(locations: &[Location]) -> String {
    let family =
        |name: &str, help: &str| format!("# HELP iwas_wg_{name} {help}\n# TYPE iwas_wg_{name} gauge\n");
    let mut made = family("peer_key_created_timestamp_seconds", "When the peer's key was made.");
    let mut rotating = family("peer_rotating", "Whether a next key waits for its first handshake.");
    let mut expires = family(
        "location_expires_timestamp_seconds",
        "When the peer is disabled by itself; absent for never.",
    );
    for l in locations {
        let label = format!("{{location=\"{}\"}}", l.name);
        if let Some(at) = l.key_created_at {
            let _ = writeln!(made, "iwas_wg_peer_key_created_timestamp_seconds{label} {}", at.as_second());
            let _ = writeln!(rotating, "iwas_wg_peer_rotating{label} {}", u8::from(l.rotation.is_some()));
        }
        if let Some(at) = l.expires_at {
            let _ = writeln!(expires, "iwas_wg_location_expires_timestamp_seconds{label} {}", at.as_second());
        }
    }
    made + &rotating + &expires
}
