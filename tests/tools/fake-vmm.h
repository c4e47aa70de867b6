/*
 * A stand-in for a machine's program where there is none, or no KVM: the HTTP of its API, and
 * behind it a made-up guest that speaks the agent's protocol over the vsock sockets. It runs in the
 * jail the real one would run in, opens every file it is told of, and is built without any code of
 * the monitor's. What each program's API is stands in a file of its own.
 */
#ifndef COFFERDAM_TESTS_TOOLS_FAKE_VMM_H
#define COFFERDAM_TESTS_TOOLS_FAKE_VMM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Changed in copies of the program (with sed): "FAKE version=43.0   ;die=00;fault=00;mute=0;kvm=1;
 * time=0;". "die=" and "fault=": the number of the request at which it ends, or refuses; "mute=1":
 * a guest that never calls; "kvm=0": the device of KVM is not opened; "time=1": a refusal tells
 * when it was asked, in microseconds of CLOCK_MONOTONIC. "create=": of its snapshots the
 * first is refused (1), or it ends when asked for one (2), when it is written (3), behind it (4);
 * one of all that is there is refused where what changes is known (5).
 */
extern volatile char fake_settings[];
unsigned fake_number(const char *name);
const char *fake_version(char to[16]);

struct answer {
    int status; /* 204, or another: with a text */
    char text[600];
};
void __attribute__((format(printf, 3, 4)))
fault_with(struct answer *a, int status, const char *fmt, ...);
#define fault(a, ...) fault_with(a, fake_vmm.refusal, __VA_ARGS__)

enum field_type { NUMBER, TEXT, FLAG, OBJECT, LIST };
struct field {
    const char *name; /* NULL: the end of them */
    enum field_type type;
    unsigned since; /* version; 0: always */
    unsigned needed;
    const struct field *inside; /* of an object, or of each of a list; NULL: anything */
};
void check_fields(const json_t *body, const struct field *fields, struct answer *a);

/* States; of an endpoint a mask of those it is for. */
enum { NOTHING = 1, CREATED = 2, STARTED = 4 };
struct endpoint {
    const char *method, *path;
    const struct field *fields; /* NULL: no body */
    unsigned when;
    const char *id; /* the path goes on with this field's value */
    void (*run)(const json_t *body, struct answer *a);
};

/* The program itself. */
extern const struct fake_vmm {
    const char *server;               /* as the header says it */
    const char *serde;                /* before what is wrong with a body */
    const char *made_up;              /* before a made-up fault */
    const char *root, *scratch;       /* the disks as the agent is told of them */
    int refusal;                      /* HTTP's number of most refusals */
    const struct endpoint *endpoints; /* the last without a method */
    unsigned (*version)(void);        /* what `since` counts */
    json_t *(*fault_body)(const char *text);
    void (*no_such)(struct answer *a, const char *method, const char *path);
    void (*not_now)(struct answer *a, const struct endpoint *at);
} fake_vmm;

extern struct fake_vm {
    int listen, api, home, guest, metrics;
    unsigned state;
    int paused;
    int quiet;  /* the guest holds still: another may call it */
    int cut;    /* what the guest was connected to is so no more: a snapshot was taken */
    int saved;  /* one was asked for */
    int astray; /* what has changed is written to a wrong place */
    unsigned requests;
    char kernel[256], vsock[108], tap[16]; /* tap: its card's, where it has one */
} vm;

const char *text_of(const json_t *body, const char *name);
int can_open(const char *path, int flags); /* 0 or -errno */
const char *os_error(int r);
int listen_at(const char *path); /* or -errno */
int vsock_open(const char *path);
int kernel_begins(const char *path, const char *mark, size_t size);
int kvm_open(void);
/* The made-up guest and its memory, in two files; 0 or -errno. After a load it waits to be called.
 */
int guest_save(const char *state, const char *memory, size_t size, bool changes);
int guest_load(const char *state, const char *memory);
size_t guest_memory(void); /* of the one that was loaded */
size_t guest_size(void);   /* of its state's file */
void guest_prints_balloon(size_t mib);
void guest_has_disk(const char *serial); /* one more; NULL: it has a number of its own */
void guest_begin(void); /* as a guest's connection to port 1024 of the host arrives */

/* Its card, by the tap of this name, and whether that is up or can be made so; 0 or -errno. */
int tap_open(const char *name);
int tap_is_up(const char *name);
/* Through it: the address of a name, or what does not answer. */
void tap_ask(const char *name, char *ret, size_t room);

int fake_main(const char *path); /* an errno, if there can be no socket */

#endif
