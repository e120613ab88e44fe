//! Processor time, text and memory that one request may use, all parts of a batch together.
//!
//! Requests are answered on threads of their own ([`Workers`]), so that the threads of the HTTP server are free whatever is
//! evaluated. A request that has used more than a moment takes turns with others of its kind, one per core; a small one never waits.
//! What a request has used is checked many times in a second, wherever it computes.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::Exhausted;
use super::answers::{AnswerMemory, Held};
use crate::error::{DescribeError, ErrorDescription};
use crate::observe::panics::Breakage;
use crate::unix::processor_time;

/// The most bytes of text that the expressions of a request write, all rows together.
const TEXT_BYTES: u64 = 256 * 1024 * 1024;
/// The processor time of a request, unless a test gives it another.
pub const PROCESSOR_TIME: Duration = Duration::from_secs(5);
/// Requests that have used less never wait for a turn.
const SMALL: Duration = Duration::from_millis(50);
/// The length of a turn.
const TURN: Duration = Duration::from_millis(50);
/// Threads for small requests, in addition to one for each turn.
const SPARE: usize = 4;
/// How long a request waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(10);
/// How often a request that waits for memory looks whether its client is still there.
const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// Texts count towards the memory of answers in steps of this size.
const TEXT_STEP: u64 = 1024 * 1024;
/// A text stands in the values of a row and in the column that is made of them.
const TEXT_COPIES: u64 = 2;
/// How often the processor time is read.
const CHECKED_EVERY: Duration = Duration::from_millis(2);

/// Why the work for a request was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WorkError {
    #[error("evaluating the request took more than {0:?} of processor time")]
    Time(Duration),
    #[error("the expressions of the request write more than {0} bytes of text")]
    Text(u64),
    #[error(transparent)]
    Memory(#[from] Exhausted),
    #[error("the client has left")]
    Abandoned,
}

impl WorkError {
    /// One Danish sentence, with what to do.
    #[must_use]
    pub fn danish(&self) -> String {
        let sentence = match self {
            Self::Memory(exhausted) => return exhausted.danish(),
            Self::Time(_) => {
                "Det tager for lang tid at regne svaret ud; afgræns med $filter på Periode eller område, eller forenkl udtrykkene."
            }
            Self::Text(_) => {
                "Udtrykkene skriver for lange tekster for så mange rækker; afgræns med $filter, eller brug færre concat."
            }
            Self::Abandoned => "Forbindelsen er lukket, før svaret var klar.",
        };
        sentence.to_owned()
    }
}

impl DescribeError for WorkError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Memory(exhausted) => exhausted.describe(),
            Self::Time(_) | Self::Text(_) | Self::Abandoned => {
                ErrorDescription::new(400, "TooMuchWork", self.danish())
            }
        }
    }
}

/// Threads on which requests are answered, beside those of the HTTP server.
#[derive(Debug)]
pub struct Workers {
    runtime: Option<Runtime>,
    turns: Arc<Semaphore>,
    processor_time: Duration,
    memory: Arc<AnswerMemory>,
    statistics: Arc<WorkStatistics>,
    /// A panic in a request.
    pub breakage: Breakage,
}

/// What all requests together have used.
#[derive(Debug, Default)]
pub struct WorkStatistics {
    nanoseconds: AtomicU64,
    refused: AtomicU64,
}

