/* The mailbox over a serial line. A frame is COBS(header, data, CRC-32 of both) and a zero byte.
 * Header  session 2, sequence 1, kind 1, region 1, status 1, count 2, offset 4 bytes; little-endian.
 * A reply echoes session, sequence, kind, region and offset. Requests can be repeated without harm: HELLO opens a
 * session and ends another host's, READ and WRITE move `count` bytes of a region. ANSWERED comes unasked, when the
 * request in the mailbox has been answered. What does not decode is ignored: the host asks again.
 * Source: S. Cheshire, M. Baker: Consistent Overhead Byte Stuffing, 1999. In Python: edgert/drivers/frames.py */
#ifndef ERT_FRAMES_H
#define ERT_FRAMES_H

enum { ERT_FRAME_HELLO, ERT_FRAME_READ, ERT_FRAME_WRITE, ERT_FRAME_ANSWERED };
enum { ERT_REGION_IDENTITY, ERT_REGION_MAILBOX, ERT_REGION_ARENA, ERT_REGION_NOTES };
enum { ERT_STATUS_OK, ERT_STATUS_OTHER_SESSION, ERT_STATUS_BAD_RANGE, ERT_STATUS_BAD_KIND };

/* Announce an answer, take bytes until there are none or a frame is complete, and reply to it. */
void ert_frames_poll(void);

#endif
