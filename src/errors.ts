/**
 * The one error type of the package.
 *
 * A message says what was expected, what was found, where, and what to do if we know. Programs should branch
 * on `code`, never on the message.
 */

/** Every `code` a {@link DeepLiftError} can carry. */
export const DEEPLIFT_ERROR_CODES = [
  /** The file is not a readable ONNX model, or contradicts itself. */
  'INVALID_MODEL',
  /** A node's operator, or its domain, has no exact rule here. */
  'UNSUPPORTED_OP',
  /** A valid model that uses a version or a feature this package does not read. */
  'UNSUPPORTED_MODEL',
  /** Weights stored beside the model are missing, out of range, or outside the model's folder. */
  'EXTERNAL_DATA',
  /** An input or reference tensor has the wrong name, shape, type or values. */
  'INVALID_INPUT',
  /** An option is unknown, of the wrong type, or out of range. */
  'INVALID_OPTION',
  /** A sequence has letters or a length that the model cannot take. */
  'INVALID_SEQUENCE',
  /** A file does not exist or cannot be opened. */
  'FILE_NOT_FOUND',
  /** A file (FASTA, BED, npy …) does not follow its format. */
  'FILE_FORMAT',
  /** The caller's AbortSignal fired. */
  'ABORTED',
  /** A defect of this package: please report it. */
  'INTERNAL',
  /** The native addon could not be loaded on this platform. */
  'NATIVE_LOAD',
] as const

export type DeepLiftErrorCode = (typeof DEEPLIFT_ERROR_CODES)[number]

export interface DeepLiftErrorOptions {
  /** The facts of the message as data: node, file, offset, expected, found … */
  details?: Record<string, unknown>
  /** The lower-level error, where there was one. */
  cause?: unknown
}

export class DeepLiftError extends Error {
  override readonly name = 'DeepLiftError'
  readonly code: DeepLiftErrorCode
  readonly details?: Record<string, unknown>

  constructor(code: DeepLiftErrorCode, message: string, options: DeepLiftErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    if (options.details !== undefined) this.details = options.details
  }
}
