/* conv2d_b1, _f32 and _s16 with an output channel in each bit lane of a register. A template: included once for each
 * width, with ERT_SLICED_WORDS, the words of a register, and ERT_SLICED(name), which adds the width to a name.
 *
 * With S the sum of a channel's weights, as 0 and 1, over the taps that are +1, and C over all of its n taps,
 *     the number of equal bits = 2*S + (taps that are -1) - C,        dot = 2 * equal - n.
 * So the taps that are -1 cost nothing; where those that are +1 are more, the others are summed instead:
 *     the number of equal bits = C + n - (2*S' + (taps that are +1)).
 * Where zeros outside of the map count for nothing, both are summed, as C has no single value:
 *     2 * equal = 2*S + 2 * (taps that are -1) - 2*S'.
 * Sums are bit-sliced: bit k of all lanes in one register. Sixteen rows of weights at a time go through fifteen full
 * adders and leave one carry (Harley and Seal; H. Warren: Hacker's Delight, 2nd edition, 5-1). The comparison with
 * the thresholds is bit-sliced too, and gives the output as it is stored.
 * Weights   rows of a register, [out_c / lanes][n + 1]; lanes without a channel and the last row are 0
 * Scratch   the list of taps, which ends with up to 15 that name the last row, and the sums */

#if ERT_SLICED_WORDS == 1
typedef uint32_t ERT_SLICED(ert_lanes);
#else
typedef uint32_t ERT_SLICED(ert_lanes) __attribute__((vector_size(4 * ERT_SLICED_WORDS), aligned(4)));
#endif
#define LANES ERT_SLICED(ert_lanes)

ERT_INLINE void ERT_SLICED(ert_lanes_fill)(LANES *lanes, uint32_t bit)
{
    uint32_t words[ERT_SLICED_WORDS];
    for (int32_t k = 0; k < ERT_SLICED_WORDS; k++) {
        words[k] = 0u - bit;
    }
    __builtin_memcpy(lanes, words, sizeof words);
}

/* sum + a + b becomes 2 * carry + sum */
ERT_INLINE void ERT_SLICED(ert_lanes_add)(LANES *carry, LANES *sum, const LANES *a, const LANES *b)
{
    const LANES second = *b;
    LANES differ = *sum ^ *a;
#if defined(__aarch64__) && ERT_SLICED_WORDS == 4
    __asm__("" : "+w"(differ)); /* else clang finds three operations for the carry, where BSL is one */
#endif
    *carry = (differ & second) | (~differ & *a);
    *sum = differ ^ second;
}

#if ERT_SLICED_WORDS == 1 && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(ERT_NO_ASM)
/* A full adder of registers, as ert_lanes_add; a and b are lost. */
#define ERT_SLICED_ADD(carry, s, a, b) \
    "eor %[t], " s ", " a "\n\tand " a ", " a ", " s "\n\teor " s ", %[t], " b "\n\tand " b ", " b ", %[t]\n\t" \
    "orr " carry ", " a ", " b "\n\t"
#define ERT_SLICED_2(carry, at) \
    "ldrh %[a], [%[taps], #" #at "]\n\tldrh %[b], [%[taps], #" #at " + 2]\n\tldr %[a], [%[w], %[a], lsl #2]\n\t" \
    "ldr %[b], [%[w], %[b], lsl #2]\n\t" ERT_SLICED_ADD(carry, "%[s0]", "%[a]", "%[b]")
#define ERT_SLICED_4(carry, at) \
    ERT_SLICED_2("%[two]", at) ERT_SLICED_2("%[b]", at + 4) ERT_SLICED_ADD(carry, "%[s1]", "%[two]", "%[b]")
#define ERT_SLICED_8(carry, at) \
    ERT_SLICED_4("%[four]", at) ERT_SLICED_4("%[b]", at + 8) ERT_SLICED_ADD(carry, "%[s2]", "%[four]", "%[b]")

