//! Completion in the real shells: lines are typed into an interactive bash, zsh and fish on a terminal
//! of their own, and what counts is the line as the shell has it after the tab key.

use crate::bench::{missing, run, skip};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const SHELLS: [Shell; 3] = [
    Shell {
        name: "bash",
        arguments: &["--noprofile", "--rcfile", "HOME/start.bash", "-i"],
        start: (
            "start.bash",
            "PS1='> '\nHISTFILE=\nsource LOADERS/iwas-wg.bash\n\
            bind -x '\"\\C-t\": printf \"%s\\n\" \"$READLINE_LINE\" >>\"$OUT\"'\n",
        ),
    },
    Shell {
        name: "zsh",
        arguments: &["-d", "-i"],
        start: (
            ".zshrc",
            "PS1='> '\nfpath=(LOADERS $fpath)\nautoload -U compinit; compinit -u -D\n\
            show() { print -r -- \"$BUFFER\" >>$OUT }\nzle -N show; bindkey '^T' show\n",
        ),
    },
    Shell {
        name: "fish",
        arguments: &["--no-config", "-i", "-C", "source HOME/start.fish"],
        start: (
            "start.fish",
            "set -g fish_greeting\nsource LOADERS/iwas-wg.fish\nbind \\ct 'commandline >>$OUT'\n",
        ),
    },
];

/// An interactive shell: how it is started, and the file that makes it load the completions and
/// write the edited line to `$OUT` on Control-T.
struct Shell {
    name: &'static str,
    arguments: &'static [&'static str],
    start: (&'static str, &'static str),
}

/// A home with two hubs: the one of the environment in `hub`, another in `my hub`.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().expect("temporary directory") };
        fs::create_dir(home.path("bin")).expect("bin");
        symlink(env!("CARGO_BIN_EXE_iwas-wg"), home.path("bin/iwas-wg")).expect("link");
        for hub in ["hub", "my hub"] {
            home.run(hub, &["init", "--endpoint", "vpn.example.com", "--backend", "none"]);
        }
        let add = |more: &[&str]| home.run("hub", &[&["location", "add"], more].concat());
        add(&["cafe-central", "--org", "acme", "--tag", "city=vienna", "--tag", "note=new york"]);
        add(&["cafe-north", "--org", "globex", "--tag", "city=graz"]);
        add(&["shop-12", "--org", "acme"]);
        home.run("my hub", &["location", "add", "elsewhere"]);
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn run(&self, hub: &str, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iwas-wg"));
        run(command.env_clear().arg("--root").arg(self.path(hub)).arg("-q").args(arguments));
    }

    /// Types lines, each with the tabs at its end, into a shell. Returns for each what became of it
    /// and all that the shell drew on the way.
    fn type_into(&self, shell: &Shell, lines: &[&str]) -> Vec<(String, String)> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let filled = |text: &str| {
            let loaders = project.join("completions").display().to_string();
            text.replace("LOADERS", &loaders).replace("HOME", &self.dir.path().display().to_string())
        };
        let start = filled(shell.start.1) + "echo ready >>$OUT\n";
        fs::write(self.path(shell.start.0), start).expect("start-up file");
        let mut child = Command::new("python3")
            .arg(project.join("tests/real/shells/type.py"))
            .arg(shell.name)
            .args(shell.arguments.iter().map(|a| filled(a)))
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env("HOME", self.dir.path())
            .env("ZDOTDIR", self.dir.path())
            .env("OUT", self.path("out"))
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .env("IWAS_WG_ROOT", self.path("hub"))
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start python3");
        let typed = lines.join("\n") + "\n";
        child.stdin.take().expect("its input").write_all(typed.as_bytes()).expect("write lines");
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success(), "{}: {output:?}", shell.name);
        let answers = String::from_utf8(output.stdout).expect("UTF-8");
        let text = |v: &Value, key: &str| v[key].as_str().expect(key).to_owned();
        let answers = answers.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        answers.map(|v| (text(&v, "edited"), text(&v, "drawn"))).collect()
    }
}

/// Whether the shells are there; says so aloud if not.
fn are_there() -> bool {
    match missing(&["bash", "zsh", "fish", "python3"]) {
        None => true,
        Some(reason) => {
            skip(&reason);
            false
        }
    }
}

