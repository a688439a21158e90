//! Files that somebody planted where a command writes: it neither fills them nor follows them.

use crate::support::Hub;
use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

/// What writes a file: its words, the file, and the mode that it must have.
type Writer = (&'static [&'static str], &'static str, u32);

const WRITERS: &[Writer] = &[
    (&["script", "render", "cafe", "--scripts-dir", "DIR"], "cafe.rsc", 0o600),
    (&["script", "render", "--all", "--scripts-dir", "DIR"], "cafe.rsc", 0o600),
    (&["peer", "rotate", "--all", "--scripts-dir", "DIR"], "cafe.rsc", 0o600),
    (&["peer", "provision", "--all", "--scripts-dir", "DIR"], "later.rsc", 0o600),
    (&["location", "import", "SHEET", "--scripts-dir", "DIR"], "batch.rsc", 0o600),
    (&["report", "--html", "DIR/page.html"], "page.html", 0o644),
    (&["history", "cafe", "--html", "DIR/page.html"], "page.html", 0o644),
    (&["heartbeat", "--metrics-file", "DIR/wg.prom"], "wg.prom", 0o644),
    (&["backup", "DIR/copy.db"], "copy.db", 0o600),
    (&["backup", "DIR/copy.age", "--recipient", "RECIPIENT"], "copy.age", 0o600),
    (&["generate", "man", "DIR"], "iwas-wg.8", 0o644),
];

fn write(hub: &Hub, words: &[&str], dir: &Path) {
    let identity = fs::read_to_string(hub.path("etc/iwas-wg/identity.txt")).expect("identity");
    let recipient = identity.lines().find_map(|l| l.strip_prefix("# public key: ")).expect("recipient");
    let sheet = hub.path("sheet.csv");
    fs::write(&sheet, "name\nbatch\n").expect("sheet");
    let fill = |word: &&str| match *word {
        "SHEET" => sheet.display().to_string(),
        "RECIPIENT" => recipient.to_owned(),
        other => other.replace("DIR", &dir.display().to_string()),
    };
    let words: Vec<String> = words.iter().map(fill).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    hub.run(&words).ok();
}

#[test]
fn a_file_that_is_written_is_new_whatever_was_planted_there() {
    for (words, name, mode) in WRITERS {
        let hub = Hub::up();
        hub.add("cafe");
        hub.run(&["location", "add", "later", "--no-provision"]).ok();
        let dir = hub.path("out");
        fs::create_dir(&dir).expect("directory");
        // A file that everybody may read, and somebody has open.
        let file = dir.join(name);
        fs::write(&file, "").expect("file");
        fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("chmod");
        let planted = file.metadata().expect("metadata").ino();
        let open = fs::File::open(&file).expect("open");
        write(&hub, words, &dir);
        let meta = file.symlink_metadata().expect("metadata");
        assert_eq!(meta.permissions().mode() & 0o7777, *mode, "{words:?}");
        assert!(meta.ino() != planted && meta.len() > 0, "{words:?} filled the planted file");
        assert_eq!(open.metadata().expect("metadata").len(), 0, "{words:?}");
        assert_eq!(fs::read_dir(&dir).expect("dir").filter(is_hidden).count(), 0, "{words:?}");
    }
}

fn is_hidden(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().expect("entry").file_name().to_string_lossy().starts_with('.')
}

#[test]
fn a_planted_link_is_not_followed() {
    for (words, name, _) in WRITERS.iter().filter(|(words, ..)| words[0] != "backup") {
        let hub = Hub::up();
        hub.add("cafe");
        hub.run(&["location", "add", "later", "--no-provision"]).ok();
        let dir = hub.path("out");
        fs::create_dir(&dir).expect("directory");
        let target = hub.path("target");
        fs::write(&target, "kept").expect("target");
        symlink(&target, dir.join(name)).expect("link");
        write(&hub, words, &dir);
        assert_eq!(fs::read(&target).expect("target"), b"kept", "{words:?} followed the link");
        assert!(!dir.join(name).symlink_metadata().expect("metadata").is_symlink(), "{words:?}");
    }
}

#[test]
fn what_is_the_kernels_is_not_replaced() {
    let hub = Hub::up();
    for path in ["/dev/null", "/dev/stdout", "/proc/self/fd/1", "/tmp"] {
        let e = hub.run(&["report", "--html", path]).code(1);
        assert_eq!(e.error().0, format!("iwas-wg: cannot write {path}: it is no plain file"));
    }
}
