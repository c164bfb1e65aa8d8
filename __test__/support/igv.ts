/** A browser of igv.js in a page, and what it has drawn. */

import type { Page } from 'playwright-core'

/**
 * @param browser Expression of the browser in the page.
 * @param track Name of a track of letters.
 */
export function igvPage(page: Page, browser: string, track: string) {
  const view = `${browser}.trackViews.find(({ track }) => track.name === ${JSON.stringify(track)})`
  return {
    /** Waits until the bases `[start, end)` are what is in view and drawn. */
    async ready(start: number, end: number): Promise<void> {
      await page.waitForFunction(`(() => {
        const frame = ${browser}?.referenceFrameList?.[0]
        if (!frame || Math.round(frame.start) !== ${start} || Math.round(frame.end) !== ${end}) return false
        const viewport = ${view}?.viewports[0]
        const drawn = viewport?.canvas?._data
        return drawn?.features?.length > 0 && drawn.bpStart <= ${start} && drawn.bpEnd >= ${end} &&
          drawn.bpPerPixel === frame.bpPerPixel && !viewport.isLoading()
      })()`)
    },

    /** Heights in pixels of what is drawn at the middle of bases. */
    async heights(positions: readonly number[]): Promise<number[]> {
      return await page.evaluate(`(() => {
        const { canvas, referenceFrame, viewportElement } = ${view}.viewports[0]
        const { left } = viewportElement.getBoundingClientRect()
        const box = canvas.getBoundingClientRect()
        const scale = canvas.width / box.width
        const pixels = canvas.getContext('2d')
        return ${JSON.stringify(positions)}.map((position) => {
          // The inner part of the letter, without its neighbours.
          const from = left - box.left + (position + 0.2 - referenceFrame.start) / referenceFrame.bpPerPixel
          const width = Math.ceil((0.6 / referenceFrame.bpPerPixel) * scale)
          const { data } = pixels.getImageData(Math.round(from * scale), 0, width, canvas.height)
          let [first, last] = [canvas.height, -1]
          for (let row = 0; row < canvas.height; row++)
            for (let column = 0; column < width; column++) {
              const [red, green, blue, alpha] = data.subarray(4 * (row * width + column))
              // Lines of the axis are grey.
              const grey = Math.max(red, green, blue) - Math.min(red, green, blue) < 40
              if (alpha < 128 || grey) continue
              first = Math.min(first, row)
              last = row
            }
          return last < 0 ? 0 : (last - first + 1) / scale
        })
      })()`)
    },
  }
}
