// Tries to read the model solution by a static import; must get 0 of 2 points.

import * as model from "ROOT_URL/solutions/01_create_bind/exercise.ts";
console.log(`ESCAPED: ${Object.keys(model)}`);
export const { openTcpSocket, openUdpSocket } = model as any;
