/*
 * The wire between a monitor and its clients: a Unix stream socket, frames in both directions. The
 * decoder does no I/O and allocates nothing. Nothing in here can carry an escape sequence to a
 * terminal: screens travel as cells (cells.h); streams and logs are bytes and are treated as such.
 *
 * A frame is struct wire_head, then `size` bytes. Both ends run on one machine, so integers are the
 * machine's, which is asserted to be little-endian. Each side's first frame is HELLO; a client need
 * not wait for the other's. A reader drops the connection at the first frame that is too long,
 * unknown, of the wrong direction or of a wrong size.
 */
#ifndef COFFERDAM_CONSOLE_WIRE_H
#define COFFERDAM_CONSOLE_WIRE_H

#include "backends/launch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 1
#define WIRE_MAGIC 0x6d644643u      /* "CFdm" */
#define WIRE_FRAME_MAX (256u * 1024) /* bytes behind the head */
#define WIRE_TEXT_MAX 479           /* of an error */
#define WIRE_CHUNK (64u * 1024)     /* what a sender of bytes puts into one frame */

enum wire_type {
    /* client to monitor */
    WIRE_ATTACH = 1,    /* struct wire_attach */
    WIRE_DETACH,
    WIRE_TAKE_OVER,
    WIRE_INPUT,         /* bytes */
    WIRE_INPUT_END,
    WIRE_OUTPUT_CLOSED, /* u32 stream */
    WIRE_RESIZE,        /* struct wire_size */
    WIRE_ASK_HISTORY,   /* struct wire_range */
    WIRE_SIGNAL,        /* u32 signo */
    WIRE_STOP,          /* i64 grace in ms; negative: the plan's */
    WIRE_KILL,
    WIRE_PAUSE,         /* u32: 1 pause, 0 resume */
    WIRE_WAIT,
    WIRE_ASK_STATE,
    WIRE_ASK_LOG,       /* struct wire_ask_log */
    WIRE_ASK_CHANGES,
    WIRE_ASK_REPORT,
    WIRE_COPY_IN,       /* path; a descriptor */
    WIRE_COPY_OUT,      /* path; a descriptor */
    WIRE_EXEC,          /* struct wire_exec + strings */
    WIRE_HOLD,          /* u32: 1 freeze it until this client lets go or leaves; 2 is it still; 0 let go */
    WIRE_SNAPSHOT,      /* struct wire_snapshot, the folder's path; a descriptor of the same */
    WIRE_UPDATE,        /* struct wire_limits */
    WIRE_ASK_SAMPLE,    /* what of WIRE_ASK_STATE changes from second to second, without the words around it */
    /* both ways */
    WIRE_HELLO = 64,    /* struct wire_hello */
    /* monitor to client */
    WIRE_SCREEN = 128,  /* struct wire_screen + title; LAST: no lines follow */
    WIRE_LINES,         /* (u16 row, u16 bytes, compact line)…, none or more; LAST: the picture is whole */
    WIRE_HISTORY,       /* struct wire_range, then (u16 cols, u16 bytes, compact line)… */
    WIRE_STREAM,        /* u32 stream (1 out, 2 err), bytes; none: end of file */
    WIRE_ROLE,          /* struct wire_role */
    WIRE_STARTED,
    WIRE_EXITED,        /* i32 status, reason */
    WIRE_FAILED,        /* i32 errno, text */
    WIRE_STATE,         /* JSON */
    WIRE_DONE,          /* i32 errno (0: well), text */
    WIRE_LOG,           /* bytes; LAST */
    WIRE_REPORT,        /* JSON in pieces; LAST */
    WIRE_DESCRIPTOR,    /* a descriptor */
    WIRE_INPUT_TAKEN,   /* u32 bytes of INPUT dealt with: the client may send as many more */
    WIRE_SAMPLE,        /* struct wire_sample */
    WIRE_TYPE_COUNT,
};

/* Bits of wire_head.flags. */
enum {
    WIRE_FD = 1,   /* a descriptor is attached to this frame's first byte */
    WIRE_LAST = 2, /* the last of a series */
};

struct wire_head {
    uint32_t size; /* bytes of payload */
    uint8_t type;  /* enum wire_type */
    uint8_t flags;
    uint16_t zero;
    uint32_t console; /* 0 main; others are chosen by the client that sends WIRE_EXEC */
    uint32_t request; /* the client's number; echoed in answers; 0: nobody asked */
};