/* Sixteen rows onto the lowest bits of a sum, s; what they carry. In assembler for its registers: a compiler spills. */
ERT_INLINE void ERT_SLICED(ert_sliced_16)(LANES *carry, LANES *s, const LANES *weights, const uint16_t *taps)
{
    uint32_t s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3], a, b, t, two, four, eight;
    __asm__(ERT_SLICED_8("%[eight]", 0) ERT_SLICED_8("%[b]", 16) ERT_SLICED_ADD("%[b]", "%[s3]", "%[eight]", "%[b]")
            : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [a] "=&r"(a), [b] "=&r"(b), [t] "=&r"(t),
              [two] "=&r"(two), [four] "=&r"(four), [eight] "=&r"(eight)
            : [w] "r"(weights), [taps] "r"(taps)
            : "memory");
    s[0] = s0;
    s[1] = s1;
    s[2] = s2;
    s[3] = s3;
    *carry = b;
}
#undef ERT_SLICED_ADD
#undef ERT_SLICED_2
#undef ERT_SLICED_4
#undef ERT_SLICED_8
#else
/* Two, four, eight, sixteen rows onto the lowest bits of a sum, s; what they carry. */
ERT_INLINE void ERT_SLICED(ert_sliced_2)(LANES *carry, LANES *s, const LANES *weights, const uint16_t *taps)
{
    ERT_SLICED(ert_lanes_add)(carry, s, &weights[taps[0]], &weights[taps[1]]);
}

ERT_INLINE void ERT_SLICED(ert_sliced_4)(LANES *carry, LANES *s, const LANES *weights, const uint16_t *taps)
{
    LANES first, second;
    ERT_SLICED(ert_sliced_2)(&first, s, weights, taps);
    ERT_SLICED(ert_sliced_2)(&second, s, weights, taps + 2);
    ERT_SLICED(ert_lanes_add)(carry, s + 1, &first, &second);
}

ERT_INLINE void ERT_SLICED(ert_sliced_8)(LANES *carry, LANES *s, const LANES *weights, const uint16_t *taps)
{
    LANES first, second;
    ERT_SLICED(ert_sliced_4)(&first, s, weights, taps);
    ERT_SLICED(ert_sliced_4)(&second, s, weights, taps + 4);
    ERT_SLICED(ert_lanes_add)(carry, s + 2, &first, &second);
}

ERT_INLINE void ERT_SLICED(ert_sliced_16)(LANES *carry, LANES *s, const LANES *weights, const uint16_t *taps)
{
    LANES first, second;
    ERT_SLICED(ert_sliced_8)(&first, s, weights, taps);
    ERT_SLICED(ert_sliced_8)(&second, s, weights, taps + 8);
    ERT_SLICED(ert_lanes_add)(carry, s + 3, &first, &second);
}
#endif

#if ERT_SLICED_WORDS > 1
/* What four blocks carry out of bit 6, at most once in each lane, into the bits above. */
ERT_INLINE void ERT_SLICED(ert_sliced_ripple)(LANES *sums, int32_t bits, LANES *carry)
{
    for (int32_t k = 7; k < bits; k++) {
        const LANES sum = sums[k];
        sums[k] = sum ^ *carry;
        *carry &= sum;
    }
    *carry ^= *carry;
}
#endif

/* `count` rows, a multiple of 16, onto the sums, which start with bit 1. */
static __attribute__((noinline)) void ERT_SLICED(ert_sliced_rows)(
    LANES *sums, int32_t bits, const LANES *weights, const uint16_t *taps, int32_t count)
{
    LANES state[4] = {sums[1], sums[2], sums[3], sums[4]};
#if ERT_SLICED_WORDS > 1
    LANES carries[3] = {sums[5], sums[6], sums[6] ^ sums[6]};
#endif
    for (const uint16_t *end = taps + count; taps != end; taps += 16) {
        LANES carry;
        ERT_SLICED(ert_sliced_16)(&carry, state, weights, taps);
#if ERT_SLICED_WORDS == 1
        for (int32_t k = 5; k < bits && carry != 0; k++) {
            const LANES sum = sums[k];
            sums[k] = sum ^ carry;
            carry &= sum;
        }
#else
        const LANES sixteen = carries[0] & carry;
        carries[0] ^= carry;
        carries[2] |= carries[1] & sixteen;
        carries[1] ^= sixteen;
        if (((uintptr_t)(end - taps) / 16) % 4 == 1) {
            ERT_SLICED(ert_sliced_ripple)(sums, bits, &carries[2]);
        }
#endif
    }
    sums[1] = state[0];
    sums[2] = state[1];
    sums[3] = state[2];
    sums[4] = state[3];
#if ERT_SLICED_WORDS > 1
    sums[5] = carries[0];
    sums[6] = carries[1];
#endif
}

