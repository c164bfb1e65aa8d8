// Runs every test, Rust then TypeScript, counts instructions, and prints `N passed, N failed` over all as the last line.
//
// Counts are read from what the runners report. A runner that stops without a report (a compile error, a
// crash, a signal) counts as one failure, so that the sum can never look better than the truth.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const cargo = await runCargo()
const vitest = await runVitest()
const instructions = await runInstructions()
const passed = cargo.passed + vitest.passed + instructions.passed
const failed = cargo.failed + vitest.failed + instructions.failed

console.log(`\ncargo:  ${cargo.passed} passed, ${cargo.failed} failed`)
console.log(
  `vitest: ${vitest.passed} passed, ${vitest.failed} failed${vitest.skipped ? `, ${vitest.skipped} skipped` : ''}`,
)
console.log(`instructions: ${instructions.passed} passed, ${instructions.failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)

async function runCargo() {
  const { code, output } = await run('cargo', ['test', '--workspace', '--no-fail-fast'])
  let passed = 0
  let failed = 0
  for (const match of output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed/gm)) {
    passed += Number(match[1])
    failed += Number(match[2])
  }
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed }
}

async function runInstructions() {
  const { code, output } = await run(process.execPath, [join(import.meta.dirname, 'instructions.mjs')])
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [undefined, 0, 1]
  return { passed: Number(passed), failed: code !== 0 && Number(failed) === 0 ? 1 : Number(failed) }
}

async function runVitest() {
  const folder = mkdtempSync(join(tmpdir(), 'deeplift-test-'))
  const report = join(folder, 'vitest.json')
  const cli = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  try {
    const { code } = await run(process.execPath, [
      cli,
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ])
    return count(code, report)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function count(code, report) {
  let json
  try {
    json = JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const failed = json.numFailedTests
  return {
    passed: json.numPassedTests,
    // A file that fails to load has no failed test of its own, nor has an unhandled rejection.
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: json.numPendingTests,
  }
}

/** Runs a command with its output shown as it comes, and also kept. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.stderr.on('data', (chunk) => process.stderr.write(chunk))
    child.on('error', (error) => {
      console.error(`could not start ${command}: ${error.message}`)
      resolve({ code: 1, output })
    })
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}
