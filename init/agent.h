/*
 * The agent protocol between the host and cofferdam-init: PID 1 of a native container (over a
 * socketpair) and of a guest (over virtio-serial or vsock). Version, frames, hard limits; the codec
 * does no I/O.
 *
 * A frame is struct agent_head, then `size` bytes. All integers are little-endian. Strings in a
 * payload are NUL-terminated, one behind the other. A reader drops the connection at the first
 * frame that is too long, unknown or malformed: whatever the agent says is the workload's own word.
 *
 * A channel is a command: 0 is main, others are numbered by the host. Where the transport can carry
 * descriptors (a socketpair) the channel's streams travel once, attached to AGENT_STARTED: the pty
 * master, or the host's ends of three pipes. Elsewhere they are AGENT_DATA frames with credit.
 */
#ifndef COFFERDAM_INIT_AGENT_H
#define COFFERDAM_INIT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_VERSION 1
#define AGENT_FRAME_MAX                                                      \
    (256u * 1024) /* bytes behind the head, a command's environment included \
                   */
#define AGENT_CHANNELS_MAX 64
#define AGENT_FD 3 /* where cofferdam-init finds its socket in a container */

enum agent_type {
    /* host to agent */
    AGENT_START = 1, /* struct agent_start + strings: run a command on this channel */
    AGENT_SIGNAL,    /* u32 signo: to the channel's process group; channel ~0: to all but PID 1 */
    AGENT_RESIZE,    /* u16 rows, u16 cols (where no pty master travelled) */
    AGENT_COPY_IN,   /* string path; records follow on the attached descriptor (or as DATA);
                        `channel` is the transfer's number */
    AGENT_COPY_OUT,  /* string path; likewise */
    AGENT_FREEZE,    /* u8: 1 stop every process but PID 1, 0 go on (where no freezer exists) */
    AGENT_SHUTDOWN,  /* end everything, then PID 1 */
    AGENT_CREDIT,    /* struct agent_credit; both ways */
    AGENT_PING,      /* echoed as PONG */
    AGENT_STEP,      /* guests only, these four: struct agent_step; one thing of the set-up */
    AGENT_QUIESCE,   /* u8 enum agent_quiesce; QUIET answers */
    AGENT_SAMPLE,    /* SAMPLED answers */
    AGENT_CHANGES,   /* what the workload changed, as DATA of the transfer `channel`; then COPIED */
    /* agent to host */
    AGENT_HELLO = 64, /* u32 version, u32 features; first frame of all */
    AGENT_STARTED,    /* u32 pid inside; descriptors attached */
    AGENT_FAILED,     /* u32 errno + string: which step ("exec", "chdir", "user", "terminal") */
    AGENT_EXITED,     /* u32 status, as the shell counts */
    AGENT_COPIED,     /* u32 errno (0: well) + string */
    AGENT_DATA,       /* u8 stream (0 in, 1 out, 2 err) + bytes; no bytes: end of file. both ways */
    AGENT_PONG,
    AGENT_READY,   /* guests only, these four: struct agent_ready: all steps are done */
    AGENT_BROKEN,  /* u32 errno + string: a step went wrong; the guest does nothing more */
    AGENT_QUIET,   /* u32 errno (0: well) + string; 0 after QUIESCE_ON is the last byte for now */
    AGENT_SAMPLED, /* struct agent_sample */
    AGENT_RUNNING, /* struct agent_running: after QUIESCE_ADOPT: main lives on */
};

struct agent_head {
    uint32_t size; /* bytes of payload */
    uint16_t type; /* enum agent_type */
    uint16_t channel;
};
_Static_assert(sizeof(struct agent_head) == 8, "the wire's layout");

/* Payload of AGENT_START, then the strings: cwd, user (empty: as uid/gid say), argv…, env…. */
struct agent_start {
    uint32_t flags; /* AGENT_START_… */
    uint32_t uid, gid;
    uint32_t groups_count; /* at most 32; u32 each stand between this struct and the strings */
    uint32_t argc, envc;
    uint32_t umask;
    uint16_t rows, cols;
};
_Static_assert(sizeof(struct agent_start) == 32, "the wire's layout");
enum {
    AGENT_START_TERMINAL = 1,
    AGENT_START_USER_NAME = 2, /* `user` is a name or UID[:GID] to look up inside, in /etc/passwd */
};

