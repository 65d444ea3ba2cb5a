/* Firmware that runs one model on request. The host writes the inputs into ert_arena whenever the core is in
 * ert_wait, lets it go on, and finds the outputs in ert_arena the next time it is there.
 * Compile with -DERT_MODEL=<name> -DERT_MODEL_ARENA_BYTES=<n>. */
#include "model.h"

#define ERT_PASTE(a, b) a##b
#define ERT_JOIN(a, b) ERT_PASTE(a, b)

_Alignas(16) uint8_t ert_arena[ERT_MODEL_ARENA_BYTES];

void ert_wait(void);
int main(void);

__attribute__((noinline)) void ert_wait(void)
{
    __asm__ volatile("" ::: "memory");
}

int main(void)
{
    for (;;) {
        ert_wait();
        ERT_JOIN(ERT_MODEL, _invoke)(ert_arena);
    }
}
