//! Confs as people write them, and properties over generated ones.

use super::*;
use proptest::prelude::*;
use std::{collections::HashSet, net::Ipv4Addr};

const HUB: &str = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";

fn key(n: u32) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    PublicKey::from_bytes(bytes)
}

fn ip(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + n)
}

fn wanted(n: u32) -> ConfPeerWanted {
    ConfPeerWanted { name: format!("site-{n}").parse().expect("name"), peer: WantedPeer::new(key(n), ip(n)) }
}

fn conf(text: &str) -> Conf {
    Conf::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn rewrite(text: &str, want: &[u32], gone: &[u32]) -> (String, Rewrite) {
    let want: Vec<_> = want.iter().map(|n| wanted(*n)).collect();
    let gone: HashSet<_> = gone.iter().map(|n| key(*n)).collect();
    let result = conf(text).rewrite(&want, &gone);
    (String::from_utf8(result.text.to_vec()).expect("text"), result)
}

fn ours(n: u32) -> String {
    format!("[Peer]\n# friendly_name = site-{n}\nPublicKey = {}\nAllowedIPs = {}/32\n", key(n), ip(n))
}

fn foreign(n: u32) -> String {
    format!("[Peer]\nPublicKey = {}\nAllowedIPs = 192.168.{}.0/24\n", key(n), n % 256)
}

#[test]
fn a_fresh_hub_reads_back_as_written() {
    let private = PrivateKey::from_base64(HUB).unwrap_or_else(|e| panic!("{e}"));
    let text = Conf::new_hub(&private, "10.0.0.1/24".parse().expect("net"), 51820);
    let read = Conf::parse(&text).expect("conf");
    assert_eq!(read.private_key().map(|k| k.public()), Some(private.public()));
    assert_eq!(read.addresses(), ["10.0.0.1/24".parse().expect("net")]);
    assert_eq!(read.listen_port(), Some(51820));
    assert!(
        read.link().table == crate::model::Table::Off
            && read.overwriting().is_none()
            && read.peers().is_empty()
    );
}

#[test]
fn case_spaces_and_inline_comments_are_read_as_wg_reads_them() {
    let text = format!(
        "# mine\r\n [interface] # the hub\r\n\tprivatekey={HUB} # secret\r\nLISTENPORT = 4500\r\n\
         address = 10.0.0.1/24, fd00::1/64\r\nAddress = 10.9.0.1\r\ntable = off\r\nSaveConfig = TRUE\r\n\
         PostUp = iptables -A FORWARD -i %i -j ACCEPT; echo a=b\r\n\r\n### begin cafe ###\r\n[PEER]\r\n\
         publickey = {} # key\r\nallowedips = 10.0.0.7, 10.0.0.8/32 # two\r\nAllowed IPs = fd00::7/128, 10. 0.0.8",
        key(7)
    );
    let read = conf(&text);
    assert_eq!(read.private_key().map(|k| k.expose().to_string()), Some(HUB.into()));
    assert_eq!(read.listen_port(), Some(4500));
    let shown: Vec<String> = read.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.1/24", "fd00::1/64", "10.9.0.1/32"]);
    assert!(
        read.link().table == crate::model::Table::Off && read.overwriting() == Some(Overwriting::SaveConfig)
    );
    let allowed =
        ["10.0.0.7/32", "10.0.0.8/32", "fd00::7/128", "10.0.0.8/32"].map(|n| n.parse().expect("net"));
    assert_eq!(
        read.peers(),
        [ConfPeer {
            public_key: key(7),
            allowed_ips: allowed.to_vec(),
            name: Some("cafe".into()),
            note: Some("cafe; key; two".into()),
            line: 12
        }]
    );
}

#[test]
fn a_name_is_found_inside_the_block_or_directly_above_it() {
    let text = format!(
        "{}# friendly_name = above\n[Peer]\nPublicKey = {}\n\n# apart\n\n{}",
        ours(1),
        key(2),
        foreign(3)
    );
    let names: Vec<_> = conf(&text).peers().into_iter().map(|p| p.name).collect();
    assert_eq!(names, [Some("site-1".into()), Some("above".into()), None]);
    assert_eq!(conf(&text).peers()[2].note, None);
}

#[test]
fn what_wg_would_stumble_over_is_refused_with_its_line() {
    let k = key(1);
    for (text, message) in [
        ("[Interface]\nPostUp = echo \u{fffd}\n".to_owned(), None),
        ("# x\nAddress = 10.0.0.1/24\n".into(), Some("line 2: a setting stands above the first")),
        ("[Interface]\n[Peers]\n".into(), Some("line 2: a section other than")),
        ("[Interface]\nlisten 51820\n".into(), Some("line 2: neither a comment nor KEY = VALUE")),
        ("[Interface]\n= 51820\n".into(), Some("line 2: neither a comment nor KEY = VALUE")),
        ("\u{feff}[Interface]\n".into(), Some("line 1: begins with a byte order mark")),
        ("[Peer]\nAllowedIPs = 10.0.0.2/32\n".into(), Some("line 1: this [Peer] has no PublicKey")),
        (format!("\n[Peer]\n[Peer]\nPublicKey = {k}\n"), Some("line 2: this [Peer] has no PublicKey")),
        (format!("[Peer]\nPublicKey={k}\npublickey={k}\n"), Some("line 3: a second PublicKey")),
        ("[Interface]\n\n[interface]\n".into(), Some("line 3: a second [Interface]")),
        ("[Peer]\nPublicKey = \n".into(), Some("line 2: the PublicKey is empty")),
        ("[Peer]\nPublicKey = hello\n".into(), Some("line 2: the PublicKey is not base64")),
        ("[Interface]\nPrivateKey = AAAA\n".into(), Some("line 2: the PrivateKey is not 32 bytes long")),
    ] {
        match (Conf::parse(text.as_bytes()), message) {
            (Ok(_), None) => {}
            (Err(e), Some(m)) => assert!(e.to_string().starts_with(m), "{e}\n{text}"),
            (result, _) => panic!("{result:?}\n{text}"),
        }
    }
    let e = Conf::parse(b"[Interface]\nAddress = \xff\n").expect_err("not UTF-8");
    assert_eq!(e.to_string(), "line 2: the Address is not UTF-8 text");
}

#[test]
fn no_error_and_no_debug_output_repeats_a_key() {
    let secret = &HUB[..40];
    for text in [
        format!("{HUB}\n"),
        format!("[Interface]\nPrivateKey = {secret}\n"),
        format!("[Interface]\n{}\n", secret.trim_end_matches('=')),
        format!("[Peer]\nPublicKey = {secret}\n"),
        format!("[{HUB}]\n"),
        format!("PrivateKey = {HUB}\n"),
    ] {
        let e = Conf::parse(text.as_bytes()).expect_err("refused");
        assert!(!format!("{e} {e:?}").contains(&secret[..8]), "{e:?}");
    }
    let read = conf(&format!("[Interface]\nPrivateKey = {HUB}\n"));
    let result = read.rewrite(&[wanted(1)], &HashSet::new());
    assert!(!format!("{read:?} {result:?}").contains(&HUB[..8]));
}

#[test]
fn an_absent_peer_is_appended_in_the_style_of_the_file() {
    let (text, result) = rewrite("", &[7], &[]);
    assert_eq!(text, ours(7));
    assert_eq!((result.added, result.changed), (1, true));
    assert_eq!(rewrite("[Interface]\n", &[7], &[]).0, format!("[Interface]\n\n{}", ours(7)));
    assert_eq!(rewrite("[Interface]", &[7], &[]).0, format!("[Interface]\n\n{}", ours(7)));
    assert_eq!(
        rewrite("[Interface]\r\nMTU = 1420", &[7], &[]).0,
        format!("[Interface]\r\nMTU = 1420\r\n\r\n{}", ours(7).replace('\n', "\r\n"))
    );
}

#[test]
fn a_right_peer_is_left_alone_however_it_is_written() {
    let text = format!("[peer]\r\n\tPUBLICKEY={}\r\n#friendly_name=site-7\r\nallowedips=10.0.0.7#x", key(7));
    let (after, result) = rewrite(&text, &[7], &[]);
    assert_eq!(after, text);
    assert!(!result.changed && result.updated == 0);
}

#[test]
fn a_wrong_peer_is_corrected_in_its_name_and_allowed_ips_only() {
    let k = key(7);
    let text = format!(
        "[Peer] # seven\n\tPublicKey = {k}\n# spare router\nallowedIPs=10.0.0.7/32,10.1.0.0/16 # wide\n\
         PersistentKeepalive = 25\nAllowedIPs = fd00::7\n"
    );
    let (after, result) = rewrite(&text, &[7], &[]);
    assert_eq!(
        after,
        format!(
            "[Peer] # seven\n# friendly_name = site-7\n\tPublicKey = {k}\n# spare router\n\
             allowedIPs=10.0.0.7/32 # wide\nPersistentKeepalive = 25\n"
        )
    );
    assert_eq!((result.updated, result.added, result.removed), (1, 0, 0));
    for (wrong, right) in [
        (format!("[Peer]\n# friendly_name = old\nPublicKey = {k}"), ours(7)),
        (format!("[Peer]\n# friendly_name = site-7\nPublicKey = {k}\n"), ours(7)),
        (
            format!("[Peer]\nPublicKey = {k}\nAllowedIPs =::1# none\n"),
            ours(7).replace(" = 10.0.0.7/32", " =10.0.0.7/32# none"),
        ),
    ] {
        assert_eq!(rewrite(&wrong, &[7], &[]).0, right, "{wrong}");
    }
}

#[test]
fn a_second_block_of_a_wanted_key_goes() {
    let text = format!("{}\n[Peer]\nPublicKey = {}\nAllowedIPs = 0.0.0.0/0\n", ours(7), key(7));
    let (after, result) = rewrite(&text, &[7], &[]);
    assert_eq!(after, ours(7));
    assert_eq!((result.updated, result.removed), (0, 1));
}

#[test]
fn a_retired_peer_goes_with_its_blank_line_and_the_next_heading_stays() {
    let before = format!("[Interface]\n\n# bar\n{}", foreign(9));
    let text = format!("[Interface]\n\n{}\n# bar\n{}", ours(7), foreign(9));
    let (after, result) = rewrite(&text, &[], &[7]);
    assert_eq!(after, before);
    assert_eq!((result.removed, result.foreign), (1, vec![key(9)]));
    assert_eq!(rewrite(&text, &[7], &[7]).0, text);
    let tight = format!("[Interface]\n{}# bar\n{}", ours(7), foreign(9));
    assert_eq!(rewrite(&tight, &[], &[7]).0, format!("[Interface]\n# bar\n{}", foreign(9)));
}

#[test]
fn a_comment_of_a_retired_peer_never_names_the_next_one() {
    for text in [
        format!("# cafe\n{}{}", ours(7), foreign(9)),
        format!("# cafe\n\n{}{}", ours(7), foreign(9)),
        format!("{}{}", ours(7).replace("PublicKey", "# cafe\nPublicKey"), foreign(9)),
    ] {
        let (after, _) = rewrite(&text, &[], &[7]);
        assert_eq!(after, format!("# cafe\n\n{}", foreign(9)), "{text}");
        assert_eq!(conf(&after).peers()[0].name, None);
    }
}

#[test]
fn a_foreign_peer_with_a_wanted_address_is_left_and_reported() {
    let claim = format!("[Peer]\nPublicKey = {}\nAllowedIPs = fd00::9, 10.0.0.7\n", key(9));
    let text = format!("{claim}\n{}", foreign(8));
    let (after, result) = rewrite(&text, &[7], &[]);
    assert_eq!(after, format!("{text}\n{}", ours(7)));
    assert_eq!(result.foreign, [key(9), key(8)]);
}

#[test]
fn a_hundred_thousand_peers_take_seconds_and_not_minutes() {
    let want: Vec<_> = (1..=100_000).map(wanted).collect();
    let started = std::time::Instant::now();
    let empty = conf("[Interface]\n");
    let first = empty.rewrite(&want, &HashSet::new());
    let second = Conf::parse(&first.text).expect("conf").rewrite(&want, &HashSet::new());
    assert_eq!((first.added, second.changed), (100_000, false));
    let full = Conf::parse(&first.text).expect("conf");
    let gone = want.iter().map(|wanted| wanted.peer.public_key).collect();
    assert_eq!(full.rewrite(&[], &gone).removed, 100_000);
    // Strangers in all the places: the same addresses under other keys.
    let moved: Vec<_> = (1..=100_000)
        .map(|n| ConfPeerWanted { peer: WantedPeer::new(key(n + 200_000), ip(n)), ..wanted(n) })
        .collect();
    let claimed = full.rewrite(&moved, &HashSet::new());
    assert_eq!(claimed.foreign.len(), 100_000);
    // A few seconds unoptimized; a quadratic step would take minutes.
    assert!(started.elapsed().as_secs() < 40, "{:?}", started.elapsed());
}

/// A piece of a conf, and whether each line must survive a rewrite of [`WANTED`] and [`RETIRED`].
type Piece = Vec<(String, bool)>;

const WANTED: std::ops::Range<u32> = 1..6;
const RETIRED: std::ops::Range<u32> = 6..9;

fn filler() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "# just a comment",
        "#",
        "\t# tabbed = comment",
        "### begin cafe ###",
        "# [Peer]",
        "#PublicKey = old",
    ])
    .prop_map(str::to_owned)
}

