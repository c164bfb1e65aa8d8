/** How all figures look. Colours are those of Okabe and Ito, which people with any colour vision tell apart. */

import type { Config } from 'vega-lite'

export const BLACK = '#000000'
export const ORANGE = '#e69f00'
export const SKY_BLUE = '#56b4e9'
export const GREEN = '#009e73'
export const BLUE = '#0072b2'
export const VERMILION = '#d55e00'
export const PURPLE = '#cc79a7'

export const GREY = '#8c8c8c'

/** Labels of methods break at their commas. */
export const BREAK_LABEL = "split(datum.label, ', ')"

export const CONFIG: Config = {
  font: 'Helvetica, Arial, sans-serif',
  background: '#ffffff',
  // The SVG files are images; descriptions of every mark would double their size.
  aria: false,
  title: { fontSize: 15, anchor: 'start' },
  axis: {
    labelLineHeight: 12,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 400,
  },
  header: { labelFontSize: 12, titleFontSize: 12, labelLimit: 400 },
  legend: { labelFontSize: 12, titleFontSize: 12, labelLimit: 400 },
}
