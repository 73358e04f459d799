import { setTimeout as pause } from 'node:timers/promises'

/** Waits for a condition, looking often; fails by name after the deadline. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > end) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`)
    }
    await pause(10)
  }
}
