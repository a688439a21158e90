//! Standard output and standard error, and what waits for them while the lock is held.
//!
//! A pager, a pipe or a terminal that does not read would keep a writer waiting, and with it every
//! other iwas-wg, so nothing is written meanwhile.

use std::{
    cell::Cell,
    io::{self, Write},
    mem,
    rc::Rc,
};
use zeroize::Zeroizing;

/// Room of one piece that waits: it never grows, which would leave unwiped copies behind.
const PIECE: usize = 64 * 1024;

/// While it lives, nothing is written to the streams.
#[derive(Debug)]
pub struct Held(Rc<Cell<bool>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

pub(super) struct Streams {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    held: Rc<Cell<bool>>,
    waiting: Vec<(Stream, Zeroizing<Vec<u8>>)>,
}

impl Streams {
    pub(super) fn new(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self { out, err, held: Rc::default(), waiting: Vec::new() }
    }

    /// Holds back what is written from now on, until the value is dropped and something is written
    /// or flushed.
    pub(super) fn hold(&self) -> Held {
        self.held.set(true);
        Held(Rc::clone(&self.held))
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.get()
    }

    pub(super) fn err(&mut self, bytes: &[u8]) {
        if self.held.get() {
            return self.wait(Stream::Err, bytes);
        }
        // What failed on standard output is told when that is flushed.
        let _ = self.release();
        // Nobody is left to hear that standard error is gone.
        let _ = self.err.write_all(bytes).and_then(|()| self.err.flush());
    }

    fn wait(&mut self, stream: Stream, bytes: &[u8]) {
        match self.waiting.last_mut() {
            Some((last, piece)) if *last == stream && piece.capacity() - piece.len() >= bytes.len() => {
                piece.extend_from_slice(bytes);
            }
            _ => {
                let mut piece = Zeroizing::new(Vec::with_capacity(bytes.len().max(PIECE)));
                piece.extend_from_slice(bytes);
                self.waiting.push((stream, piece));
            }
        }
    }

    /// Writes what has waited, in its order. After a failure of standard output the rest of that is
    /// dropped; messages still come.
    fn release(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for (stream, piece) in mem::take(&mut self.waiting) {
            match stream {
                Stream::Out if result.is_ok() => result = self.out.write_all(&piece),
                Stream::Out => {}
                Stream::Err => {
                    let _ = self.err.write_all(&piece);
                }
            }
        }
        result
    }
}

/// Standard output.
impl Write for Streams {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.get() {
            self.wait(Stream::Out, bytes);
            return Ok(bytes.len());
        }
        self.release()?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.get() {
            return Ok(());
        }
        self.release()?;
        self.out.flush()
    }
}
