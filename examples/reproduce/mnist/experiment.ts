/**
 * Experiment A, paper section 4.1 and figure 4: erase the pixels that speak most for one digit and against another,
 * and see how far the log-odds of the two move. A method that finds the pixels that matter moves them far.
 */

import { join } from 'node:path'
import { DeepLift, type ScoreOptions } from 'deeplift'
import { batchOf, DIGITS, type Images, PIXELS, readImages } from './images.js'
import { METHODS, type Method } from './methods.js'

/** The digit that is there, and the one that erasing should turn it into. */
export type Pair = readonly [original: number, target: number]

export const PAIRS: readonly Pair[] = [
  [8, 3],
  [8, 6],
  [9, 1],
  [4, 1],
]

export function pairName([original, target]: Pair): string {
  return `${original} → ${target}`
}

/** A fifth of the pixels, as in the paper. */
const LARGEST_ERASURE = 157

export interface Erasure {
  pair: Pair
  method: Method
  /** Numbers of the images within the test set. */
  images: readonly number[]
  /** Log-odds of original against target before erasing, minus after, by image. */
  changes: Float64Array
  /** Images whose log-odds are negative after erasing. */
  flips: number
  /** Pixels erased, over all images. */
  erased: number
  /** Image {@link EXAMPLE}, if it is one of them. */
  example?: {
    /** Score of each pixel for the original digit minus that for the target. */
    scores: Float64Array
    /** Brightness after erasing. */
    pixels: Float32Array
  }
}

export interface Mnist {
  images: Images
  accuracy: number
  erasures: Erasure[]
}

/** First of the images that the authors' notebook shows for 8 → 3. */
export const EXAMPLE = 5846

export async function eraseExperiment(folder: string, log: (line: string) => void): Promise<Mnist> {
  const model = await DeepLift.load(join(folder, 'mnist_allconv.onnx'))
  const images = await readImages(folder)
  const accuracy = await testAccuracy(model, images)
  const erasures: Erasure[] = []
  for (const original of new Set(PAIRS.map(([digit]) => digit))) {
    const pairs = PAIRS.filter(([digit]) => digit === original)
    const chosen = [...images.labels.keys()].filter((index) => images.labels[index] === original)
    for (const method of METHODS) {
      erasures.push(...(await erase(model, images, chosen, pairs, method)))
      log(`MNIST: images of ${original}, ${method.label}`)
    }
  }
  return { images, accuracy, erasures }
}

/** Share of all test images whose largest logit is that of their digit. */
async function testAccuracy(model: DeepLift, { pixels, labels }: Images): Promise<number> {
  const all = Array.from({ length: labels.length }, (_, index) => index)
  const digits = Array.from({ length: DIGITS }, (_, digit) => digit)
  const logits = await logitsOf(model, batchOf({ pixels, labels }, all), digits)
  const right = all.filter((index) => {
    const own = logits.subarray(index * DIGITS, (index + 1) * DIGITS)
    return own.indexOf(Math.max(...own)) === labels[index]
  })
  return right.length / all.length
}

interface Batch {
  data: Float32Array
  shape: readonly number[]
}

function targetsOf(digits: readonly number[]): ScoreOptions['target'] {
  return digits.map((index) => ({ output: 'logits', index }))
}

/** `[n, digits]` */
async function logitsOf(model: DeepLift, x: Batch, digits: readonly number[]): Promise<Float64Array> {
  const options: ScoreOptions = { references: 'zeros', target: targetsOf(digits), outputs: [] }
  return (await model.score({ x }, options)).output.data
}

async function erase(
  model: DeepLift,
  images: Images,
  chosen: readonly number[],
  pairs: readonly Pair[],
  method: Method,
): Promise<Erasure[]> {
  const digits = [pairs[0]![0], ...pairs.map(([, target]) => target)]
  const x = batchOf(images, chosen)
  const scores = await scoresOf(model, x, digits, method)
  const before = await logitsOf(model, x, digits)
  const erasures: Erasure[] = []
  for (const [place, pair] of pairs.entries()) {
    const of = (image: number, digit: number) => {
      const start = (image * digits.length + digit) * PIXELS
      return scores.subarray(start, start + PIXELS)
    }
    const differences = chosen.map((_, image) =>
      Float64Array.from(of(image, 0), (score, pixel) => score - of(image, place + 1)[pixel]!),
    )
    const { data, erased } = eraseLargest(x, differences)
    const after = await logitsOf(model, { ...x, data }, digits)
    const logOdds = (logits: Float64Array, image: number) =>
      logits[image * digits.length]! - logits[image * digits.length + place + 1]!
    const example = chosen.indexOf(EXAMPLE)
    erasures.push({
      pair,
      method,
      images: chosen,
      changes: Float64Array.from(chosen, (_, image) => logOdds(before, image) - logOdds(after, image)),
      flips: chosen.filter((_, image) => logOdds(after, image) < 0).length,
      erased,
      ...(example >= 0 && {
        example: {
          scores: differences[example]!,
          pixels: data.slice(example * PIXELS, (example + 1) * PIXELS),
        },
      }),
    })
  }
  return erasures
}

/** Scores of each pixel for each digit, `[n, digits, 28 · 28]`. */
async function scoresOf(
  model: DeepLift,
  x: Batch,
  digits: readonly number[],
  { options, masked }: Method,
): Promise<Float32Array> {
  const scores = await model.score(
    { x },
    {
      references: 'zeros',
      target: targetsOf(digits),
      outputs: [masked ? 'multipliers' : 'contributions'],
      ...options,
    },
  )
  if (!masked) return scores.contributions.x!.data as Float32Array
  const multipliers = scores.multipliers.x!.data as Float32Array
  return multipliers.map((value, index) => {
    const image = Math.floor(index / (digits.length * PIXELS))
    return x.data[image * PIXELS + (index % PIXELS)]! > 0 ? value : 0
  })
}

/** Blackens the pixels of the largest positive scores, at most {@link LARGEST_ERASURE} of each image. */
function eraseLargest(x: Batch, scores: readonly Float64Array[]): { data: Float32Array; erased: number } {
  const data = x.data.slice()
  let erased = 0
  for (const [image, own] of scores.entries()) {
    const sorted = own.slice().sort()
    const threshold = Math.max(sorted[PIXELS - 1 - LARGEST_ERASURE]!, 0)
    for (const [pixel, score] of own.entries()) {
      if (!(score > threshold)) continue
      data[image * PIXELS + pixel] = 0
      erased++
    }
  }
  return { data, erased }
}
