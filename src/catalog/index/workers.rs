//! A few threads that fetch ahead.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// The most threads that fetch ahead.
const MOST_THREADS: usize = 8;

/// Threads that take jobs in their order; they start when there is something to do.
///
/// Dropping it forgets the jobs not begun. A job that has begun is not waited for: it may hang on a server that does
/// not answer, and nobody needs its answer any more.
#[derive(Default)]
pub(super) struct Workers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    over: bool,
}

impl Workers {
    /// Runs a job soon.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.lock();
        queue.jobs.push_back(Box::new(job));
        if queue.idle < queue.jobs.len() && queue.threads < MOST_THREADS {
            let shared = Arc::clone(&self.shared);
            // Where no thread can be had the job is not done ahead, but when it is asked for.
            if thread::Builder::new().name("index".to_owned()).spawn(move || shared.work()).is_ok() {
                queue.threads += 1;
            }
        }
        drop(queue);
        self.shared.changed.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.jobs.clear();
        queue.over = true;
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        while !queue.over {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.lock();
            } else {
                queue.idle += 1;
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn every_job_is_done_and_some_at_the_same_time() {
        let workers = Workers::default();
        let (sender, receiver) = mpsc::channel();
        let meeting = Arc::new(std::sync::Barrier::new(2));
        for number in 0..40 {
            let (sender, meeting) = (sender.clone(), Arc::clone(&meeting));
            workers.run(move || {
                if number < 2 {
                    meeting.wait();
                }
                sender.send(number).unwrap();
            });
        }
        let mut done: Vec<i32> = receiver.iter().take(40).collect();
        done.sort_unstable();
        assert_eq!(done, (0..40).collect::<Vec<_>>());
    }
}
