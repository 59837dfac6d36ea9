//! A breaker that knows the time and its name.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    clock::{Clock, Timer},
    counts::BreakerCounts,
    current::caller,
    events::{About, Course, Filter, Source, tell, tell_rejection},
    snapshot::Snapshot,
    stream::Stream,
};
use crate::{
    cells::breaker::{BreakerCells, Reading, Transition, Turned},
    kernel::{
        breaker::{Command, State},
        call::{Pass, Rejection},
        caller::Caller,
        error::{BreakerOpen, InvalidPolicy},
        event::Event,
        explain::{Change, Standing},
        name::Name,
        outcome::{OpenReason, Outcome, Position},
        policy::breaker::BreakerPolicy,
        time::{Instant, Span},
    },
};

/// Boxed once more where it is kept: few breakers have one, and a thin pointer is half a fat one.
struct Listener(Box<dyn Fn(&Transition) + Send + Sync>);

/// Which attempt of which guard asks a breaker.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'g> {
    pub(crate) name: &'g Name,
    pub(crate) source: &'g Source,
    pub(crate) attempt: u32,
}

impl Asking<'_> {
    /// On whose behalf it asks. To be asked in the thread that does, at once.
    fn caller(asking: Option<Self>) -> Caller {
        caller(asking.map(|asking| asking.name), asking.map(|asking| asking.attempt))
    }
}

/// The live state of one dependency.
///
/// ```
/// use overcurrent::{Breaker, BreakerPolicy};
///
/// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
/// breaker.acquire().unwrap().failure();
/// assert_eq!(breaker.state().as_str(), "open");
/// assert!(breaker.acquire().is_err());
/// # Ok::<(), overcurrent::InvalidPolicy>(())
/// ```
// In this order, what is written often lies more than a cache line away from both ends, and so from what
// is read of the next breaker in memory.
#[repr(C)]
pub struct Breaker {
    name: Name,
    policy: Arc<BreakerPolicy>,
    timer: Timer,
    cells: BreakerCells,
    stream: Stream,
    course: Course,
    listener: Option<Box<Listener>>,
    counts: BreakerCounts,
    /// Whether durations matter to the policy.
    timed: bool,
    /// Whether the coarse clock tells the ticks of the window apart.
    coarse: bool,
    /// By how much that clock may lag.
    grain: Span,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name)
            .field("state", &self.cells.state())
            .finish_non_exhaustive()
    }
}

impl Breaker {
    /// A closed breaker on the monotonic clock, seeded by the operating system. Breakers of one policy
    /// can share it in an [`Arc`].
    pub fn new(name: impl Into<Name>, policy: impl Into<Arc<BreakerPolicy>>) -> Self {
        Self::on(name.into(), policy.into(), Timer::start(None), None)
    }

    /// A closed breaker on a clock and, if given, a seed of the caller's.
    pub fn with(
        name: impl Into<Name>,
        policy: impl Into<Arc<BreakerPolicy>>,
        clock: Arc<dyn Clock>,
        seed: Option<u64>,
    ) -> Self {
        Self::on(name.into(), policy.into(), Timer::start(Some(clock)), seed)
    }

    /// [`Self::with`], created as far as its time goes when `clock` read `origin`; for a binding that
    /// completes it later than its user made it.
    pub fn since(
        name: impl Into<Name>,
        policy: impl Into<Arc<BreakerPolicy>>,
        clock: Arc<dyn Clock>,
        origin: Instant,
        seed: Option<u64>,
    ) -> Self {
        Self::on(name.into(), policy.into(), Timer::since(clock, origin), seed)
    }

    pub(crate) fn on(name: Name, policy: Arc<BreakerPolicy>, timer: Timer, seed: Option<u64>) -> Self {
        let grain = timer.clock().grain();
        Self {
            cells: BreakerCells::new(&policy),
            timed: policy.needs_duration(),
            coarse: policy.window.is_some_and(|rules| rules.window.tells_apart(grain)),
            name,
            policy,
            stream: Stream::new(seed),
            course: Course::new(State::NEW.epoch),
            timer,
            listener: None,
            counts: BreakerCounts::none(),
            grain,
        }
    }

    /// Has `listener` told of each transition, once, after it happened. It runs on the thread that made
    /// the transition and cannot change it; a panic in it reaches that thread's caller, and its time is the
    /// caller's. For who must know which call made a transition; everyone else
    /// [subscribes](crate::subscribe).
    #[must_use]
    pub fn on_transition(mut self, listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(Listener(Box::new(listener))));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn named(&self) -> &Name {
        &self.name
    }

    /// Its policy.
    pub fn policy(&self) -> &BreakerPolicy {
        &self.policy
    }

    /// Whether durations matter to its policy.
    #[inline]
    pub(crate) const fn is_timed(&self) -> bool {
        self.timed
    }

