// Tries to make the suite search its source for ever; must get 0 of 2 points.

const SPACES = 0; /* importMANY_BLANKSx */ const path = "file://OUTSIDE_FILE"; await import(path + "" + (SPACES || ""));