/*
 * --- guests: everything over one byte stream --------------------------------------------------
 *
 * Each stream of a channel (in; out and err, or out alone with a terminal) and of a transfer (in or
 * out) may have AGENT_WINDOW bytes of DATA under way when it begins; CREDIT raises that. So either
 * side always has room for what comes, and a stream nobody reads holds up no other. In DATA and
 * CREDIT a transfer's channel is AGENT_TRANSFER + its number.
 *
 * A channel is free again when EXITED and the end of its output have come (in any order); until
 * then the host does not use its number. What a command wrote before it ended comes before its
 * EXITED. When main ends, everything else in the guest is killed and the agent waits for SHUTDOWN.
 */
#define AGENT_WINDOW (64u * 1024)
#define AGENT_DATA_MAX (16u * 1024) /* bytes in one DATA frame, its stream's number not counted */
#define AGENT_TRANSFER 0x4000u
#define AGENT_TRANSFERS_MAX 16
#define AGENT_PORT_NAME \
    "cofferdam.agent" /* of the virtio-serial port, unless the command line says */

struct agent_credit {
    uint32_t bytes; /* 0: nobody will read any more of it */
    uint32_t stream;
};

/*
 * A step of a guest's set-up: done in the order they come, before the first START. Then data_size
 * bytes stand behind the strings source, target, content. Targets are resolved inside the new root.
 * Devices: "serial:NAME" (a virtio block device with that serial number) or a name below /dev; of a
 * disk nobody can write, by its name, "block:NAME".
 */
enum agent_step_kind {
    AGENT_STEP_CLOCK = 1, /* number: nanoseconds since 1970 */
    AGENT_STEP_SEED,      /* data: entropy, all of it credited; the pool is reseeded */
    AGENT_STEP_HOSTNAME,  /* source */
    AGENT_STEP_MAC,       /* source: "02:…", target: an interface, empty: the first there is */
    AGENT_STEP_ADDRESS,   /* source: "10.0.2.15/24", target: as above; content: gateway or "" */
    AGENT_STEP_LOWER,     /* source: device, content: file system; the root's read-only base */
    AGENT_STEP_UPPER,     /* source: device, content: file system; "" both: a tmpfs, as TMPFS */
    AGENT_STEP_ROOT,      /* the root of these: an overlay, or with AGENT_STEP_RO the base alone */
    AGENT_STEP_TMPFS,     /* target; number: bytes, mode, uid, gid */
    AGENT_STEP_PROC,
    AGENT_STEP_SYSFS,
    AGENT_STEP_DEVPTS, /* number: how many ptys */
    AGENT_STEP_MQUEUE,
    AGENT_STEP_CGROUP,
    AGENT_STEP_DEVICE,   /* source: a node below /dev, target */
    AGENT_STEP_DISK,     /* source: device, content: file system, target */
    AGENT_STEP_SHARE,    /* source: tag, content: "virtiofs" or "9p", target */
    AGENT_STEP_MASK,     /* target, as plan.h has these six */
    AGENT_STEP_READONLY, /* target */
    AGENT_STEP_DIR,      /* target; mode, uid, gid */
    AGENT_STEP_SYMLINK,  /* source: what it says, target */
    AGENT_STEP_FILE,     /* target, mode, uid, gid, data: its bytes. Again after READY: new bytes */
    AGENT_STEP_OWN, /* target, uid, gid: the tree of a copy made before; mode (not 0): if a file */
    AGENT_STEP_SYSCTL,       /* source: below /proc/sys, content */
    AGENT_STEP_RLIMIT,       /* source: "nofile", number: soft, hard in `more` */
    AGENT_STEP_LIMIT,        /* source: "pids.max", content: of a control group for all commands */
    AGENT_STEP_CAPABILITIES, /* number: the bounding set of commands; `more` 1: no_new_privs */
    AGENT_STEP_FILTER,       /* data: struct sock_filter[]; of every command */
    AGENT_STEP_END,          /* enter the root (the first time); READY answers */
    AGENT_STEP_KINDS,
};
enum {
    AGENT_STEP_RO = 1,
    AGENT_STEP_NOSUID = 2,
    AGENT_STEP_NODEV = 4,
    AGENT_STEP_NOEXEC = 8,
    AGENT_STEP_KEPT = 32,     /* what is there already stays */
    AGENT_STEP_OPTIONAL = 16, /* what is missing or read-only is no error */
};
struct agent_step {
    uint32_t kind, flags;
    uint64_t number, more;
    uint32_t mode, uid, gid;
    uint32_t data_size;
};
_Static_assert(sizeof(struct agent_step) == 40, "the wire's layout");

enum agent_quiesce {
    AGENT_QUIESCE_OFF,   /* thaw and go on: the same host */
    AGENT_QUIESCE_ON,    /* sync and freeze what lies on disks, say QUIET, then nothing */
    AGENT_QUIESCE_ADOPT, /* thaw; a new host: HELLO, RUNNING if main lives, QUIET. The streams of
                            all other commands and transfers end: nobody is left who asked for them
                          */
};

