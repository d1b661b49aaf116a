// Fails task 1, 2, 3, 4, 5, 6: a variable has the name of a keyword.

const new = 1;
export function openTcpSocket(): Deno.TcpListener {
  return Deno.listen({ hostname: "127.0.0.1", port: 0 });
}
