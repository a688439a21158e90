//! A small RouterOS for tests: parses and runs the part of the language that our scripts use,
//! against modelled menus.
//!
//! It behaves as routers were measured to: a syntax error or an unknown parameter anywhere loses
//! the whole file, a run-time error keeps what was applied before it, a bare prefix in `where`
//! matches nothing, `get` on nothing stops the script, `remove` and `set` on nothing do nothing.
//! It is no router: what it shows is that the logic of a script is right under these rules.

mod firewall;
mod menus;
mod parse;
mod router;
mod run;
mod state;
mod value;

pub(crate) use firewall::Packet;
pub(crate) use router::{Hub, Router};
pub(crate) use state::WireGuard;

/// How a script ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Lines printed.
    pub(crate) output: Vec<String>,
    /// Why it stopped, with the line.
    pub(crate) error: Option<(usize, String)>,
    /// Changes made.
    pub(crate) writes: usize,
    /// Lines of conditions that were nil, so that neither branch ran.
    pub(crate) undecided: Vec<usize>,
}

impl Outcome {
    /// The last thing the operator reads: a printed line, or the error.
    pub(crate) fn last(&self) -> &str {
        self.error
            .as_ref()
            .map(|(_, text)| text.as_str())
            .or(self.output.last().map(String::as_str))
            .unwrap_or("")
    }
}

impl Router {
    /// Version 7.0 has the parameters of 7.1, but not its WireGuard.
    fn minor(&self) -> u32 {
        let minor = self.version.split('.').nth(1).unwrap_or_default();
        let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(1).max(1)
    }

    /// `/import`: the whole file is parsed before its first line runs.
    pub(crate) fn import(&mut self, text: &str) -> Outcome {
        let minor = self.minor();
        self.run(text, minor)
    }

    fn run(&mut self, text: &str, minor: u32) -> Outcome {
        let before = self.writes;
        let file = parse::parse(text, minor);
        let syntax = file.error.map(|e| (e.line, e.text));
        // Version 6 reads and runs line by line.
        if syntax.is_some() && !self.version.starts_with("6.") {
            return Outcome { output: Vec::new(), error: syntax, writes: 0, undecided: Vec::new() };
        }
        let mut run = run::Run::new(self);
        let result = run.file(&file.statements);
        let output = std::mem::take(&mut run.output);
        let undecided = std::mem::take(&mut run.undecided);
        let error = result.err().map(|stop| (stop.line, stop.text)).or(syntax);
        Outcome { output, error, writes: self.writes - before, undecided }
    }

    /// Netwatch notices that the hub is gone and runs its scripts, without the right to read keys.
    pub(crate) fn netwatch_goes_down(&mut self) -> Vec<Outcome> {
        self.run_netwatch("down-script")
    }

    /// What netwatch runs for the state that it finds, as after a start.
    pub(crate) fn netwatch_looks(&mut self) -> Vec<Outcome> {
        let script = if self.is_up() { "up-script" } else { "down-script" };
        self.run_netwatch(script)
    }

    fn run_netwatch(&mut self, which: &str) -> Vec<Outcome> {
        let mut scripts: Vec<String> =
            self.rows_of("tool netwatch").map(|r| r.get(which).to_string()).collect();
        // They run at the same time; here the youngest goes first, for the watchdog waits for its end.
        scripts.reverse();
        let minor = self.minor();
        self.sensitive = false;
        let outcomes = scripts.iter().map(|s| self.run(s, minor)).collect();
        self.sensitive = true;
        outcomes
    }

    /// The same by an account whose policy does not let it read keys.
    pub(crate) fn import_without_sensitive(&mut self, text: &str) -> Outcome {
        self.sensitive = false;
        let outcome = self.import(text);
        self.sensitive = true;
        outcome
    }

    /// Seconds that passed since an earlier copy of this router.
    pub(crate) fn seconds_since(&self, earlier: &Self) -> i64 {
        self.now - earlier.now
    }

    /// The moment, on its own clock.
    pub(crate) fn seconds_now(&self) -> i64 {
        self.now
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.delay(seconds);
    }
}

/// What a router of 7.1 accepts but a reviewer would not, and every syntax error.
pub(crate) fn lint(text: &str) -> Vec<String> {
    let file = parse::parse(text, 1);
    let error = file.error.map(|e| format!("line {}: {}", e.line, e.text));
    file.findings.into_iter().chain(error).collect()
}