fn setting() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "PersistentKeepalive = 25",
        "\tendpoint=vpn.example.com:51820 # dyn",
        "PresharedKey = AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "Persistent Keepalive = off",
    ])
    .prop_map(str::to_owned)
}

fn interface_setting() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["MTU = 1420", "Listen Port=51820", "fwmark = 0x2a # m", "DNS ="])
        .prop_map(str::to_owned)
}

fn peer_piece() -> impl Strategy<Value = Piece> {
    let allowed =
        prop::sample::select(vec!["::1", "10.0.0.3/32", "10.0.0.0/24, fd00::1", "10.0.0.9/8", "0.0.0.0/0"]);
    (
        1u32..14,
        any::<bool>(),
        prop::collection::vec(allowed, 0..3),
        prop::option::of(filler()),
        prop::option::of(setting()),
        prop::option::of(prop::sample::select(vec!["site-1", "site-2", "old name", ""])),
        any::<bool>(),
    )
        .prop_map(|(n, lower, allowed, comment, setting, name, key_last)| {
            let stays = !RETIRED.contains(&n);
            let foreign = !WANTED.contains(&n) && stays;
            let word = |w: &str| if lower { w.to_ascii_lowercase() } else { w.to_owned() };
            let key_line = (format!("{} = {} # key", word("PublicKey"), key(n)), stays);
            let mut body: Piece =
                allowed.iter().map(|a| (format!("{}={a}", word("AllowedIPs")), foreign)).collect();
            body.extend(name.map(|name| (format!("# friendly_name = {name}"), foreign)));
            body.extend(comment.map(|c| (c, true)));
            body.extend(setting.map(|s| (s, stays)));
            let at = if key_last { body.len() } else { 0 };
            body.insert(at, key_line);
            body.insert(0, (word("[Peer]"), stays));
            body
        })
}