impl WorkStatistics {
    /// Seconds of processor time.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// Requests that were ended because they used too much.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Workers {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(processor_time: Duration, memory: Arc<AnswerMemory>) -> io::Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores + SPARE)
            .thread_name("answers")
            .enable_all()
            .build()?;
        let turns = Arc::new(Semaphore::new(cores));
        Ok(Self {
            runtime: Some(runtime),
            turns,
            processor_time,
            memory,
            statistics: Arc::default(),
            breakage: Breakage::default(),
        })
    }

    /// The work of one request.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work_holding(Arc::default())
    }

    /// The work of another part of the same request: with a processor time of its own, while the memory of all parts counts together.
    #[must_use]
    pub fn work_beside(&self, part: &Work) -> Work {
        self.work_holding(Arc::clone(&part.0.held))
    }

    fn work_holding(&self, held: Arc<AtomicU64>) -> Work {
        Work(Arc::new(Spent {
            nanoseconds: AtomicU64::new(0),
            text: AtomicU64::new(0),
            is_abandoned: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            processor_time: self.processor_time,
            turns: Arc::clone(&self.turns),
            memory: Arc::clone(&self.memory),
            held,
            texts: Mutex::default(),
            statistics: Arc::clone(&self.statistics),
        }))
    }

    /// Holds memory for an answer that is made elsewhere, without waiting for it.
    ///
    /// # Errors
    /// When so much is not free.
    pub fn hold(&self, bytes: u64) -> Result<Held, Exhausted> {
        let held = self.memory.try_hold(&Arc::default(), bytes)?;
        held.ok_or_else(|| self.memory.refuse_now())
    }

    #[must_use]
    pub fn statistics(&self) -> &WorkStatistics {
        &self.statistics
    }

    /// Answers a request on these threads. When the returned future is dropped, because the client has left, the work ends.
    /// `None` if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        work: &Work,
        answer: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let breakage = self.breakage.clone();
        let counted = work.clone().count(async move { breakage.within(answer).await });
        let task = self.runtime.as_ref()?.spawn(counted.in_current_span());
        let mut abandoned = Abandoned(Some((work.clone(), task.abort_handle())));
        let answer = task.await.ok();
        abandoned.0 = None;
        answer
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Ends the work when it is dropped before its answer has come.
struct Abandoned(Option<(Work, AbortHandle)>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some((work, task)) = &self.0 {
            work.0.is_abandoned.store(true, Ordering::Relaxed);
            task.abort();
        }
    }
}

/// What a request has used. Clones share it.
#[derive(Debug, Clone)]
pub struct Work(Arc<Spent>);

#[derive(Debug)]
struct Spent {
    nanoseconds: AtomicU64,
    text: AtomicU64,
    is_abandoned: AtomicBool,
    is_refused: AtomicBool,
    processor_time: Duration,
    turns: Arc<Semaphore>,
    memory: Arc<AnswerMemory>,
    /// What the request holds of the memory.
    held: Arc<AtomicU64>,
    /// Memory of the texts that were written, held until the answer is worked out.
    texts: Mutex<Vec<Held>>,
    statistics: Arc<WorkStatistics>,
}

impl Spent {
    /// Counts a request that used too much, once.
    fn refuse(&self, error: WorkError) -> WorkError {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            self.statistics.refused.fetch_add(1, Ordering::Relaxed);
        }
        error
    }
}

/// What a request computes on this thread between two waits.
struct Section {
    work: Work,
    started: Duration,
    checked: Instant,
    /// The turn, and when it began.
    turn: Option<(OwnedSemaphorePermit, Instant)>,
}

thread_local! {
    static SECTION: RefCell<Option<Section>> = const { RefCell::new(None) };
}

impl Work {
    /// Counts what a future computes, between one wait and the next, towards the request.
    async fn count<T>(self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        std::future::poll_fn(move |context| {
            let _section = Entered::new(&self);
            answer.as_mut().poll(context)
        })
        .await
    }
}

/// The thread's section, until it is dropped.
struct Entered;

impl Entered {
    fn new(work: &Work) -> Self {
        let (work, started) = (work.clone(), processor_time());
        SECTION.set(Some(Section { work, started, checked: Instant::now(), turn: None }));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(section) = SECTION.take() {
            let used = u64::try_from((processor_time().saturating_sub(section.started)).as_nanos())
                .unwrap_or(u64::MAX);
            section.work.0.nanoseconds.fetch_add(used, Ordering::Relaxed);
            section.work.0.statistics.nanoseconds.fetch_add(used, Ordering::Relaxed);
        }
    }
}

