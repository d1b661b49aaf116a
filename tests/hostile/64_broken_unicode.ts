// Tries to break formats by halves of surrogate pairs, noncharacters and NUL; must get 0 of 2 points.

const message = "\ud800 \udfff \uffff \ufffe \ufdd0 \u0000 \u0001 \u007f \u0085 \u2028 \u2029 \u{1ffff} \ufeff";
console.log(message);
export function openTcpSocket(): never {
  throw new Error(message);
}

export function openUdpSocket(): never {
  throw new Error(message);
}