struct wire_hello {
    uint32_t magic, version;
};
struct wire_attach {
    uint16_t rows, cols;
    uint32_t read_only;
};
struct wire_size {
    uint16_t rows, cols;
};
struct wire_range {
    uint64_t first;
    uint32_t count, zero;
};
struct wire_ask_log {
    int64_t since_ms; /* CLOCK_REALTIME; 0: everything */
    uint32_t follow, which; /* 0 what main wrote, 1 what a guest's kernel printed */
};
struct wire_role {
    uint32_t may_type, viewers;
};

struct wire_snapshot {
    uint32_t kind; /* 1 files, 2 files and memory: LAUNCH_SNAPSHOT_… */
    uint32_t zero;
};

/* As struct launch_limits. */
struct wire_limits {
    uint32_t which, cpu_milli;
    uint64_t memory, pids;
    uint32_t io_weight, zero;
};

/* For hundreds of workloads a second: as it lies in memory on both sides. */
struct wire_sample {
    uint32_t phase; /* enum state_phase */
    uint32_t pid;   /* of the workload's first process; 0: none */
    struct launch_sample figures; /* each UINT64_MAX where nothing runs */
};

/* Strings behind it, NUL-terminated: cwd, user (empty: the workload's), argv…, env…. */
struct wire_exec {
    uint32_t terminal;
    uint16_t rows, cols;
    uint32_t argc, envc;
};

/* Bits of wire_screen.flags. */
enum {
    WIRE_SCREEN_CURSOR = 1,
    WIRE_SCREEN_ALTERNATE = 2,
    WIRE_SCREEN_APP_CURSOR = 4,
    WIRE_SCREEN_APP_KEYPAD = 8,
    WIRE_SCREEN_PASTE = 16,
    WIRE_SCREEN_FOCUS = 32,
    WIRE_SCREEN_FULL = 64, /* forget what you hold: every line follows */
};
struct wire_screen {
    uint64_t bells, history;
    uint32_t kept;
    uint16_t rows, cols, cursor_row, cursor_col;
    uint8_t flags, mouse, shape, title_size;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");
_Static_assert(sizeof(struct wire_head) == 16, "the wire's layout");
_Static_assert(sizeof(struct wire_hello) == 8, "the wire's layout");
_Static_assert(sizeof(struct wire_attach) == 8, "the wire's layout");
_Static_assert(sizeof(struct wire_size) == 4, "the wire's layout");
_Static_assert(sizeof(struct wire_range) == 16, "the wire's layout");
_Static_assert(sizeof(struct wire_ask_log) == 16, "the wire's layout");
_Static_assert(sizeof(struct wire_role) == 8, "the wire's layout");
_Static_assert(sizeof(struct wire_exec) == 16, "the wire's layout");
_Static_assert(sizeof(struct wire_limits) == 32, "the wire's layout");
_Static_assert(sizeof(struct wire_snapshot) == 8, "the wire's layout");
_Static_assert(sizeof(struct wire_sample) == 208, "the wire's layout");
_Static_assert(sizeof(struct wire_screen) == 32, "the wire's layout");

enum { WIRE_SIZE_MAX = 1000, WIRE_STRINGS_MAX = 8192 };

/* A frame taken apart. `payload` points into the reader's buffer and has no alignment. */
struct wire_frame {
    enum wire_type type;
    unsigned flags;
    uint32_t console, request;
    const char *payload;
    uint32_t size;
};

/*
 * Takes the first frame of `data` apart. `from_client`: which direction it came from. Returns the
 * bytes consumed, 0 if more are needed, -EBADMSG if the stream is broken for good. The payload is at
 * least as long as the type's struct and within its bounds.
 */
long wire_decode(const char *data, size_t size, bool from_client, struct wire_frame *ret);

/* Copies the struct at the front of a payload whose length wire_decode() has checked. */
void wire_get(const struct wire_frame *f, void *to, size_t size);

/* EXEC taken apart: pointers into the payload. -EBADMSG: counts and strings do not fit together. */
struct wire_command {
    struct wire_exec head;
    const char *cwd, *user; /* "" : the workload's */
    const char *strings;    /* argc, then envc strings */
};
int wire_decode_exec(const struct wire_frame *f, struct wire_command *ret);

void wire_head_fill(struct wire_head *h, enum wire_type type, uint32_t console, uint32_t request,
                    unsigned flags, size_t size);

#endif
