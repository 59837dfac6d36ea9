/**
 * Bodies of requests, as far as it matters whether they can be sent once more.
 */

/** What is there as a whole. By their tags, as they may come from another realm or another copy of a library. */
const WHOLE = new Set(['ArrayBuffer', 'Blob', 'File', 'FormData', 'SharedArrayBuffer', 'URLSearchParams'])

/** Whether a body can be sent once more. One that is read as it is sent, a stream or an iterator, cannot. */
export function isReplayable(body: unknown): boolean {
  if (body == null || typeof body === 'string' || ArrayBuffer.isView(body)) return true
  // There are forms that are streams.
  return WHOLE.has(Object.prototype.toString.call(body).slice(8, -1)) && !('pipe' in (body as object))
}
