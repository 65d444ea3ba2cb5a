/* Requests and their answers: see ert_mailbox.h */
#include "runtime/ert_mailbox.h"
#include "port/ert_port.h"
#include "runtime/ert_crc.h"
#include <stddef.h>

#define STACK_PAINT 0xA5A5A5A5u
#define STACK_PAINT_WORDS 4096u /* deeper than this no kernel goes; the whole of a big RAM would take long */
#define STACK_GUARD_WORDS 8u
#define OVERHEAD_TRIES 8

/* nothing here reads it; the linker script puts it behind the vectors, where every host looks */
__attribute__((section(".ert_identity"), used)) const ert_identity_t ert_identity = {
    .magic = ERT_MAILBOX_MAGIC,
    .version = ERT_MAILBOX_VERSION,
    .layers = ERT_LAYERS,
    .arena_bytes = ERT_ARENA_BYTES,
    .mailbox_bytes = sizeof(ert_mailbox_t),
    .frame_data_bytes = ERT_FRAME_DATA_BYTES,
    .build = ERT_BUILD,
    .model_sha256 = ERT_MODEL_SHA256,
    .model = ERT_MODEL_NAME,
    .shapes = ERT_SHAPES,
};

_Alignas(16) uint8_t ert_arena[ERT_ARENA_BYTES];
ert_mailbox_t ert_mailbox;

typedef struct {
    uint32_t offset, nbytes;
} port_t;

static const port_t inputs[] = ERT_INPUTS, outputs[] = ERT_OUTPUTS;

extern void (*const ERT_STEPS[ERT_LAYERS])(uint8_t *arena);

/* ---- the stack: painted at start, looked at on request; the last words before the static data are a guard */
#ifdef ERT_HOSTED
static void paint_stack(void)
{
}
static uint32_t stack_is_whole(void)
{
    return 1;
}
static uint32_t stack_bytes(void)
{
    return ERT_UNKNOWN;
}
static uint32_t flash_crc(void)
{
    return ERT_UNKNOWN;
}
#else
extern uint32_t ert_stack_limit[], ert_stack_top[];
extern const uint8_t ert_flash_start[], ert_flash_end[];

static uint32_t *lowest_paint(void)
{
    const size_t words = (size_t)(ert_stack_top - ert_stack_limit);
    return words > STACK_PAINT_WORDS ? ert_stack_top - STACK_PAINT_WORDS : ert_stack_limit;
}

static void paint_stack(void)
{
    uint32_t here; /* what lies below is free */
    for (volatile uint32_t *p = lowest_paint(); p < &here - 16; p++) {
        *p = STACK_PAINT;
    }
    for (volatile uint32_t *p = ert_stack_limit; p < ert_stack_limit + STACK_GUARD_WORDS; p++) {
        *p = STACK_PAINT;
    }
}

static uint32_t stack_is_whole(void)
{
    uint32_t whole = 1;
    for (const volatile uint32_t *p = ert_stack_limit; p < ert_stack_limit + STACK_GUARD_WORDS; p++) {
        whole &= *p == STACK_PAINT;
    }
    return whole;
}

static uint32_t stack_bytes(void)
{
    const volatile uint32_t *p = lowest_paint();
    while (p < ert_stack_top && *p == STACK_PAINT) {
        p++;
    }
    return (uint32_t)((ert_stack_top - p) * 4);
}

static uint32_t flash_crc(void)
{
    return ert_crc(0, ert_flash_start, (size_t)(ert_flash_end - ert_flash_start));
}
#endif

/* ---- what is measured */
static void nothing(uint8_t *arena)
{
    (void)arena;
}

static uint32_t timed(void (*step)(uint8_t *arena))
{
    const uint32_t start = ert_counter_read();
    step(ert_arena);
    return ert_counter_read() - start;
}

static uint32_t measure_overhead(void)
{
    void (*volatile step)(uint8_t *arena) = nothing;
    uint32_t least = ERT_UNKNOWN;
    for (int32_t i = 0; i < OVERHEAD_TRIES; i++) {
        const uint32_t cycles = timed(step);
        least = cycles < least ? cycles : least;
    }
    return least;
}

static void add_cycles(uint32_t cycles)
{
    const uint32_t net = cycles > ert_mailbox.overhead_cycles ? cycles - ert_mailbox.overhead_cycles : 0;
    const uint32_t low = ert_mailbox.cycles_low + net;
    ert_mailbox.cycles_high += low < net;
    ert_mailbox.cycles_low = low;
}

/* ---- the commands */
static uint32_t run(uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        add_cycles(timed(ERT_INVOKE));
    }
    return stack_is_whole() ? ERT_RESULT_OK : ERT_RESULT_STACK;
}

