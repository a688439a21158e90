//! The Prometheus textfile of a heartbeat, in the classic text format.
//!
//! No time stamps stand in it: node_exporter skips a file that has them. The endpoint is no label,
//! because each new address of a site would be a new series.

use crate::model::{Counts, Reading, State};
use jiff::Timestamp;
use std::fmt::Write as _;

/// What a heartbeat knows of the fleet as a whole.
#[derive(Debug)]
pub struct Fleet {
    /// All locations by state.
    pub counts: Counts,
    /// Addresses of the pool that are held, and all that can be handed out.
    pub pool: (u64, u64),
    /// In how many places interface and conf differ from the store.
    pub drift: u64,
    /// The time of the heartbeat.
    pub at: Timestamp,
}

/// What one heartbeat tells a monitoring system.
#[derive(Debug)]
pub struct Metrics {
    up: String,
    handshake: String,
    received: String,
    sent: String,
}

impl Metrics {
    /// No peers yet.
    pub fn new() -> Self {
        Self {
            up: family(
                "peer_up",
                "gauge",
                "Whether the last handshake is fresh; absent while a hub that was just restarted cannot tell.",
            ),
            handshake: family(
                "peer_last_handshake_timestamp_seconds",
                "gauge",
                "Time of the last handshake; absent before the first.",
            ),
            received: family("peer_receive_bytes_total", "counter", "Bytes received from the router."),
            sent: family("peer_transmit_bytes_total", "counter", "Bytes sent to the router."),
        }
    }

    /// Adds a peer. A location's name needs no escaping: it has no quote or backslash.
    pub fn peer(&mut self, name: &str, reading: &Reading) {
        let label = format!("{{location=\"{name}\"}}");
        if !reading.is_unknown {
            let _ = writeln!(self.up, "iwas_wg_peer_up{label} {}", u8::from(reading.is_online));
        }
        if let Some(at) = reading.last_handshake {
            let at = at.as_second();
            let _ = writeln!(self.handshake, "iwas_wg_peer_last_handshake_timestamp_seconds{label} {at}");
        }
        let _ = writeln!(self.received, "iwas_wg_peer_receive_bytes_total{label} {}", reading.rx_bytes);
        let _ = writeln!(self.sent, "iwas_wg_peer_transmit_bytes_total{label} {}", reading.tx_bytes);
    }

    /// A file that an earlier heartbeat wrote, with another number of heartbeats skipped since; `None`
    /// if it has no such number.
    pub fn with_skipped(text: &str, skipped: u64) -> Option<String> {
        let name = format!("iwas_wg_{SKIPPED} ");
        let start = text.find(&format!("\n{name}"))? + 1;
        let end = text[start..].find('\n')? + start;
        Some(format!("{}{name}{skipped}{}", &text[..start], &text[end..]))
    }

    /// The whole file.
    pub fn finish(self, fleet: &Fleet) -> String {
        let mut text = self.up + &self.handshake + &self.received + &self.sent;
        text += &family("peers", "gauge", "Locations by state of their peer.");
        for state in State::ALL {
            let n = fleet.counts.of(state);
            let _ = writeln!(text, "iwas_wg_peers{{state=\"{}\"}} {n}", state.as_str());
        }
        let (held, all) = fleet.pool;
        for (name, help, value) in [
            ("pool_held_addresses", "Addresses of the pool that locations hold.", held.cast_signed()),
            ("pool_addresses", "Addresses that the pool can hand out in all.", all.cast_signed()),
            ("drift", "Places in which interface and conf differ from the store.", fleet.drift.cast_signed()),
            (SKIPPED, "Heartbeats in a row that another iwas-wg kept from reading.", 0),
            ("heartbeat_timestamp_seconds", "Time of the heartbeat that wrote this.", fleet.at.as_second()),
        ] {
            text += &family(name, "gauge", help);
            let _ = writeln!(text, "iwas_wg_{name} {value}");
        }
        text
    }
}

const SKIPPED: &str = "heartbeats_skipped";

fn family(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP iwas_wg_{name} {help}\n# TYPE iwas_wg_{name} {kind}\n")
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
