//! `watch` without a terminal; on one it is driven in tmux, with real handshakes.

use crate::support::Hub;
use serde_json::json;
use std::{
    io::{self, Write},
    rc::Rc,
};

#[test]
fn json_begins_with_the_counts_and_a_pipe_with_nothing() {
    let hub = Hub::up();
    let a = hub.add("a");
    hub.add("b");
    hub.shake(&a, 10);
    let run = hub.run(&["--json", "watch", "--count", "1"]).ok();
    assert_eq!(
        run.json(),
        json!({"schema_version": 1, "event": "start", "at": "2026-11-23T10:00:00Z", "source": "live",
               "counts": {"online": 1, "offline": 0, "never": 1, "disabled": 0, "unprovisioned": 0, "unknown": 0}})
    );
    let run = hub.run(&["watch", "--count", "2", "--interval", "0.1"]).ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    hub.device().unreadable = true;
    assert_eq!(hub.run(&["--json", "watch", "--count", "1"]).ok().json()["source"], "heartbeat");
}

#[test]
fn an_interval_that_makes_no_sense_is_refused() {
    let hub = Hub::up();
    for wrong in ["0", "0.05", "1e9", "NaN", "soon"] {
        let run = hub.run(&["watch", "--interval", wrong]).code(2);
        assert!(run.stderr.contains("write seconds from 0.1 to 3600"), "{}", run.stderr);
    }
    hub.run(&["watch", "--count", "0"]).code(2);
}

/// Standard output, and what happens once something was written to it.
struct Then {
    out: Box<dyn Write>,
    then: Option<Box<dyn FnOnce()>>,
}

impl Write for Then {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(then) = self.then.take() {
            then();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[test]
fn nobody_comes_back_because_the_interface_is_gone() {
    let hub = Rc::new(Hub::up());
    let a = hub.add("a");
    hub.shake(&a, 10);
    hub.run(&["heartbeat"]).ok();
    // The heartbeat saw it online; the interface knows better since.
    hub.now.set(hub.now.get() + 300);
    let down = Rc::clone(&hub);
    let run = hub.run_in(&["--json", "watch", "--count", "3", "--interval", "0.1"], |env| {
        let out = std::mem::replace(&mut env.stdout, Box::new(io::sink()));
        let then: Box<dyn FnOnce()> = Box::new(move || drop(down.run(&["down"]).ok()));
        env.stdout = Box::new(Then { out, then: Some(then) });
    });
    assert!(hub.device().interface.is_none(), "it did not go down meanwhile");
    assert_eq!(run.ok().json()["counts"]["offline"], 1, "more than the start was told");
}
