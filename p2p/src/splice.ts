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

/**
 * Carries the bytes of each stream to the other until both have ended, or one breaks.
 *
 * A slow reader, and a sender above its allowance, hold the sender back: nothing piles up here
 * but a window of each stream. (libp2p's own relay reads on, however slow the other side is.)
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

/** Never rejects; ends when `from` is closed. */
function carry(from: Stream, to: Stream, allowance: Allowance, carried: (bytes: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let full = false
    let timer: NodeJS.Timeout | undefined

    function goOn(): void {
      if (!full && timer === undefined && from.readStatus === 'paused') {
        from.resume()
      }
    }

    from.addEventListener('message', ({ data }) => {
      const bytes = data.byteLength
      if (to.writeStatus !== 'writable') {
        return // its end comes as 'close'
      }
      carried(bytes)
      full = !to.send(data)
      const wait = allowance.take(bytes)
      if (wait > 0) {
        timer ??= setTimeout(() => {
          timer = undefined
          goOn()
        }, wait)
      }
      if ((full || wait > 0) && from.readStatus === 'readable') {
        from.pause()
      }
    })
    to.addEventListener('drain', () => {
      full = false
      goOn()
    })
    function end(): void {
      if (to.status === 'open') {
        to.close().catch((error) => to.abort(error))
      }
    }

    function closed(error?: Error): void {
      clearTimeout(timer)
      if (error === undefined) {
        end()
      } else {
        to.abort(error)
      }
      resolve()
    }

    from.addEventListener('end', end)
    from.addEventListener('close', ({ error }) => closed(error))
    if (from.status !== 'open') {
      closed(new Error('the other side is gone'))
    } else if (from.readableEnded) {
      end()
    }
  })
}