    /// Its words, for a runtime that reads them in place.
    pub const fn cells(&self) -> &BreakerCells {
        &self.cells
    }

    /// Where it stands. Open shows as open until a call makes it half-open.
    pub fn state(&self) -> Position {
        self.cells.state().position
    }

    /// Why it is open; `None` while it is not.
    pub fn reason(&self) -> Option<OpenReason> {
        let state = self.cells.state();
        state.reason.filter(|_| state.position == Position::Open)
    }

    /// How many outcomes came after their epoch was over, and changed nothing.
    pub fn late(&self) -> u64 {
        self.cells.late_count()
    }

    /// How long until it will admit a probe; `None` while it is not open.
    pub fn retry_after(&self) -> Option<Span> {
        let now = self.now();
        let reading = self.cells.read(&self.policy, now);
        (reading.state.position == Position::Open).then(|| reading.deadline.since(now))
    }

    /// Where it stands, why, what would change that, and its last changes of state: in words for people, the
    /// same in every language.
    ///
    /// ```
    /// use overcurrent::{Breaker, BreakerPolicy};
    ///
    /// let breaker = Breaker::new("payments", BreakerPolicy::consecutive_failures(1).build()?);
    /// breaker.acquire().unwrap().failure();
    /// assert!(breaker.explain().contains("1 call failed in a row"));
    /// # Ok::<(), overcurrent::InvalidPolicy>(())
    /// ```
    pub fn explain(&self) -> String {
        self.explain_by(&self.policy, self.now())
    }

    /// By the policy as a guard sees it.
    pub(crate) fn explain_by(&self, policy: &BreakerPolicy, now: Instant) -> String {
        let Reading { state, deadline } = self.cells.read(policy, now);
        let changes = &self.counts.changes();
        Standing { breaker: &self.name, policy, state, deadline, now, changes }.to_string()
    }

    /// The clock's reading since this breaker's creation.
    pub fn now(&self) -> Instant {
        self.timer.now()
    }

    pub(crate) const fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Asks for admission at an instant since this breaker's creation.
    ///
    /// # Errors
    /// The rejection.
    #[inline]
    pub fn acquire_at(&self, now: Instant) -> Result<Pass, Rejection> {
        self.acquire_by(&self.policy, now, None).inspect_err(|rejection| self.rejected(*rejection, None))
    }

    /// Records an outcome at an instant since this breaker's creation. `false` if it came late.
    #[inline]
    pub fn record_at(&self, pass: Pass, outcome: Outcome, took: Span, now: Instant) -> bool {
        self.record_by(&self.policy, pass, outcome, took, now, None)
    }

    /// Records a success that was not slow, where that is one add at most; the clock is then read
    /// coarsely, and only for a time window. `false` where it is more.
    #[inline]
    pub(crate) fn record_quickly(&self, pass: Pass) -> bool {
        self.cells.record_quickly(pass, || if self.coarse { self.timer.coarse() } else { self.timer.now() })
    }

    /// The rejection while it is open for longer than the coarse clock may err; a guard that asks is named.
    #[inline]
    pub(crate) fn held_off(&self, asking: Option<Asking<'_>>) -> Option<Rejection> {
        let rejection = self.cells.held_off(|| self.timer.coarse(), self.grain)?;
        self.rejected(rejection, asking);
        Some(rejection)
    }

    /// By the policy as a guard sees it, which tells of rejections itself.
    pub(crate) fn acquire_by(
        &self,
        policy: &BreakerPolicy,
        now: Instant,
        asking: Option<Asking<'_>>,
    ) -> Result<Pass, Rejection> {
        let moved = |turned| self.turned(turned, policy, now, asking);
        self.cells.acquire(policy, now, || self.stream.draw(), moved)
    }

    pub(crate) fn record_by(
        &self,
        policy: &BreakerPolicy,
        pass: Pass,
        outcome: Outcome,
        took: Span,
        now: Instant,
        asking: Option<Asking<'_>>,
    ) -> bool {
        let draw = || self.stream.draw();
        let moved = |turned| self.turned(turned, policy, now, asking);
        let counted = self.cells.record(policy, pass, outcome, took, now, draw, moved);
        if !counted {
            tell(|| {
                let (breaker, caller) = (self.name.clone(), Asking::caller(asking));
                (self.about(), Event::LateResult { breaker, outcome, caller })
            });
        }
        counted
    }

    /// Tells of a rejection, of a call through a guard or through the breaker alone.
    pub(crate) fn rejected(&self, rejection: Rejection, asking: Option<Asking<'_>>) {
        self.counts.rejected(rejection.reason);
        let nth = || self.course.reject();
        tell_rejection(nth, |nth| {
            let about = About { guard: asking.map_or(0, |asking| asking.source.known()), ..self.about() };
            let event = Event::Reject {
                breaker: self.name.clone(),
                caller: Asking::caller(asking),
                reason: rejection.reason,
                retry_after: rejection.retry_after,
                nth,
            };
            (about, event)
        });
    }

