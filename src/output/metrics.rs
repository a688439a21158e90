//! The Prometheus textfile of a heartbeat, in the classic text format.
//!
//! No time stamps stand in it: node_exporter skips a file that has them. The endpoint is no label,
//! because each new address of a site would be a new series.

use crate::model::{Counts, Reading};
use jiff::Timestamp;
use std::fmt::Write as _;

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
        let family = |name: &str, kind: &str, help: &str| {
            format!("# HELP iwas_wg_{name} {help}\n# TYPE iwas_wg_{name} {kind}\n")
        };
        Self {
            up: family("peer_up", "gauge", "Whether the last handshake is fresh."),
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
        let _ = writeln!(self.up, "iwas_wg_peer_up{label} {}", u8::from(reading.is_online));
        if let Some(at) = reading.last_handshake {
            let at = at.as_second();
            let _ = writeln!(self.handshake, "iwas_wg_peer_last_handshake_timestamp_seconds{label} {at}");
        }
        let _ = writeln!(self.received, "iwas_wg_peer_receive_bytes_total{label} {}", reading.rx_bytes);
        let _ = writeln!(self.sent, "iwas_wg_peer_transmit_bytes_total{label} {}", reading.tx_bytes);
    }

    /// The whole file.
    pub fn finish(self, counts: Counts, drift: u64, at: Timestamp) -> String {
        let mut text = self.up + &self.handshake + &self.received + &self.sent;
        text += "# HELP iwas_wg_peers Enabled peers by state.\n# TYPE iwas_wg_peers gauge\n";
        for (state, n) in [("online", counts.online), ("offline", counts.offline), ("never", counts.never)] {
            let _ = writeln!(text, "iwas_wg_peers{{state=\"{state}\"}} {n}");
        }
        text += "# HELP iwas_wg_drift Places in which interface and conf differ from the store.\n\
                 # TYPE iwas_wg_drift gauge\n";
        let _ = writeln!(text, "iwas_wg_drift {drift}");
        text += "# HELP iwas_wg_heartbeat_timestamp_seconds Time of the heartbeat that wrote this.\n\
                 # TYPE iwas_wg_heartbeat_timestamp_seconds gauge\n";
        let _ = writeln!(text, "iwas_wg_heartbeat_timestamp_seconds {}", at.as_second());
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
