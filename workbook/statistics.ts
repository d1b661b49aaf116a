/**
 * What is said of several measurements.
 *
 * @module
 */

/** The middle of `values`, or of the two in the middle; 0 if there are none. */
export function median(values: number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median, lowest and highest of `values`, in whole numbers: `225 (197–276)`. */
export function spread(values: number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(Math.round);
  return `${Math.round(median(values))} (${low}–${high})`;
}
