/* The four functions that a compiler may call in freestanding C (C11 footnote 4; GCC manual, Standards). */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *one, const void *other, size_t count);

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    uint8_t *y = to;
    const uint8_t *x = from;
    while (count-- > 0) {
        *y++ = *x++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *y = to;
    const uint8_t *x = from;
    if ((uintptr_t)y <= (uintptr_t)x) {
        for (; count > 0; count--) {
            *y++ = *x++;
        }
        return to;
    }
    while (count-- > 0) {
        y[count] = x[count];
    }
    return to;
}

void *memset(void *to, int value, size_t count)
{
    uint8_t *y = to;
    while (count-- > 0) {
        *y++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *one, const void *other, size_t count)
{
    const uint8_t *a = one, *b = other;
    for (; count-- > 0; a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}
