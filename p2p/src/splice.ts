/** Joins two streams to one: what a relay does with the bytes of others. */

import type { Stream } from '@libp2p/interface'

export interface Allowance {
  /** Takes so many bytes; the milliseconds to wait before more are taken. */
  take(bytes: number): number
  /** Whether nothing was taken that has not come back. */
  isFull(): boolean
}

/** A bucket of bytes that fills at `perSecond`, up to what comes in one second. */
export function createAllowance(perSecond: number, now: () => number = () => performance.now()): Allowance {
  let left = perSecond
  let filledAt = now()

  function fill(): void {
    const at = now()
    left = Math.min(perSecond, left + ((at - filledAt) / 1000) * perSecond)
    filledAt = at
  }

  return {
    take(bytes) {
      fill()
      left -= bytes
      return left >= 0 ? 0 : Math.ceil((-left / perSecond) * 1000)
    },
    isFull() {
      fill()
      return left === perSecond
    }
  }
}

export interface SpliceInit {
  /** What the sender of each stream may send. */
  allowances: readonly [Allowance, Allowance]
  carried: (bytes: number) => void
  /** Aborted: both streams are. */
  signal: AbortSignal
}

/** Time for a reader of what was sent by one that is gone to close its own half; then it is reset. */
const CLOSE_TIMEOUT_MS = 5_000

/**
 * Carries the bytes of each stream to the other until both have ended, or one breaks.
 *
 * A slow reader, and a sender above its allowance, hold the sender back: nothing piles up here
 * but a window of each stream. (libp2p's own relay reads on, however slow the other side is.)
 * What was sent before an end is carried to its last byte; a break is told as one, never as an end.
 */
export async function splice(one: Stream, other: Stream, { allowances, carried, signal }: SpliceInit): Promise<void> {
  const abort = () => {
    one.abort(signal.reason)
    other.abort(signal.reason)
  }
  signal.addEventListener('abort', abort)
  await Promise.all([carry(one, other, allowances[0], carried), carry(other, one, allowances[1], carried)])
  signal.removeEventListener('abort', abort)
}

/** Never rejects; ends when `from` is closed and all that it sent is with `to`. */
function carry(from: Stream, to: Stream, allowance: Allowance, carried: (bytes: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let full = false
    let timer: NodeJS.Timeout | undefined
    /** By its sender's word: a connection that is gone ends its streams as well. */
    let hasEnded = from.remoteWriteStatus === 'closed'

    function pace(): void {
      const isHeld = full || timer !== undefined
      if (isHeld && from.readStatus === 'readable') {
        from.pause()
      } else if (!isHeld && from.readStatus === 'paused') {
        try {
          from.resume()
        } catch {
          // what was read has been passed on; that there is room for more can be told to nobody
        }
      }
    }

    from.addEventListener('message', ({ data }) => {
      const bytes = data.byteLength
      if (to.writeStatus !== 'writable') {
        return // its end comes as 'close'
      }
      try {
        full = !to.send(data)
      } catch {
        return // so does that it was about to end
      }
      carried(bytes)
      const wait = allowance.take(bytes)
      if (wait > 0) {
        timer ??= setTimeout(() => {
          timer = undefined
          pace()
        }, wait)
      }
      queueMicrotask(pace) // a stream that is paused while it resumes would give windows to its sender all the same
    })
    function makeRoom(): void {
      full = to.writableNeedsDrain || to.writeBufferLength > 0
      pace()
    }
    to.addEventListener('drain', () => queueMicrotask(makeRoom)) // once it has sent what it can of its buffer

    function breakOff(error: Error): void {
      clearTimeout(timer)
      to.abort(error)
      resolve()
    }

    let passedOn: Promise<void> | undefined
    function end(): void {
      if (!hasEnded || !from.readableEnded || from.status === 'aborted' || from.status === 'reset') {
        return
      }
      passedOn ??= to.close().catch((error) => to.abort(error))
      if (from.status === 'closed') {
        clearTimeout(timer)
        void passedOn.then(() => setTimeout(() => to.abort(new Error('the other side is gone')), CLOSE_TIMEOUT_MS).unref())
        resolve()
      }
    }

    from.addEventListener('remoteCloseWrite', () => {
      hasEnded = true
    })
    from.addEventListener('end', end)
    from.addEventListener('close', ({ error }) => {
      if (error !== undefined || !hasEnded) {
        breakOff(error ?? new Error('the other side is gone'))
      } else {
        end()
      }
    })
    to.addEventListener('close', () => {
      if (from.status !== 'open') {
        // what is left of a stream that has ended cannot be carried any more, and nothing will come of the stream itself
        clearTimeout(timer)
        resolve()
      }
    })
    if (from.status !== 'open') {
      breakOff(new Error('the other side is gone'))
    } else {
      end()
    }
  })
}
