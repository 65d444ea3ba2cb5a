/* Rows of a 3x3 depthwise convolution from a plane of int16, two outputs at a time, in assembler: the six words of
 * taps stay in registers, which no compiler was seen to manage. One copy serves every layer of a stride.
 * Only for cores with the DSP extension (ERT_DSP_ASM), outputs that saturate to int8 and nothing else, and strides
 * 1 and 2. Used by depthwise_conv2d_s8__dsp.h, which does the same in C. */
#ifndef ERT_DEPTHWISE_3X3_H
#define ERT_DEPTHWISE_3X3_H

#include "include/ert_channel.h"
#include "include/ert_common.h"
#include "include/ert_dsp.h"

/* What does not change along a row; the assembler reads it in this order. twice_bias: of the sums. pitch: bytes from
 * a row of taps to the next. out_c: bytes from an output to the next. end: x behind the last pair. back: from the
 * last row of taps of a pair to the first of the next. odd: whether one output remains. */
typedef struct {
    int32_t twice_bias, pitch, multiplier, offset, shift, out_c;
    const int16_t *end;
    int32_t back, odd;
} ert_depthwise_3x3_t;

#if defined(ERT_DSP_ASM)
#define ERT_DEPTHWISE_3X3_FIRST(w0, w1) \
    "smlad %[s0], %[a], %[" w0 "], %[s0]\n\t" \
    "smlabt %[s0], %[b], %[" w1 "], %[s0]\n\t"
/* One row of taps of two windows a column apart ... */
#define ERT_DEPTHWISE_3X3_STRIDE_1(w0, w1, from) \
    "ldrd %[a], %[b], [%[x]]\n\t" \
    "smlatb %[s1], %[a], %[" w0 "], %[" from "]\n\t" \
    ERT_DEPTHWISE_3X3_FIRST(w0, w1) \
    "smlad %[s1], %[b], %[" w1 "], %[s1]\n\t"
/* ... and two columns apart. */
#define ERT_DEPTHWISE_3X3_STRIDE_2(w0, w1, from) \
    "ldrd %[a], %[b], [%[x]]\n\t" \
    "smlad %[s1], %[b], %[" w0 "], %[" from "]\n\t" \
    ERT_DEPTHWISE_3X3_FIRST(w0, w1) \
    "ldr %[a], [%[x], #8]\n\t" \
    "smlabt %[s1], %[a], %[" w1 "], %[s1]\n\t"
#define ERT_DEPTHWISE_3X3_REQUANTIZE(sum) \
    "add %[p], %[b], %[" sum "], asr #31\n\t" \
    "smmlar %[" sum "], %[" sum "], %[a], %[p]\n\t"
#define ERT_DEPTHWISE_3X3_ROW(taps) \
    __asm__ volatile("ldr %[a], [%[f], #24]\n\t" \
                     "cmp %[x], %[a]\n\t" \
                     "beq 2f\n" \
                     "1:\n\t" \
                     "ldrd %[s0], %[p], [%[f]]\n\t" \
                     taps("w0", "w1", "s0") \
                     "add %[x], %[x], %[p]\n\t" \
                     taps("w2", "w3", "s1") \
                     "add %[x], %[x], %[p]\n\t" \
                     taps("w4", "w5", "s1") \
                     "ldrd %[a], %[b], [%[f], #8]\n\t" \
                     ERT_DEPTHWISE_3X3_REQUANTIZE("s0") \
                     ERT_DEPTHWISE_3X3_REQUANTIZE("s1") \
                     "ldrd %[a], %[b], [%[f], #16]\n\t" \
                     "asr %[s0], %[s0], %[a]\n\t" \
                     "asr %[s1], %[s1], %[a]\n\t" \
                     "ssat %[s0], #8, %[s0]\n\t" \
                     "ssat %[s1], #8, %[s1]\n\t" \
                     "strb %[s0], [%[y]]\n\t" \
                     "strb %[s1], [%[y], %[b]]\n\t" \
                     "add %[y], %[y], %[b], lsl #1\n\t" \
                     "ldrd %[a], %[b], [%[f], #24]\n\t" \
                     "add %[x], %[x], %[b]\n\t" \
                     "cmp %[x], %[a]\n\t" \
                     "bne 1b\n" \
                     "2:\n\t" \
                     "ldr %[a], [%[f], #32]\n\t" \
                     "cmp %[a], #0\n\t" \
                     "beq 3f\n\t" \
                     "ldrd %[s0], %[p], [%[f]]\n\t" \
                     "ldrd %[a], %[b], [%[x]]\n\t" \
                     ERT_DEPTHWISE_3X3_FIRST("w0", "w1") \
                     "add %[x], %[x], %[p]\n\t" \
                     "ldrd %[a], %[b], [%[x]]\n\t" \
                     ERT_DEPTHWISE_3X3_FIRST("w2", "w3") \
                     "add %[x], %[x], %[p]\n\t" \
                     "ldrd %[a], %[b], [%[x]]\n\t" \
                     ERT_DEPTHWISE_3X3_FIRST("w4", "w5") \
                     "ldrd %[a], %[b], [%[f], #8]\n\t" \
                     ERT_DEPTHWISE_3X3_REQUANTIZE("s0") \
                     "ldr %[a], [%[f], #16]\n\t" \
                     "asr %[s0], %[s0], %[a]\n\t" \
                     "ssat %[s0], #8, %[s0]\n\t" \
                     "strb %[s0], [%[y]]\n" \
                     "3:" \
                     : [x] "+r"(at), [y] "+r"(to), [s0] "=&r"(s0), [s1] "=&r"(s1), [a] "=&r"(a), [b] "=&r"(b), \
                       [p] "=&r"(p) \
                     : [w0] "r"(w0), [w1] "r"(w1), [w2] "r"(w2), [w3] "r"(w3), [w4] "r"(w4), [w5] "r"(w5), \
                       [f] "r"(f) \
                     : "cc", "memory")
