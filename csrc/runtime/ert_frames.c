/* See ert_frames.h */
#include "runtime/ert_frames.h"
#include "port/ert_port.h"
#include "runtime/ert_crc.h"
#include "runtime/ert_mailbox.h"

#define HEADER_BYTES 12u
#define CRC_BYTES 4u
#define FRAME_BYTES (HEADER_BYTES + ERT_FRAME_DATA_BYTES + CRC_BYTES)
#define COBS_RUN 254u
#define ENCODED_BYTES (FRAME_BYTES + FRAME_BYTES / COBS_RUN + 1u)
#define REQUEST_BYTES 16u /* of the mailbox: what a host may write */

enum { SESSION = 0, SEQUENCE = 2, KIND = 3, REGION = 4, STATUS = 5, COUNT = 6, OFFSET = 8 };

static uint8_t frame[ENCODED_BYTES];
static uint32_t received; /* bytes; more than ENCODED_BYTES: lost track until the next zero */
static uint16_t session; /* 0: nobody has said HELLO, nobody listens */
static uint32_t announced;

static uint32_t get(const uint8_t *from, uint32_t nbytes)
{
    uint32_t value = 0;
    for (uint32_t i = nbytes; i-- > 0;) {
        value = value << 8 | from[i];
    }
    return value;
}

static void put(uint8_t *to, uint32_t value, uint32_t nbytes)
{
    for (uint32_t i = 0; i < nbytes; i++, value >>= 8) {
        to[i] = (uint8_t)value;
    }
}

/* in place; returns the bytes decoded, 0 if it is no COBS */
static uint32_t decode(uint8_t *data, uint32_t nbytes)
{
    uint32_t to = 0, from = 0;
    while (from < nbytes) {
        const uint32_t run = data[from++];
        if (run - 1 > nbytes - from) {
            return 0;
        }
        for (uint32_t i = 1; i < run; i++) {
            data[to++] = data[from++];
        }
        if (run < COBS_RUN + 1 && from < nbytes) {
            data[to++] = 0;
        }
    }
    return to;
}

static void send(uint32_t data_bytes)
{
    uint32_t nbytes = HEADER_BYTES + data_bytes, from = 0;
    put(frame + nbytes, ert_crc(0, frame, nbytes), CRC_BYTES);
    nbytes += CRC_BYTES;
    ert_uart_write(0); /* ends whatever noise there was */
    for (uint32_t ended = 0; !ended;) {
        uint32_t run = 0;
        while (run < COBS_RUN && from + run < nbytes && frame[from + run] != 0) {
            run++;
        }
        ert_uart_write((uint8_t)(run + 1));
        for (uint32_t i = 0; i < run; i++) {
            ert_uart_write(frame[from + i]);
        }
        ended = from + run == nbytes;
        from += run < COBS_RUN ? run + 1 : run;
    }
    ert_uart_write(0);
}

typedef struct {
    uint8_t *start;
    const uint8_t *constant; /* the same, for reading */
    uint32_t nbytes, writable;
} region_t;

static region_t region(uint32_t number)
{
    uint32_t notes_bytes = 0;
    switch (number) {
    case ERT_REGION_IDENTITY:
        return (region_t){0, (const uint8_t *)&ert_identity, sizeof ert_identity, 0};
    case ERT_REGION_MAILBOX:
        return (region_t){(uint8_t *)&ert_mailbox, (const uint8_t *)&ert_mailbox, sizeof ert_mailbox, REQUEST_BYTES};
    case ERT_REGION_ARENA:
        return (region_t){ert_arena, ert_arena, ERT_ARENA_BYTES, ERT_ARENA_BYTES};
    case ERT_REGION_NOTES: {
        const uint8_t *text = (const uint8_t *)ert_notes(&notes_bytes);
        return (region_t){0, text, notes_bytes, 0};
    }
    default:
        return (region_t){0, 0, 0, 0};
    }
}

/* READ and WRITE; returns the bytes of data in the reply */
static uint32_t transfer(void)
{
    const region_t r = region(frame[REGION]);
    const uint32_t writes = frame[KIND] == ERT_FRAME_WRITE;
    const uint32_t limit = writes ? r.writable : r.nbytes;
    const uint32_t count = get(frame + COUNT, 2), offset = get(frame + OFFSET, 4);
    if (count > ERT_FRAME_DATA_BYTES || offset > limit || count > limit - offset) {
        frame[STATUS] = ERT_STATUS_BAD_RANGE;
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (writes) {
            r.start[offset + i] = frame[HEADER_BYTES + i];
        } else {
            frame[HEADER_BYTES + i] = r.constant[offset + i];
        }
    }
    return writes ? 0 : count;
}

static void reply(void)
{
    uint32_t data_bytes = 0;
    frame[STATUS] = ERT_STATUS_OK;
    if (frame[KIND] == ERT_FRAME_HELLO) {
        session = (uint16_t)get(frame + SESSION, 2);
    } else if (get(frame + SESSION, 2) != session) {
        frame[STATUS] = ERT_STATUS_OTHER_SESSION;
    } else if (frame[KIND] == ERT_FRAME_READ || frame[KIND] == ERT_FRAME_WRITE) {
        data_bytes = transfer();
    } else {
        frame[STATUS] = ERT_STATUS_BAD_KIND;
    }
    send(data_bytes);
}

/* Whether the bytes up to a zero are a request. A WRITE has `count` bytes of data, the others none. */
static uint32_t is_request(void)
{
    const uint32_t nbytes = received <= sizeof frame ? decode(frame, received) : 0;
    if (nbytes < HEADER_BYTES + CRC_BYTES) {
        return 0;
    }
    const uint32_t data_bytes = frame[KIND] == ERT_FRAME_WRITE ? get(frame + COUNT, 2) : 0;
    return nbytes == HEADER_BYTES + data_bytes + CRC_BYTES &&
           ert_crc(0, frame, nbytes - CRC_BYTES) == get(frame + nbytes - CRC_BYTES, CRC_BYTES);
}

static void announce(void)
{
    announced = ert_mailbox.answered;
    for (uint32_t i = 0; i < HEADER_BYTES; i++) {
        frame[i] = 0;
    }
    put(frame + SESSION, session, 2);
    frame[KIND] = ERT_FRAME_ANSWERED;
    put(frame + OFFSET, announced, 4);
    send(0);
}

void ert_frames_poll(void)
{
    if (session != 0 && announced != ert_mailbox.answered && received == 0) {
        announce();
    }
    for (int32_t byte = ert_uart_read(); byte >= 0; byte = ert_uart_read()) {
        if (byte == 0) {
            const uint32_t complete = is_request();
            received = 0;
            if (complete) {
                reply();
                return;
            }
        } else if (received < sizeof frame) {
            frame[received++] = (uint8_t)byte;
        } else {
            received = sizeof frame + 1;
        }
    }
}
