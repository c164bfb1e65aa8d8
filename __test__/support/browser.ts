/** Chromium from npm: it is a build for Linux on x64. */

import { type Browser, chromium } from 'playwright-core'

export const hasBrowser = process.platform === 'linux' && process.arch === 'x64'

export async function openBrowser(): Promise<Browser> {
  const { default: build } = await import('@sparticuz/chromium')
  // Containers that tests run in have no sandbox of their own; pages are ours.
  return await chromium.launch({ executablePath: await build.executablePath(), args: ['--no-sandbox'] })
}
