// A process that answers commands, one line of JSON each: one of the sides that are compared.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export class Worker {
  #child
  #lines
  /** Its first answer, which also says that it has loaded, and how long that took. */
  ready
  loadMs

  static async start(command, args, env) {
    const worker = new Worker()
    const start = performance.now()
    worker.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    worker.#lines = createInterface({ input: worker.#child.stdout })[Symbol.asyncIterator]()
    worker.ready = await worker.#answer(command)
    worker.loadMs = performance.now() - start
    return worker
  }

  get pid() {
    return this.#child.pid
  }

  async ask(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`)
    return await this.#answer(command.do)
  }

  async stop() {
    const ended = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin.end()
    await ended
  }

  async #answer(what) {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`${what}: the process ended without an answer; what it printed is above`)
    return JSON.parse(value)
  }
}
