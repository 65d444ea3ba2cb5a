/* conv2d_b1, conv2d_b1_f32 and conv2d_b1_s16, 32 output channels in a register: kernels/binary/sliced.inc.h */
#ifndef ERT_CONV2D_B1__SLICED32_H
#define ERT_CONV2D_B1__SLICED32_H

#include "include/ert_taps.h"
#include "kernels/binary/conv2d_b1_f32.h"
#include "kernels/binary/conv2d_b1_s16.h"

#define ERT_SLICED_WORDS 1
#define ERT_SLICED(name) name##32
#include "kernels/binary/sliced.inc.h"
#undef ERT_SLICED
#undef ERT_SLICED_WORDS

#endif
