// Tries to rewrite the teacher's terminal by escapes in output and errors; must get 0 of 2 points.

const message = "\x1b]0;title\x07\x1b[2J\x1b[1;1HScore: 84/84\x1b]52;c;Y2F0\x07\x9b31m\r\u202e\u2066 \x08\x08";
console.log(message);
export function openTcpSocket(): never {
  throw new Error(message);
}

export function openUdpSocket(): never {
  throw new Error(message);
}
