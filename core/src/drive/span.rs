//! The span of the attempt under way, where attempts are traced by OpenTelemetry; without that feature, nothing
//! at all.
//!
//! INVARIANT: what is decided about an attempt is decided in its span, which then ends; so does that of an
//! attempt that is cancelled.

pub(super) use of_feature::AttemptSpan;

#[cfg(feature = "opentelemetry")]
mod of_feature {
    use std::{
        borrow::Cow,
        future::Future,
        pin::Pin,
        task::{Context as Task, Poll},
    };

    use opentelemetry::{
        Context, KeyValue,
        trace::{Status, TraceContextExt},
    };
    use pin_project_lite::pin_project;

    use crate::{
        kernel::{outcome::Ending, trace::TraceContext},
        live::{guard::Guard, spans},
    };

    /// The context that the span is the current one of; none where the attempt is not traced.
    #[derive(Debug)]
    pub(in super::super) struct AttemptSpan(Option<Context>);

    impl AttemptSpan {
        /// While no attempt is under way.
        pub(in super::super) const NONE: Self = Self(None);

        /// That of an attempt that begins now, in the context of the moment.
        pub(in super::super) fn begin(guard: &Guard, attempt: u32) -> Self {
            if !spans::is_on() {
                return Self(None);
            }
            let breaker = guard.breaker().map(|breaker| (breaker.named(), breaker.state()));
            Self(spans::begin(guard.name(), breaker, attempt, TraceContext::current))
        }

        /// Does something with it as the current one.
        pub(in super::super) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
            let _entered = spans::enter(self.0.as_ref());
            f()
        }

        /// The future, in this span whenever it is polled, and when it is dropped.
        pub(in super::super) fn around<F: Future>(
            &self,
            future: F,
        ) -> impl Future<Output = F::Output> + use<F> {
            InSpan { context: self.0.clone(), future: Some(future) }
        }

        /// Ends it, and says how the attempt ended; `error` says what its error is called.
        pub(in super::super) fn end(
            &mut self,
            ending: Ending,
            error: impl FnOnce() -> Option<Cow<'static, str>>,
        ) {
            let Some(context) = self.0.take() else { return };
            spans::caught(|| {
                let span = context.span();
                span.set_attribute(KeyValue::new("overcurrent.outcome", ending.as_str()));
                if matches!(ending, Ending::Failure | Ending::Timeout) {
                    span.set_status(Status::error(""));
                }
                if let Some(error) = error() {
                    span.set_attribute(KeyValue::new("error.type", error));
                }
            });
            spans::caught(|| context.span().end());
            spans::caught(|| drop(context));
        }
    }

    pin_project! {
        struct InSpan<F> {
            context: Option<Context>,
            #[pin]
            future: Option<F>,
        }

        impl<F> PinnedDrop for InSpan<F> {
            fn drop(this: Pin<&mut Self>) {
                let mut this = this.project();
                let _entered = spans::enter(this.context.as_ref());
                this.future.set(None);
            }
        }
    }

    impl<F: Future> Future for InSpan<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<F::Output> {
            let this = self.project();
            let _entered = spans::enter(this.context.as_ref());
            // It is there until this is dropped.
            this.future.as_pin_mut().map_or(Poll::Pending, |future| future.poll(task))
        }
    }
}

#[cfg(not(feature = "opentelemetry"))]
mod of_feature {
    use std::{borrow::Cow, future::Future};

    use crate::{kernel::outcome::Ending, live::guard::Guard};

    /// No attempt is traced.
    #[derive(Debug)]
    pub(in super::super) struct AttemptSpan;

    #[expect(clippy::unused_self, reason = "the same methods as with the feature")]
    impl AttemptSpan {
        pub(in super::super) const NONE: Self = Self;

        pub(in super::super) const fn begin(_: &Guard, _: u32) -> Self {
            Self
        }

        pub(in super::super) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
            f()
        }

        pub(in super::super) const fn around<F: Future>(&self, future: F) -> F {
            future
        }

        pub(in super::super) fn end(&self, _: Ending, _: impl FnOnce() -> Option<Cow<'static, str>>) {}
    }
}
