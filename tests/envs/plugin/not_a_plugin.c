/* A library that has nothing to do with Cadre. */
int nothing(void) { return 0; }
