// C-simulated, not synthesised by us.
//
// Requantization, docs/numerics.md section 2. multiplier < 2^31; shift at most 30, and at least -32.
#ifndef ERT_RESCALE_H
#define ERT_RESCALE_H

#include <cstdint>

namespace ert {

// round(value / 2^shift), halves away from zero.
inline int64_t half_away(int64_t value, int shift)
{
    const int64_t half = shift > 0 ? (int64_t(1) << (shift - 1)) - (value < 0) : 0;
    return (value + half) >> shift;
}

inline int64_t rescale_twice(int32_t acc, int32_t multiplier, int shift)
{
    const int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    const int64_t raised = int64_t(acc) * (int64_t(1) << left);
    return half_away((raised * multiplier + (int64_t(1) << 30)) >> 31, right);
}

inline int64_t rescale_once(int32_t acc, int32_t multiplier, int shift)
{
    const int right = 31 - shift;
    return half_away(int64_t(acc) * multiplier, right < 63 ? right : 62);
}

} // namespace ert

#endif