/* `rows` rows of output, out_w wide; x: the first window, later rows x_step int16 further. */
#define ERT_DEPTHWISE_3X3_FUNCTION(name, row_of_taps, stride) \
    static __attribute__((noinline)) void name( \
        const int16_t *x, int32_t x_step, int8_t *y, int32_t out_w, int32_t rows, const int16_t *taps, \
        ert_depthwise_3x3_t *frame) \
    { \
        register const int16_t *at __asm__("r0"); \
        register int8_t *to __asm__("r1"); \
        register uint32_t w0 __asm__("r2") = ert_load32(taps), w1 __asm__("r3") = ert_load32(taps + 1); \
        register uint32_t w2 __asm__("r4") = ert_load32(taps + 3), w3 __asm__("r5") = ert_load32(taps + 4); \
        register uint32_t w4 __asm__("r6") = ert_load32(taps + 6), w5 __asm__("r7") = ert_load32(taps + 7); \
        register int32_t s0 __asm__("r8"), s1 __asm__("r9"), a __asm__("r10"), b __asm__("r11"); \
        register int32_t p __asm__("r12"); \
        register ert_depthwise_3x3_t *f __asm__("lr") = frame; \
        _Pragma("GCC unroll 1") for (; rows > 0; rows--, x += x_step, y += out_w * frame->out_c) { \
            at = x; \
            to = y; \
            frame->end = x + out_w / 2 * 2 * (stride); \
            ERT_DEPTHWISE_3X3_ROW(row_of_taps); \
        } \
    }

ERT_DEPTHWISE_3X3_FUNCTION(ert_depthwise_3x3_stride_1, ERT_DEPTHWISE_3X3_STRIDE_1, 1)
ERT_DEPTHWISE_3X3_FUNCTION(ert_depthwise_3x3_stride_2, ERT_DEPTHWISE_3X3_STRIDE_2, 2)

/* x: the first window in a plane with `pitch` int16 to a row; taps: doubled. */
ERT_INLINE void ert_depthwise_3x3_rows(
    const int16_t *x, int32_t pitch, int32_t dilation_h, int32_t stride_h, int32_t stride_w, const int16_t *taps,
    const ert_channel_t *c, int8_t *y, int32_t out_w, int32_t out_c, int32_t rows)
{
    const int32_t apart = 2 * dilation_h * pitch;
    ert_depthwise_3x3_t frame = {
        2 * c->bias, apart, c->multiplier, c->offset, c->shift, out_c, x, 4 * stride_w - 2 * apart, out_w % 2};
    if (stride_w == 1) {
        ert_depthwise_3x3_stride_1(x, stride_h * pitch, y, out_w, rows, taps, &frame);
    } else {
        ert_depthwise_3x3_stride_2(x, stride_h * pitch, y, out_w, rows, taps, &frame);
    }
}
#endif

#endif
