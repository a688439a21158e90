//! The same work for many things, on all cores.

use crate::{commands::context::unforeseen, error::Error};
use anyhow::Context as _;
use std::{panic, thread};

/// Splits the things among the cores and works on each part there; the results come back in the
/// order of the things, or the first failure.
pub(super) fn on_all_cores<T, R>(
    things: Vec<T>,
    work: impl Fn(Vec<T>) -> Result<Vec<R>, Error> + Sync,
) -> Result<Vec<R>, Error>
where
    T: Send,
    R: Send,
{
    let cores = thread::available_parallelism().map_or(1, usize::from).min(things.len());
    if cores <= 1 {
        return work(things);
    }
    let (mut results, share) = (Vec::with_capacity(things.len()), things.len().div_ceil(cores));
    let (mut things, work) = (things.into_iter(), &work);
    thread::scope(|scope| {
        let parts = (0..cores).map(|_| things.by_ref().take(share).collect::<Vec<_>>());
        let start = |part| thread::Builder::new().spawn_scoped(scope, move || work(part));
        let workers: Vec<_> = parts.map(start).collect();
        for worker in workers {
            let worker = worker.context("cannot start a thread").map_err(unforeseen)?;
            results.extend(worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?);
        }
        Ok(results)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn results_keep_the_order_and_a_failure_is_not_lost() {
        for n in [0_u32, 1, 2, 3, 1000] {
            let doubled =
                on_all_cores((0..n).collect(), |part| Ok(part.into_iter().map(|x| x * 2).collect()));
            assert_eq!(doubled, Ok((0..n).map(|x| x * 2).collect()), "{n} things");
        }
        let failed = on_all_cores((0..1000).collect(), |part: Vec<u32>| {
            if part.contains(&999) { Err(Error::new(Kind::Failed, "999")) } else { Ok(part) }
        });
        assert_eq!(failed.map_err(|e| e.message), Err("999".to_owned()));
    }
}