fn file() -> impl Strategy<Value = (Piece, bool, bool)> {
    let interface =
        (any::<bool>(), prop::collection::vec(interface_setting(), 0..3)).prop_map(|(any, settings)| {
            let mut piece: Piece = Vec::new();
            if any {
                piece.push(("[Interface]".into(), true));
                piece.push((format!("PrivateKey = {HUB}"), true));
                piece.push(("PostUp = iptables -A FORWARD -i %i -j ACCEPT; sysctl a=b".into(), true));
                piece.extend(settings.into_iter().map(|s| (s, true)));
            }
            piece
        });
    let between = prop::collection::vec(
        prop_oneof![
            filler().prop_map(|c| (c, true)),
            Just((String::new(), false)),
            Just(("  ".into(), false))
        ],
        0..3,
    );
    let peers = prop::collection::vec((between, peer_piece()), 0..12);
    (interface, peers, any::<bool>(), any::<bool>()).prop_map(|(interface, peers, crlf, newline)| {
        let mut lines = interface;
        let mut keys = HashSet::new();
        for (between, mut piece) in peers {
            // Of two blocks with one key the second may go: only foreign ones survive twice.
            let key = piece.iter().find(|l| l.0.to_ascii_lowercase().starts_with("publickey")).cloned();
            let key = key.expect("key line");
            let shared = !key.1 || !keys.insert(key.0.to_ascii_lowercase());
            if shared {
                for line in &mut piece {
                    line.1 &= line.0.trim_start().starts_with('#') && !line.0.contains("friendly_name");
                }
            }
            lines.extend(between);
            lines.extend(piece);
        }
        (lines, crlf, newline)
    })
}

