//! A bar for work that takes long enough to be watched.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::{
    fmt::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// Between two pictures.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the end of the work waits until the bar is gone. A terminal that was stopped takes
/// nothing, and must not keep whoever holds the lock.
const PATIENCE: Duration = Duration::from_millis(300);

/// Progress of a known number of steps, drawn by a thread of its own.
#[derive(Debug)]
pub struct Progress {
    done: Arc<AtomicU64>,
    /// Behind a lock only because threads share the rest.
    drawer: Mutex<Option<Drawer>>,
}

/// Dropping `stop` ends the thread, which drops its end of `gone` after it has cleared the bar.
#[derive(Debug)]
struct Drawer {
    stop: mpsc::Sender<()>,
    gone: mpsc::Receiver<()>,
}

impl Progress {
    pub(super) fn new(what: &'static str, total: u64, visible: bool) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let drawer = visible.then(|| {
            let ((stop, stopped), (cleared, gone)) = (mpsc::channel(), mpsc::channel());
            let done = Arc::clone(&done);
            thread::spawn(move || {
                draw(what, total, &done, &stopped);
                drop(cleared);
            });
            Drawer { stop, gone }
        });
        Self { done, drawer: Mutex::new(drawer) }
    }

    /// One step is done.
    pub fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

fn draw(what: &'static str, total: u64, done: &AtomicU64, stopped: &mpsc::Receiver<()>) {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {rate} {eta} left")
    {
        // Its own has four decimals.
        let rate = |state: &ProgressState, to: &mut dyn Write| {
            let _ = write!(to, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.set_message(what);
    while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        bar.set_position(done.load(Ordering::Relaxed));
    }
    bar.finish_and_clear();
}

impl Drop for Progress {
    fn drop(&mut self) {
        let drawer = self.drawer.get_mut().ok().and_then(Option::take);
        if let Some(Drawer { stop, gone }) = drawer {
            drop(stop);
            let _ = gone.recv_timeout(PATIENCE);
        }
    }
}
