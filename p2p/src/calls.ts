/** The calls that run now: counted, and waited for at the end. */

import type { CallEnded, Direction, Metrics } from './metrics.ts'

export interface Calls {
  /** Once true, no new call is to begin. */
  readonly draining: boolean
  /** Notes a call that begins; the function it returns notes how it ended. */
  begin(direction: Direction): CallEnded
  /** Waits until no call runs; false where some still do after so many milliseconds. */
  drain(timeoutMs: number): Promise<boolean>
}

export function createCalls(metrics: Pick<Metrics, 'callStarted'>): Calls {
  let running = 0
  let draining = false
  let wakeDrain = () => {}

  return {
    get draining() {
      return draining
    },
    begin(direction) {
      running += 1
      const ended = metrics.callStarted(direction)
      return (outcome, path) => {
        running -= 1
        ended(outcome, path)
        wakeDrain()
      }
    },
    async drain(timeoutMs) {
      draining = true
      return await new Promise<boolean>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs, false)
        wakeDrain = () => {
          if (running === 0) {
            clearTimeout(timer)
            resolve(true)
          }
        }
        wakeDrain()
      })
    }
  }
}
