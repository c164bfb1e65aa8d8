// Writes the networks of the benchmark to bench/models/.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { KERNELS, NETWORKS } from './networks.mjs'

export const MODELS = fileURLToPath(new URL('models', import.meta.url))

/** The path of a network's model in `folder`. */
export function modelPath({ name }, folder = MODELS) {
  return join(folder, `${name}.onnx`)
}

/** Writes the networks, replacing what is there. Returns `{ name, bytes, gflop }` of each. */
export function writeModels(networks, folder = MODELS) {
  mkdirSync(folder, { recursive: true })
  return networks.map((network) => {
    const { name } = network
    const net = network.build()
    const encoded = net.encode(name)
    writeFileSync(modelPath(network, folder), encoded)
    return { name, bytes: encoded.length, gflop: net.flop / 1e9 }
  })
}

/** Writes those networks whose file is not there. */
export function ensureModels(networks, folder = MODELS) {
  writeModels(
    networks.filter((network) => !existsSync(modelPath(network, folder))),
    folder,
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const network of [...NETWORKS, ...KERNELS]) {
    const [{ name, bytes, gflop }] = writeModels([network])
    console.log(`${name}.onnx  ${(bytes / 1e6).toFixed(2)} MB  ${gflop.toFixed(4)} GFLOP per forward pass`)
  }
}
