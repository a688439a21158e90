//! A machine of its own for people: namespaces whose /etc, /home, /run, /tmp and /var/lib are its own.

use crate::bench;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

/// What only root may read.
pub(super) const SECRET: &str = "root-only-5ecret";

const SETUP: &str = r#"set -eu
cp -a /etc "$STAGE/etc"
rm -rf "$STAGE/etc/iwas-wg" "$STAGE/etc/wireguard"
mount --bind "$STAGE/etc" /etc
for dir in /home /run /root /var/lib /usr/local/bin /srv; do mount -t tmpfs -o mode=755 tmpfs $dir; done
chmod 700 /root
install -m 755 "$PROGRAM" /usr/local/bin/iwas-wg
install -m 755 "$PROGRAM" /srv/iwas-wg
install -m 440 "$SUDOERS" /etc/sudoers.d/iwas-wg
mount -t tmpfs -o mode=1777 tmpfs /tmp
# A sudoers as lax as can be short of SETENV, which gives LD_PRELOAD and so root itself away: the
# program must not rest on sudo alone.
cat > /etc/sudoers.d/lax <<'EOF'
Defaults:lax,olga-lax !env_reset, !secure_path
lax, olga-lax ALL = (root) NOPASSWD: /srv/iwas-wg
EOF
chmod 440 /etc/sudoers.d/lax
groupadd iwas-wg
groupadd acme-admins
for user in olga anna bob zoe mallory lax olga-lax; do
  useradd -m -s /bin/sh $user
  chmod 711 /home/$user
  mkdir /home/$user/bin
  for evil in evil wireguard-go iwas-wg; do
    printf '#!/bin/sh\ntouch /home/%s/pwned /tmp/pwned\ncat /root/secret\n' $user > /home/$user/bin/$evil
  done
  chmod 755 /home/$user/bin/*
done
for user in olga anna bob zoe; do gpasswd -a $user iwas-wg >/dev/null; done
gpasswd -a anna acme-admins >/dev/null
echo ':put "root-only-5ecret"' > /root/secret
echo ':put "root-only-5ecret"' > /home/olga/notes
chmod 600 /root/secret /home/olga/notes
iwas-wg -q init --endpoint vpn.example.com --backend userspace
iwas-wg -q up
iwas-wg -q location add own --org acme > /dev/null
iwas-wg -q location add foreign --org umbrella --tag city=vienna > /dev/null
cat >> /etc/iwas-wg/config.toml <<'EOF'
[[access.grants]]
user = "olga"
role = "admin"
[[access.grants]]
user = "olga-lax"
role = "admin"
[[access.grants]]
group = "acme-admins"
role = "org-admin"
org = "acme"
[[access.grants]]
user = "lax"
role = "org-admin"
org = "acme"
[[access.grants]]
user = "bob"
role = "viewer"
org = "acme"
EOF
for user in olga anna bob zoe mallory lax olga-lax; do chown -R $user:$user /home/$user; done
# Hubs of their own, in which they are the admins.
for user in anna lax; do
  as="setpriv --reuid $user --regid $user --init-groups env HOME=/home/$user"
  $as iwas-wg -q --root /home/$user/mine init --endpoint evil.example.com --backend none
  $as iwas-wg -q --root /home/$user/mine location add foreign --no-provision
done
echo ready
exec cat > /dev/null
"#;

/// The machine; it and all its processes end with this value.
pub(super) struct Stage {
    keeper: Child,
    inside: u32,
    _dir: tempfile::TempDir,
}

/// What a command there did.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Run {
    #[track_caller]
    pub(super) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// Everything that was said.
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A new machine, or nothing after saying why there is none.
pub(super) fn stage() -> Option<Stage> {
    if bench::Backend::of_this_run() != bench::Backend::Userspace {
        return None;
    }
    bench::ready()?;
    if let Some(reason) = bench::missing(&["sudo", "visudo", "useradd", "setpriv", "unshare", "nsenter"]) {
        bench::skip(&reason);
        return None;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut keeper = Command::new("unshare")
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ])
        .args(["sh", "-c", SETUP])
        .env("STAGE", dir.path())
        .env("PROGRAM", env!("CARGO_BIN_EXE_iwas-wg"))
        .env("SUDOERS", root.join("examples/sudoers.d/iwas-wg"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare");
    let mut lines = BufReader::new(keeper.stdout.take().expect("stdout")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line == "ready");
    let task = format!("/proc/{0}/task/{0}/children", keeper.id());
    let inside = fs::read_to_string(task).expect("children").trim().parse().unwrap_or(0);
    let stage = Stage { keeper, inside, _dir: dir };
    assert!(ready, "the stage could not be set");
    Some(stage)
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The end of its input ends the first process inside, and that one all others.
        if let Some(mut stdin) = self.keeper.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

impl Stage {
    /// Runs a script as a user, in their home; `$S` is sudo.
    #[track_caller]
    pub(super) fn shell(&self, user: &str, script: &str) -> Run {
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        let first = if user.ends_with("lax") { "/srv" } else { "/usr/local/bin" };
        let output = Command::new("nsenter")
            .args(["--target", &self.inside.to_string(), "--mount", "--net", "--pid"])
            .args(["setpriv", "--reuid", user, "--regid", user, "--init-groups"])
            .args(["env", "-i", &format!("PATH={first}:/usr/bin:/bin:/usr/sbin:/sbin"), "S=sudo -n"])
            .args([&format!("HOME={home}"), "timeout", "60", "sh", "-c", &format!("cd $HOME; {script}")])
            .stdin(Stdio::null())
            .output()
            .expect("nsenter");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs the program through sudo.
    #[track_caller]
    pub(super) fn sudo(&self, user: &str, words: &str) -> Run {
        self.shell(user, &format!("$S iwas-wg {words}"))
    }

    /// Runs the program as root itself.
    #[track_caller]
    pub(super) fn root(&self, words: &str) -> Run {
        self.shell("root", &format!("iwas-wg {words}"))
    }
}
