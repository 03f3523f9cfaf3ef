// For every processor of the target: 4 lanes, 16 registers.
#define CADRE_KERNEL_ISA baseline
#define CADRE_VECTOR_FLOATS 4
#define CADRE_TILE_ROWS 6
#include "common/kernels/kernels_impl.inc"
