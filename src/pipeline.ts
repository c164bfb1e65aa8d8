/**
 * Batches through native code: in order, a few in flight, no further than the consumer asks.
 *
 * Nothing runs before the first result is asked for. While the consumer is busy, the batches in flight are
 * finished and at most one more is prepared.
 */

import { aborted } from './caller.js'
import { type CancelToken, createCancelToken, fromNative, type NativeBatch } from './native.js'

/** Two keep all threads busy from one batch to the next; the third covers the time a result takes to arrive. */
const IN_FLIGHT = 3

type Source<B> = Iterator<B> | AsyncIterator<B>

/** What native code does with a batch. */
export type Compute<T> = (batch: NativeBatch, cancel: CancelToken) => Promise<T>

export interface Computed<B, T> {
  batch: B
  result: T
}

/** `what` is done, for messages. Ends by itself, on an error, on an abort or when its consumer leaves; nothing is in flight afterwards. */
export async function* computeBatches<B extends { native: NativeBatch }, T>(
  compute: Compute<T>,
  batches: Iterable<B> | AsyncIterable<B>,
  signal: AbortSignal | undefined,
  what = 'Scoring',
): AsyncGenerator<Computed<B, T>> {
  const cancel = createCancelToken()
  const flights = new Flights<B, T>(compute, iteratorOf(batches), cancel)
  const onAbort = () => {
    cancel.cancel()
    flights.wake()
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      if (signal?.aborted) throw aborted(what, signal)
      flights.fill()
      const landed = flights.take()
      if (landed) yield landed
      else if (flights.finished) return
      else await flights.change()
    }
  } catch (error) {
    // A cancelled job may report its end before this loop has seen the signal.
    throw signal?.aborted ? aborted(what, signal) : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await flights.end()
  }
}

function iteratorOf<B>(batches: Iterable<B> | AsyncIterable<B>): Source<B> {
  return Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]()
}

interface Flight<B, T> {
  batch: B
  done: Promise<void>
  outcome?: { result: T } | { error: unknown }
}

class Flights<B extends { native: NativeBatch }, T> {
  #queue: Flight<B, T>[] = []
  #asking: Promise<void> | undefined
  #exhausted = false
  #sourceError: { error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(
    private readonly compute: Compute<T>,
    private readonly source: Source<B>,
    private readonly cancel: CancelToken,
  ) {}

  get finished(): boolean {
    return this.#exhausted && this.#queue.length === 0
  }

  /** Asks the source for a batch if there is room for one and it is not being asked already. */
  fill(): void {
    if (this.#exhausted || this.#asking || this.#queue.length >= IN_FLIGHT) return
    this.#asking = this.#ask()
  }

  async #ask(): Promise<void> {
    try {
      const next = await this.source.next()
      if (next.done) this.#exhausted = true
      else this.#depart(next.value)
    } catch (error) {
      this.#exhausted = true
      this.#sourceError = { error }
    } finally {
      this.#asking = undefined
      this.wake()
    }
  }

  #depart(batch: B): void {
    const flight: Flight<B, T> = { batch, done: Promise.resolve() }
    flight.done = (async () => {
      try {
        flight.outcome = { result: await this.compute(batch.native, this.cancel) }
      } catch (error) {
        flight.outcome = { error: fromNative(error) }
      }
      this.wake()
    })()
    this.#queue.push(flight)
  }

  /** The first batch in order, if it is done. An error of the source comes after the batches before it. */
  take(): Computed<B, T> | undefined {
    const [head] = this.#queue
    if (!head) {
      if (this.#sourceError) throw this.#sourceError.error
      return undefined
    }
    const { batch, outcome } = head
    if (!outcome) return undefined
    this.#queue.shift()
    if ('error' in outcome) throw outcome.error
    return { batch, result: outcome.result }
  }

  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  async end(): Promise<void> {
    this.cancel.cancel()
    // A source that is being asked answers `return` only after that, which may be never: it is told, not waited for.
    const wasAsking = this.#asking !== undefined
    const returned = this.#exhausted && !wasAsking ? undefined : this.source.return?.()
    if (wasAsking) Promise.resolve(returned).catch(() => {})
    else await returned
    await Promise.all(this.#queue.map(({ done }) => done))
  }
}
