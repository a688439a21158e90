//! The wish of others that a command may stop now: one that runs until it is stopped, or one that
//! must clear up before it does.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// While it lives, the terminal cannot stop this process: Ctrl-Z, or reading and writing in the
/// background, take effect when it is dropped. Threads that are started meanwhile inherit that;
/// programs do not.
#[derive(Debug)]
pub struct NoStops(Option<SigSet>);

impl NoStops {
    /// Holds the terminal's stop signals off. Those that nothing can hold off are not among them.
    pub fn begin() -> Self {
        let stops: SigSet = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU].into_iter().collect();
        let mut before = SigSet::empty();
        let held = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stops), Some(&mut before));
        Self(held.is_ok().then_some(before))
    }
}

impl Drop for NoStops {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = before.thread_set_mask();
        }
    }
}

/// Whether somebody asked this process to end, once [`Stop::listen`] was called.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Stop {
    /// From now on SIGINT, SIGTERM and SIGHUP do not end the process but are noted here; those that
    /// were ignored from the start, as nohup(1) has it, go on being so. Asked a second time, the
    /// process ends as it would have the first time.
    ///
    /// # Errors
    /// The system's.
    pub fn listen(&self) -> io::Result<()> {
        for signal in heeded() {
            // Runs before the one that notes the first time.
            flag::register_conditional_default(signal, Arc::clone(&self.asked))?;
        }
        self.hold()
    }

    /// The same, however often it is asked: for what must not end before it has cleared up, and
    /// does so at once.
    ///
    /// # Errors
    /// The system's.
    pub fn hold(&self) -> io::Result<()> {
        for signal in heeded() {
            flag::register_usize(signal, Arc::clone(&self.signal), usize::try_from(signal).unwrap_or(0))?;
            flag::register(signal, Arc::clone(&self.asked))?;
        }
        Ok(())
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// If it was asked, ends the process by that very signal: only so does a shell know that its
    /// loop is to stop as well.
    pub fn end(&self) {
        if let (true, Ok(signal)) = (self.is_asked(), self.signal.load(Ordering::Relaxed).try_into()) {
            // Who cannot be ended so ends with the exit code.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }
}

/// The signals that ask for an end, without those that this process ignores.
fn heeded() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1.
    let ignored = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or_default();
    [SIGINT, SIGTERM, SIGHUP].into_iter().filter(move |signal| ignored & (1 << (signal - 1)) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("status");
        let mask = status.lines().find_map(|l| l.strip_prefix("SigBlk:")).expect("mask");
        u64::from_str_radix(mask.trim(), 16).expect("mask")
    }

    #[test]
    fn the_terminal_cannot_stop_who_holds_its_signals_off() {
        let stops = [20, 21, 22].map(|signal: u32| 1 << (signal - 1)).iter().sum::<u64>();
        let before = blocked();
        let held = NoStops::begin();
        assert_eq!(blocked(), before | stops);
        drop(held);
        assert_eq!(blocked(), before);
    }
}
