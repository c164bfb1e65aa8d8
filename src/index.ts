/** DeepLIFT contribution scores of ONNX models. */

export {
  DEEPLIFT_ERROR_CODES,
  DeepLiftError,
  type DeepLiftErrorCode,
  type DeepLiftErrorOptions,
} from './errors.js'
export { type Alleles, allelesOf, type SkippedVariant, type SkipReason } from './genomics/alleles.js'
export { readBed } from './genomics/bed.js'
export { type FastaOptions, readFasta, type SequenceRecord } from './genomics/fasta.js'
export { Genome, type GenomeOptions, type Lowercase } from './genomics/genome.js'
export type { LetterOptions } from './genomics/letters.js'
export {
  type BedRow,
  type DropReason,
  type Edges,
  type Region,
  type Strand,
  windowOf,
} from './genomics/region.js'
export type { AlleleKind, Variant } from './genomics/variant.js'
export { readVariantList, type VariantSchema } from './genomics/variant-list.js'
export { readVcf } from './genomics/vcf.js'
export type { Inputs } from './inputs.js'
export type { ByteSource } from './io/byte-source.js'
export { type NpyArray, NpyFile, readNpy } from './io/npy-read.js'
export { NpyWriter, writeNpy } from './io/npy-write.js'
export { readNpz } from './io/npz-read.js'
export { NpzWriter } from './io/npz-write.js'
export { DeepLift, type LoadOptions, type ModelInfo } from './model.js'
export type {
  Mutagenesis,
  MutagenesisBatch,
  MutagenesisOptions,
  MutagenesisStreamOptions,
} from './mutagenesis.js'
export type { FloatArray, Precision } from './native.js'
export type { HeadName, HeadTarget, ProfileWeights } from './options/head.js'
export type { NodeRuleName, Rule, RuleName } from './options/rule.js'
export type {
  DescribeOptions,
  OutputName,
  PlanChoices,
  ScoreOptions,
  StreamOptions,
  TraceOptions,
} from './options/score-options.js'
export type { SingleTarget, Target, TargetObject } from './options/target.js'
export type { AxisIndex, TargetIndex } from './options/target-index.js'
export type { InputInfo, OpenShape, TensorInfo } from './options/tensor-info.js'
export type { Variants } from './options/variants.js'
export { contributionLogo, type LogoOptions } from './output/logo.js'
export type { BufferInfo, PassWork, PlanDescription, PlanStep, TotalWork } from './plan.js'
export type { PredictBatch, Predictions, PredictOptions, PredictStreamOptions } from './predict.js'
export type { Progress, RunProgress } from './progress.js'
export type { SequenceInput, StreamRecord, TensorRecord } from './records.js'
export {
  type DinucleotideShuffle,
  type DinucleotideShuffleOptions,
  dinucleotideShuffle,
  type InputReferences,
  type References,
} from './references.js'
export type { Scores } from './scores.js'
export { shuffledSequences } from './shuffles.js'
export type { RecordSource, ScoreBatch } from './stream.js'
export type { InputData, IntegerData, Tensor, TensorData } from './tensor.js'
export type { NodeResidual } from './trace.js'