/* The lanes in which the sum is less than the threshold. */
ERT_INLINE void ERT_SLICED(ert_sliced_less)(LANES *less, const LANES *sums, const LANES *threshold, int32_t bits)
{
    ERT_SLICED(ert_lanes_fill)(less, 0);
    for (int32_t k = 0; k < bits; k++) {
        const LANES differ = sums[k] ^ threshold[k];
        *less = (differ & threshold[k]) | (~differ & *less);
    }
}

/* The window's bit-sliced sum against the weights of the channels in the lanes. */
ERT_INLINE void ERT_SLICED(ert_sliced_sum)(LANES *sums, int32_t bits, const LANES *weights, const ert_taps_t *t)
{
    for (int32_t k = 0; k < bits; k++) {
        ERT_SLICED(ert_lanes_fill)(&sums[k], t->start >> k & 1u);
    }
    ERT_SLICED(ert_sliced_rows)(sums, bits, weights, t->taps, t->count);
    if (t->kind == ERT_TAPS_BOTH) {
        LANES minus[ERT_SLICED_BITS], borrow;
        ERT_SLICED(ert_lanes_fill)(&borrow, 0);
        for (int32_t k = 0; k < bits; k++) {
            minus[k] = borrow;
        }
        ERT_SLICED(ert_sliced_rows)(minus, bits, weights, t->minus, t->count_minus);
        for (int32_t k = 0; k < bits; k++) {
            const LANES differ = sums[k] ^ minus[k], other = borrow;
            borrow = (differ & minus[k]) | (~differ & borrow);
            sums[k] = differ ^ other;
        }
    }
}

ERT_INLINE void ERT_SLICED(ert_conv2d_b1__sliced)(
    const uint32_t *x, uint32_t *y, const uint32_t *weights, const uint32_t *threshold, uint8_t *scratch,
    const ert_conv2d_b1_t *g)
{
    const int32_t rows = g->kernel_h * g->kernel_w * g->in_c + 1, bits = ert_sliced_bits(g);
    const int32_t words = ert_bit_words(g->out_c), groups = (words + ERT_SLICED_WORDS - 1) / ERT_SLICED_WORDS;
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++, y += words) {
                const ert_taps_t t = ert_taps(
                    (uint16_t *)(void *)scratch, x, i * g->stride_h - g->pad_top, j * g->stride_w - g->pad_left, g);
                const LANES *w = (const LANES *)(const void *)weights;
                const LANES *limit = (const LANES *)(const void *)threshold + (int32_t)t.kind * bits;
                for (int32_t n = 0; n < groups; n++, w += rows, limit += 3 * bits) {
                    LANES sums[ERT_SLICED_BITS], result, other;
                    ERT_SLICED(ert_sliced_sum)(sums, bits, w, &t);
                    ERT_SLICED(ert_sliced_less)(&result, sums, limit, bits);
                    ERT_SLICED(ert_lanes_fill)(&other, t.kind != ERT_TAPS_MINUS_ONES);
                    result ^= other;
                    const int32_t left = words - n * ERT_SLICED_WORDS;
                    __builtin_memcpy(y + n * ERT_SLICED_WORDS, &result, left < ERT_SLICED_WORDS ? 4 * (size_t)left : sizeof result);
                }
            }
        }
    }
}

