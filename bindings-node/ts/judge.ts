/**
 * What a result means: `on`, `ignore` and `classify`.
 *
 * | asked, in this order | an error is |
 * | --- | --- |
 * | `classify` | what it answers, unless that is `undefined` |
 * | a rejection by another breaker | ignored: no fault of this dependency |
 * | `ignore` | ignored |
 * | `on` | a failure that may be retried |
 * | else | ignored: not of the kind that tells about the dependency |
 *
 * In a call of an adapter, the rules of its protocol say what the hooks leave open.
 *
 * A hook that throws is reported once and taken for one that had nothing to say.
 */
import { BreakerOpen, accepted, refuse } from './errors.js'
import { native, type Meaning } from './native.js'
import type { Duration } from './policy.js'
import { Reporter, shown } from './report.js'

/** Verdicts as the core takes them. */
export const SUCCESS = 0
export const IGNORED = 1
export const RETRYABLE = 2
export const FINAL = 3
/** How an attempt ends, for each verdict. */
export const ENDINGS = ['success', 'ignored', 'failure', 'failure'] as const

/** An error class, or a predicate. */
export type Matcher = (abstract new (...args: never[]) => unknown) | ((error: unknown) => boolean)

/** What a function returned or threw. */
export type Result =
  { readonly value: unknown; readonly error?: never } | { readonly error: unknown; readonly value?: never }

/** A failure is retryable unless it says otherwise; `hint` is how long the server asked to wait (Retry-After). */
export type Verdict =
  | 'success'
  | 'failure'
  | 'ignored'
  | { readonly retryable?: boolean | undefined; readonly hint?: Duration | null | undefined }

/** Says what a result means; `undefined` leaves it to the rest of the options. */
export type Classify = (result: Result) => Verdict | undefined | void

/** What a result means to the breaker and the retry. */
export interface JudgeOptions {
  /** Which errors are failures: classes or predicates. Other errors are ignored. All of them by default. */
  readonly on?: Matcher | readonly Matcher[] | undefined
  /** Which errors are ignored: not the dependency's fault, not retried. */
  readonly ignore?: Matcher | readonly Matcher[] | undefined
  /** Says what a result means; `undefined` leaves it to `ignore`, `on` and the default. */
  readonly classify?: Classify | undefined
}

/** What an adapter knows of one call of its protocol. */
export interface Rules {
  /** Whether the call may be made more than once; else no failure of it is retried, not even a timeout. */
  readonly repeatable: boolean
  /** What a result means that the hooks of the guard leave open. */
  meaning(result: Result): Meaning
  /** Lets go of what the last attempt returned: another one follows, after a wait. */
  discard(): void
}

type Predicate = (error: unknown) => boolean

/** The names of the options that say what a result means. */
export const HOOKS = ['on', 'ignore', 'classify'] as const

export class Judge {
  readonly #classify: Classify | undefined
  readonly #ignore: readonly Predicate[]
  readonly #on: readonly Predicate[] | undefined
  readonly #reporter: Reporter
  readonly #rules: Rules | undefined
  /** The hint of the verdict given last, and the same in ns; NaN where there was none. */
  given: Duration | undefined = undefined
  hint = NaN

  constructor(options: JudgeOptions)
  /** The hooks of another one, and rules for what they leave open. */
  constructor(other: Judge, rules: Rules)
  constructor(given: JudgeOptions | Judge, rules?: Rules) {
    this.#rules = rules
    if (given instanceof Judge) {
      this.#classify = given.#classify
      this.#ignore = given.#ignore
      this.#on = given.#on
      this.#reporter = given.#reporter
      return
    }
    const { classify, ignore, on } = given
    this.#reporter = new Reporter('OVERCURRENT_HOOK')
    if (classify !== undefined && typeof classify !== 'function') refuse('classify', classify, 'must be a function')
    this.#classify = classify
    this.#ignore = predicates('ignore', ignore) ?? []
    this.#on = predicates('on', on)
  }

  /** Whether no user says anything. */
  get isDefault(): boolean {
    return this.#classify === undefined && this.#ignore.length === 0 && this.#on === undefined
  }

  /** Whether every value is a success. */
  get trustsValues(): boolean {
    return this.#classify === undefined && this.#rules === undefined
  }

  value(value: unknown): number {
    return this.#asked({ value }) ?? this.#ruled({ value }) ?? SUCCESS
  }

  error(error: unknown): number {
    const verdict = this.#asked({ error })
    if (verdict !== undefined) return verdict
    if (error instanceof BreakerOpen || this.#any('ignore', this.#ignore, error)) return IGNORED
    if (this.#on !== undefined && !this.#any('on', this.#on, error)) return IGNORED
    return this.#ruled({ error }) ?? RETRYABLE
  }

  #asked(result: Result): number | undefined {
    this.given = undefined
    this.hint = NaN
    if (this.#classify === undefined) return undefined
    try {
      return this.#meant(this.#classify(result))
    } catch (error) {
      this.#reporter.report('the hook `classify`', error)
      return undefined
    }
  }

  #ruled(result: Result): number | undefined {
    if (this.#rules === undefined) return undefined
    const { verdict, hint = NaN } = this.#rules.meaning(result)
    this.hint = hint
    return verdict
  }

  #meant(verdict: Verdict | undefined | void): number | undefined {
    if (verdict === undefined) return undefined
    if (verdict === 'success') return SUCCESS
    if (verdict === 'ignored') return IGNORED
    if (verdict === 'failure') return RETRYABLE
    if (typeof verdict !== 'object' || verdict === null || 'then' in verdict)
      throw new TypeError(`it answered ${shown(verdict)}`)
    if (verdict.hint != null) {
      this.hint = accepted(native.spanNanos(verdict.hint, 'hint'))
      this.given = verdict.hint
    }
    return verdict.retryable === false ? FINAL : RETRYABLE
  }

  #any(hook: 'on' | 'ignore', predicates: readonly Predicate[], error: unknown): boolean {
    return predicates.some(matches => {
      try {
        return matches(error)
      } catch (thrown) {
        this.#reporter.report(`the hook \`${hook}\``, thrown)
        return hook === 'on'
      }
    })
  }
}

function predicates(name: string, given: Matcher | readonly Matcher[] | undefined): Predicate[] | undefined {
  if (given === undefined) return undefined
  return [given].flat().map(matcher => {
    if (typeof matcher !== 'function') refuse(name, matcher, 'must be an error class, a predicate or a list of them')
    return isClass(matcher) ? (error: unknown) => error instanceof matcher : matcher
  })
}

/** Whether it is a class: declared as one, or an error of the language, of whatever realm. */
function isClass(matcher: Matcher): matcher is abstract new (...args: never[]) => unknown {
  const prototype: unknown = matcher.prototype
  if (typeof prototype !== 'object' || prototype === null) return false
  return 'message' in prototype || Function.prototype.toString.call(matcher).startsWith('class')
}