static uint32_t profile(void)
{
    const uint32_t overhead = ert_mailbox.overhead_cycles;
    for (uint32_t i = 0; i < ERT_LAYERS; i++) {
        const uint32_t cycles = timed(ERT_STEPS[i]);
        ert_mailbox.layer_cycles[i] = cycles > overhead ? cycles - overhead : 0;
        add_cycles(cycles);
    }
    return stack_is_whole() ? ERT_RESULT_OK : ERT_RESULT_STACK;
}

static uint32_t self_test(void)
{
    for (uint32_t pass = 0; pass < 2; pass++) { /* each cell holds its own number, and then the complement */
        for (uint32_t i = 0; i < ERT_ARENA_BYTES; i++) {
            ((volatile uint8_t *)ert_arena)[i] = (uint8_t)(i * 37 + (i >> 8) + pass * 255);
        }
        for (uint32_t i = 0; i < ERT_ARENA_BYTES; i++) {
            if (((volatile uint8_t *)ert_arena)[i] != (uint8_t)(i * 37 + (i >> 8) + pass * 255)) {
                ert_mailbox.value = i;
                return ERT_RESULT_MEMORY;
            }
        }
    }
    ert_mailbox.value = flash_crc();
    return ERT_RESULT_OK;
}

static uint32_t carry_out(uint32_t command)
{
    switch (command) {
    case ERT_COMMAND_RUN:
        return run(ert_mailbox.argument);
    case ERT_COMMAND_PROFILE:
        return profile();
    case ERT_COMMAND_MEMORY:
        ert_mailbox.value = stack_bytes();
        return ERT_RESULT_OK;
    case ERT_COMMAND_SELF_TEST:
        return self_test();
    case ERT_COMMAND_RESET:
        ert_reset();
    default:
        return ERT_RESULT_BAD_COMMAND;
    }
}

/* ---- requests and answers */
static uint32_t runs_model(uint32_t command)
{
    return command == ERT_COMMAND_RUN || command == ERT_COMMAND_PROFILE;
}

static uint32_t crc_of_ports(uint32_t crc, const port_t *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        crc = ert_crc(crc, ert_arena + ports[i].offset, ports[i].nbytes);
    }
    return crc;
}

static uint32_t request_is_whole(uint32_t command)
{
    const uint32_t words[3] = {command, ert_mailbox.argument, ert_mailbox.request};
    uint32_t crc = ert_crc(0, (const uint8_t *)words, sizeof words);
    if (runs_model(command)) {
        crc = crc_of_ports(crc, inputs, sizeof inputs / sizeof *inputs);
    }
    return crc == ert_mailbox.request_crc;
}

static void finish(uint32_t command, uint32_t result)
{
    const size_t from = offsetof(ert_mailbox_t, answered);
    ert_mailbox.answered = ert_mailbox.request;
    ert_mailbox.result = result;
    uint32_t crc = ert_crc(0, (const uint8_t *)&ert_mailbox + from, sizeof ert_mailbox - from);
    if (result == ERT_RESULT_OK && runs_model(command)) {
        crc = crc_of_ports(crc, outputs, sizeof outputs / sizeof *outputs);
    }
    ert_mailbox.answer_crc = crc;
    ert_mailbox.command = ERT_COMMAND_NONE;
}

void ert_mailbox_answer(void)
{
    const uint32_t command = ert_mailbox.command;
    if (command == ERT_COMMAND_NONE) {
        return;
    }
    const uint32_t faulted = ert_mailbox.fault_pc != 0 && command != ERT_COMMAND_RESET;
    ert_mailbox.value = 0;
    ert_mailbox.cycles_low = ert_mailbox.cycles_high = 0;
    for (uint32_t i = 0; i < ERT_LAYERS; i++) {
        ert_mailbox.layer_cycles[i] = ERT_UNKNOWN;
    }
    if (faulted) {
        finish(command, ERT_RESULT_FAULT);
    } else if (!request_is_whole(command)) {
        finish(command, ERT_RESULT_BAD_CRC);
    } else {
        finish(command, carry_out(command));
    }
}

void ert_mailbox_start(void)
{
    paint_stack();
    ert_mailbox.counter = ert_counter_start(&ert_mailbox.counter_hz);
    ert_mailbox.overhead_cycles = measure_overhead();
    ert_mailbox.ready = ERT_MAILBOX_MAGIC;
}

void ert_fault(const ert_fault_t *f)
{
    const uint32_t command = ert_mailbox.command;
    ert_mailbox.fault_cause = f->cause;
    ert_mailbox.fault_pc = f->pc != 0 ? f->pc : 1;
    ert_mailbox.fault_link = f->link;
    ert_mailbox.fault_sp = f->sp;
    ert_mailbox.fault_address = f->address;
    finish(command, ERT_RESULT_FAULT);
    ert_serve();
}

__attribute__((noinline)) void ert_idle(void)
{
    __asm__ volatile("" ::: "memory");
}
