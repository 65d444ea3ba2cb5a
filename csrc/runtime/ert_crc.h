/* CRC-32 as zlib has it: polynomial 0x04C11DB7 reflected, all ones in and out. Source: ITU-T V.42, 8.1.1.6.2 */
#ifndef ERT_CRC_H
#define ERT_CRC_H

#include <stddef.h>
#include <stdint.h>

/* crc: of what came before, 0 at the start */
uint32_t ert_crc(uint32_t crc, const void *data, size_t nbytes);

#endif