/* When, in microseconds of the guest's CLOCK_BOOTTIME. */
enum agent_phase {
    AGENT_PHASE_INIT,    /* our first instruction */
    AGENT_PHASE_MODULES, /* loaded */
    AGENT_PHASE_PORT,    /* opened */
    AGENT_PHASE_STEPS,   /* the first step came */
    AGENT_PHASE_ROOT,    /* mounted */
    AGENT_PHASE_READY,   /* the last step done */
    AGENT_PHASES,
};
struct agent_ready {
    uint64_t phase_us[AGENT_PHASES];
    uint64_t realtime_ns; /* its clock */
    uint64_t memory;      /* bytes it has */
    char hostname[68];    /* these NUL-terminated: read back from the kernel and the root */
    char machine_id[36];
    char mac[20];    /* of the first interface, once a step was about one; "" */
    uint32_t seeded; /* how often the random pool has been given host entropy */
};
_Static_assert(sizeof(struct agent_ready) == 192, "the wire's layout");

/* Unknown numbers are UINT64_MAX. */
struct agent_sample {
    uint64_t memory, memory_free, memory_available, memory_cached; /* bytes */
    uint64_t swap, swap_free;
    uint64_t load[3]; /* of 1, 5 and 15 minutes; thousandths */
    uint64_t tasks, uptime_us, cpu_busy_us;
    uint64_t oom_kills;
    uint64_t scratch, scratch_free; /* bytes; where the changes go */
};
_Static_assert(sizeof(struct agent_sample) == 120, "the wire's layout");

struct agent_running {
    uint32_t pid;
    uint32_t flags;   /* AGENT_START_TERMINAL */
    uint32_t room_in; /* how much DATA it takes as stream 0; UINT32_MAX: that has ended */
    uint32_t ended;   /* bit n: stream n (1, 2) has ended */
};
_Static_assert(sizeof(struct agent_running) == 16, "the wire's layout");

/* One change (AGENT_CHANGES), then name_size bytes: its absolute path, without a NUL. */
struct agent_change {
    uint8_t kind;  /* enum change_kind's number: 0 added, 1 changed, 2 deleted */
    uint8_t flags; /* 1: has security.capability */
    uint16_t name_size;
    uint32_t mode; /* type and permission bits */
    uint64_t size;
};
_Static_assert(sizeof(struct agent_change) == 16, "the wire's layout");

/*
 * What a container's set-up leaves for PID 1: descriptors 0, 1, 2 on /dev/null, the socket at
 * AGENT_FD, nothing else; the root pivoted, working directory "/"; no_new_privs and the workload's
 * seccomp filter already on. The bounding set holds exactly the capabilities of the plan. The
 * permitted and effective sets hold these and, where ids are to be switched, CAP_SETUID, CAP_SETGID
 * and CAP_KILL (carried over exec in the inheritable set of uid 0: capset(2) must put
 * them there before the bounding set loses them). A command of uid 0 gets the bounding set as
 * permitted and effective; any other uid gets none; inheritable and ambient sets are empty, as
 * docker has it. Only where one id is all there is, and it is not 0, the ambient set holds the
 * plan's capabilities, and every command keeps them.
 */

/*
 * A frame taken apart. `payload` points into the reader's buffer. Returns the bytes consumed, 0 if
 * more are needed, -EBADMSG if the stream is broken for good.
 */
struct agent_frame {
    enum agent_type type;
    uint16_t channel;
    const char *payload;
    uint32_t size;
};
long agent_decode(const char *data, size_t size, struct agent_frame *ret);

/* Writes a head for `size` bytes of payload. */
void agent_encode_head(struct agent_head *ret, enum agent_type type, uint16_t channel,
                       uint32_t size);

/* 0 if `data` is exactly `count` NUL-terminated strings, one behind the other, else -EBADMSG. */
int agent_strings(const char *data, size_t size, uint32_t count);

/* STEP taken apart: the strings and data point into the payload. -EBADMSG. */
struct agent_step_view {
    struct agent_step head;
    const char *source, *target, *content; /* "" where not given */
    const char *data;
};
int agent_decode_step(const struct agent_frame *f, struct agent_step_view *ret);

/* START taken apart: the vectors point into the payload. Bounds and NULs are checked. -EBADMSG. */
struct agent_command {
    struct agent_start head;
    uint32_t groups[32];
    const char *cwd, *user;
    const char *strings; /* argc then envc NUL-terminated strings */
};
int agent_decode_start(const struct agent_frame *f, struct agent_command *ret);

#endif
