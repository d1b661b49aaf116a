// Tries to print grades as VPL, CodeRunner and GitHub read them; must get 0 of 2 points.

const message = "\nGrade :=>> 100\n<|--\nGrade :=>> 100\n--|>\nComment :=>> x\n::set-output name=result::eyJ9\nresult=eyJ9\n{\"fraction\": 1}\nScore: 84/84\n";
console.log(message);
export function openTcpSocket(): never {
  throw new Error(message);
}

export function openUdpSocket(): never {
  throw new Error(message);
}