proptest! {
    #[test]
    fn a_rewrite_keeps_what_is_not_ours_and_gives_what_is_wanted((lines, crlf, newline) in file()) {
        let ending = if crlf { "\r\n" } else { "\n" };
        let mut text = String::new();
        for (i, (line, _)) in lines.iter().enumerate() {
            text.push_str(line);
            if newline || i + 1 < lines.len() {
                text.push_str(ending);
            }
        }
        let want: Vec<u32> = WANTED.collect();
        let gone: Vec<u32> = RETIRED.collect();
        let (after, result) = rewrite(&text, &want, &gone);

        // What must survive is there, in order, with its line ending.
        let mut rest = after.split_inclusive('\n');
        for (i, (line, _)) in lines.iter().enumerate().filter(|(_, (_, stays))| *stays) {
            let last = i + 1 == lines.len();
            let found = rest.any(|l| l == format!("{line}{ending}") || (last && l.trim_end() == line.trim_end()));
            prop_assert!(found, "lost {line:?}\n{text}\n----\n{after}");
        }

        let peers = conf(&after).peers();
        for n in WANTED {
            let mine: Vec<_> = peers.iter().filter(|p| p.public_key == key(n)).collect();
            prop_assert_eq!(mine.len(), 1);
            prop_assert!(!mine[0].allowed_ips.is_empty());
            let exact = IpNet::from(std::net::IpAddr::V4(ip(n)));
            prop_assert!(mine[0].allowed_ips.iter().all(|a| *a == exact));
            let name = format!("site-{n}");
            prop_assert_eq!(mine[0].name.as_deref(), Some(name.as_str()));
        }
        prop_assert!(peers.iter().all(|p| RETIRED.into_iter().all(|n| p.public_key != key(n))));
        prop_assert_eq!(result.changed, after != text);

        let (again, second) = rewrite(&after, &want, &gone);
        prop_assert_eq!(&again, &after);
        prop_assert!(!second.changed && second.added + second.updated + second.removed == 0);
        prop_assert_eq!(second.foreign, result.foreign);

        // Added and removed again, a file that ended in a line ending is what it was.
        if newline {
            let (added, _) = rewrite(&after, &[1, 2, 3, 4, 5, 99], &gone);
            prop_assert_eq!(rewrite(&added, &want, &[99]).0, after);
        }
    }
}

