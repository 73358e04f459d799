/** A libp2p stream in the shape that Node's HTTP parser and HTTP agent work with. */

import { Duplex } from 'node:stream'
import type { Connection, Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'

type WriteCallback = (error?: Error | null) => void

/** Time for the peer to close its half of a stream that was closed in order; then it is reset. */
const CLOSE_TIMEOUT_MS = 5_000

/**
 * The part of `net.Socket` that `node:http` uses, over one stream.
 *
 * It pauses the stream while its reader is behind and holds back its writer while the stream is
 * full, so that a body of any size crosses in bounded memory. (The socket in @libp2p/http-utils
 * 2.0 does neither and does not notice that the peer has closed.)
 */
export class StreamSocket extends Duplex {
  readonly connection: Connection
  /** Milliseconds without data until 'timeout'; 0: none. Read by http.Agent. */
  timeout = 0
  readonly #stream: Stream
  #timer: NodeJS.Timeout | undefined
  #blockedWrite: WriteCallback | undefined

  constructor(stream: Stream, connection: Connection) {
    super({ allowHalfOpen: false })
    this.connection = connection
    this.#stream = stream
    stream.addEventListener('message', ({ data }) => this.#onData(data.subarray()))
    stream.addEventListener('drain', () => this.#unblock())
    stream.addEventListener('end', () => {
      if (stream.status !== 'aborted' && stream.status !== 'reset') {
        this.#onEnd()
      }
    })
    stream.addEventListener('close', ({ error }) => {
      if (error !== undefined) {
        this.destroy(error)
      } else if (stream.readBufferLength === 0) {
        this.#onEnd()
        this.#unblock(new Error('the peer closed the stream'))
      }
    })
  }

  override _read(): void {
    if (this.#stream.readStatus === 'paused') {
      this.#stream.resume()
    }
  }

  override _write(chunk: Uint8Array, _encoding: string, callback: WriteCallback): void {
    this.#send(chunk, callback)
  }

  /** Sends what piled up (head and body of a message, say) as one frame. */
  override _writev(chunks: Array<{ chunk: Uint8Array }>, callback: WriteCallback): void {
    this.#send(new Uint8ArrayList(...chunks.map(({ chunk }) => chunk)), callback)
  }

  override _final(callback: WriteCallback): void {
    this.#stream.close().then(() => callback(), callback)
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    clearTimeout(this.#timer)
    this.#unblock(error ?? new Error('the stream is closed'))
    if (error === null && this.writableFinished) {
      // a reset now could overtake the reader at the other end
      setTimeout(() => this.#stream.abort(new Error('the peer did not close its half')), CLOSE_TIMEOUT_MS).unref()
    } else {
      this.#stream.abort(error ?? new Error('the stream is no longer needed'))
    }
    callback(error)
  }

  destroySoon(): void {
    this.end(() => this.destroy())
  }

  setTimeout(milliseconds: number, listener?: () => void): this {
    clearTimeout(this.#timer)
    this.timeout = milliseconds
    if (listener !== undefined) {
      this[milliseconds > 0 ? 'once' : 'removeListener']('timeout', listener)
    }
    this.#timer = milliseconds > 0 ? setTimeout(() => this.emit('timeout'), milliseconds).unref() : undefined
    return this
  }

  // What holds for a TCP connection is decided where libp2p opens it, not per stream.
  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #onData(data: Uint8Array): void {
    this.#timer?.refresh()
    if (!this.destroyed && !this.push(data) && this.#stream.readStatus === 'readable') {
      this.#stream.pause()
    }
  }

  #onEnd(): void {
    if (!this.destroyed && !this.readableEnded) {
      this.push(null)
      this.read(0) // an idle socket in a pool has no reader that would notice
    }
  }

  #send(data: Uint8Array | Uint8ArrayList, callback: WriteCallback): void {
    this.#timer?.refresh()
    let canTakeMore: boolean
    try {
      canTakeMore = this.#stream.send(data)
    } catch (error) {
      callback(error as Error)
      return
    }
    if (canTakeMore) {
      callback()
    } else {
      this.#blockedWrite = callback
    }
  }

  #unblock(error?: Error): void {
    const callback = this.#blockedWrite
    this.#blockedWrite = undefined
    callback?.(error)
  }
}