/* Channel `lane`'s sum. */
ERT_INLINE int32_t ERT_SLICED(ert_sliced_lane)(const LANES *sums, int32_t bits, int32_t lane)
{
    uint32_t sum = 0;
    for (int32_t k = 0; k < bits; k++) {
        uint32_t words[ERT_SLICED_WORDS];
        __builtin_memcpy(words, &sums[k], sizeof words);
        sum |= (words[lane / 32] >> (lane % 32) & 1u) << k;
    }
    return (int32_t)sum;
}

/* The dot products of all channels of a pixel, to `real`, or rounded to `fixed`: one of them is 0. */
ERT_INLINE void ERT_SLICED(ert_sliced_reals)(
    float *real, int16_t *fixed, float y_scale, const uint32_t *weights, const int32_t *ones, const float *scale,
    const float *bias, const ert_taps_t *t, const ert_conv2d_b1_t *g)
{
    const int32_t rows = g->kernel_h * g->kernel_w * g->in_c + 1, bits = ert_sliced_bits(g);
    const LANES *w = (const LANES *)(const void *)weights;
    for (int32_t n = 0; n < g->out_c; n += 32 * ERT_SLICED_WORDS, w += rows) {
        LANES sums[ERT_SLICED_BITS];
        ERT_SLICED(ert_sliced_sum)(sums, bits, w, t);
        for (int32_t c = n; c < n + 32 * ERT_SLICED_WORDS && c < g->out_c; c++) {
            const int32_t sum = ERT_SLICED(ert_sliced_lane)(sums, bits, c - n);
            const float v = (float)ert_taps_dot(t, sum, ones[c], rows - 1) * scale[c] + bias[c];
            if (fixed != NULL) {
                fixed[c] = ert_conv2d_b1_s16_rounded(v, y_scale);
            } else {
                real[c] = v;
            }
        }
    }
}

/* Every pixel, in order; `pixel` makes what `t` holds the taps of. */
#define ERT_SLICED_PIXELS(g, x, list, pixel)                                                               \
    for (int32_t b = 0; b < (g)->batch; b++, (x) += (g)->in_h * (g)->in_w * ert_bit_words((g)->in_c)) {    \
        for (int32_t i = 0; i < (g)->out_h; i++) {                                                         \
            for (int32_t j = 0; j < (g)->out_w; j++) {                                                     \
                const ert_taps_t t = ert_taps(                                                             \
                    list, x, i * (g)->stride_h - (g)->pad_top, j * (g)->stride_w - (g)->pad_left, g);      \
                pixel;                                                                                     \
            }                                                                                              \
        }                                                                                                  \
    }

ERT_INLINE void ERT_SLICED(ert_conv2d_b1_f32__sliced)(
    const uint32_t *x, float *y, const uint32_t *weights, const int32_t *ones, const float *scale, const float *bias,
    uint8_t *scratch, const ert_conv2d_b1_f32_t *geometry)
{
    const ert_conv2d_b1_t g = ert_conv2d_b1_f32_geometry(geometry);
    uint16_t *const list = (uint16_t *)(void *)scratch;
    ERT_SLICED_PIXELS(
        &g, x, list,
        (ERT_SLICED(ert_sliced_reals)(y, NULL, 0, weights, ones, scale, bias, &t, &g), y += g.out_c))
}

ERT_INLINE void ERT_SLICED(ert_conv2d_b1_s16__sliced)(
    const uint32_t *x, int16_t *y, const uint32_t *weights, const int32_t *ones, const float *scale,
    const float *bias, uint8_t *scratch, const ert_conv2d_b1_s16_t *geometry)
{
    const ert_conv2d_b1_t g = ert_conv2d_b1_s16_geometry(geometry);
    const float y_scale = geometry->y_scale;
    uint16_t *const list = (uint16_t *)(void *)scratch;
    ERT_SLICED_PIXELS(
        &g, x, list,
        (ERT_SLICED(ert_sliced_reals)(NULL, y, y_scale, weights, ones, scale, bias, &t, &g), y += g.out_c))
}

#undef ERT_SLICED_PIXELS
#undef LANES
