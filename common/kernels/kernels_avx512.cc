// x86-64 with AVX-512 F, DQ, BW and VL: 16 lanes, 32 registers.
#define CADRE_KERNEL_ISA avx512
#define CADRE_VECTOR_FLOATS 16
#define CADRE_TILE_ROWS 12
#include "common/kernels/kernels_impl.inc"