impl Section {
    fn check(&mut self) -> Result<(), WorkError> {
        if self.checked.elapsed() < CHECKED_EVERY {
            return Ok(());
        }
        let spent = &self.work.0;
        if spent.is_abandoned.load(Ordering::Relaxed) {
            return Err(WorkError::Abandoned);
        }
        let before = Duration::from_nanos(spent.nanoseconds.load(Ordering::Relaxed));
        let used = before + processor_time().saturating_sub(self.started);
        if used > spent.processor_time {
            return Err(spent.refuse(WorkError::Time(spent.processor_time)));
        }
        if used > SMALL && self.turn.as_ref().is_none_or(|(_, began)| began.elapsed() > TURN) {
            self.take_turn();
        }
        self.checked = Instant::now();
        Ok(())
    }

    /// Holds memory, and waits a while for it.
    fn hold(&mut self, bytes: u64) -> Result<Held, WorkError> {
        let spent = Arc::clone(&self.work.0);
        let began = Instant::now();
        loop {
            if let Some(held) = spent.memory.try_hold(&spent.held, bytes)? {
                return Ok(held);
            }
            if spent.is_abandoned.load(Ordering::Relaxed) {
                return Err(WorkError::Abandoned);
            }
            if began.elapsed() > MEMORY_WAIT {
                return Err(spent.memory.refuse_now().into());
            }
            // Those who have the memory may need a turn to give it back.
            self.turn = None;
            blocking(|| spent.memory.wait(MEMORY_LOOK));
        }
    }

    /// Waits behind those that wait already.
    fn take_turn(&mut self) {
        self.turn = None;
        let turns = Arc::clone(&self.work.0.turns);
        let turn = blocking(|| Handle::current().block_on(turns.acquire_owned()));
        self.turn = turn.ok().map(|turn| (turn, Instant::now()));
    }
}

/// Looks whether the request of this thread's section may go on, and lets others have their turn. Nothing without a section.
///
/// # Errors
/// When the request has used its processor time, or its client has left.
pub fn check() -> Result<(), WorkError> {
    SECTION.with_borrow_mut(|section| section.as_mut().map_or(Ok(()), Section::check))
}

/// Runs what blocks or computes long; other tasks of this worker move to another thread. Only on the threads of [`Workers`].
pub fn blocking<T>(compute: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(compute)
}

/// Holds memory for rows of this thread's section. Nothing without a section.
///
/// # Errors
/// When the request would hold more than there is, or others hold too much for too long.
pub fn hold(bytes: u64) -> Result<Held, WorkError> {
    SECTION.with_borrow_mut(|section| {
        section.as_mut().map_or_else(|| Ok(Held::default()), |section| section.hold(bytes))
    })
}

/// Refuses a request that may write so many bytes of text, before it does.
///
/// # Errors
/// When that is more than a request may write.
pub fn check_text(bytes: u64) -> Result<(), WorkError> {
    let error = WorkError::Text(TEXT_BYTES);
    let refused =
        || SECTION.with_borrow(|section| section.as_ref().map_or(error, |on| on.work.0.refuse(error)));
    if bytes > TEXT_BYTES { Err(refused()) } else { Ok(()) }
}

/// Counts a text that an expression of the request is about to write, and checks as [`check`] does.
///
/// # Errors
/// When the request has written too much, or as for [`check`].
pub fn write_text(bytes: usize) -> Result<(), WorkError> {
    SECTION.with_borrow_mut(|section| {
        let Some(section) = section else { return Ok(()) };
        let spent = &section.work.0;
        let bytes = bytes as u64;
        let before = spent.text.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        if after > TEXT_BYTES {
            return Err(spent.refuse(WorkError::Text(TEXT_BYTES)));
        }
        let steps = after / TEXT_STEP - before / TEXT_STEP;
        if steps > 0 {
            let held = section.hold(steps * TEXT_STEP * TEXT_COPIES)?;
            let mut texts = section.work.0.texts.lock().unwrap_or_else(PoisonError::into_inner);
            texts.push(held);
        }
        section.check()
    })
}
