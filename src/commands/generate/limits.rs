//! What one hub can carry: for the program's own page, since no option changes it.

/// Terms and their explanation.
pub(super) const LIMITS: &[(&str, &str)] = &[
    (
        "Peers",
        "The kernel takes 1,048,576 peers (2^20) on one interface, wireguard-go 65,536. A hub's network must have an \
         address for each: 10.64.0.0/14 has 262,141.",
    ),
    (
        "Memory",
        "wireguard-go holds 12.5 KB for each peer, measured with 65,000 (800 MB). The kernel holds 2 to 3.5 KB for a peer \
         that is silent, and more for one with a session. The program itself stays below 100 MB with 100,000 \
         locations; store and conf take 60 MB of disk, and the conf a hidden copy of its size beside it.",
    ),
    (
        "Handshakes",
        "A router that sends keepalives shakes hands every 2 minutes: 100,000 of them are 830 handshakes a second. Each \
         costs the hub about four multiplications on curve25519, 0.15 ms of one core of today: 1,000 a second are 15 % of \
         a core, and the kernel uses all cores.",
    ),
    (
        "After an outage of the hub",
        "All routers try again every 5 seconds, and the kernel keeps 4,096 handshakes waiting. From 512 waiting ones on it \
         asks for a cookie first, which is one more round trip. With 100,000 routers and four cores expect half a minute \
         until the last is back; until then, and for heartbeat.offline_after, they are unknown and not offline.",
    ),
    (
        "Packets",
        "Keepalives alone are 4,000 packets a second for 100,000 routers. A firewall on the hub that tracks connections needs \
         an entry for each router: set net.netfilter.nf_conntrack_max well above their number, or do not track the UDP port.",
    ),
    (
        "Taking the interface away",
        "Adding peers is quick. When they go, the kernel waits for all its readers after each of them, some milliseconds: \
         \"down\" with 10,000 peers takes a minute or two, with 100,000 a quarter of an hour, and a reboot may wait for it.",
    ),
    (
        "When to split",
        "Not for speed below 100,000. Split for what may be dark at once: a hub is one machine, one public address and one \
         line. With several thousand sites, two hubs in two places lose half when one is gone. Also split where sites of \
         different owners must not share a network.",
    ),
    (
        "How to split",
        "Give each hub a network of its own (10.64.0.0/14, 10.68.0.0/14, ...), so that routes between them stay simple, and \
         its own settings and store: another machine, or on one machine --root with another interface and listen port. \
         Export the locations that move with \"location export --org\", import them on the new hub, let it make new keys, \
         and run the new scripts on the routers; the old hub carries them until they have moved, then remove them there.",
    ),
];