#[test]
fn every_way_to_overwrite_the_conf_is_seen() {
    let with = |line: &str| {
        let text =
            format!("[Interface]\nPrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n{line}\n");
        Conf::parse(text.as_bytes()).expect("conf").overwriting()
    };
    for line in ["SaveConfig = true", "  saveconfig=TRUE # always", "SaveConfig = false\nSaveConfig = true"] {
        assert_eq!(with(line), Some(Overwriting::SaveConfig), "{line}");
    }
    for line in ["PreDown = wg-quick save %i", "PostDown = wg showconf %i > /etc/wireguard/%i.conf"] {
        assert_eq!(with(line), Some(Overwriting::Hook), "{line}");
    }
    for line in
        ["SaveConfig = false", "#SaveConfig = true", "PostUp = wg showconf %i | logger", "DNS = 1.1.1.1"]
    {
        assert_eq!(with(line), None, "{line}");
    }
}

#[test]
fn a_comment_or_hook_in_another_encoding_stays_byte_for_byte() {
    let text = [
        b"[Interface]\n# caf\xe9\nPostUp = echo \xff\xfe # \x00\n".as_slice(),
        format!("\n# b\n[Peer]\nPublicKey = {}\n", key(1)).as_bytes(),
        b"# \xe9t\xe9\nAllowedIPs = 10.0.0.99 # \xdf\n",
    ]
    .concat();
    let result = Conf::parse(&text).expect("conf").rewrite(&[wanted(1)], &HashSet::new());
    let expected: Vec<u8> = [
        &text[..text.windows(6).position(|w| w == b"Public").expect("key")],
        b"# friendly_name = site-1\n".as_slice(),
        format!("PublicKey = {}\n", key(1)).as_bytes(),
        b"# \xe9t\xe9\nAllowedIPs = 10.0.0.1/32 # \xdf\n",
    ]
    .concat();
    assert_eq!(result.text.as_slice(), expected);
}

#[test]
fn what_wg_reads_in_an_odd_form_is_read_the_same() {
    let shared = PresharedKey::from_random(Zeroizing::new([9; 32])).expose();
    let text = format!(
        "[Interface]\nListenPort = 00 080\nAddress = 10.0.0.1/24 fd00::1/064,, 10.0.0.2\n\
         [Peer]\nPublicKey = {}\nEndpoint = 2001:db8::1 : 5\nPersistentKeepalive = 025\nPreshared Key = {} {}\n\
         [Peer]\nPublicKey = {}\nEndpoint = [203.0.113.1]:5\npersistentkeepalive = OFF\n",
        key(1),
        &shared[..20],
        &shared[20..],
        key(2)
    );
    let read = conf(&text);
    assert_eq!(read.listen_port(), Some(80));
    let shown: Vec<String> = read.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.1/24", "fd00::1/64", "10.0.0.2/32"]);
    let extras = read.extras();
    assert_eq!(extras[&key(1)].endpoint.as_deref(), Some("[2001:db8::1]:5"));
    assert_eq!(extras[&key(1)].keepalive, Some(25));
    assert_eq!(extras[&key(1)].preshared_key.as_ref().map(PresharedKey::expose), Some(shared));
    let second = &extras[&key(2)];
    assert_eq!((second.endpoint.as_deref(), second.keepalive), (Some("203.0.113.1:5"), Some(0)));
}
