/** What native code makes of options, kept while it is asked for again. */

import { fromNative } from './native.js'

/** Plans hold packed weights, so few are kept. */
const CAPACITY = 2

export class NativeCache<T> {
  /** Most recently used last. */
  #entries: { key: string; made: Promise<T> }[] = []

  constructor(private readonly make: (options: string) => Promise<T>) {}

  async get(options: object): Promise<T> {
    const key = JSON.stringify(options)
    const found = this.#entries.find((entry) => entry.key === key)
    // An async function, so that what native code throws at once becomes a rejection too.
    const entry = found ?? { key, made: (async () => await this.make(key))() }
    this.#entries = [...this.#entries.filter((other) => other !== entry), entry].slice(-CAPACITY)
    try {
      return await entry.made
    } catch (error) {
      this.#entries = this.#entries.filter((other) => other !== entry)
      throw fromNative(error)
    }
  }
}