/// What is typed before the tab key, and the line after it.
const LINES: &[(&str, &str)] = &[
    // Commands, options and their values.
    ("iwas-wg loc", "iwas-wg location "),
    ("iwas-wg location sh", "iwas-wg location show "),
    ("iwas-wg up --dry", "iwas-wg up --dry-run "),
    ("iwas-wg --color al", "iwas-wg --color always "),
    ("iwas-wg status --state of", "iwas-wg status --state offline "),
    ("iwas-wg status --state=of", "iwas-wg status --state=offline "),
    ("iwas-wg location add x --key-mode ro", "iwas-wg location add x --key-mode router "),
    ("iwas-wg script render x --kind ch", "iwas-wg script render x --kind check "),
    ("iwas-wg script render x --format wg", "iwas-wg script render x --format wg-quick "),
    ("iwas-wg init --backend ker", "iwas-wg init --backend kernel "),
    ("iwas-wg access check root net:hub", "iwas-wg access check root net:hub:admin "),
    // What the store knows.
    ("iwas-wg location show cafe-c", "iwas-wg location show cafe-central "),
    ("iwas-wg script render sh", "iwas-wg script render shop-12 "),
    ("iwas-wg status shop-12 cafe-n", "iwas-wg status shop-12 cafe-north "),
    ("iwas-wg location list --org gl", "iwas-wg location list --org globex "),
    ("iwas-wg status --tag city=v", "iwas-wg status --tag city=vienna "),
    ("iwas-wg status --tag=city=v", "iwas-wg status --tag=city=vienna "),
    ("iwas-wg location set cafe-north --untag ci", "iwas-wg location set cafe-north --untag city "),
    ("iwas-wg status --tag note=n", r"iwas-wg status --tag note=new\ york "),
    ("iwas-wg status --tag \"note=n", "iwas-wg status --tag \"note=new york\" "),
    // A new name is nobody's yet.
    ("iwas-wg location add cafe-c", "iwas-wg location add cafe-c"),
    // The hub that the line names, not that of the environment.
    (r"iwas-wg --root ~/my\ hub location show e", r"iwas-wg --root ~/my\ hub location show elsewhere "),
    ("iwas-wg location show --root 'my hub' e", "iwas-wg location show --root 'my hub' elsewhere "),
    ("iwas-wg --root='my hub' location show e", "iwas-wg --root='my hub' location show elsewhere "),
    ("iwas-wg --root=nowhere location show cafe-c", "iwas-wg --root=nowhere location show cafe-c"),
    // Nothing is said in the middle of a line, whatever is wrong with the hub.
    ("iwas-wg --config bad.toml location show cafe-c", "iwas-wg --config bad.toml location show cafe-c"),
    ("iwas-wg --database bad.toml location show cafe-c", "iwas-wg --database bad.toml location show cafe-c"),
];

#[test]
fn bash_zsh_and_fish_complete_commands_values_and_what_the_store_knows() {
    if !are_there() {
        return;
    }
    let home = Home::new();
    fs::write(home.path("bad.toml"), "nonsense").expect("settings");
    let typed: Vec<String> = LINES.iter().map(|(line, _)| format!("{line}\t")).collect();
    let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
    for shell in &SHELLS {
        let answers = home.type_into(shell, &typed);
        assert_eq!(answers.len(), LINES.len());
        for ((line, wanted), (edited, drawn)) in LINES.iter().zip(answers) {
            assert_eq!(edited, *wanted, "{} after {line:?}, which drew {drawn:?}", shell.name);
            assert!(!drawn.contains("iwas-wg: "), "{} drew an error: {drawn:?}", shell.name);
        }
    }
}

#[test]
fn the_list_of_names_shows_their_addresses_and_no_flags() {
    if !are_there() {
        return;
    }
    let home = Home::new();
    for shell in &SHELLS {
        let answers = home.type_into(shell, &["iwas-wg location show \t\t"]);
        let drawn = &answers[0].1;
        for shown in ["cafe-central", "10.0.0.2", "cafe-north", "10.0.0.3", "shop-12", "10.0.0.4"] {
            assert!(drawn.contains(shown), "{} does not show {shown}: {drawn:?}", shell.name);
        }
        assert!(!drawn.contains("--json"), "{} shows flags: {drawn:?}", shell.name);
    }
}
