// Laws of cost, fitted to measurements `[{ x, y }]`.

/**
 * The line that is nearest in relative terms, `{ slope, intercept, residual }`: least squares with weights 1 / y², so
 * that small costs count as much as large ones. `residual` is the largest relative distance of a point.
 */
export function affineFit(points) {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0]
  for (const { x, y } of points) {
    const weight = 1 / y ** 2
    w += weight
    wx += weight * x
    wy += weight * y
    wxx += weight * x * x
    wxy += weight * x * y
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx)
  const intercept = (wy - slope * wx) / w
  const residual = Math.max(...points.map(({ x, y }) => Math.abs(intercept + slope * x - y) / y))
  return { slope, intercept, residual }
}

/** The power of x as which y grows: the slope between logarithms. */
export function exponent(points) {
  const logs = points.map(({ x, y }) => [Math.log(x), Math.log(y)])
  const [meanX, meanY] = [0, 1].map((k) => logs.reduce((sum, each) => sum + each[k], 0) / logs.length)
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return covariance / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}
