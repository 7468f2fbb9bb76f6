/** Huffman codes as deflate has them (RFC 1951, 3.2.2): made of the lengths of their codes alone. */

/**
 * Bits of each symbol's code, so that the counted symbols take the fewest together; 0 for those that do not occur. At
 * least two have to. Where codes would be longer than `limit`, counts are brought nearer to each other.
 */
export function codeLengths(counts: Uint32Array, limit: number): Uint8Array {
  const leaves: number[] = [];
  for (let symbol = 0; symbol < counts.length; symbol++) if (counts[symbol]! > 0) leaves.push(symbol);
  leaves.sort((a, b) => counts[a]! - counts[b]! || a - b);
  for (let weights = counts;; weights = weights.map((weight) => (weight >>> 1) + 1)) {
    const lengths = lengthsOf(leaves, weights);
    if (lengths.every((length) => length <= limit)) return lengths;
  }
}

/** @param leaves symbols with the lightest first */
function lengthsOf(leaves: readonly number[], weights: Uint32Array): Uint8Array {
  const lengths = new Uint8Array(weights.length);
  // Nodes above the leaves come to be in the order of their weights, so that the two lightest are found at two places.
  const above = new Float64Array(leaves.length);
  const parent = new Uint16Array(2 * leaves.length);
  let [leaf, node, made] = [0, 0, 0];
  const lightest = (): { readonly weight: number; readonly index: number } => {
    const weight = leaf < leaves.length ? weights[leaves[leaf]!]! : Infinity;
    if (node < made && above[node]! < weight) {
      return { weight: above[node]!, index: leaves.length + node++ };
    }
    return { weight, index: leaf++ };
  };
  while (made < leaves.length - 1) {
    const [one, other] = [lightest(), lightest()];
    above[made] = one.weight + other.weight;
    parent[one.index] = parent[other.index] = leaves.length + made;
    made++;
  }
  const depth = new Uint8Array(2 * leaves.length);
  const top = leaves.length + made - 1;
  for (let index = top - 1; index >= 0; index--) depth[index] = depth[parent[index]!]! + 1;
  leaves.forEach((symbol, index) => lengths[symbol] = depth[index]!);
  return lengths;
}

/** Each symbol's code, with its lowest bit to be written first, in the bits above its length, which takes the lowest four. */
export function codesOf(lengths: Uint8Array): Int32Array {
  const next = new Uint32Array(17);
  for (const length of lengths) if (length > 0) next[length + 1]!++;
  for (let length = 1; length < next.length; length++) {
    next[length] = (next[length]! + next[length - 1]!) << 1 >>> 0;
  }
  const codes = new Int32Array(lengths.length);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol]!;
    if (length > 0) codes[symbol] = reversed(next[length]!++, length) << 4 | length;
  }
  return codes;
}

function reversed(code: number, length: number): number {
  let bits = 0;
  for (let i = 0; i < length; i++) bits |= ((code >>> i) & 1) << (length - 1 - i);
  return bits;
}
