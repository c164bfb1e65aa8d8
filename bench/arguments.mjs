// Arguments of the commands of this folder.

/** The whole number above zero that `text` says; anything else ends the process. */
export function wholeNumber(text) {
  const value = Number(text)
  return Number.isInteger(value) && value > 0 ? value : fail(`expected a whole number, found ${text}`)
}

/** Ends the process with a message: it was called wrongly. */
export function fail(message) {
  console.error(message)
  process.exit(2)
}
