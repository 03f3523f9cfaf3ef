// x86-64 with AVX2 and FMA: 8 lanes, 16 registers.
#define CADRE_KERNEL_ISA avx2
#define CADRE_VECTOR_FLOATS 8
#define CADRE_TILE_ROWS 6
#include "common/kernels/kernels_impl.inc"
