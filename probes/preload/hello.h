/* The message by which a program hands its task to gotrace: the one description of it, for both sides.
 *
 * A Mach message as <mach/message.h> lays it out: a header, one descriptor of a port, then what only the two of us
 * know. Numbers are little-endian, and fields lie on 4 bytes. preload.c holds it to Apple's own types;
 * src/capture/decode/preload.rs reads it, after a trailer has been put behind it in which the kernel says who sent it.
 */
#ifndef GOTRACE_HELLO_H
#define GOTRACE_HELLO_H

#include <stdint.h>

/* The variable that has the name by which gotrace is found. */
#define GOTRACE_HELLO_VARIABLE "GOTRACE_PRELOAD_PORT"
/* msgh_id of the message: "gotr". */
#define GOTRACE_HELLO_ID 0x676f7472
/* What the fields behind the descriptor are. */
#define GOTRACE_HELLO_VERSION 1
/* How long a program waits, in milliseconds, until its message is taken, and then for the answer: a gotrace that is
 * stuck holds nobody up for longer than both. */
#define GOTRACE_HELLO_PATIENCE 250

#pragma pack(push, 4)
struct gotrace_hello {
    /* mach_msg_header_t */
    uint32_t bits;
    uint32_t size;
    uint32_t remote; /* whom it is for; when it has come in, where to answer */
    uint32_t local;  /* where to answer; when it has come in, where it came in */
    uint32_t voucher;
    int32_t id;
    /* mach_msg_body_t */
    uint32_t descriptors; /* 1 */
    /* mach_msg_port_descriptor_t */
    uint32_t task;
    uint32_t unused;
    uint16_t unused_too;
    uint8_t disposition;
    uint8_t type; /* 0: a port */
    /* What is our own. */
    uint32_t version;
    uint32_t pid;
    uint32_t parent;
};
#pragma pack(pop)

#endif
