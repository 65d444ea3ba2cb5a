/* The mailbox: how a host gets a model run, whatever the link. All words are little-endian.
 * Identity  constant: which build this is. The host compares it before it trusts anything.
 * Mailbox   in RAM. The host writes the inputs into the arena, then the four words of a request; the firmware
 *           runs it and writes the answer. A CRC-32 (that of zlib) covers each way from end to end:
 *             request_crc  command, argument, request; then, if the command runs the model, every input
 *             answer_crc   everything from `answered` on; then, if the model ran, every output
 *           so that no error of the link, which may check nothing itself, becomes a result.
 * The same layout, in Python: edgert/drivers/mailbox.py. */
#ifndef ERT_MAILBOX_H
#define ERT_MAILBOX_H

#include "ert_firmware.h" /* written by edgert/firmware.py: the model's name, sizes, hashes */
#include <stdint.h>

#define ERT_MAILBOX_MAGIC 0x4D545245u /* "ERTM" */
#define ERT_MAILBOX_VERSION 1u
#define ERT_UNKNOWN 0xFFFFFFFFu

enum {
    ERT_COMMAND_NONE,
    ERT_COMMAND_RUN,       /* argument: how many times; only after the first are the outputs those of the inputs */
    ERT_COMMAND_PROFILE,   /* once, layer by layer */
    ERT_COMMAND_MEMORY,    /* value: bytes of stack ever used, ERT_UNKNOWN where it is not painted */
    ERT_COMMAND_SELF_TEST, /* value: CRC-32 of the flash; tests the arena, whose content is lost */
    ERT_COMMAND_RESET      /* no answer */
};
enum {
    ERT_RESULT_OK,
    ERT_RESULT_BAD_CRC,     /* the request or its inputs did not arrive as they were sent */
    ERT_RESULT_BAD_COMMAND, /* this version does not know it */
    ERT_RESULT_FAULT,       /* the core faulted: see fault_*; only a reset helps */
    ERT_RESULT_STACK,       /* the stack ran into the static data */
    ERT_RESULT_MEMORY       /* self-test: a cell of the arena does not hold what was written; value: its offset */
};
enum {
    ERT_COUNTER_NONE,
    ERT_COUNTER_DWT,     /* Cortex-M3 and above: CYCCNT */
    ERT_COUNTER_SYSTICK, /* any Cortex-M */
    ERT_COUNTER_MCYCLE,  /* RISC-V, machine mode */
    ERT_COUNTER_CNTVCT,  /* AArch64: ticks of counter_hz, not of the core */
    ERT_COUNTER_CLOCK    /* nanoseconds of the operating system */
};

typedef struct {
    uint32_t magic, version;
    uint32_t layers, arena_bytes, mailbox_bytes, frame_data_bytes;
    uint8_t build[32];        /* SHA-256 of the generated sources */
    uint8_t model_sha256[32]; /* SHA-256 of the model file */
    char model[32];
    char shapes[sizeof ERT_SHAPES];
} ert_identity_t;

typedef struct {
    volatile uint32_t command; /* written last; ERT_COMMAND_NONE as soon as it is answered */
    uint32_t argument, request, request_crc;
    uint32_t ready; /* ERT_MAILBOX_MAGIC once the firmware serves */
    uint32_t answer_crc;
    uint32_t answered; /* the number of the request that this answers */
    uint32_t result, value;
    uint32_t counter, counter_hz; /* counter_hz 0: the core's clock */
    uint32_t overhead_cycles;     /* of the two readings around a layer; already subtracted */
    uint32_t cycles_low, cycles_high;
    uint32_t fault_cause, fault_pc, fault_link, fault_sp, fault_address;
    uint32_t layer_cycles[ERT_LAYERS]; /* ERT_UNKNOWN: more than fits */
} ert_mailbox_t;

extern const ert_identity_t ert_identity;
extern ert_mailbox_t ert_mailbox;
extern uint8_t ert_arena[];

/* What the core knows of a fault; unknown: 0 */
typedef struct {
    uint32_t cause, pc, link, sp, address;
} ert_fault_t;

void ert_idle(void);                            /* empty: a debugger stops the core here */
void ert_mailbox_start(void);                   /* once, before anything else */
void ert_mailbox_answer(void);                  /* answer the request in the mailbox, if there is one */
_Noreturn void ert_serve(void);                 /* wait for requests and answer them, for ever */
_Noreturn void ert_fault(const ert_fault_t *f); /* called by fault handlers: answer it, then serve */

#endif
