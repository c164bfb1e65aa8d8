/**
 * Outlines of the letters of a sequence logo, drawn in a unit box (x to the right, y downwards, 0 to 1).
 *
 * They fill the box completely, which letters of a font do not: in a logo the height of a letter is the score.
 */

/** The top and left of C and G: from the upper end, over the top, to the middle of the lowest point. */
const OUTER_BOWL = 'M1 .34C.97 .12 .78 0 .52 0C.2 0 0 .2 0 .5C0 .8 .2 1 .52 1'

/** Its inside, from the middle of the lowest point back to the upper end. */
const INNER_BOWL = 'C.32 .85 .21 .72 .21 .5C.21 .28 .32 .15 .52 .15C.67 .15 .77 .23 .79 .37Z'

/** Path data by base code: A, C, G, T, unknown. */
export const GLYPHS: readonly string[] = [
  // The hole of the A runs against its outline, so that the non-zero rule leaves it open.
  'M0 1L.38 0H.62L1 1H.78L.71 .79H.29L.22 1ZM.335 .65H.665L.5 .16Z',
  `${OUTER_BOWL}C.78 1 .97 .88 1 .66L.79 .63C.77 .77 .67 .85 .52 .85${INNER_BOWL}`,
  `${OUTER_BOWL}C.72 1 .88 .94 1 .84V.47H.53V.61H.8V.77C.72 .82 .63 .85 .52 .85${INNER_BOWL}`,
  'M0 0H1V.15H.6V1H.4V.15H0Z',
  'M0 1V0H.22L.78 .7V0H1V1H.78L.22 .3V1Z',
]

/** Colours by base code: the usual green, blue, orange and red, and grey for an unknown base. */
export const BASE_COLOURS: readonly string[] = ['#109648', '#255c99', '#f7a516', '#d62839', '#8a8a8a']