    fn about(&self) -> About {
        About { guard: 0, breaker: self.course.source.known() }
    }

    pub(crate) const fn counts(&self) -> &BreakerCounts {
        &self.counts
    }

    pub(crate) const fn source(&self) -> &Source {
        &self.course.source
    }

    fn turned(&self, turned: Turned, policy: &BreakerPolicy, now: Instant, asking: Option<Asking<'_>>) {
        let Turned { transition, why, tested, until } = turned;
        let Transition { from: old, to: new, epoch, .. } = transition;
        self.counts.turned(Change { epoch, at: now, old, new, reason: why, tested });
        self.course.tell(transition.epoch, now, || {
            let counts = tested.filter(|_| policy.window.is_some()).map(|(_, counts)| counts);
            Event::StateChange {
                breaker: self.name.clone(),
                old: transition.from,
                new: transition.to,
                reason: why,
                epoch: transition.epoch,
                consecutive: tested.map(|(consecutive, _)| consecutive.into()),
                total: counts.map(|counts| counts.total),
                failures: counts.map(|counts| counts.failures),
                slow: counts.filter(|_| policy.slow_call.is_some()).map(|counts| counts.slow),
                lasted: Span::ZERO,
                open_for: (transition.to == Position::Open).then(|| until.since(now)),
                rejected: 0,
                caller: Asking::caller(asking),
            }
        });
        if let Some(listener) = &self.listener {
            (listener.0)(&transition);
        }
    }

    /// The error of a rejection.
    #[inline]
    pub fn refusal(&self, rejection: Rejection) -> BreakerOpen {
        BreakerOpen {
            breaker: self.name.clone(),
            reason: rejection.reason,
            retry_after: rejection.retry_after,
        }
    }

    /// Opens it by hand, for `span` (at most 24 h) or for the policy's cooldown.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where `span` is longer than 24 h.
    pub fn trip(&self, span: Option<Duration>) -> Result<(), InvalidPolicy> {
        self.trip_at(span.map(Span::from), self.now())
    }

    /// [`Self::trip`] at an instant since this breaker's creation.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where `span` is longer than 24 h.
    pub fn trip_at(&self, span: Option<Span>, now: Instant) -> Result<(), InvalidPolicy> {
        const LONGEST: Span = Span::from_secs(24 * 3600);
        if let Some(span) = span.filter(|span| *span > LONGEST) {
            let rule = format!("must be at most {LONGEST}");
            return Err(InvalidPolicy { path: "for".into(), value: span.to_string(), rule });
        }
        self.command_at(Command::Trip(span), now);
        Ok(())
    }

    /// Closes it, with everything forgotten.
    pub fn reset(&self) {
        self.command_at(Command::Reset, self.now());
    }

    /// Rejects every call until [`Self::automatic`].
    pub fn force_open(&self) {
        self.command_at(Command::ForceOpen, self.now());
    }

    /// Admits every call until [`Self::automatic`].
    pub fn force_closed(&self) {
        self.command_at(Command::ForceClosed, self.now());
    }

    /// Takes an override back; does nothing without one.
    pub fn automatic(&self) {
        self.command_at(Command::Automatic, self.now());
    }

    /// Carries out a command at an instant since this breaker's creation.
    pub fn command_at(&self, command: Command, now: Instant) {
        self.cells.command(&self.policy, command, now, |turned| self.turned(turned, &self.policy, now, None));
    }

    /// The state in portable form, to restore in another process.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_at(self.now())
    }

    /// [`Self::snapshot`] at an instant since this breaker's creation.
    pub fn snapshot_at(&self, now: Instant) -> Snapshot {
        let reading = self.cells.read(&self.policy, now);
        Snapshot::take(reading.state, reading.deadline, now)
    }

    /// Goes to the state of a snapshot, in a new epoch.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where the snapshot cannot be: another version, an unknown word, more than
    /// 24 h remaining.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), InvalidPolicy> {
        self.restore_at(snapshot, self.now())
    }

    /// [`Self::restore`] at an instant since this breaker's creation.
    ///
    /// # Errors
    /// As [`Self::restore`].
    pub fn restore_at(&self, snapshot: &Snapshot, now: Instant) -> Result<(), InvalidPolicy> {
        self.command_at(snapshot.command()?, now);
        Ok(())
    }
}

impl From<&Breaker> for Filter {
    /// The events of this breaker.
    fn from(breaker: &Breaker) -> Self {
        Self::only(About { guard: 0, breaker: breaker.source().number() })
    }
}
