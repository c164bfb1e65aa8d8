/** Inputs beside the one that takes sequences, such as control tracks: they hold the same values for every sequence. */

import { NpyFile } from '../io/npy-read.js'
import type { DeepLift } from '../model.js'
import { didYouMean } from '../options/check.js'
import { fixedShape } from '../options/layout.js'
import { showShape, sizeOf, type Tensor } from '../tensor.js'
import { byInput, usageOf } from './arguments.js'
import { tensorData } from './values.js'

export interface InputRoles {
  /** The input that takes sequences. */
  input: string
  /** Values of one example of the others. */
  others: Record<string, Tensor>
}

/** @param texts `NAME=FILE.npy` or `NAME=zeros`, for all inputs but one. */
export async function inputRoles(
  command: string,
  { inputs }: DeepLift,
  texts: readonly string[] = [],
): Promise<InputRoles> {
  const names = inputs.map(({ name }) => name)
  const odd = texts.find((text) => !names.some((name) => text.startsWith(`${name}=`)))
  if (odd !== undefined)
    throw usageOf(
      command,
      `--input ${odd}: the model has the inputs ${names.join(', ')}; write --input NAME=FILE.npy or NAME=zeros.` +
        didYouMean(odd.split('=', 1)[0]!, names),
    )
  const given = byInput(texts, names, '--input')
  const [input, another] = names.filter((name) => !given.has(name))
  if (input === undefined)
    throw usageOf(command, 'all inputs have values; leave out the one that takes the sequences.')
  if (another !== undefined)
    throw usageOf(
      command,
      `the model has the inputs ${names.join(', ')}; one takes the sequences: give the others as --input NAME=zeros ` +
        'or NAME=FILE.npy.',
    )
  const others: Record<string, Tensor> = {}
  for (const [name, text] of given)
    others[name] = await valuesOf(command, inputs.find((each) => each.name === name)!, text)
  return { input, others }
}

async function valuesOf(command: string, info: DeepLift['inputs'][number], text: string): Promise<Tensor> {
  const named = `input ${JSON.stringify(info.name)}`
  const expected = fixedShape(info)
  if (text === 'zeros') {
    if (!expected)
      throw usageOf(
        command,
        `${named} ${showShape(info.shape)} has no fixed size; give the zeros as --input ${info.name}=FILE.npy.`,
      )
    return { data: new Float32Array(sizeOf(expected)), shape: expected }
  }
  const file = await NpyFile.open(text)
  try {
    const rank = info.shape.length - 1
    const shape = file.shape.length === rank + 1 && file.shape[0] === 1 ? file.shape.slice(1) : file.shape
    const fits =
      shape.length === rank &&
      shape.every((extent, axis) => {
        const open = info.shape[axis + 1]
        return typeof open !== 'number' || open === extent
      })
    if (!fits)
      throw usageOf(
        command,
        `${text}: one example of ${named} has the shape ${showShape(info.shape.slice(1))}, for all sequences alike; ` +
          `the file has ${showShape(file.shape)}.`,
      )
    return { data: tensorData(await file.readAll(), false, text), shape }
  } finally {
    await file.close()
  }
}
