/**
 * How objects whose fields are private show themselves to `console.log`, a REPL and a debugger.
 *
 * INVARIANT: looking at an object decides nothing and makes nothing.
 */

/** Where Node looks for what an object is shown as. */
export const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** What an object is shown as: its class, and those of `fields` that are there. */
export function shownAs(object: object, fields: { readonly [name: string]: unknown }): object {
  const shown = Object.create(Object.getPrototypeOf(object) as object, { [INSPECT]: { value: undefined } }) as object
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) Object.defineProperty(shown, name, { value, enumerable: true })
  return shown
}
