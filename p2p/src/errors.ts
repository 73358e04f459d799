/** The errors a sidecar answers with itself, as opposed to those of the node behind it. */

/** Every code, with the HTTP status it travels under. */
export const STATUS = {
  BadAddress: 400,
  InvalidRequest: 400,
  PathNotAllowed: 400,
  Unauthorized: 401,
  PeerRefused: 403,
  NotFound: 404,
  BodyTooLarge: 413,
  TooManyCalls: 429,
  PeerUnreachable: 502,
  PeerNodeUnavailable: 502,
  Draining: 503,
  DeadlineExceeded: 504
} as const

export type Code = keyof typeof STATUS

/** Whether the far node can have got a request that has no answer: where `Unknown`, only what may be done twice may be sent again. */
export type Delivered = 'No' | 'Unknown'

/** A failure with what to do about it. */
export class SidecarError extends Error {
  override readonly name = 'SidecarError'
  readonly code: Code
  readonly hint: string
  readonly delivered: Delivered | undefined

  constructor(code: Code, message: string, hint: string, delivered?: Delivered) {
    super(message)
    this.code = code
    this.hint = hint
    this.delivered = delivered
  }

  get status(): number {
    return STATUS[this.code]
  }

  /** The one error shape of Isek's HTTP APIs. */
  toJSON(): { error: { code: Code; message: string; hint: string; delivered?: Delivered | undefined } } {
    return { error: { code: this.code, message: this.message, hint: this.hint, delivered: this.delivered } }
  }
}

/** Something to mend before the sidecar can start: a bad setting or an unusable file. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** The message of an error on one line: libp2p's come in several, with stacks in them. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return reasonOf(error.errors[0])
  }
  const message = error instanceof Error ? error.message : String(error)
  return message
    .replace(/\n\s+at .*$/gm, '')
    .replace(/\s+/g, ' ')
    .trim()
}
