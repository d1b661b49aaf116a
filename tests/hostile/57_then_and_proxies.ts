// Tries to answer with objects that run code when they are looked at; must get 0 of 2 points.

// deno-lint-ignore-file
const trap = new Proxy({}, { get: (_, name) => (name === "then" ? (resolve: any) => resolve(trap) : trap), ownKeys: () => { throw new Error("seen"); } });
export const then = (resolve: any) => resolve({ openTcpSocket: () => "forged" });
export const openTcpSocket = () => ({ __proto__: null, get addr() { for (;;); } });
export const openUdpSocket = () => trap;
