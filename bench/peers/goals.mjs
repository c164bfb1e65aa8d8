// How many times faster than its best tuned peer a network should be, per pair and on the same threads.
//
// `avx512`: processors with AVX-512 but without AMX; `amx`: with both; `avx2`: neither.
export const GOALS = {
  genomics: { avx512: 9, amx: 10, avx2: 5 },
  basset: { avx512: 8, amx: 10, avx2: 4 },
  deepsea: { avx512: 5.5, amx: 7, avx2: 2.8 },
  beluga: { avx512: 5, amx: 6, avx2: 2.5 },
  'bpnet-counts': { avx512: 14, amx: 18, avx2: 7 },
  chrombpnet: { avx512: 5.5, amx: 7, avx2: 2.8 },
  mnist: { avx512: 12, amx: 14, avx2: 7 },
}

/** The goal where `isa` is in use; null where none was set. */
export function goal(name, isa, flags) {
  const kind = isa === 'avx512' && flags.includes('amx_tile') ? 'amx' : isa
  return GOALS[name]?.[kind] ?? null
}
